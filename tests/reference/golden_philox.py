"""The CUDA generator: Philox4x32-10 and its normals, by cuRAND's own headers (philox.cpp). → philox.safetensors, philox.json

`blocks` are cuRAND's alone. `randn.<seed>.<draw>` adds the order in which torch's CUDA kernel asks for them (ATen/native/cuda/
DistributionTemplates.h): element i is the first normal of subsequence i, as long as there are at most as many elements as the
GPU has threads in flight (2048 a multiprocessor), and each such draw moves the offset on by 4. Made without a GPU, whose logf and
sincosf may differ in the last bits; f16 and bf16 draws on CUDA are these, rounded.
"""

import subprocess
import sysconfig
from pathlib import Path

import numpy
import torch

from places import GOLDENS, HERE, write_json, write_tensors

BLOCKS = [
    (0, 0, 0), (0, 1, 0), (0, 0, 4), (0, 0, 8), (42, 7, 12), (2**32 + 5, 0, 0), (2**64 - 1, 0, 0), (12345678901234567890, 3699, 400),
    (1, 2**32 + 3, 0), (1, 2**64 - 1, 0), (1, 0, 2**34), (1, 0, 2**34 + 4), (1, 5, 1), (1, 5, 2), (1, 5, 3), (1, 5, 7), (9, 2**40, 2**36 + 4),
]
SEEDS = [0, 1, 42, 2**32 + 5, 2**64 - 1]
DRAWS, ELEMENTS = 3, 40


def build():
    packages = Path(sysconfig.get_paths()["purelib"]) / "nvidia"
    program = HERE / "work" / "philox"
    program.parent.mkdir(exist_ok=True)
    includes = [f"-I{packages / name / 'include'}" for name in ("curand", "cuda_runtime", "cuda_nvcc", "cuda_cccl")]
    subprocess.run(["c++", "-O1", "-std=c++17", *includes, HERE / "philox.cpp", "-o", program], check=True)
    return program


def ask(program, triples):
    """Four words and four normals for each (seed, subsequence, offset)."""
    lines = "".join(f"{seed} {subsequence} {offset}\n" for seed, subsequence, offset in triples)
    out = subprocess.run([program], input=lines, capture_output=True, text=True, check=True).stdout
    words = numpy.array([[int(word, 16) for word in line.split()] for line in out.splitlines()], dtype=numpy.uint32)
    return words[:, :4], torch.from_numpy(words[:, 4:].copy().view(numpy.float32))


def main():
    program = build()
    words, normals = ask(program, BLOCKS)
    blocks = [
        {"seed": seed, "subsequence": subsequence, "offset": offset, "words": block.tolist()}
        for (seed, subsequence, offset), block in zip(BLOCKS, words)
    ]
    tensors = {"blocks.normals": normals}
    for seed in SEEDS:
        for draw in range(DRAWS):
            _, normals = ask(program, [(seed, i, 4 * draw) for i in range(ELEMENTS)])
            tensors[f"randn.{seed}.{draw}"] = normals[:, 0]
    write_tensors("philox", tensors)
    write_json(GOLDENS / "philox.json", {"blocks": blocks})


if __name__ == "__main__":
    main()
