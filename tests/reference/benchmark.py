"""Times mgie beside PyTorch on models of the real size with random weights: the UNet and VAE of Stable Diffusion 1.5, and
four layers of LLaMA-7B. Both sides run on the CPU in f32, with as many threads, in this one run; what counts is the ratio.

    tests/reference/.venv/bin/python tests/reference/benchmark.py FOLDER [--side 256] [--steps 3] [--threads 2]

FOLDER gets about 8 GB of weights, kept for the next run. Build first: cargo build --release --workspace.
"""

import argparse
import json
import shutil
import subprocess
import time
from pathlib import Path

import torch
from diffusers import AutoencoderKL, EulerAncestralDiscreteScheduler, UNet2DConditionModel
from safetensors.torch import save_file
from transformers import LlamaConfig, LlamaForCausalLM

from places import LLAVA, MGIE, PIX2PIX, ROOT

TOKENS, NEW_TOKENS, PATCHES = 300, 16, 256


def unet():
    return UNet2DConditionModel(
        sample_size=64, in_channels=8, out_channels=4, cross_attention_dim=768, block_out_channels=(320, 640, 1280, 1280),
        down_block_types=("CrossAttnDownBlock2D",) * 3 + ("DownBlock2D",),
        up_block_types=("UpBlock2D",) + ("CrossAttnUpBlock2D",) * 3, attention_head_dim=8,
    ).eval()


def vae():
    return AutoencoderKL(
        block_out_channels=(128, 256, 512, 512), down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4, layers_per_block=2, latent_channels=4,
    ).eval()


def llama():
    """Four layers at LLaMA-7B's widths; the vocabulary is the miniature's, so that its tokenizer serves."""
    vocabulary = json.loads((LLAVA / "config.json").read_text())["vocab_size"]
    added = torch.load(MGIE / "mllm.pt", map_location="cpu")["lm_head.weight"].shape[0]
    config = LlamaConfig(
        vocab_size=max(vocabulary, added), hidden_size=4096, intermediate_size=11008, num_hidden_layers=4,
        num_attention_heads=32, max_position_embeddings=2048,
    )
    return LlamaForCausalLM(config).eval()


def weights(folder):
    """Random weights in the users' layouts; made once."""
    torch.manual_seed(0)
    pix2pix = folder / "instruct-pix2pix"
    if not (pix2pix / "unet").exists():
        unet().save_pretrained(pix2pix / "unet")
        vae().save_pretrained(pix2pix / "vae")
        shutil.copytree(PIX2PIX / "scheduler", pix2pix / "scheduler")
    llava = folder / "LLaVA-7B-v1"
    if not llava.exists():
        model = llama()
        model.save_pretrained(llava, safe_serialization=True)
        for name in ("tokenizer.model", "added_tokens.json", "special_tokens_map.json", "tokenizer_config.json"):
            shutil.copy(LLAVA / name, llava)
        config = json.loads((llava / "config.json").read_text())
        small = json.loads((LLAVA / "config.json").read_text())
        config |= {key: value for key, value in small.items() if key.startswith("mm_") or key == "architectures"}
        config["mm_hidden_size"] = 1024
        (llava / "config.json").write_text(json.dumps(config))
        extra = {"model.mm_projector.weight": torch.randn(4096, 1024) * 0.02, "model.mm_projector.bias": torch.zeros(4096)}
        extra["emb"] = torch.randn(1, 8, 4096) * 0.02
        torch.save(extra, folder / "mllm.pt")
    save_file({"value": torch.randn(77, 768)}, folder / "conditioning.safetensors", {"mgie.kind": "sd.conditioning", "mgie.header": "{}"})
    save_file(
        {"value": torch.randn(PATCHES, 1024)}, folder / "features.safetensors",
        {"mgie.kind": "clip.features", "mgie.header": json.dumps({"layer": -2, "grid": [16, 16]})},
    )


def timed(work):
    began = time.perf_counter()
    result = work()
    return result, time.perf_counter() - began


@torch.no_grad()
def in_pytorch(folder, side, steps):
    times = {}
    encoder = AutoencoderKL.from_pretrained(folder / "instruct-pix2pix/vae")
    image = torch.rand(1, 3, side, side) * 2 - 1
    latents, times["vae_encode"] = timed(lambda: encoder.encode(image).latent_dist.mode())
    denoiser = UNet2DConditionModel.from_pretrained(folder / "instruct-pix2pix/unet")
    scheduler = EulerAncestralDiscreteScheduler.from_pretrained(folder / "instruct-pix2pix/scheduler")
    scheduler.set_timesteps(steps)
    context = torch.randn(3, 77, 768)

    def denoise():
        z = torch.randn_like(latents) * scheduler.init_noise_sigma
        for t in scheduler.timesteps:
            scaled = scheduler.scale_model_input(torch.cat([z] * 3), t)
            branches = torch.cat([latents, latents, torch.zeros_like(latents)])
            text, picture, nothing = denoiser(torch.cat([scaled, branches], 1), t, context).sample.chunk(3)
            z = scheduler.step(nothing + 7.5 * (text - picture) + 1.5 * (picture - nothing), t, z).prev_sample
        return z

    z, times["denoise"] = timed(denoise)
    _, times["vae_decode"] = timed(lambda: encoder.decode(z / 0.18215).sample)
    del denoiser, encoder
    model = LlamaForCausalLM.from_pretrained(folder / "LLaVA-7B-v1", torch_dtype=torch.float32)
    ids = torch.randint(3, 500, (1, TOKENS))
    model.generate(ids[:, :8], max_new_tokens=1, do_sample=False)
    _, times["mllm"] = timed(lambda: model.generate(
        ids, max_new_tokens=NEW_TOKENS, min_new_tokens=NEW_TOKENS, do_sample=False, no_repeat_ngram_size=3))
    return times


def in_mgie(folder, side, steps, threads):
    words = "brighten the hill and the sky "
    graph = {"mgie": 1, "nodes": {
        # A first, small picture goes through the VAE and LLaVA, so that the timed nodes find the weights loaded, as they do
        # on PyTorch's side.
        "dot": {"type": "image.constant", "params": {"width": 8, "height": 8}},
        "vae_loads": {"type": "diffusion.vae_encode", "inputs": {"image": "dot.image"}},
        "dot_again": {"type": "diffusion.vae_decode", "inputs": {"latents": "vae_loads.latents"}},
        "picture": {"type": "image.resize", "params": {"width": side, "height": side, "fit": "stretch"},
                    "inputs": {"image": "dot_again.image"}},
        "vae_encode": {"type": "diffusion.vae_encode", "inputs": {"image": "picture.image"}},
        "unet": {"type": "diffusion.load_unet", "params": {"weights": ""}},
        "conditioning": {"type": "tensor.load", "params": {"path": str(folder / "conditioning.safetensors")}},
        "denoise": {"type": "diffusion.denoise", "params": {"steps": steps}, "inputs": {
            "denoiser": "unet.denoiser", "conditioning": "conditioning.value",
            "null_conditioning": "conditioning.value", "latents": "vae_encode.latents"}},
        "vae_decode": {"type": "diffusion.vae_decode", "inputs": {"latents": "denoise.latents"}},
        "features": {"type": "tensor.load", "params": {"path": str(folder / "features.safetensors")}},
        "words": {"type": "text.constant", "params": {"text": words}},
        "mllm_loads": {"type": "mllm.expand", "params": {"weights": str(folder / "mllm.pt"), "max_new_tokens": 1},
                       "inputs": {"features": "features.value", "instruction": "words.text"}},
        "mllm": {"type": "mllm.expand", "params": {"weights": str(folder / "mllm.pt"), "max_new_tokens": NEW_TOKENS},
                 "inputs": {"features": "features.value", "instruction": "mllm_loads.text"}},
    }}
    path = folder / "graph.json"
    path.write_text(json.dumps(graph))
    seconds = {}
    # One branch after the other, each with all threads, as on PyTorch's side.
    for last in ("vae_decode", "mllm"):
        command = [ROOT / "target/release/mgie", "run", path, "--json", "--threads", str(threads), "--models", folder]
        ran = subprocess.run([*command, "--only", last], capture_output=True, text=True, check=True)
        seconds |= {node["node"]: node["seconds"] for node in json.loads(ran.stdout)["nodes"] if node["outcome"] == "ran"}
    return seconds


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--side", type=int, default=256)
    parser.add_argument("--steps", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    asked = parser.parse_args()
    folder = asked.folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(asked.threads)
    weights(folder)
    ours = in_mgie(folder, asked.side, asked.steps, asked.threads)
    theirs = in_pytorch(folder, asked.side, asked.steps)
    print(f"{'stage':12} {'mgie s':>8} {'PyTorch s':>10} {'ratio':>6}")
    for stage, seconds in theirs.items():
        print(f"{stage:12} {ours[stage]:8.2f} {seconds:10.2f} {ours[stage] / seconds:6.2f}")


if __name__ == "__main__":
    main()
