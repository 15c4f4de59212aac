"""Metrics of pairs of pictures: numpy and scikit-image; CLIPModel on the miniature; ViTModel (DINO's class) and LPIPS' arithmetic
with random weights. → metrics.safetensors, metrics.json"""

import numpy
import torch
from PIL import Image, ImageFilter
from skimage.metrics import peak_signal_noise_ratio, structural_similarity
from torch import nn
from transformers import CLIPImageProcessor, CLIPModel, ViTConfig, ViTImageProcessor, ViTModel

from clip_tokens import clip_tokenizer, padded_ids
from instructions import landscape, pixels, small, tall
from places import CLIP, GOLDENS, write_json, write_tensors
import models  # one thread, deterministic, no gradients  # noqa: F401

PICTURES = {"landscape": landscape, "tall": tall, "small": small}
CAPTIONS = ["a house on a hill", "A red boat, half full of water; its café is closed!", ""]

# What the config.json of facebook/dino-vits16 says of its sizes.
VIT_KEYS = (
    "attention_probs_dropout_prob hidden_act hidden_dropout_prob hidden_size image_size intermediate_size layer_norm_eps "
    "model_type num_attention_heads num_channels num_hidden_layers patch_size qkv_bias"
).split()


def compared(a, b):
    """What `metrics.compare` gives for two arrays (height, width, 3) of f64 in 0..1."""
    return {
        "l1": numpy.abs(a - b).mean(),
        "l2": ((a - b) ** 2).mean(),
        "psnr": peak_signal_noise_ratio(b, a, data_range=1) if (a != b).any() else None,
        "ssim": structural_similarity(a, b, channel_axis=-1, data_range=1),
    }


def pairs():
    generator = numpy.random.default_rng(3)
    noise = lambda *shape: generator.integers(0, 256, shape, dtype=numpy.uint8)
    tower = tall()
    yield "blurred", numpy.array(tower.filter(ImageFilter.GaussianBlur(2))), numpy.array(tower)
    yield "brighter", numpy.array(small().point(lambda v: min(255, v * 5 // 4))), numpy.array(small())
    yield "equal", numpy.array(small()), numpy.array(small())
    yield "noise", noise(20, 31, 3), noise(20, 31, 3)
    yield "least", noise(7, 7, 3), noise(7, 7, 3)
    yield "flat", numpy.full((9, 8, 3), 255, numpy.uint8), numpy.zeros((9, 8, 3), numpy.uint8)


class Lpips(nn.Module):
    """Learned perceptual distance (arXiv 1801.03924, section 3 and equation 1), with its authors' tensor names: convolutions of
    AlexNet or VGG16 in slices, each slice's features made unit length over channels, squared differences weighted by `lin`, meant over places."""

    ALEX = [("slice1.0", 11, 4, 2), "tap", "pool3", ("slice2.3", 5, 1, 2), "tap", "pool3", ("slice3.6", 3, 1, 1), "tap",
            ("slice4.8", 3, 1, 1), "tap", ("slice5.10", 3, 1, 1), "tap"]
    VGG = [("slice1.0", 3, 1, 1), ("slice1.2", 3, 1, 1), "tap", "pool2", ("slice2.5", 3, 1, 1), ("slice2.7", 3, 1, 1), "tap", "pool2",
           ("slice3.10", 3, 1, 1), ("slice3.12", 3, 1, 1), ("slice3.14", 3, 1, 1), "tap", "pool2",
           ("slice4.17", 3, 1, 1), ("slice4.19", 3, 1, 1), ("slice4.21", 3, 1, 1), "tap", "pool2",
           ("slice5.24", 3, 1, 1), ("slice5.26", 3, 1, 1), ("slice5.28", 3, 1, 1), "tap"]

    def __init__(self, plan, widths):
        super().__init__()
        self.plan, self.widths, self.tensors = plan, widths, {}
        widths, before, taps = list(widths), 3, 0
        for step in plan:
            if step == "tap":
                self.tensors[f"lin{taps}.model.1.weight"] = torch.rand(1, before, 1, 1)
                taps += 1
            elif isinstance(step, tuple):
                name, kernel, _, _ = step
                width = widths.pop(0)
                self.tensors[f"net.{name}.weight"] = torch.randn(width, before, kernel, kernel) * (2 / (before * kernel**2)) ** 0.5
                self.tensors[f"net.{name}.bias"] = torch.randn(width) * 0.1
                before = width

    def features(self, x):
        shift, scale = torch.tensor([-0.030, -0.088, -0.188]), torch.tensor([0.458, 0.448, 0.450])
        x = (x - shift[:, None, None]) / scale[:, None, None]
        for step in self.plan:
            if step == "tap":
                yield x / (x.square().sum(1, keepdim=True).sqrt() + 1e-10)
            elif step in ("pool2", "pool3"):
                x = nn.functional.max_pool2d(x, int(step[-1]), 2)
            else:
                name, _, stride, padding = step
                x = nn.functional.conv2d(x, self.tensors[f"net.{name}.weight"], self.tensors[f"net.{name}.bias"], stride, padding).relu()

    def forward(self, a, b):
        """Pictures (1, 3, height, width) in −1..1 → one number."""
        layers = enumerate(zip(self.features(a), self.features(b)))
        return sum((self.tensors[f"lin{i}.model.1.weight"] * (x - y) ** 2).sum(1).mean() for i, (x, y) in layers)


def cosine(a, b):
    return torch.nn.functional.cosine_similarity(a, b, dim=-1).item()


def main():
    torch.manual_seed(5)
    tensors, facts = {}, {"pairs": {}, "captions": CAPTIONS}
    for name, a, b in pairs():
        tensors |= {f"pair.{name}.image": torch.from_numpy(a), f"pair.{name}.goal": torch.from_numpy(b)}
        facts["pairs"][name] = compared(a / 255.0, b / 255.0)

    clip, processor = CLIPModel.from_pretrained(CLIP).eval().float(), CLIPImageProcessor.from_pretrained(CLIP)
    images = {name: processor(picture(), return_tensors="pt") for name, picture in PICTURES.items()}
    images = {name: clip.get_image_features(**values)[0] for name, values in images.items()}
    texts = clip.get_text_features(input_ids=padded_ids(clip_tokenizer(), CAPTIONS))
    tensors |= {f"clip.{name}": image for name, image in images.items()} | {"clip.texts": texts}
    facts["cvs"] = cosine(images["tall"], images["small"])
    facts["cts"] = [cosine(images["landscape"], text) for text in texts]

    config = ViTConfig(hidden_size=24, num_hidden_layers=3, num_attention_heads=3, intermediate_size=40, image_size=32, patch_size=8)
    vit, size = ViTModel(config, add_pooling_layer=False).eval(), {"height": 32, "width": 32}
    for value in vit.parameters():
        value.copy_(value + torch.randn_like(value) * 0.15)
    processor = ViTImageProcessor(size=size, image_mean=[0.485, 0.456, 0.406], image_std=[0.229, 0.224, 0.225])
    values = {name: processor(picture(), return_tensors="pt").pixel_values for name, picture in PICTURES.items()}
    states = {name: vit(value).last_hidden_state[0, 0] for name, value in values.items()}
    tensors |= {f"dino.weights.{name}": value for name, value in vit.state_dict().items()}
    tensors |= {f"dino.{name}.pixel_values": value[0] for name, value in values.items()}
    tensors |= {f"dino.{name}": state for name, state in states.items()}
    facts["dino"] = {
        "config": {key: value for key, value in config.to_dict().items() if key in VIT_KEYS},
        "preprocessor_config": {key: value for key, value in processor.to_dict().items() if value is not None},
        "tall, small": cosine(states["tall"], states["small"]),
        "tall, landscape": cosine(states["tall"], states["landscape"]),
    }

    a = tall()
    b = a.filter(ImageFilter.GaussianBlur(1))
    a, b = ((pixels(image).permute(2, 0, 1)[None].float() / 255 * 2 - 1) for image in (a, b))
    tensors["lpips.blurred"] = ((b[0] + 1) / 2 * 255).round().to(torch.uint8).permute(1, 2, 0)
    facts["lpips"] = {}
    for name, plan, widths in [("alex", Lpips.ALEX, [5, 7, 8, 6, 4]), ("vgg", Lpips.VGG, [3, 4, 4, 5, 5, 4, 6, 5, 6, 4, 5, 6, 4])]:
        model = Lpips(plan, widths)
        tensors |= {f"lpips.{name}.{key}": value for key, value in model.tensors.items()}
        facts["lpips"][name] = model(a, b).item()

    write_tensors("metrics", tensors)
    write_json(GOLDENS / "metrics.json", facts)


if __name__ == "__main__":
    main()
