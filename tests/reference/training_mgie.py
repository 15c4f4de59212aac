"""A very small MGIE for one purpose: to record what a training step computes, in the authors' own arithmetic.

LlamaForCausalLM of transformers, edit_mapper.EditMapper and UNet2DConditionModel of diffusers, put together as
`LlavaLlamaForCausalLM.forward` of the released mgie_llava.py does. Token ids, CLIP features and latents are given: no
tokenizer, no CLIP, no VAE. E, the embeddings of [IMG0..7], are the live rows of `embed_tokens`, so gradients reach them.
"""

import torch
from diffusers import DDPMScheduler, UNet2DConditionModel
from torch import nn
from transformers import LlamaConfig, LlamaForCausalLM

from edit_mapper import EditMapper
from random_weights import fill, normal

WIDTH, CLIP_WIDTH, FEATURE, PATCHES = 32, 16, 24, 4
BOS, EOS, PAD, IM_PATCH, IM_START, IM_END, IMG0, ROWS = 1, 2, 0, 40, 41, 42, 43, 51
VISUAL_TOKENS, IGNORED = 8, -100
DROP, EDIT_WEIGHT = 0.05, 0.5
PROMPTS = [[5, 9, 17, 21, 8], [5, 9, 30, 33, 12, 8], [5, 9, 8]]
EXPRESSIVE = [[11, 14, 27], [19, 22, 38, 6, 31], [16, 35, 24, 10]]
BATCH = len(PROMPTS)


def llama_config():
    return LlamaConfig(
        vocab_size=ROWS, hidden_size=WIDTH, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4, hidden_act="silu",
        rms_norm_eps=1e-6, max_position_embeddings=64, bos_token_id=BOS, eos_token_id=EOS, pad_token_id=PAD,
        tie_word_embeddings=False, attn_implementation="eager",
    )


def unet_model():
    return UNet2DConditionModel(
        sample_size=8, in_channels=8, out_channels=4, down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"), block_out_channels=(8, 16), layers_per_block=1, norm_num_groups=4,
        cross_attention_dim=FEATURE, attention_head_dim=2,
    )


def scheduler(prediction_type):
    return DDPMScheduler(
        num_train_timesteps=1000, beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", clip_sample=False,
        prediction_type=prediction_type,
    )


def sequences():
    """The batch, right-padded: ids, labels (the answer alone), the attention mask, and where each answer's [IMG0] stands."""
    ids, labels, places = [], [], []
    for prompt, expressive in zip(PROMPTS, EXPRESSIVE):
        before = [BOS, *prompt, IM_START, *[IM_PATCH] * PATCHES, IM_END, 7, 13]
        answer = [*expressive, *range(IMG0, IMG0 + VISUAL_TOKENS), EOS]
        ids.append(before + answer)
        labels.append([IGNORED] * len(before) + answer)
        places.append(len(before) + len(expressive))
    longest = max(map(len, ids))
    mask = [[1] * len(row) + [0] * (longest - len(row)) for row in ids]
    ids = [row + [PAD] * (longest - len(row)) for row in ids]
    labels = [row + [IGNORED] * (longest - len(row)) for row in labels]
    return torch.tensor(ids), torch.tensor(labels), torch.tensor(mask), places


class TrainedMgie(nn.Module):
    def __init__(self):
        super().__init__()
        self.llama = fill(LlamaForCausalLM(llama_config()), "training.llava", [("o_proj|down_proj", 1.5)])
        self.projector = fill(nn.Linear(CLIP_WIDTH, WIDTH), "training.projector")
        length = 77
        head = EditMapper(WIDTH, 16, 32, FEATURE, heads=4, layers=1, length=length)
        self.edit_head = fill(head, "training.edit_head", [("query$", (length * 16) ** 0.5)])
        self.unet = fill(unet_model(), "training.unet", [(r"attn2\.to_(q|k|v)", 2.0), ("conv_in", 1.5)])
        for frozen in [self.projector, self.llama.model.layers, self.llama.model.norm]:
            frozen.requires_grad_(False)

    def checkpoint_names(self):
        """(name in the users' checkpoints, parameter) of everything."""
        yield from self.llama.named_parameters()
        yield from ((f"model.mm_projector.{name}", parameter) for name, parameter in self.projector.named_parameters())
        yield from ((f"edit_head.{name}", parameter) for name, parameter in self.edit_head.named_parameters())
        yield from ((f"unet.{name}", parameter) for name, parameter in self.unet.named_parameters())

    def trained(self):
        return {name: parameter for name, parameter in self.checkpoint_names() if parameter.requires_grad}

    def forward(self, batch, prediction_type="epsilon"):
        """Both loss terms of one batch, and what a reader wants to compare on the way."""
        ids, labels, mask, places = sequences()
        embedded = self.llama.model.embed_tokens(ids)
        projected = self.projector(batch["features"])
        starts = (ids == IM_START).nonzero()[:, 1].tolist()
        rows = [torch.cat([e[: at + 1], p, e[at + 1 + PATCHES :]]) for e, p, at in zip(embedded, projected, starts)]
        out = self.llama(inputs_embeds=torch.stack(rows), attention_mask=mask, labels=labels, output_hidden_states=True)
        hidden = out.hidden_states[-1]

        visual = torch.stack([states[place - 1 : place - 1 + VISUAL_TOKENS] for states, place in zip(hidden, places)])
        embeddings = self.llama.model.embed_tokens.weight[IMG0 : IMG0 + VISUAL_TOKENS].unsqueeze(0)
        conditioning = self.edit_head(visual, embeddings)
        null = self.edit_head(torch.zeros_like(visual), embeddings)
        u = batch["u"]
        context = torch.where((u < 2 * DROP)[:, None, None], null, conditioning)
        kept = 1 - ((u >= DROP) & (u < 3 * DROP)).to(u.dtype)
        image_latents = batch["source_latents"] * kept[:, None, None, None]

        ddpm, goal, noise, timesteps = scheduler(prediction_type), batch["goal_latents"], batch["noise"], batch["timesteps"]
        ddpm.alphas_cumprod = ddpm.alphas_cumprod.to(goal.dtype)
        noisy = ddpm.add_noise(goal, noise, timesteps)
        predicted = self.unet(torch.cat([noisy, image_latents], dim=1), timesteps, context).sample
        target = ddpm.get_velocity(goal, noise, timesteps) if prediction_type == "v_prediction" else noise
        edit = nn.functional.mse_loss(predicted, target)
        return out.loss, edit, {
            "hidden": hidden, "visual_tokens": visual, "conditioning": conditioning, "null_conditioning": null,
            "context": context, "noisy_latents": noisy, "predicted": predicted, "target": target,
        }


# Every case of the two dropouts: [0, 0.05) no text, [0.05, 0.10) neither, [0.10, 0.15) no picture, the rest both.
UNIFORMS = [
    [0.07, 0.12, 0.5], [0.02, 0.9, 0.3], [0.15, 0.1, 0.05], [0.6, 0.7, 0.8], [0.14, 0.99, 0.03],
    [0.2, 0.049, 0.4], [0.55, 0.45, 0.35], [0.11, 0.0, 0.099], [0.25, 0.65, 0.13], [0.77, 0.33, 0.06],
]
TIMESTEPS = [
    [937, 412, 88], [0, 999, 301], [523, 17, 760], [644, 205, 3], [150, 870, 431],
    [702, 333, 999], [61, 590, 248], [810, 129, 476], [274, 955, 36], [388, 667, 12],
]


def batches():
    """What is given to each of the ten steps; latents, features and noise are normal values, named by what they are."""
    fixed = {
        "features": normal("training.features", (BATCH, PATCHES, CLIP_WIDTH)),
        "source_latents": normal("training.source_latents", (BATCH, 4, 8, 8), 2.0),
        "goal_latents": normal("training.goal_latents", (BATCH, 4, 8, 8)),
    }
    for step, (u, timesteps) in enumerate(zip(UNIFORMS, TIMESTEPS)):
        given = {"u": torch.tensor(u), "timesteps": torch.tensor(timesteps)}
        yield fixed | given | {"noise": normal(f"training.noise.{step}", (BATCH, 4, 8, 8))}
