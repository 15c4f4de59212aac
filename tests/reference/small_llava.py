"""The miniature's LLaVA folder (two fp16 shards) and mgie_7b/mllm.pt, which lies over it.

LLaMA of width 48, 3 heads, 3 layers. Random, but for two things: bytes, image tokens and control tokens get small output
rows, so that answers are mostly text; and the output row of each [IMGi+1] points along the input embedding of [IMGi] (that
of </s> along [IMG7]), so that an answer that reaches [IMG0] ends as MGIE's do.
"""

import json

import torch
from transformers import LlamaConfig, LlamaForCausalLM

from edit_mapper import EditMapper
from places import LLAVA, MGIE, write_json
from random_weights import fill, half, normal

WIDTH, LAYERS, VOCABULARY, IMAGE_TOKENS, VISUAL_TOKENS = 48, 3, 600, 3, 8
CLIP_WIDTH = 40
BASE_ROWS = VOCABULARY + IMAGE_TOKENS
EOS, IMG0 = 2, BASE_ROWS


def config():
    return LlamaConfig(
        vocab_size=BASE_ROWS, hidden_size=WIDTH, intermediate_size=104, num_hidden_layers=LAYERS, num_attention_heads=3,
        hidden_act="silu", rms_norm_eps=1e-6, max_position_embeddings=2048, bos_token_id=1, eos_token_id=EOS, pad_token_id=0,
        tie_word_embeddings=False,
    )


GENERATION = {"_from_model_config": True, "bos_token_id": 1, "eos_token_id": EOS, "pad_token_id": 0}


def released_config(width, feed_forward, heads, layers, rows, clip_width, positions):
    """config.json as LLaVA-7B-v1 has it."""
    return {
        "architectures": ["LlavaLlamaForCausalLM"], "bos_token_id": 1, "eos_token_id": EOS, "freeze_mm_mlp_adapter": False,
        "hidden_act": "silu", "hidden_size": width, "image_aspect_ratio": "square", "image_grid_pinpoints": None,
        "initializer_range": 0.02, "intermediate_size": feed_forward, "max_position_embeddings": positions,
        "max_sequence_length": positions, "mm_hidden_size": clip_width, "mm_use_im_start_end": True, "mm_vision_select_layer": -2,
        "mm_vision_tower": "openai/clip-vit-large-patch14", "model_type": "llava", "num_attention_heads": heads,
        "num_hidden_layers": layers, "pad_token_id": 0, "rms_norm_eps": 1e-06, "sep_image_conv_front": False,
        "tie_word_embeddings": False, "torch_dtype": "float16", "tune_mm_mlp_adapter": False, "use_cache": True,
        "use_mm_proj": True, "vocab_size": rows,
    }


def write_base():
    model = fill(LlamaForCausalLM(config()), "llava", [("lm_head", 3.0), ("o_proj", 1.8), ("down_proj", 1.4)])
    tensors = model.state_dict()
    tensors["model.mm_projector.weight"] = normal("llava.mm_projector.weight", (WIDTH, CLIP_WIDTH), CLIP_WIDTH**-0.5)
    tensors["model.mm_projector.bias"] = normal("llava.mm_projector.bias", (WIDTH,), 0.1)
    for layer in range(LAYERS):  # files of 2023 hold the rotary frequencies
        tensors[f"model.layers.{layer}.self_attn.rotary_emb.inv_freq"] = 1 / 10000 ** (torch.arange(0, 16, 2) / 16)
    tensors = half(tensors)
    names = [f"pytorch_model-0000{i}-of-00002.bin" for i in (1, 2)]
    place = {name: names[name.startswith(("model.layers.2", "model.norm", "model.mm_projector", "lm_head"))] for name in tensors}
    for file in names:
        torch.save({name: tensor.clone() for name, tensor in tensors.items() if place[name] == file}, LLAVA / file)
    size = sum(tensor.numel() * tensor.element_size() for tensor in tensors.values())
    write_json(LLAVA / "pytorch_model.bin.index.json", {"metadata": {"total_size": size}, "weight_map": dict(sorted(place.items()))})
    write_json(LLAVA / "config.json", released_config(WIDTH, 104, 3, LAYERS, BASE_ROWS, CLIP_WIDTH, 2048))
    write_json(LLAVA / "generation_config.json", GENERATION)
    return tensors


def write_mllm(base):
    """Trained tokens and output rows (near the base's, grown by the eight [IMG] rows), the edit head and `emb`."""
    rows = BASE_ROWS + VISUAL_TOKENS
    embed = normal("mgie.embed_tokens", (rows, WIDTH))
    embed[IMG0:] *= 2.5
    embed[:BASE_ROWS] = base["model.embed_tokens.weight"].float() + 0.3 * embed[:BASE_ROWS]
    head = normal("mgie.lm_head", (rows, WIDTH), 3 * WIDTH**-0.5)
    head[:BASE_ROWS] = base["lm_head.weight"].float() + 0.3 * head[:BASE_ROWS]
    head[[0, 1]] *= 0.1
    head[3:259] *= 0.55
    head[VOCABULARY:IMG0] *= 0.1
    following = [*range(IMG0 + 1, IMG0 + VISUAL_TOKENS), EOS]
    for i, follower in enumerate(following):
        direction = embed[IMG0 + i] / embed[IMG0 + i].norm()
        head[follower] = 0.35 * head[follower] + 2.6 * direction
    head[EOS] = head[EOS] + normal("mgie.lm_head.eos", (WIDTH,), 2 * WIDTH**-0.5)
    # One of sixty draws: the one with which some of the recorded instructions reach [IMG0] and others do not.
    head[IMG0] = normal("mgie.lm_head.img0.48", (WIDTH,), 3.75 * WIDTH**-0.5)
    # The edit head was given these embeddings of [IMG0..7]; the rows of embed_tokens went on changing.
    emb = embed[IMG0:] + normal("mgie.emb", (VISUAL_TOKENS, WIDTH), 0.2)
    edit_head = fill(EditMapper(WIDTH, 32, 64, 24), "mgie.edit_head", [("query$", (77 * 32) ** 0.5)])
    tensors = {"model.embed_tokens.weight": embed, "lm_head.weight": head, "emb": emb.unsqueeze(0)}
    tensors |= {f"edit_head.{name}": tensor for name, tensor in edit_head.state_dict().items()}
    MGIE.mkdir(parents=True, exist_ok=True)
    torch.save(half(tensors), MGIE / "mllm.pt")


def main():
    write_mllm(write_base())


if __name__ == "__main__":
    main()
