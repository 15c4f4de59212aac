"""The VAE: VaeImageProcessor and AutoencoderKL as the pipeline uses them. → vae.safetensors"""

import torch

from instructions import landscape, pixels, tall
from models import pipeline
from places import write_tensors
from random_weights import normal


def main():
    pipe = pipeline(mgie_unet=False)
    vae, processor = pipe.vae, pipe.image_processor
    tensors = {}
    for name, picture in [("landscape", landscape()), ("tall", tall())]:
        height, width = processor.get_default_height_width(picture)
        tensors[f"{name}.resized"] = pixels(processor.resize(picture, height, width))
        values = processor.preprocess(picture)
        latents = vae.encode(values).latent_dist.mode()
        tensors[f"{name}.latents"] = latents[0]
        image = vae.decode(latents).sample
        tensors[f"{name}.decoded_image"] = pixels(processor.postprocess(image)[0])
        if name == "tall":
            tensors[f"{name}.picture"] = pixels(picture)
            tensors[f"{name}.preprocessed"] = values[0]
            moments = vae.encode(values).latent_dist
            tensors[f"{name}.logvar"] = moments.logvar[0]
    given = normal("golden.vae.given", (1, 4, 9, 11), 4.0)
    decoded = vae.decode(given).sample
    tensors["given.latents"] = given[0]
    tensors["given.decoded"] = decoded[0]
    tensors["given.image"] = pixels(processor.postprocess(decoded)[0])
    # postprocess on values that lie on and beside the halves and beyond the range
    edges = torch.cat([(torch.arange(256) + 0.5) / 127.5 - 1, torch.tensor([-3.0, -1.0, 0.0, 1.0, 3.0])])
    edges = edges[: 3 * 87].reshape(1, 3, 1, 87)
    tensors["edges.values"] = edges[0]
    tensors["edges.image"] = pixels(processor.postprocess(edges)[0])
    write_tensors("vae", tensors)


if __name__ == "__main__":
    main()
