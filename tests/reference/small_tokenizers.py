"""Trains the miniature's two tokenizers on corpus.txt and writes them in the users' layouts.

LLaVA-7B-v1: a SentencePiece BPE model with LLaMA's trainer options, and the small JSON files beside it as LLaVA releases
them: the three image tokens are added tokens, [IMG0]…[IMG7] are not there yet (MGIE adds them when it loads the model).
instruct-pix2pix/tokenizer (and a copy in the CLIP folder): a byte-level BPE in CLIP's style.
"""

import collections
import io
import json

import regex
import sentencepiece
from transformers.models.clip.tokenization_clip import bytes_to_unicode

from places import CLIP, HERE, LLAVA, PIX2PIX, write_json

LLAMA_VOCABULARY = 600
CLIP_MERGES = 220


def train_sentencepiece(lines, vocabulary):
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(lines),
        model_writer=model,
        model_type="bpe",
        vocab_size=vocabulary,
        character_coverage=0.9999,
        split_digits=True,
        byte_fallback=True,
        add_dummy_prefix=True,
        remove_extra_whitespaces=False,
        allow_whitespace_only_pieces=True,
        normalization_rule_name="identity",
        unk_id=0,
        bos_id=1,
        eos_id=2,
        pad_id=-1,
        num_threads=1,
        minloglevel=2,
    )
    return model.getvalue()


def llava_files(folder, lines, vocabulary):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "tokenizer.model").write_bytes(train_sentencepiece(lines, vocabulary))
    image_tokens = ["<im_patch>", "<im_start>", "<im_end>"]
    write_json(folder / "added_tokens.json", {token: vocabulary + i for i, token in enumerate(image_tokens)})

    def special(content):
        return {"content": content, "lstrip": False, "normalized": True, "rstrip": False, "single_word": False}

    write_json(
        folder / "special_tokens_map.json",
        {"bos_token": special("<s>"), "eos_token": special("</s>"), "pad_token": "<unk>", "unk_token": special("<unk>")},
    )
    write_json(
        folder / "tokenizer_config.json",
        {
            "add_bos_token": True,
            "add_eos_token": False,
            "bos_token": {"__type": "AddedToken"} | special("<s>"),
            "clean_up_tokenization_spaces": False,
            "eos_token": {"__type": "AddedToken"} | special("</s>"),
            "model_max_length": 2048,
            "pad_token": None,
            "padding_side": "right",
            "sp_model_kwargs": {},
            "tokenizer_class": "LlamaTokenizer",
            "unk_token": {"__type": "AddedToken"} | special("<unk>"),
        },
    )


def train_clip_bpe(lines, length):
    """CLIP's vocabulary: 256 byte symbols, the same ending a word, the merges, and the two ends of text."""
    symbol = bytes_to_unicode()
    words = collections.Counter()
    for line in lines:
        for word in regex.findall(r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+", line.lower()):
            symbols = [symbol[byte] for byte in word.encode("utf-8")]
            words[(*symbols[:-1], symbols[-1] + "</w>")] += 1
    merges = []
    while len(merges) < length:
        pairs = collections.Counter()
        for word, count in words.items():
            for pair in zip(word, word[1:]):
                pairs[pair] += count
        if not pairs:  # every word is one token
            break
        best = max(pairs, key=lambda pair: (pairs[pair], pair))
        merges.append(best)
        merged = collections.Counter()
        for word, count in words.items():
            out, i = [], 0
            while i < len(word):
                joined = word[i : i + 2] == best
                out.append("".join(best) if joined else word[i])
                i += 2 if joined else 1
            merged[tuple(out)] += count
        words = merged
    symbols = list(symbol.values())
    tokens = symbols + [s + "</w>" for s in symbols] + ["".join(pair) for pair in merges] + ["<|startoftext|>", "<|endoftext|>"]
    return {token: i for i, token in enumerate(tokens)}, merges


def clip_files(folders, lines, length):
    """Gives the vocabulary: token → id."""
    vocabulary, merges = train_clip_bpe(lines, length)

    def special(content):
        return {"content": content, "lstrip": False, "normalized": True, "rstrip": False, "single_word": False}

    for folder in folders:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "vocab.json").write_text(json.dumps(vocabulary, ensure_ascii=False), encoding="utf-8")
        (folder / "merges.txt").write_text("#version: 0.2\n" + "".join(f"{a} {b}\n" for a, b in merges), encoding="utf-8")
        write_json(
            folder / "special_tokens_map.json",
            {
                "bos_token": special("<|startoftext|>"),
                "eos_token": special("<|endoftext|>"),
                "pad_token": "<|endoftext|>",
                "unk_token": special("<|endoftext|>"),
            },
        )
        write_json(
            folder / "tokenizer_config.json",
            {
                "add_prefix_space": False,
                "bos_token": {"__type": "AddedToken"} | special("<|startoftext|>"),
                "do_lower_case": True,
                "eos_token": {"__type": "AddedToken"} | special("<|endoftext|>"),
                "errors": "replace",
                "model_max_length": 77,
                "pad_token": "<|endoftext|>",
                "tokenizer_class": "CLIPTokenizer",
                "unk_token": {"__type": "AddedToken"} | special("<|endoftext|>"),
            },
        )
    return vocabulary


def main():
    lines = (HERE / "corpus.txt").read_text(encoding="utf-8").splitlines()
    llava_files(LLAVA, lines, LLAMA_VOCABULARY)
    clip_files([PIX2PIX / "tokenizer", CLIP], lines, CLIP_MERGES)


if __name__ == "__main__":
    main()
