"""The miniature, loaded by the reference classes themselves, in f32 on one thread."""

import logging
import os

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import diffusers
import torch
import transformers
from diffusers import StableDiffusionInstructPix2PixPipeline
from transformers import CLIPImageProcessor, CLIPVisionModel

from edit_mapper import EditMapper
from places import CLIP, MGIE, PIX2PIX

diffusers.logging.set_verbosity_error()
diffusers.logging.disable_progress_bar()
transformers.logging.set_verbosity_error()
transformers.logging.disable_progress_bar()
logging.disable(logging.ERROR)  # diffusers reports that the VAE is a .bin
torch.set_num_threads(1)
torch.use_deterministic_algorithms(True)
torch.set_grad_enabled(False)


def f32(tensors):
    return {name: tensor.float() if tensor.is_floating_point() else tensor for name, tensor in tensors.items()}


def mllm_tensors():
    return f32(torch.load(MGIE / "mllm.pt", map_location="cpu"))


def edit_head():
    """The edit head and `emb`, the (1, 8, width) embeddings of [IMG0..7]."""
    tensors = mllm_tensors()
    prefix = "edit_head."
    head = EditMapper.from_tensors({name[len(prefix) :]: t for name, t in tensors.items() if name.startswith(prefix)})
    return head, tensors["emb"]


def clip_vision():
    return CLIPImageProcessor.from_pretrained(CLIP), CLIPVisionModel.from_pretrained(CLIP).float().eval()


def pipeline(mgie_unet):
    """InstructPix2Pix with its own UNet or, for MGIE, with unet.pt."""
    pipe = StableDiffusionInstructPix2PixPipeline.from_pretrained(PIX2PIX, torch_dtype=torch.float32, safety_checker=None)
    if mgie_unet:
        pipe.unet.load_state_dict(f32(torch.load(MGIE / "unet.pt", map_location="cpu")))
    pipe.set_progress_bar_config(disable=True)
    return pipe
