"""The edit head: torch.nn.Transformer on the visual tokens of mllm.safetensors. → edit_head.safetensors"""

import torch
from safetensors.torch import load_file

from instructions import INSTRUCTIONS
from models import edit_head
from places import GOLDENS, write_tensors
from random_weights import normal


def main():
    head, emb = edit_head()
    recorded = load_file(GOLDENS / "mllm.safetensors")
    inputs = {name: recorded[f"{name}.visual_tokens"] for name in INSTRUCTIONS}
    inputs["random"] = normal("golden.edit_head.random", emb.shape[1:])
    tensors = {"img_embeddings": emb[0], "random.visual_tokens": inputs["random"]}
    for name, visual_tokens in inputs.items():
        tensors[f"{name}.conditioning"] = head(visual_tokens.unsqueeze(0), emb)[0]
    tensors["null_conditioning"] = head(torch.zeros_like(emb), emb)[0]
    source = head.llm2hid(inputs["plain"] + emb)
    tensors["plain.projected"] = source[0]
    tensors["plain.encoded"] = head.mapper.encoder(source)[0]
    write_tensors("edit_head", tensors)


if __name__ == "__main__":
    main()
