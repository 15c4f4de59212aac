"""MGIE's instruction expansion on transformers' own LlamaForCausalLM: LLaVA's prompt, its image tokens, greedy generation.

LlamaForCausalLM does everything but one step: where the prompt holds <im_patch>, `forward` puts the projected CLIP features,
as LLaVA's own class does between <im_start> and <im_end>.
"""

import json
import subprocess

import torch
from transformers import LlamaConfig, LlamaForCausalLM

from models import f32, mllm_tensors
from places import HERE, LLAVA

SYSTEM = (
    "A chat between a curious user and an artificial intelligence assistant. "
    "The assistant gives helpful, detailed, and polite answers to the user's questions."
)
IM_PATCH, IM_START, IM_END, IMG0, EOS = 600, 601, 602, 603, 2
VISUAL_TOKENS = 8


def slow_tokenizer(encode=(), decode=()):
    """Asks the tokenizer of 2023, which lives in an environment of its own."""
    python = HERE / ".venv" / "tokenizer-2023" / "bin" / "python"
    request = json.dumps({"encode": list(encode), "decode": list(decode)})
    answer = subprocess.run(
        [python, HERE / "slow_llama_tokenizer.py", LLAVA], input=request, capture_output=True, text=True, check=True
    )
    return json.loads(answer.stdout)


def prompt(instruction, patches):
    question = f"what will this image be like if '{instruction}'"
    question += "\n<im_start>" + "<im_patch>" * patches + "<im_end>"
    return f"{SYSTEM} USER: {question} ASSISTANT:"


def cleaned(text):
    """The text shown to people, by MGIE's rules. The original raises an error where nothing is left; here it is empty."""
    if "ASSISTANT:" in text:
        text = text[text.index("ASSISTANT:") + 10 :].strip()
    if "</s>" in text:
        text = text[: text.index("</s>")].strip()
    if "alternative" in text.lower():
        text = text[: text.lower().index("alternative")]
    if "[IMG0]" in text:
        text = text[: text.index("[IMG0]")]
    text = ".".join([sentence.strip() for sentence in text.split(".")[:2]])
    if text and text[-1] != ".":
        text += "."
    return text.strip()


class Llava(LlamaForCausalLM):
    """LLaMA that reads `self.image_features` (patches, width) in place of <im_patch>."""

    image_features = None

    def forward(self, input_ids=None, inputs_embeds=None, **rest):
        if input_ids is not None and (input_ids == IM_PATCH).any() and input_ids.shape[1] > 1:
            start = (input_ids[0] == IM_START).nonzero()[0, 0]
            inputs_embeds = self.model.embed_tokens(input_ids).clone()
            inputs_embeds[0, start + 1 : start + 1 + len(self.image_features)] = self.image_features
            input_ids = None
        return super().forward(input_ids=input_ids, inputs_embeds=inputs_embeds, **rest)


class Mllm:
    """The whole MLLM of MGIE: LLaVA's base with mllm.pt over it, and the projector from CLIP features."""

    def __init__(self):
        config = LlamaConfig(**json.loads((LLAVA / "config.json").read_text()) | {"model_type": "llama", "torch_dtype": "float32"})
        self.llama = Llava.from_pretrained(LLAVA, config=config, torch_dtype=torch.float32, attn_implementation="eager")
        over = mllm_tensors()
        self.llama.resize_token_embeddings(over["lm_head.weight"].shape[0], mean_resizing=False)
        known = self.llama.state_dict().keys()
        self.llama.load_state_dict({name: tensor for name, tensor in over.items() if name in known}, strict=False)
        self.llama.eval()
        shards = f32(torch.load(LLAVA / "pytorch_model-00002-of-00002.bin"))
        self.projector = (shards["model.mm_projector.weight"], shards["model.mm_projector.bias"])
        self.img_embeddings = over["emb"]

    def project(self, features):
        """(patches, CLIP width) → (patches, width)"""
        return torch.nn.functional.linear(features, *self.projector)

    def generate(self, prompt_ids, projected, ngram=3, max_new_tokens=96):
        """Greedy generation. Gives the whole sequence, `hid` (length − 1, width) after the last norm, and each step's raw logits."""
        self.llama.image_features = projected
        ids = torch.tensor([prompt_ids])
        out = self.llama.generate(
            ids, attention_mask=torch.ones_like(ids), do_sample=False, num_beams=1, max_new_tokens=max_new_tokens,
            no_repeat_ngram_size=ngram, return_dict_in_generate=True, output_hidden_states=True, output_logits=True,
        )
        hid = torch.cat([step[-1] for step in out.hidden_states], dim=1)[0]
        return out.sequences[0].tolist(), hid, torch.cat(out.logits)


def visual_tokens(sequence, hid):
    """H, (8, width), and where it starts: the states that predict [IMG0..7], or the last but one where there is no [IMG0]."""
    last = len(hid) - 1 - VISUAL_TOKENS
    first = min(sequence.index(IMG0) - 1 if IMG0 in sequence else last, last)
    return hid[first : first + VISUAL_TOKENS], first
