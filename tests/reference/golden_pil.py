"""PIL's resize with its six filters, and CLIP's centre crop. → pil.safetensors

Names: `<picture>.<filter>.<width>x<height>`. Pictures: `rgb` 23 × 17, `rgba` 19 × 13 (PIL multiplies by alpha before and divides after, but
for `nearest`), `l` 29 × 11, `f` (the same as f32), `thin` 40 × 1, `landscape`.
"""

import numpy
import torch
from PIL import Image
from transformers import CLIPImageProcessor

from instructions import landscape, pixels
from places import write_tensors
from random_weights import normal

FILTERS = ["nearest", "box", "bilinear", "hamming", "bicubic", "lanczos"]
SIZES = {
    "rgb": [(31, 40), (7, 9), (46, 9), (5, 34), (1, 1), (23, 8), (24, 17)],
    "rgba": [(31, 20), (7, 6), (1, 3)],
    "l": [(40, 23), (9, 4), (29, 12)],
    "f": [(40, 23), (9, 4), (29, 12)],
    "thin": [(13, 1), (80, 3)],
}


def noisy(name, mode, width, height):
    """Half gradient, half noise, with hard edges; alpha from none to full."""
    channels = {"RGB": 3, "RGBA": 4, "L": 1}[mode]
    noise = normal(f"golden.pil.{name}", (height, width, channels), 60).numpy()
    y, x = numpy.mgrid[:height, :width]
    ramp = 255 * (x + y)[..., None] / (width + height - 2 or 1)
    values = numpy.clip(ramp + noise, 0, 255).astype(numpy.uint8)
    values[: height // 3, : width // 4] = 255
    values[height // 2 :, width // 2 : width // 2 + 2] = 0
    return Image.fromarray(values.squeeze(-1) if channels == 1 else values)


def main():
    pictures = {
        "rgb": noisy("rgb", "RGB", 23, 17),
        "rgba": noisy("rgba", "RGBA", 19, 13),
        "l": noisy("l", "L", 29, 11),
        "thin": noisy("thin", "RGB", 40, 1),
    }
    pictures["f"] = pictures["l"].convert("F")
    tensors = {}
    for name, picture in pictures.items():
        tensors[f"{name}.picture"] = pixels(picture)
        for size in SIZES[name]:
            for kind in FILTERS:
                resized = picture.resize(size, Image.Resampling[kind.upper()])
                tensors[f"{name}.{kind}.{size[0]}x{size[1]}"] = pixels(resized)
    for kind, size in [("lanczos", (296, 200)), ("bicubic", (82, 56)), ("bilinear", (120, 81))]:
        tensors[f"landscape.{kind}.{size[0]}x{size[1]}"] = pixels(landscape().resize(size, Image.Resampling[kind.upper()]))
    processor = CLIPImageProcessor()
    for width, height in [(8, 8), (9, 7), (10, 16), (23, 17), (30, 5), (29, 24)]:
        cropped = processor.center_crop(numpy.array(pictures["rgb"]), {"height": height, "width": width})
        tensors[f"rgb.center_crop.{width}x{height}"] = torch.from_numpy(cropped.astype(numpy.uint8))
    write_tensors("pil", tensors)


if __name__ == "__main__":
    main()
