"""One training step of a very small CLIP (contrastive) and of a very small VAE, by transformers' and diffusers' classes."""

import torch
from diffusers import AutoencoderKL
from transformers import CLIPConfig, CLIPModel

from random_weights import fill, normal
from small_diffusion import VAE_KEYS

END_OF_TEXT = 29
TEXTS = [[28, 3, 17, 9, 29], [28, 3, 21, 29], [28, 14, 8, 5, 11, 6, 29], [28, 29]]
KL_WEIGHT = 1e-6


def clip_config():
    vision = dict(hidden_size=16, intermediate_size=32, num_hidden_layers=2, num_attention_heads=2, image_size=16, patch_size=8)
    text = dict(
        hidden_size=16, intermediate_size=32, num_hidden_layers=2, num_attention_heads=2, vocab_size=30, max_position_embeddings=12,
        bos_token_id=28, eos_token_id=END_OF_TEXT, pad_token_id=END_OF_TEXT,
    )
    shared = dict(hidden_act="quick_gelu", projection_dim=12)
    config = CLIPConfig(vision_config=vision | shared, text_config=text | shared, projection_dim=12)
    config._attn_implementation = "eager"
    return config


def clip_step():
    """Symmetric cross-entropy over exp(logit_scale) × cosines, as CLIPModel(return_loss=True) takes it."""
    model = fill(CLIPModel(clip_config()), "training.clip", [("class_embedding|position_embedding", 0.5), ("token_embedding", 1.0)])
    model.logit_scale.data.fill_(2.6592)
    ids = torch.tensor([text + [END_OF_TEXT] * (12 - len(text)) for text in TEXTS])
    pixels = normal("training.clip.pixels", (len(TEXTS), 3, 16, 16))
    out = model(input_ids=ids, pixel_values=pixels, return_loss=True)
    out.loss.backward()
    tensors = {"input/ids": ids, "input/pixels": pixels, "out/logits_per_image": out.logits_per_image, "out/loss": out.loss}
    for name, parameter in model.named_parameters():
        tensors |= {f"init/{name}": parameter, f"grad/{name}": parameter.grad}
    return tensors, {key: value for key, value in model.config.to_dict().items() if key != "transformers_version"}


def vae_step():
    """L1 + MSE + 1e-6 · KL: the first two are means, KL is summed over a picture's latents and averaged over pictures."""
    vae = AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * 3, up_block_types=("UpDecoderBlock2D",) * 3, block_out_channels=(4, 8, 8),
        layers_per_block=1, norm_num_groups=2, latent_channels=4, sample_size=16, scaling_factor=1.0,
    )
    fill(vae, "training.vae")
    picture = normal("training.vae.picture", (2, 3, 16, 16)).clamp(-1, 1)
    noise = normal("training.vae.noise", (2, 4, 4, 4))
    posterior = vae.encode(picture).latent_dist
    posterior.parameters.retain_grad()
    latents = posterior.mean + posterior.std * noise
    decoded = vae.decode(latents).sample
    l1 = torch.nn.functional.l1_loss(decoded, picture)
    mse = torch.nn.functional.mse_loss(decoded, picture)
    kl = posterior.kl().mean()
    # KL weighs too little in the sum to be seen in its gradient, so its own is recorded where it is smallest.
    kl_moments = torch.autograd.grad(kl, posterior.parameters, retain_graph=True)[0]
    loss = l1 + mse + KL_WEIGHT * kl
    loss.backward()
    tensors = {
        "input/picture": picture, "input/noise": noise, "out/moments": posterior.parameters, "out/latents": latents, "out/decoded": decoded,
        "out/l1": l1, "out/mse": mse, "out/kl": kl, "out/loss": loss, "out/kl_grad_moments": kl_moments,
    }
    for name, parameter in vae.named_parameters():
        tensors |= {f"init/{name}": parameter, f"grad/{name}": parameter.grad}
    kept = {key: vae.config[key] for key in [*sorted(VAE_KEYS.split()), "scaling_factor"]}
    return tensors, {"_class_name": "AutoencoderKL", "_diffusers_version": "0.35.2"} | kept
