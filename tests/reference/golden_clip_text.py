"""CLIP's text encoder: CLIPTextModel on slow CLIPTokenizer's ids (without ftfy). → clip_text.safetensors, clip_text.json"""

import torch
from transformers import CLIPTextModel

from clip_tokens import clip_tokenizer, padded_ids
from instructions import INSTRUCTIONS
from places import PIX2PIX, write_json, write_tensors, GOLDENS
import models  # one thread, deterministic  # noqa: F401


def main():
    texts = [INSTRUCTIONS[name] for name in ("plain", "accents", "empty", "long")]
    texts += ["Make the HOUSE look like it's 1920!!", "word " * 75, "word " * 76, "a <|endoftext|> b"]
    ids = padded_ids(clip_tokenizer(), texts)
    encoder = CLIPTextModel.from_pretrained(PIX2PIX / "text_encoder", torch_dtype=torch.float32).eval()
    out = encoder(ids, output_hidden_states=True)
    write_tensors(
        "clip_text",
        {
            "input_ids": ids,
            "last_hidden_state": out.last_hidden_state,
            "pooled": out.pooler_output,
            "first.hidden_states": torch.stack([state[0] for state in out.hidden_states]),
        },
    )
    write_json(GOLDENS / "clip_text.json", {"texts": texts})


if __name__ == "__main__":
    main()
