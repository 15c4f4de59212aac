"""Random weights that do not depend on the order of anything: each tensor's generator is seeded by the tensor's name.

Matrices and convolutions are drawn with standard deviation gain / √(fan in); norms lie around 1; biases are small. The
gains of queries and keys are large enough that attention is far from uniform.
"""

import re
import zlib

import numpy
import torch

SEED = 20231106

# The first pattern that a name holds decides; see `gain`.
GAINS = [
    (r"(q_proj|k_proj|to_q|to_k|in_proj|query|key)\.?(weight|_weight)?$", 1.5),
]


def normal(name, shape, deviation=1.0):
    """A float32 tensor of normal values; the same name and shape give the same values for ever."""
    generator = numpy.random.default_rng([SEED, zlib.crc32(name.encode())])
    return torch.from_numpy(generator.standard_normal(tuple(shape), dtype=numpy.float32)) * deviation


def gain(name, gains):
    for pattern, value in [*gains, *GAINS]:
        if re.search(pattern, name):
            return value
    return 1.0


@torch.no_grad()
def fill(module, prefix, gains=()):
    """Fills every parameter of `module`; `gains` are (pattern, gain) pairs that go before the general ones."""
    for name, parameter in module.named_parameters():
        full = f"{prefix}.{name}"
        norm = parameter.ndim == 1 and name.endswith("weight")
        if norm:
            parameter.copy_(1 + normal(full, parameter.shape, 0.1))
        elif parameter.ndim <= 1:
            parameter.copy_(normal(full, parameter.shape, 0.05))
        else:
            table = re.search(r"(embed_tokens|token_embedding|position_embedding)\.weight$", name)
            fan_in = 1 if table else parameter[0].numel()
            parameter.copy_(normal(full, parameter.shape, gain(name, gains) / fan_in**0.5))
    return module.eval()


def half(tensors):
    """The tensors in float16, as released files hold them."""
    return {name: tensor.half() if tensor.is_floating_point() else tensor for name, tensor in tensors.items()}
