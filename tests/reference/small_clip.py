"""The miniature's CLIP folder: both towers in one pytorch_model.bin (f32), as openai/clip-vit-large-patch14 lies on disk.

Vision: width 40, 5 heads, 4 layers, 56 × 56 pictures in patches of 14: a grid of 4 × 4. Text: width 24, 3 heads, 2 layers.
"""

import json

import torch
from transformers import CLIPConfig, CLIPModel

from places import CLIP, write_json
from random_weights import fill

IMAGE_SIZE = 56
GAINS = [("class_embedding|position_embedding", 0.5), ("token_embedding", 1.0)]


def config(vocabulary):
    return CLIPConfig(
        vision_config=dict(
            hidden_size=40, intermediate_size=88, num_hidden_layers=4, num_attention_heads=5,
            image_size=IMAGE_SIZE, patch_size=14, hidden_act="quick_gelu", projection_dim=20,
        ),
        text_config=dict(
            hidden_size=24, intermediate_size=52, num_hidden_layers=2, num_attention_heads=3, vocab_size=vocabulary,
            max_position_embeddings=77, hidden_act="quick_gelu", projection_dim=20, bos_token_id=0, eos_token_id=2, pad_token_id=1,
        ),
        projection_dim=20,
    )


def preprocessor(side):
    """The picture processor's file, as openai/clip-vit-large-patch14 has it, for pictures of `side` pixels."""
    return {
        "crop_size": {"height": side, "width": side},
        "do_center_crop": True,
        "do_convert_rgb": True,
        "do_normalize": True,
        "do_rescale": True,
        "do_resize": True,
        "feature_extractor_type": "CLIPFeatureExtractor",
        "image_mean": [0.48145466, 0.4578275, 0.40821073],
        "image_processor_type": "CLIPImageProcessor",
        "image_std": [0.26862954, 0.26130258, 0.27577711],
        "resample": 3,
        "rescale_factor": 1 / 255,
        "size": {"shortest_edge": side},
    }


def main():
    vocabulary = len(json.loads((CLIP / "vocab.json").read_text(encoding="utf-8")))
    model = fill(CLIPModel(config(vocabulary)), "clip", GAINS)
    model.config.architectures = ["CLIPModel"]
    write_json(CLIP / "config.json", {k: v for k, v in model.config.to_dict().items() if k != "transformers_version"})
    tensors = model.state_dict()
    # Files of 2023 hold the position ids as buffers; today's classes no longer make them.
    tensors["text_model.embeddings.position_ids"] = torch.arange(77).unsqueeze(0)
    tensors["vision_model.embeddings.position_ids"] = torch.arange(17).unsqueeze(0)
    torch.save(dict(sorted(tensors.items())), CLIP / "pytorch_model.bin")
    write_json(CLIP / "preprocessor_config.json", preprocessor(IMAGE_SIZE))


if __name__ == "__main__":
    main()
