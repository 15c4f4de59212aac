"""Token ids of both tokenizers for prompts and awkward strings. → llama_tokenizer.json, clip_tokenizer.json"""

import json

from transformers import CLIPTokenizerFast

from clip_tokens import clip_tokenizer
from instructions import INSTRUCTIONS
from llava import prompt, slow_tokenizer
from places import GOLDENS, PIX2PIX

STRINGS = [
    "", " ", "  ", "   ", "\n", "\n\n", "\t", " \n ", "a", " a", "a ", "  a", "a  ", "a  b", "a   b    c", "a\nb", "a \n b", "a\tb", "a\r\nb",
    "make the sky stormy", " make the sky stormy ", "MAKE The sKy StOrMy", "the house's roof", "don't, can't, they've, I'm, we'll, he'd, you're",
    "it 's", "'quoted' \"double\" `back`", "“curly” ‘single’ «angle» „low“", "em — en – minus − hyphen-",
    "café naïve résumé Ångström", "cafe\u0301 decomposed", "ﬁ ligature ½ ② Ⅷ ™", "Straße İstanbul ǅ ß", "日本語のテキスト", "空を嵐にする please", "한국어", "Привет, мир", "שלום עולם", "مرحبا", "ไทย",
    "🙂", "a🙂b", "👩‍👩‍👧‍👦 family", "🇫🇷 flag", "👍🏽", "1", "12", "1234567890", "3.14159 and 1,500", "2024-06-30", "a1b2c3",
    "...", "?!?!", "a.b.c", "#tag @name $5 %x ^ & * ( ) _ + = { } [ ] | \\ / < > ~", "http://example.org/a?b=c&d=e",
    "\u0000", "\u0001\u001f\u007f", "a\u00a0b", "a\u200bb", "a\u3000b", "\ufeffbom", "\u2581", "▁the ▁▁ house", "\ufffd",
    "<s>", "</s>", "a</s>b", "a </s> b", "<s> a", "<unk>", "a<unk>b", "a <unk> b", "<pad>",
    "<im_start>", "<im_patch><im_patch>", "a<im_start>b", "a <im_start> b", "  <im_end>  a", "a\n<im_start>\nb", "<im_start><im_patch><im_end>",
    "[IMG0]", "[IMG0][IMG1]", "[IMG0] [IMG1]", "a [IMG0] b", "[IMG8]", "[img0]", "[IMG0", "<im_patch", "<0x41>", "<0x0A>",
    "<|startoftext|>", "<|endoftext|>", "a<|endoftext|>b", "a <|endoftext|> b", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    "the" * 40, " ".join(["weather"] * 30), "ASSISTANT:", "USER: ASSISTANT:", "x" * 300,
]

DECODED = [
    [], [1], [2], [1, 2], [0], [1, 260, 261], [2, 2], [600, 601, 602], [603, 604], [260, 603, 604, 261, 2], [603, 260], [261, 262, 603],
    [3 + 0xE2, 3 + 0x82, 3 + 0xAC], [3 + 0xE2, 3 + 0x82], [3 + 0x82, 3 + 0xE2, 260], [3 + 0x41, 3 + 0x42], [3 + 10, 260], [260, 3 + 0xF0, 3 + 0x9F, 603, 3 + 0x98, 3 + 0x80],
    [3 + 0xF0, 3 + 0x9F, 3 + 0x99, 3 + 0x82], [262, 2, 262], [1, 262, 0, 262, 2], [260, 2, 603, 2, 260], [293, 293, 260], [3, 260], [3 + 0x20, 260],
    list(range(255, 330)), list(range(400, 611)),
]


def write(name, value):
    """Like places.write_json, with each case on a line of its own."""
    parts = []
    for key, cases in value.items():
        if isinstance(cases, list):
            lines = ",\n".join(json.dumps(case, ensure_ascii=False) for case in cases)
            parts.append(f"{json.dumps(key)}: [\n{lines}\n]")
        else:
            parts.append(f"{json.dumps(key)}: {json.dumps(cases, ensure_ascii=False)}")
    GOLDENS.mkdir(parents=True, exist_ok=True)
    (GOLDENS / name).write_text("{\n" + ",\n".join(parts) + "\n}\n", encoding="utf-8")


def llama():
    prompts = {name: prompt(instruction, 16) for name, instruction in INSTRUCTIONS.items()}
    answer = slow_tokenizer([*prompts.values(), *STRINGS], DECODED)
    encoded = answer["encode"]
    write(
        "llama_tokenizer.json",
        {
            "added": answer["added"],
            "prompts": [
                {"name": name, "instruction": INSTRUCTIONS[name], "prompt": text, "ids": case["ids"]}
                for (name, text), case in zip(prompts.items(), encoded)
            ],
            "strings": [{"text": text, **case} for text, case in zip(STRINGS, encoded[len(prompts) :])],
            "decode": [{"ids": ids, **case} for ids, case in zip(DECODED, answer["decode"])],
        },
    )


def clip():
    """`ids` are the reference; where other installs give others, those are noted beside them and nothing tests them."""
    plain = clip_tokenizer()
    others = {"with_ftfy": clip_tokenizer(ftfy=True), "fast": CLIPTokenizerFast.from_pretrained(PIX2PIX / "tokenizer")}
    cases = []
    for text in [*STRINGS, *INSTRUCTIONS.values()]:
        ids = plain(text).input_ids
        elsewhere = {name: tokenizer(text).input_ids for name, tokenizer in others.items()}
        cases.append({"text": text, "ids": ids} | {name: other for name, other in elsewhere.items() if other != ids})
    write("clip_tokenizer.json", {"strings": cases})


def main():
    llama()
    clip()


if __name__ == "__main__":
    main()
