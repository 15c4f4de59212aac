"""The UNet: UNet2DConditionModel, MGIE's weights and InstructPix2Pix' own. → unet.safetensors"""

import torch

from models import pipeline
from places import write_tensors
from random_weights import normal

TIMESTEPS = [999.0, 946.421052631579, 473.2105, 52.5789, 0.0]


def main():
    unets = {"mgie": pipeline(mgie_unet=True).unet, "pix2pix": pipeline(mgie_unet=False).unet}
    context = normal("golden.unet.context", (3, 77, unets["mgie"].config.cross_attention_dim))
    tensors = {"timesteps": torch.tensor(TIMESTEPS), "context": context}
    for shape, (height, width) in {"odd": (25, 37), "even": (16, 24), "tiny": (9, 5)}.items():
        sample = normal(f"golden.unet.{shape}", (8, height, width))
        sample[4:] *= 3  # image latents are not scaled
        tensors[f"{shape}.sample"] = sample
        for name, unet in unets.items():
            if shape == "odd" and name == "pix2pix":
                continue
            outputs = [unet(sample[None], torch.tensor(t), context[:1]).sample[0] for t in TIMESTEPS]
            tensors[f"{shape}.{name}.epsilon"] = torch.stack(outputs)
    # Three branches as the pipeline runs them: contexts [0, 1, 1], image latents [c, c, 0].
    sample = tensors["even.sample"][None].repeat(3, 1, 1, 1)
    sample[2, 4:] = 0
    branches = unets["mgie"](sample, torch.tensor(TIMESTEPS[1]), context[[0, 1, 1]]).sample
    tensors["even.mgie.branches"] = branches
    unet = unets["mgie"]
    sinusoids = unet.time_proj(torch.tensor(TIMESTEPS))
    tensors["time_sinusoids"] = sinusoids
    tensors["mgie.time_embedding"] = unet.time_embedding(sinusoids)
    write_tensors("unet", tensors)


if __name__ == "__main__":
    main()
