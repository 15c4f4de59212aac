"""Instruction expansion: LlamaForCausalLM.generate on the 2023 tokenizer's ids. → mllm.safetensors, mllm.json

The cases, on the landscape: `plain` reaches [IMG0] and ends in </s>; `accents` likewise; `empty` never does and runs to the 96-token
cap; in `ngram` (cap, no [IMG0]) and `ngram_eos` no_repeat_ngram_size changes the answer; `late` reaches [IMG0] two tokens
before the cap, so that p is held back; `short` ends in </s> without [IMG0].
"""

import torch

from instructions import INSTRUCTIONS, landscape
from llava import EOS, IMG0, Mllm, cleaned, prompt, slow_tokenizer, visual_tokens
from models import clip_vision
from places import GOLDENS, write_json, write_tensors

# Strings for the cleaning rules alone; the original raises an error on those that leave nothing.
TEXTS = [
    "", ".", "..", " ", "no full stop", "One. Two. Three.", "One.Two", "One.  Two  ", " One . Two . Three", "One.\n\nTwo",
    "x ASSISTANT: yes. ASSISTANT: no.", "ASSISTANT:", "ASSISTANT: </s>", "a b</s>c", "</s>a", "It is red. Alternatively, blue.",
    "Alternative one", "an ALTERNATIVE. b", "The sky [IMG0] [IMG1]. More", "[IMG0]", "a.b.c [IMG0]", "[IMG1] stays", "3.14 is pi. Yes",
    "İ alternative", "ẞtraße. Été 🙂. Fin", "USER: a ASSISTANT:a", "ASSISTANT:\u00a0b\u3000", "tab\t.\tend\t", "\u001fa\u001f.b",
]


def record(name, ids, mllm, projected, tensors):
    sequence, hid, logits = mllm.generate(ids, projected)
    free, _, _ = mllm.generate(ids, projected, ngram=0)
    h, first = visual_tokens(sequence, hid)
    answer = sequence[len(ids) :]
    top = logits.topk(2).values
    tensors |= {
        f"{name}.prompt_ids": torch.tensor(ids),
        f"{name}.sequence": torch.tensor(sequence),
        f"{name}.sequence_without_ngram_rule": torch.tensor(free),
        f"{name}.hid": hid,
        f"{name}.visual_tokens": h,
        f"{name}.first_logits": logits[0],
    }
    return sequence, {
        "name": name,
        "instruction": INSTRUCTIONS[name],
        "prompt_length": len(ids),
        "new_tokens": len(answer),
        "img0_at": answer.index(IMG0) if IMG0 in answer else None,
        "ends_in_eos": answer[-1] == EOS,
        "ngram_rule_matters": free != sequence,
        "visual_tokens_start": first,
        # The least lead of a best raw logit over the second: how far f32 may stray before a token changes.
        "least_margin": round(float((top[:, 0] - top[:, 1]).min()), 5),
    }


def main():
    processor, vision = clip_vision()
    states = vision(processor(landscape(), return_tensors="pt").pixel_values, output_hidden_states=True).hidden_states
    features = states[-2][0, 1:]
    mllm = Mllm()
    projected = mllm.project(features)
    tensors = {"features": features, "projected": projected, "img_embeddings": mllm.img_embeddings[0]}

    prompts = [prompt(instruction, len(features)) for instruction in INSTRUCTIONS.values()]
    encoded = slow_tokenizer(encode=prompts)["encode"]
    sequences, cases = [], []
    for name, text, case in zip(INSTRUCTIONS, prompts, encoded):
        sequence, facts = record(name, case["ids"], mllm, projected, tensors)
        sequences += [sequence, sequence[len(case["ids"]) :]]
        cases.append(facts | {"prompt": text})
    decoded = slow_tokenizer(decode=sequences)["decode"]
    for i, case in enumerate(cases):
        case["raw_text"] = decoded[2 * i]["text"]
        case["answer"] = decoded[2 * i + 1]["text"]
        case["text"] = cleaned(case["raw_text"])

    # Every layer of the plain prompt: embeddings with the image in place, after each layer (the last one after the norm).
    ids = torch.tensor([encoded[0]["ids"]])
    mllm.llama.image_features = projected
    layers = mllm.llama(ids, output_hidden_states=True).hidden_states
    tensors["plain.prompt_hidden_states"] = torch.cat(layers)

    write_tensors("mllm", tensors)
    write_json(GOLDENS / "mllm.json", {"cases": cases, "cleaned": [{"text": t, "cleaned": cleaned(t)} for t in TEXTS]})


if __name__ == "__main__":
    main()
