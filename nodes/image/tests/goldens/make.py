"""Makes resample.bin: what Pillow gives for pictures that the tests can make again by themselves.

    pip install pillow==11.3.0 numpy && python make.py

Not a later Pillow than 12: version 13 resamples tall pictures down before across, which rounds differently.

The file is an 8-byte little-endian length, that many bytes of JSON (a list of cases), then each case's result, u8 or f32.
"""

import json
import pathlib
import struct

import numpy as np
import PIL
from PIL import Image, ImageFilter, ImageOps

FILTERS = ["nearest", "box", "bilinear", "hamming", "bicubic", "lanczos"]


def samples(count):
    """Bytes of a linear congruential generator; every fourth stretch of 64 is 0 or 255, so that filters overshoot."""
    state, out = 12345, []
    for index in range(count):
        state = (state * 1103515245 + 12345) % 2**31
        byte = state >> 16 & 255
        out.append(byte if index // 64 % 4 else (byte >> 7) * 255)
    return np.array(out, dtype=np.uint8)


def resample(picture, size, name, part=None):
    return picture.resize(size, getattr(Image.Resampling, name.upper()), box=part)


def main():
    cases, body = [], b""

    def add(picture, **case):
        nonlocal body
        cases.append(case)
        body += picture.tobytes()

    sizes = [((37, 29), (16, 16)), ((37, 29), (53, 40)), ((23, 31), (23, 12)), ((23, 31), (50, 31)), ((40, 3), (7, 9)),
             ((1, 1), (5, 3)), ((1, 61), (4, 8)), ((64, 2), (1, 1))]
    for channels in (1, 3, 4):
        for (width, height), size in sizes:
            values = samples(width * height * channels).reshape(height, width, channels)
            picture = Image.fromarray(values.squeeze(2) if channels == 1 else values)
            for name in FILTERS:
                add(np.asarray(resample(picture, size, name)), kind="u8", channels=channels, filter=name,
                    **{"from": [width, height], "to": size})
    width, height = 37, 29
    values = samples(width * height * 3).reshape(height, width, 3)
    for name in FILTERS:
        part = (3.25, 1.5, 30.75, 28.0)
        add(np.asarray(resample(Image.fromarray(values), (20, 24), name, part)), kind="u8", channels=3, filter=name,
            part=part, **{"from": [width, height], "to": [20, 24]})
        for size in ((16, 16), (53, 40)):
            floats = (values[:, :, 0].astype(np.float32) / np.float32(100)) - np.float32(0.5)
            add(np.asarray(resample(Image.fromarray(floats), size, name)), kind="f32", channels=1, filter=name,
                **{"from": [width, height], "to": size})
    for width, height, size in ((37, 29, (16, 16)), (37, 29, (64, 20)), (20, 30, (10, 15)), (5, 40, (9, 7))):
        values = samples(width * height * 3).reshape(height, width, 3)
        picture = Image.fromarray(values)
        for fit, call in (("inside", ImageOps.contain), ("cover", ImageOps.fit)):
            result = np.asarray(call(picture, size, Image.Resampling.BICUBIC))
            add(result, kind="fit", fit=fit, channels=3, filter="bicubic", result=[result.shape[1], result.shape[0]],
                **{"from": [width, height], "to": size})
    for sigma in (0.7, 3.5, 12.0):
        mask = np.zeros((48, 64), dtype=np.uint8)
        mask[10:30, 12:50] = 255
        blurred = np.asarray(Image.fromarray(mask).filter(ImageFilter.GaussianBlur(sigma)))
        add(blurred, kind="blur", sigma=sigma, channels=1, filter="box", **{"from": [64, 48], "to": [64, 48]})
    header = json.dumps({"pillow": PIL.__version__, "cases": cases}, separators=(",", ":")).encode()
    path = pathlib.Path(__file__).with_name("resample.bin")
    path.write_bytes(struct.pack("<Q", len(header)) + header + body)


main()
