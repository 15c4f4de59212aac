"""Training: one end-to-end step of MGIE with every gradient, ten AdamW steps, and one step of CLIP and VAE. → training.*"""

import copy
import logging
import os

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import torch
from transformers import get_cosine_schedule_with_warmup

from places import GOLDENS, write_json, write_tensors
from small_diffusion import UNET_KEYS
from training_mgie import CLIP_WIDTH, DROP, EDIT_WEIGHT, IM_END, IM_PATCH, IM_START, IMG0, TrainedMgie, batches, scheduler, sequences
from training_towers import KL_WEIGHT, clip_step, vae_step

OPTIMISER = {"lr": 5e-4, "betas": [0.9, 0.999], "eps": 1e-8, "weight_decay": 0.0}
CLIP_NORM, SCHEDULE_STEPS, WARM_UP_STEPS = 1.0, 40, 2  # 3 % of 40, rounded up as transformers' Trainer does
EMA_OF, EMA_DECAY = "unet.conv_in.weight", 0.99


def step(model, batch, prediction_type="epsilon"):
    """Loss terms and the way to them; the gradients are left in the parameters."""
    instruction, edit, seen = model(batch, prediction_type)
    model.zero_grad()
    (instruction + EDIT_WEIGHT * edit).backward()
    return instruction.item(), edit.item(), seen


def gradients(model):
    return {name: parameter.grad.clone() for name, parameter in model.trained().items()}


def train(model, given):
    """Ten steps. Gives what each was like, and the moving average of one tensor."""
    trained = list(model.trained().values())
    optimiser = torch.optim.AdamW(trained, foreach=False, **OPTIMISER | {"betas": tuple(OPTIMISER["betas"])})
    schedule = get_cosine_schedule_with_warmup(optimiser, WARM_UP_STEPS, SCHEDULE_STEPS)
    average = model.trained()[EMA_OF].detach().clone()
    steps = []
    for batch in given:
        instruction, edit, _ = step(model, batch)
        norm = torch.nn.utils.clip_grad_norm_(trained, CLIP_NORM).item()
        steps.append(
            {"lr": schedule.get_last_lr()[0], "instruction_loss": instruction, "edit_loss": edit, "gradient_norm": norm}
        )
        optimiser.step()
        schedule.step()
        average = EMA_DECAY * average + (1 - EMA_DECAY) * model.trained()[EMA_OF].detach()
    return steps, average


def relative(found, expected):
    return ((found.double() - expected).norm() / expected.norm().clamp_min(1e-300)).item()


def mgie():
    model, given = TrainedMgie(), list(batches())
    exact = copy.deepcopy(model).double()
    exact_batches = [{k: t.double() if t.is_floating_point() else t for k, t in batch.items()} for batch in given]
    ids, labels, mask, places = sequences()
    tensors = {f"init/{name}": parameter.detach().clone() for name, parameter in model.checkpoint_names()}
    tensors |= {"input/ids": ids, "input/labels": labels, "input/mask": mask, "input/img0_positions": torch.tensor(places)}
    tensors |= {f"input/{name}": given[0][name] for name in ["features", "source_latents", "goal_latents"]}
    tensors |= {f"input/{name}": torch.stack([batch[name] for batch in given]) for name in ["u", "timesteps", "noise"]}

    report = {"first_step": {}}
    for kind, prefix in [("epsilon", ""), ("v_prediction", "v/")]:
        instruction, edit, seen = step(model, given[0], kind)
        found = gradients(model)
        step(exact, exact_batches[0], kind)
        off = {name: relative(found[name], gradient) for name, gradient in gradients(exact).items()}
        report["first_step"][kind] = {
            "instruction_loss": instruction, "edit_loss": edit, "gradient_norm": torch.stack([g.norm() for g in found.values()]).norm().item(),
            "worst_gradient_from_f64": max((value, name) for name, value in off.items()),
        }
        if prefix:  # only the target is another, so that a part of the gradients shows all there is to see
            found = {name: gradient for name, gradient in found.items() if not name.startswith("unet.") or "unet.conv_" in name}
            seen = {"target": seen["target"]}
        tensors |= {f"{prefix}grad/{name}": gradient for name, gradient in found.items()}
        tensors |= {f"{prefix}out/{name}": tensor for name, tensor in seen.items()}

    report["steps"], tensors["ema/" + EMA_OF] = train(model, given)
    exact_steps, _ = train(exact, exact_batches)
    final = model.trained()
    tensors |= {f"final/{name}": parameter for name, parameter in final.items()}
    moved = {name: parameter - tensors[f"init/{name}"].double() for name, parameter in exact.trained().items()}
    off = {name: relative(final[name] - tensors[f"init/{name}"], change) for name, change in moved.items()}
    report["f32_from_f64"] = {
        "losses": max(abs(f[k] / e[k] - 1) for f, e in zip(report["steps"], exact_steps) for k in ["instruction_loss", "edit_loss"]),
        "changes_over_ten_steps": dict(sorted(off.items(), key=lambda item: -item[1])[:12]),
    }
    return model, tensors, report


def main():
    logging.disable(logging.WARNING)
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    model, tensors, report = mgie()
    (clip, clip_config), (vae, vae_config) = clip_step(), vae_step()
    tensors |= {f"clip/{name}": tensor for name, tensor in clip.items()}
    tensors |= {f"vae/{name}": tensor for name, tensor in vae.items()}
    write_tensors("training", {name: tensor.detach() for name, tensor in tensors.items()})
    llama = model.llama.config
    keys = """bos_token_id eos_token_id hidden_act hidden_size intermediate_size max_position_embeddings num_attention_heads num_hidden_layers
        pad_token_id rms_norm_eps tie_word_embeddings vocab_size"""
    llava = {key: getattr(llama, key) for key in sorted(keys.split())}
    llava |= {"mm_hidden_size": CLIP_WIDTH, "mm_use_im_start_end": True, "mm_vision_select_layer": -2, "model_type": "llava"}
    unet = {key: model.unet.config[key] for key in sorted(UNET_KEYS.split())} | {"_class_name": "UNet2DConditionModel"}
    ddpm = {key: value for key, value in scheduler("epsilon").config.items() if not key.startswith("_")}
    write_json(
        GOLDENS / "training.json",
        {
            "configs": {"llava": llava, "unet": unet, "scheduler": ddpm, "clip": clip_config, "vae": vae_config},
            "tokens": {"im_patch": IM_PATCH, "im_start": IM_START, "im_end": IM_END, "img0": IMG0},
            "dropout": DROP, "edit_weight": EDIT_WEIGHT, "kl_weight": KL_WEIGHT, "optimiser": OPTIMISER, "clip_norm": CLIP_NORM,
            "schedule": {"steps": SCHEDULE_STEPS, "warm_up_steps": WARM_UP_STEPS}, "ema": {"of": EMA_OF, "decay": EMA_DECAY},
        }
        | report,
    )


if __name__ == "__main__":
    main()
