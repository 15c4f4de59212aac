"""The instructions and pictures that more than one stage is recorded on."""

import numpy
from PIL import Image

from places import PHOTOS

LANDSCAPE = PHOTOS / "landscape.png"

LONG = (
    "First make the sky stormy, with heavy dark clouds that hang low over the hills and a curtain of rain on the left; then let the "
    "windows of the house be lit from within, warm and yellow, so that their light falls on the wet path. Bend the trees as the wind "
    "would, scatter leaves over the grass, dim the flowers, and put a small red boat, half full of water, at the foot of the hill. "
    "Keep the roof red, keep the mountains where they are, and let nothing of the sun be seen but a thin, pale, cold gleam."
)

# Name → instruction. What each is for is said where the answers are recorded (golden_mllm.py).
INSTRUCTIONS = {
    "plain": "make the sky stormy",
    "accents": "Let the café's sign say “Été 🙂” — \"now\", it's  fine",
    "empty": "",
    "long": LONG,
    "ngram": "make the house in winter",
    "late": "paint the house as in 1920",
    "short": "turn two birds blue and gold",
    "ngram_eos": "turn the sky darker, please",
}


def landscape():
    """300 × 203."""
    return Image.open(LANDSCAPE).convert("RGB")


def tall():
    """61 × 133, cut from the landscape: the house and the sky over it."""
    return landscape().crop((170, 60, 231, 193))


def small():
    """53 × 37: less than CLIP's size on both sides."""
    return landscape().crop((30, 140, 83, 177))


def pixels(image):
    """uint8 (height, width, channels), or (height, width) for one channel."""
    import torch

    return torch.from_numpy(numpy.array(image))
