"""The four samplers. → schedulers.safetensors, schedulers.json

`steps`: each scheduler driven alone, with a given ε at every step. `trajectory`: through the whole pipeline with MGIE's UNet on the
61 × 133 picture. Schedulers other than the folder's own are made as users do: `X.from_config(pipe.scheduler.config)`.
"""

import torch
from diffusers import DDIMScheduler, DPMSolverMultistepScheduler, EulerAncestralDiscreteScheduler, EulerDiscreteScheduler

from instructions import tall
from models import edit_head, pipeline
from places import GOLDENS, write_json, write_tensors
from random_weights import normal

SAMPLERS = {
    "euler_ancestral": EulerAncestralDiscreteScheduler,
    "euler": EulerDiscreteScheduler,
    "ddim": DDIMScheduler,
    "dpmpp_2m": DPMSolverMultistepScheduler,
}
SEED = 20
KEYS = """timestep_spacing steps_offset prediction_type beta_schedule beta_start beta_end num_train_timesteps interpolation_type
    use_karras_sigmas final_sigmas_type set_alpha_to_one clip_sample thresholding solver_order algorithm_type solver_type
    lower_order_final euler_at_final rescale_betas_zero_snr""".split()


def steps_alone(scheduler, count):
    """Timesteps, sigmas and latents after each step, where ε comes from a list and noise from torch's CPU generator."""
    scheduler.set_timesteps(count)
    epsilons = normal(f"golden.schedulers.{count}", (count, 1, 4, 3, 5))
    generator = torch.Generator().manual_seed(SEED)
    latents = torch.randn((1, 4, 3, 5), generator=generator) * scheduler.init_noise_sigma
    tensors = {"epsilons": epsilons[:, 0], "start": latents[0], "timesteps": scheduler.timesteps.double()}
    if hasattr(scheduler, "sigmas"):
        tensors["sigmas"] = scheduler.sigmas
    scaled, after = [], []
    extra = {} if isinstance(scheduler, DDIMScheduler) else {"generator": generator}
    for timestep, epsilon in zip(scheduler.timesteps, epsilons):
        scaled.append(scheduler.scale_model_input(latents, timestep)[0])
        latents = scheduler.step(epsilon, timestep, latents, **extra).prev_sample
        after.append(latents[0])
    return tensors | {"model_inputs": torch.stack(scaled), "latents": torch.stack(after)}


def trajectory(pipe, conditioning, null, count):
    after = []

    def keep(_pipe, _step, _timestep, values):
        after.append(values["latents"][0].clone())
        return values

    pipe(
        image=tall(), prompt_embeds=conditioning, negative_prompt_embeds=null, num_inference_steps=count, guidance_scale=7.5,
        image_guidance_scale=1.5, generator=torch.Generator().manual_seed(SEED), callback_on_step_end=keep, output_type="latent",
    )
    return torch.stack(after)


def main():
    pipe = pipeline(mgie_unet=True)
    own = pipe.scheduler.config
    head, emb = edit_head()
    conditioning = head(normal("golden.edit_head.random", emb.shape[1:]).unsqueeze(0), emb)
    null = head(torch.zeros_like(emb), emb)
    tensors = {"conditioning": conditioning[0], "null_conditioning": null[0]}
    image = pipe.image_processor.preprocess(tall())
    tensors["image_latents"] = pipe.vae.encode(image).latent_dist.mode()[0]
    configs = {}
    for name, scheduler_class in SAMPLERS.items():
        scheduler = scheduler_class.from_config(own)
        configs[name] = {key: scheduler.config[key] for key in KEYS if key in scheduler.config}
        for count in (1, 2, 7, 20):
            for key, tensor in steps_alone(scheduler_class.from_config(own), count).items():
                # ε and the start are the same for all samplers; the start is not scaled the same.
                if key == "epsilons":
                    tensors[f"steps.{count}.epsilons"] = tensor
                else:
                    tensors[f"steps.{name}.{count}.{key}"] = tensor
        for count in (50, 100):
            scheduler.set_timesteps(count)
            tensors[f"schedule.{name}.{count}.timesteps"] = scheduler.timesteps.double()
            if hasattr(scheduler, "sigmas"):
                tensors[f"schedule.{name}.{count}.sigmas"] = scheduler.sigmas
        tensors["alphas_cumprod"] = scheduler.alphas_cumprod
        for count in (7, 20):
            pipe.scheduler = scheduler_class.from_config(own)
            tensors[f"trajectory.{name}.{count}"] = trajectory(pipe, conditioning, null, count)
    write_tensors("schedulers", tensors)
    write_json(GOLDENS / "schedulers.json", {"seed": SEED, "guidance": 7.5, "image_guidance": 1.5, "configs": configs})


if __name__ == "__main__":
    main()
