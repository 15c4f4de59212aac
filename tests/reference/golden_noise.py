"""torch.Generator("cpu") and torch.randn. → noise.safetensors, noise.json

Fewer than 16 elements take one path in torch (a cached second normal lives on in the generator between draws), 16 or more another
(blocks of 16, the last 16 drawn again where the count is no multiple of 16). f16 and bf16 are streams of their own.
"""

import torch

import models  # one thread, deterministic  # noqa: F401
from places import GOLDENS, write_json, write_tensors

SEEDS = [0, 1, 42, 2**32 + 5, 2**63, 2**64 - 1, 12345678901234567890, -1]
SIZES = [1, 5, 15, 16, 17, 31, 100, 4 * 25 * 37]
CONSECUTIVE = [1, 1, 5, 16, 3, 31, 16, 1, 100, 7, 17, 2, 2]
TYPES = {"f32": torch.float32, "f16": torch.float16, "bf16": torch.bfloat16}


def generator(seed):
    return torch.Generator("cpu").manual_seed(seed)


def main():
    tensors = {}
    for seed in SEEDS:
        for size in SIZES if seed in (0, 42) else [5, 17, 100]:
            tensors[f"f32.{seed}.{size}"] = torch.randn(size, generator=generator(seed))
        tensors[f"uniform_f32.{seed}"] = torch.rand(40, generator=generator(seed))
    for kind in ("f16", "bf16"):
        for size in (5, 16, 17, 100):
            tensors[f"{kind}.42.{size}"] = torch.randn(size, generator=generator(42), dtype=TYPES[kind])
        tensors[f"uniform_{kind}.42"] = torch.rand(40, generator=generator(42), dtype=TYPES[kind])
    for kind, dtype in TYPES.items():
        one = generator(7)
        tensors |= {
            f"consecutive.{kind}.{i}": torch.randn(size, generator=one, dtype=dtype) for i, size in enumerate(CONSECUTIVE)
        }
    # The first draw in the conditioning's type, the steps' in the model's: one generator, two types.
    one = generator(9)
    for i, (size, kind) in enumerate([(20, "f16"), (20, "f32"), (3, "f32"), (3, "f16"), (20, "bf16"), (3, "f32")]):
        tensors[f"mixed.{i}.{kind}"] = torch.randn(size, generator=one, dtype=TYPES[kind])
    # More than 2 × 624 words: the generator refills its state.
    one = generator(3)
    torch.randn(5000, generator=one)
    tensors["after_5000.f32.3"] = torch.randn(33, generator=one)
    write_tensors("noise", tensors)
    write_json(GOLDENS / "noise.json", {"seeds": SEEDS, "consecutive": CONSECUTIVE, "cpu_capability": torch.backends.cpu.get_cpu_capability()})


if __name__ == "__main__":
    main()
