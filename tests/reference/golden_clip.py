"""CLIP's vision tower: CLIPImageProcessor and CLIPVisionModel. → clip.safetensors"""

import torch
from PIL import Image

from instructions import landscape, pixels, small, tall
from models import clip_vision
from places import write_tensors


def main():
    processor, model = clip_vision()
    tensors = {}
    for name, picture in [("landscape", landscape()), ("tall", tall()), ("small", small())]:
        values = processor(picture, return_tensors="pt").pixel_values
        out = model(values, output_hidden_states=True)
        states = torch.cat(out.hidden_states)
        width, height = picture.size
        short = processor.size["shortest_edge"]
        size = (short, int(short * height / width)) if width <= height else (int(short * width / height), short)
        tensors |= {
            f"{name}.resized": pixels(picture.resize(size, Image.Resampling.BICUBIC)),
            f"{name}.pixel_values": values[0],
            f"{name}.hidden_states": states,
            f"{name}.features": states[-2, 1:],
            f"{name}.pooled": out.pooler_output[0],
        }
        if name != "landscape":
            tensors[f"{name}.picture"] = pixels(picture)
    write_tensors("clip", tensors)


if __name__ == "__main__":
    main()
