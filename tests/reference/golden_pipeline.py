"""The whole edit: StableDiffusionInstructPix2PixPipeline, driven as MGIE's notebook drives it. → pipeline.safetensors, pipeline.json

20 Euler ancestral steps, torch's CPU generator. Visual tokens come from mllm.safetensors. Each run is made twice: in f32,
as users run it, and in f64 with the same noise, which says what the f32 arithmetic of PyTorch itself is worth: twenty
steps of guidance amplify its rounding to as much as 1.4e-4 of the latents.
"""

from contextlib import contextmanager

import diffusers.pipelines.stable_diffusion.pipeline_stable_diffusion_instruct_pix2pix as pipeline_module
import diffusers.schedulers.scheduling_euler_ancestral_discrete as scheduler_module
import torch
from safetensors.torch import load_file

from clip_tokens import clip_tokenizer, padded_ids
from instructions import INSTRUCTIONS, landscape, pixels, tall
from models import edit_head, pipeline
from places import GOLDENS, write_json, write_tensors

# Name → picture, where the conditioning comes from, instruction, seed, guidance, image guidance.
RUNS = {
    "mgie": ("landscape", "edit_head", "plain", 1234, 7.5, 1.5),
    "mgie_empty": ("landscape", "edit_head", "empty", 2**32 + 5, 7.5, 1.5),
    "mgie_tall": ("tall", "edit_head", "plain", 7, 7.5, 1.2),
    "one_branch": ("tall", "edit_head", "plain", 7, 1.0, 1.5),
    "one_branch_by_image_guidance": ("tall", "edit_head", "plain", 7, 7.5, 0.9),
    "image_guidance_one": ("tall", "edit_head", "plain", 7, 7.5, 1.0),
    "pix2pix": ("landscape", "text", "plain", 42, 7.5, 1.5),
    "pix2pix_tall": ("tall", "text", "empty", 43, 5.0, 1.5),
}
KEEP_EVERY_STEP = {"mgie", "pix2pix"}


def text_conditioning(pipe, instruction):
    """Conditioning and null conditioning as the pipeline makes them from text."""
    ids = padded_ids(clip_tokenizer(), [instruction, ""])
    states = pipe.text_encoder(ids)[0]
    return states[:1], states[1:]


@contextmanager
def noise_of_f32():
    """Lets a pipeline in f64 draw the noise that it draws in f32."""
    modules = (pipeline_module, scheduler_module)
    before = [module.randn_tensor for module in modules]

    def draw(shape, generator=None, device=None, dtype=None):
        return before[0](shape, generator=generator, device=device, dtype=torch.float32).to(dtype)

    for module in modules:
        module.randn_tensor = draw
    try:
        yield
    finally:
        for module, function in zip(modules, before):
            module.randn_tensor = function


def main():
    pipes = {"edit_head": pipeline(mgie_unet=True), "text": pipeline(mgie_unet=False)}
    doubles = {source: pipeline(mgie_unet=source == "edit_head").to(torch.float64) for source in pipes}
    head, emb = edit_head()
    null_of_head = head(torch.zeros_like(emb), emb)
    recorded = load_file(GOLDENS / "mllm.safetensors")
    tensors, runs = {}, []
    for name, (picture, source, instruction, seed, guidance, image_guidance) in RUNS.items():
        pipe = pipes[source]
        image = {"landscape": landscape, "tall": tall}[picture]()
        if source == "edit_head":
            conditioning, null = head(recorded[f"{instruction}.visual_tokens"].unsqueeze(0), emb), null_of_head
        else:
            conditioning, null = text_conditioning(pipe, INSTRUCTIONS[instruction])

        def edit(pipe, dtype):
            """The picture, and the latents after each step."""
            after = []

            def keep(_pipe, _step, _timestep, values):
                after.append(values["latents"][0].clone())
                return values

            result = pipe(
                image=image, prompt_embeds=conditioning.to(dtype), negative_prompt_embeds=null.to(dtype),
                num_inference_steps=20, guidance_scale=guidance, image_guidance_scale=image_guidance,
                generator=torch.Generator("cpu").manual_seed(seed), callback_on_step_end=keep,
            ).images[0]
            return result, after

        result, after = edit(pipe, torch.float32)
        with noise_of_f32():
            _, exact = edit(doubles[source], torch.float64)
        shape = (1, *after[0].shape)
        tensors[f"{name}.initial_noise"] = torch.randn(shape, generator=torch.Generator("cpu").manual_seed(seed))[0]
        tensors[f"{name}.conditioning"] = conditioning[0]
        tensors[f"{name}.null_conditioning"] = null[0]
        tensors[f"{name}.latents"] = after[-1]
        tensors[f"{name}.latents_of_f64"] = exact[-1].float()
        if name in KEEP_EVERY_STEP:
            tensors[f"{name}.steps"] = torch.stack(after)
        tensors[f"{name}.image"] = pixels(result)
        runs.append(
            {
                "name": name, "picture": picture, "conditioning_from": source, "instruction": INSTRUCTIONS[instruction],
                "seed": seed, "steps": 20, "guidance": guidance, "image_guidance": image_guidance, "size": list(result.size),
            }
        )
    write_tensors("pipeline", tensors)
    write_json(GOLDENS / "pipeline.json", {"runs": runs})


if __name__ == "__main__":
    main()
