"""The miniature's InstructPix2Pix folder (unet, vae, scheduler, text_encoder, model_index.json) and mgie_7b/unet.pt.

The weights are random, with a thread of plain copying laid through them, so that what comes out is a picture and not a flat
field: the VAE carries blurred red, green and blue through its latents, and the UNet's ε starts from "the noisy latents,
less a share of the image latents". A channel passes a group norm and SiLU unharmed as a pair ±x, since
silu(x) − silu(−x) = x. Everything else is random and large enough that a fault in any layer shows.

On disk as users have it: unet in fp16 safetensors, vae and text_encoder as .bin in f32, vae attention under its names of 2023.
"""

import json

import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from transformers import CLIPTextConfig, CLIPTextModel

from places import MGIE, PIX2PIX, write_json
from random_weights import fill, half

FEATURE = 24
OLD_ATTENTION = {"to_q": "query", "to_k": "key", "to_v": "value", "to_out.0": "proj_attn"}
BLUR = torch.tensor([[1.0, 2, 1], [2, 4, 2], [1, 2, 1]]) / 16


def unet_model():
    return UNet2DConditionModel(
        sample_size=32, in_channels=8, out_channels=4, center_input_sample=False, flip_sin_to_cos=True, freq_shift=0,
        down_block_types=("CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D"),
        block_out_channels=(16, 24, 24, 24), layers_per_block=2, downsample_padding=1, mid_block_scale_factor=1,
        act_fn="silu", norm_num_groups=8, norm_eps=1e-5, cross_attention_dim=FEATURE, attention_head_dim=(4, 3, 2, 6),
    )


UNET_GAINS = [(r"conv2\.", 0.6), (r"to_out", 0.8), (r"attn2\.to_(q|k)", 2.5), (r"attn2\.to_v", 4.0), (r"ff\.net\.2", 0.7), (r"proj_out", 0.5), (r"time_emb_proj", 0.6)]


@torch.no_grad()
def fill_unet(unet, prefix, image_share):
    """Random weights and the thread: conv_in → the last skip connection → conv_out, in pairs of channels (2k, 2k + 1)."""
    fill(unet, prefix, UNET_GAINS)
    unet.conv_in.weight *= 0.3
    shortcut = unet.up_blocks[3].resnets[2].conv_shortcut.weight  # (16, 16 hidden + 16 skipped, 1, 1)
    shortcut *= 0.25
    unet.conv_out.weight *= 0.12
    for k in range(8):
        unet.conv_in.weight[2 * k, k, 1, 1] += 1.0 if k < 4 else 0.3
        unet.conv_in.weight[2 * k + 1, k, 1, 1] -= 1.0 if k < 4 else 0.3
        for channel in (2 * k, 2 * k + 1):
            shortcut[channel, 16 + channel, 0, 0] += 3
    for k in range(4):
        for image, share in ((0, 1.35), (4, -image_share)):
            unet.conv_out.weight[k, 2 * (k + image), 1, 1] += share
            unet.conv_out.weight[k, 2 * (k + image) + 1, 1, 1] -= share
    return unet


def vae_model():
    return AutoencoderKL(
        in_channels=3, out_channels=3, down_block_types=("DownEncoderBlock2D",) * 4, up_block_types=("UpDecoderBlock2D",) * 4,
        block_out_channels=(8, 12, 12, 16), layers_per_block=2, act_fn="silu", latent_channels=4, norm_num_groups=4,
        sample_size=64, scaling_factor=0.18215,
    )


def carry(weight, out_of, into, kernel):
    """Adds to a convolution: channel `into` receives channel `out_of` through `kernel` (its middle if that is a number)."""
    if isinstance(kernel, float):
        middle = weight.shape[-1] // 2
        weight[into, out_of, middle, middle] += kernel
    else:
        weight[into, out_of] += kernel


VAE_GAINS = [
    (r"conv2\.", 0.12), (r"to_out", 0.3), (r"conv_shortcut", 0.12), (r"downsamplers|upsamplers", 0.15), (r"conv_in", 0.15), (r"conv_out", 0.1),
]


@torch.no_grad()
def fill_vae(vae):
    fill(vae, "vae", VAE_GAINS)
    encoder, decoder = vae.encoder, vae.decoder
    for colour in range(3):
        carry(encoder.conv_in.weight, colour, colour, 1.0)
        for block in encoder.down_blocks[:3]:
            carry(block.downsamplers[0].conv.weight, colour, colour, BLUR)
        carry(encoder.down_blocks[1].resnets[0].conv_shortcut.weight, colour, colour, 1.0)
        # The last width has four groups of four: a pair for each colour in a group of its own.
        shortcut = encoder.down_blocks[3].resnets[0].conv_shortcut.weight
        carry(shortcut, colour, 4 * colour, 1.5)
        carry(shortcut, colour, 4 * colour + 1, -1.5)
        carry(encoder.conv_out.weight, 4 * colour, colour, 3.5)
        carry(encoder.conv_out.weight, 4 * colour + 1, colour, -3.5)
        carry(decoder.conv_in.weight, colour, colour, 0.3)
        for block in decoder.up_blocks[:3]:
            carry(block.upsamplers[0].conv.weight, colour, colour, BLUR)
        carry(decoder.up_blocks[1].resnets[0].conv_shortcut.weight, colour, colour, 1.0)
        shortcut = decoder.up_blocks[3].resnets[0].conv_shortcut.weight
        carry(shortcut, colour, 2 * colour, 1.5)
        carry(shortcut, colour, 2 * colour + 1, -1.5)
        carry(decoder.conv_out.weight, 2 * colour, colour, 0.45)
        carry(decoder.conv_out.weight, 2 * colour + 1, colour, -0.45)
    for convolution in (vae.quant_conv, vae.post_quant_conv):
        convolution.weight *= 0.1
        for channel in range(convolution.out_channels):
            convolution.weight[channel, channel, 0, 0] += 1
    return vae


def write_model(folder, model, class_name, keys):
    """config.json with the keys that a file of 2023 has; the others have defaults."""
    kept = {key: model.config[key] for key in sorted(keys.split())}
    write_json(folder / "config.json", {"_class_name": class_name, "_diffusers_version": "0.12.0.dev0"} | kept)


VAE_KEYS = """act_fn block_out_channels down_block_types in_channels latent_channels layers_per_block norm_num_groups
    out_channels sample_size up_block_types"""
UNET_KEYS = """act_fn attention_head_dim block_out_channels center_input_sample class_embed_type cross_attention_dim down_block_types
    downsample_padding dual_cross_attention flip_sin_to_cos freq_shift in_channels layers_per_block mid_block_scale_factor mid_block_type
    norm_eps norm_num_groups num_class_embeds only_cross_attention out_channels resnet_time_scale_shift sample_size up_block_types
    upcast_attention use_linear_projection"""


def write_vae():
    vae = fill_vae(vae_model())
    tensors = {}
    for name, tensor in vae.state_dict().items():
        for new, old in OLD_ATTENTION.items():
            name = name.replace(f"attentions.0.{new}.", f"attentions.0.{old}.")
        tensors[name] = tensor
    folder = PIX2PIX / "vae"
    write_model(folder, vae, "AutoencoderKL", VAE_KEYS)
    torch.save(tensors, folder / "diffusion_pytorch_model.bin")


def write_unets():
    from safetensors.torch import save_file

    folder = PIX2PIX / "unet"
    unet = fill_unet(unet_model(), "pix2pix.unet", 0.3)
    write_model(folder, unet, "UNet2DConditionModel", UNET_KEYS)
    save_file(half(unet.state_dict()), folder / "diffusion_pytorch_model.safetensors", metadata={"format": "pt"})
    # As `torch.save(unet.state_dict(), …)` writes it: an OrderedDict with its `_metadata`.
    torch.save(fill_unet(unet_model(), "mgie.unet", 0.28).half().state_dict(), MGIE / "unet.pt")


def write_text_encoder():
    vocabulary = len(json.loads((PIX2PIX / "tokenizer" / "vocab.json").read_text(encoding="utf-8")))
    config = CLIPTextConfig(
        hidden_size=FEATURE, intermediate_size=56, num_hidden_layers=3, num_attention_heads=3, vocab_size=vocabulary,
        max_position_embeddings=77, hidden_act="quick_gelu", projection_dim=20, bos_token_id=0, eos_token_id=2, pad_token_id=1,
        architectures=["CLIPTextModel"],
    )
    encoder = fill(CLIPTextModel(config), "pix2pix.text_encoder", [("position_embedding", 0.5), ("token_embedding", 1.0)])
    folder = PIX2PIX / "text_encoder"
    write_json(folder / "config.json", {k: v for k, v in config.to_dict().items() if k != "transformers_version"})
    tensors = encoder.state_dict() | {"text_model.embeddings.position_ids": torch.arange(77).unsqueeze(0)}
    torch.save(tensors, folder / "pytorch_model.bin")


def write_rest(folder, prediction_type, **scheduler):
    write_json(
        folder / "scheduler" / "scheduler_config.json",
        {
            "_class_name": "EulerAncestralDiscreteScheduler", "_diffusers_version": "0.12.0.dev0", "beta_end": 0.012,
            "beta_schedule": "scaled_linear", "beta_start": 0.00085, "clip_sample": False, "num_train_timesteps": 1000,
            "prediction_type": prediction_type, "set_alpha_to_one": False, "skip_prk_steps": True, "steps_offset": 1,
            "trained_betas": None,
        } | scheduler,
    )
    write_json(
        folder / "model_index.json",
        {
            "_class_name": "StableDiffusionInstructPix2PixPipeline", "_diffusers_version": "0.12.0.dev0",
            "feature_extractor": [None, None], "safety_checker": [None, None],
            "scheduler": ["diffusers", "EulerAncestralDiscreteScheduler"], "text_encoder": ["transformers", "CLIPTextModel"],
            "tokenizer": ["transformers", "CLIPTokenizer"], "unet": ["diffusers", "UNet2DConditionModel"],
            "vae": ["diffusers", "AutoencoderKL"],
        },
    )


def main():
    write_vae()
    write_unets()
    write_text_encoder()
    write_rest(PIX2PIX, "epsilon")


if __name__ == "__main__":
    main()
