"""The JPEG as PIL reads it, upright. → photos.safetensors

uint8, (height, width, 3), EXIF orientation applied. JPEG decoders differ by a level or two.
"""

from PIL import Image, ImageOps

from instructions import pixels
from places import PHOTOS, write_tensors


def main():
    boat = ImageOps.exif_transpose(Image.open(PHOTOS / "boat.jpg")).convert("RGB")
    write_tensors("photos", {"boat": pixels(boat)})


if __name__ == "__main__":
    main()
