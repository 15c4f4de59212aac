"""Where things lie: the folders that these scripts read and write, and how a golden is written."""

import json
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
PHOTOS = ROOT / "graphs" / "photos"
MINIATURE = ROOT / "tests" / "miniature"
SMALL = ROOT / "graphs" / "small"
GOLDENS = ROOT / "tests" / "goldens"

LLAVA = MINIATURE / "LLaVA-7B-v1"
CLIP = MINIATURE / "clip-vit-large-patch14"
MGIE = MINIATURE / "mgie_7b"
PIX2PIX = MINIATURE / "instruct-pix2pix"


def write_json(path, value):
    """One fact a line where lists are long, so that a change shows as a small diff."""
    path.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(value, indent=1, ensure_ascii=False)
    path.write_text(text + "\n", encoding="utf-8")


def write_tensors(name, tensors):
    """`tests/goldens/<name>.safetensors`, tensors in alphabetical order (safetensors sorts by dtype first)."""
    from safetensors.torch import save_file

    GOLDENS.mkdir(parents=True, exist_ok=True)
    save_file({key: tensors[key].clone().contiguous() for key in sorted(tensors)}, GOLDENS / f"{name}.safetensors")
