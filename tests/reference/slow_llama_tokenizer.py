"""The slow LlamaTokenizer of transformers 4.28.1, as MGIE uses it: LLaVA's folder, then [IMG0]…[IMG7] and the image tokens added.

Runs in the environment of requirements-tokenizer-2023.txt. Reads {"encode": [text], "decode": [[id]]} from standard input;
writes {"encode": [{"ids", "tokens"}], "decode": [{"text", "text_skipping_special"}], "added": {token: id}}. `python
slow_llama_tokenizer.py FOLDER`.
"""

import json
import sys

from transformers import LlamaTokenizer

IMG_TOKENS = [f"[IMG{i}]" for i in range(8)]


def load(folder):
    tokenizer = LlamaTokenizer.from_pretrained(folder)
    tokenizer.padding_side = "left"
    tokenizer.add_tokens(IMG_TOKENS, special_tokens=True)
    tokenizer.add_tokens(["<im_patch>"], special_tokens=True)
    tokenizer.add_tokens(["<im_start>", "<im_end>"], special_tokens=True)
    return tokenizer


def main():
    tokenizer = load(sys.argv[1])
    request = json.load(sys.stdin)
    encoded = []
    for text in request["encode"]:
        ids = tokenizer(text)["input_ids"]
        encoded.append({"ids": ids, "tokens": tokenizer.convert_ids_to_tokens(ids)})
    decoded = [
        {"text": tokenizer.decode(ids), "text_skipping_special": tokenizer.decode(ids, skip_special_tokens=True)}
        for ids in request["decode"]
    ]
    json.dump({"encode": encoded, "decode": decoded, "added": tokenizer.get_added_vocab()}, sys.stdout)


if __name__ == "__main__":
    main()
