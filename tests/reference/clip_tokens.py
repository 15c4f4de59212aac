"""CLIP's slow tokenizer in its two forms: without the package `ftfy`, as a plain install of diffusers has it, and with it.

Transformers 4.28 without ftfy also stripped accents and split at punctuation: a fault, mended soon after, that is not recorded.
"""

from transformers import CLIPTokenizer
from transformers.models.clip.tokenization_clip import BasicTokenizer

from places import PIX2PIX


def clip_tokenizer(ftfy=False):
    tokenizer = CLIPTokenizer.from_pretrained(PIX2PIX / "tokenizer")
    if ftfy:
        import ftfy

        tokenizer.fix_text = ftfy.fix_text
    else:  # what CLIPTokenizer does itself where ftfy cannot be imported
        tokenizer.fix_text = None
        tokenizer.nlp = BasicTokenizer(strip_accents=False, do_split_on_punc=False)
    return tokenizer


def padded_ids(tokenizer, texts):
    """(texts, 77) ids, cut or padded as the pipeline does."""
    return tokenizer(
        texts, padding="max_length", max_length=tokenizer.model_max_length, truncation=True, return_tensors="pt"
    ).input_ids
