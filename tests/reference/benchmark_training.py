"""How many samples a second PyTorch trains on the CPU, in f32, with the blueprint's models and random data: what the trainer
in Rust is compared with, on the same machine and with as many threads.

    tests/reference/.venv/bin/python tests/reference/benchmark_training.py [--threads 2] [--seconds 20] [--only denoiser]

A step is forward, backward, clipping and AdamW. denoiser: UNet, batch 32, latents 16 × 16, conditioning 77 × 128. llava: LLaMA
and projector, batch 16 of 140 tokens of which 64 are patches. mgie: both losses at once, what is trained in MGIE's own stage,
batch 16. vae: batch 8 of 128 × 128 pictures. clip: 64 pictures of 128 × 128 (32 edits) and
64 captions of 40 tokens, the longest of a batch, against each other.
The median step counts; the first two are left out.
"""

import argparse
import json
import statistics
import time

import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from torch import nn
from transformers import CLIPConfig, CLIPModel, LlamaConfig, LlamaForCausalLM

from edit_mapper import EditMapper
from places import SMALL

TOKENS, PATCHES, ANSWER, ADDED = 140, 64, 24, 8
SIDE, CAPTION = 128, 40


class Llava(nn.Module):
    def __init__(self):
        super().__init__()
        written = json.loads((SMALL / "LLaVA-7B-v1" / "config.json").read_text())
        self.rows = written["vocab_size"] + ADDED
        config = LlamaConfig(**written | {"model_type": "llama", "torch_dtype": "float32", "vocab_size": self.rows})
        self.llama = LlamaForCausalLM(config)
        self.clip_width = written["mm_hidden_size"]
        self.projector = nn.Linear(self.clip_width, config.hidden_size)

    def forward(self, batch):
        """The loss of random answers, and the states that predict the eight visual tokens."""
        ids = torch.randint(self.rows, (batch, TOKENS))
        embedded = self.llama.model.embed_tokens(ids)
        projected = self.projector(torch.randn(batch, PATCHES, self.clip_width))
        embedded = torch.cat([embedded[:, :40], projected, embedded[:, 40 + PATCHES :]], dim=1)
        labels = ids.clone()
        labels[:, : TOKENS - ANSWER] = -100
        out = self.llama(inputs_embeds=embedded, labels=labels, output_hidden_states=True)
        return out.loss, out.hidden_states[-1][:, -ADDED - 2 : -2]


def unet_model():
    return UNet2DConditionModel.from_config(UNet2DConditionModel.load_config(SMALL / "instruct-pix2pix" / "unet"))


def noise_loss(unet, context):
    batch = context.shape[0]
    predicted = unet(torch.randn(batch, 8, 16, 16), torch.randint(1000, (batch,)), context).sample
    return nn.functional.mse_loss(predicted, torch.randn(batch, 4, 16, 16))


def vae():
    folder, batch = SMALL / "instruct-pix2pix" / "vae", 8
    model = AutoencoderKL.from_config(AutoencoderKL.load_config(folder))

    def loss():
        pictures = torch.rand(batch, 3, SIDE, SIDE) * 2 - 1
        latents = model.encode(pictures).latent_dist
        off = model.decode(latents.sample()).sample - pictures
        return off.abs().mean() + off.square().mean() + 1e-6 * latents.kl().mean()

    return batch, model.parameters(), loss


def clip():
    config, batch = CLIPConfig.from_pretrained(SMALL / "clip-vit-large-patch14"), 64
    model = CLIPModel(config)

    def loss():
        ids = torch.randint(config.text_config.vocab_size, (batch, CAPTION))
        return model(input_ids=ids, pixel_values=torch.randn(batch, 3, SIDE, SIDE), return_loss=True).loss

    return batch, model.parameters(), loss


def denoiser():
    unet, batch = unet_model(), 32
    return batch, unet.parameters(), lambda: noise_loss(unet, torch.randn(batch, 77, unet.config.cross_attention_dim))


def llava():
    model, batch = Llava(), 16
    return batch, model.parameters(), lambda: model(batch)[0]


def mgie():
    model, unet, batch = Llava(), unet_model(), 16
    width = model.llama.config.hidden_size
    head = EditMapper(width, 128, 512, unet.config.cross_attention_dim)
    for frozen in [model.projector, model.llama.model.layers, model.llama.model.norm]:
        frozen.requires_grad_(False)

    def loss():
        instruction, visual = model(batch)
        embeddings = model.llama.model.embed_tokens.weight[-ADDED:].unsqueeze(0)
        context, null = head(visual, embeddings), head(torch.zeros_like(visual), embeddings)
        context = torch.where((torch.rand(batch) < 0.1)[:, None, None], null, context)
        return instruction + 0.5 * noise_loss(unet, context)

    trained = [model.llama.model.embed_tokens.weight, model.llama.lm_head.weight, *head.parameters(), *unet.parameters()]
    return batch, trained, loss


def measure(made, seconds):
    """Samples a second, and seconds a step."""
    batch, parameters, loss = made
    parameters = list(parameters)
    optimiser = torch.optim.AdamW(parameters, lr=1e-4, weight_decay=0.0)
    steps, end = [], time.perf_counter() + seconds
    while len(steps) < 5 or time.perf_counter() < end:
        start = time.perf_counter()
        optimiser.zero_grad()
        loss().backward()
        nn.utils.clip_grad_norm_(parameters, 1.0)
        optimiser.step()
        steps.append(time.perf_counter() - start)
    step = statistics.median(steps[2:])
    return batch / step, step


def main():
    stages = {"vae": vae, "clip": clip, "denoiser": denoiser, "llava": llava, "mgie": mgie}
    parser = argparse.ArgumentParser()
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--only", choices=stages)
    asked = parser.parse_args()
    torch.set_num_threads(asked.threads)
    torch.manual_seed(0)
    print(f"{'stage':10} {'samples/s':>10} {'s a step':>9}")
    for name, make in stages.items():
        if asked.only in (None, name):
            rate, step = measure(make(), asked.seconds)
            print(f"{name:10} {rate:10.1f} {step:9.3f}", flush=True)


if __name__ == "__main__":
    main()
