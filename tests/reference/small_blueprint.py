"""graphs/small's blueprint: the configurations and tokenizers of the small model; the trainer makes its weights from them.

`small_blueprint.py` trains the tokenizers on scenes_corpus.txt and writes everything. `small_blueprint.py FILE` first makes
scenes_corpus.txt out of FILE, the texts of the scenes, the most frequent first: it keeps a line where the line brings a new
pair of neighbouring words, so that every word and phrase of the world is there in a few kilobytes.
"""

import sys
from pathlib import Path

from diffusers import AutoencoderKL, UNet2DConditionModel
from transformers import CLIPConfig, CLIPTextConfig

from places import HERE, SMALL, write_json
from small_clip import preprocessor
from small_diffusion import UNET_KEYS, VAE_KEYS, write_model, write_rest
from small_llava import GENERATION, released_config
from small_tokenizers import clip_files, llava_files

CORPUS = HERE / "scenes_corpus.txt"
LLAMA_VOCABULARY = 800  # the fewest hundreds with which each word of the world is one piece, after a quotation mark too
CLIP_MERGES = 400
WIDTH, FEATURE, IMAGE_SIZE, PATCH_SIZE = 192, 128, 128, 16
TEXT_TOWER = dict(hidden_size=FEATURE, intermediate_size=512, num_hidden_layers=3, num_attention_heads=4, max_position_embeddings=77)
SHARED = dict(hidden_act="quick_gelu", projection_dim=FEATURE)
# llava.py has the same words; it is not imported, since it loads the miniature.
SYSTEM = (
    "A chat between a curious user and an artificial intelligence assistant. "
    "The assistant gives helpful, detailed, and polite answers to the user's questions."
)


def condense(lines):
    known, kept = set(), []
    for line in lines:
        words = ["", *line.split(), ""]
        pairs = set(zip(words, words[1:]))
        if not pairs <= known:
            known |= pairs
            kept.append(line)
    return kept


def conversations(lines):
    """What the language model reads: the texts inside LLaVA's template. Every line's first word also follows a quotation mark."""
    for line in lines:
        yield f"{SYSTEM} USER: what will this image be like if '{line}' ASSISTANT: {line}"
        yield f"USER: {line} ASSISTANT: {line}"


def without_version(config):
    return {key: value for key, value in config.to_dict().items() if key != "transformers_version"}


def unet_model():
    return UNet2DConditionModel(
        sample_size=16, in_channels=8, out_channels=4, down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"), block_out_channels=(48, 64, 96), layers_per_block=1,
        norm_num_groups=16, cross_attention_dim=FEATURE, attention_head_dim=4,
    )


def vae_model():
    return AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * 4, up_block_types=("UpDecoderBlock2D",) * 4, block_out_channels=(8, 16, 32, 64),
        layers_per_block=1, norm_num_groups=4, latent_channels=4, sample_size=128, scaling_factor=1.0, mid_block_add_attention=True,
    )


def clip_config(vocabulary):
    ids = dict(bos_token_id=vocabulary["<|startoftext|>"], eos_token_id=vocabulary["<|endoftext|>"], pad_token_id=vocabulary["<|endoftext|>"])
    vision = dict(
        hidden_size=FEATURE, intermediate_size=512, num_hidden_layers=4, num_attention_heads=4, image_size=IMAGE_SIZE,
        patch_size=PATCH_SIZE,
    )
    text = TEXT_TOWER | SHARED | ids | {"vocab_size": len(vocabulary)}
    both = CLIPConfig(vision_config=vision | SHARED, text_config=text, projection_dim=FEATURE, architectures=["CLIPModel"])
    return both, CLIPTextConfig(**text, architectures=["CLIPTextModel"])


def main():
    if len(sys.argv) > 1:
        texts = Path(sys.argv[1]).read_text(encoding="utf-8").splitlines()
        CORPUS.write_text("".join(line + "\n" for line in condense(texts)), encoding="utf-8")
    lines = CORPUS.read_text(encoding="utf-8").splitlines()
    llava, clip, pix2pix = SMALL / "LLaVA-7B-v1", SMALL / "clip-vit-large-patch14", SMALL / "instruct-pix2pix"

    llava_files(llava, conversations(lines), LLAMA_VOCABULARY)
    write_json(llava / "config.json", released_config(WIDTH, 512, 6, 4, LLAMA_VOCABULARY + 3, FEATURE, 512))
    write_json(llava / "generation_config.json", GENERATION)

    both, text = clip_config(clip_files([pix2pix / "tokenizer", clip], lines, CLIP_MERGES))
    write_json(clip / "config.json", without_version(both))
    write_json(clip / "preprocessor_config.json", preprocessor(IMAGE_SIZE))
    write_json(pix2pix / "text_encoder" / "config.json", without_version(text))

    write_model(pix2pix / "unet", unet_model(), "UNet2DConditionModel", UNET_KEYS)
    write_model(pix2pix / "vae", vae_model(), "AutoencoderKL", VAE_KEYS + " scaling_factor mid_block_add_attention")
    # Trailing: the first of few steps begins at noise alone, which is what training leans to.
    write_rest(pix2pix, "v_prediction", timestep_spacing="trailing")
    (SMALL / "mgie_7b").mkdir(exist_ok=True)


if __name__ == "__main__":
    main()
