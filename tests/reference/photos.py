"""Draws graphs/photos: a landscape (PNG, 300 × 203) with the matte of its sky, and a sailing boat (JPEG, stored lying,
EXIF orientation 6).

Both are painted at four times their size and reduced. Sides are no multiples of 8 on purpose.
"""

import math

from PIL import Image, ImageChops, ImageDraw, ImageFilter

from places import PHOTOS

SCALE = 4


def blend(low, high, share):
    return tuple(round(a + (b - a) * share) for a, b in zip(low, high))


def sky(width, height, top, bottom):
    """A vertical gradient from `top` to `bottom`."""
    column = Image.new("RGB", (1, height))
    for y in range(height):
        column.putpixel((0, y), blend(top, bottom, y / (height - 1)))
    return column.resize((width, height), Image.Resampling.NEAREST)


def hill(width, base, waves):
    """The upper edge of a hill, as points from left to right: `base` plus a sum of (height, length, phase) sines."""
    return [
        (x, base + sum(a * math.sin(2 * math.pi * x / length + phase) for a, length, phase in waves))
        for x in range(0, width + SCALE, SCALE)
    ]


def filled_hill(picture, edge, top, bottom):
    """Fills the picture below `edge` with a gradient."""
    width, height = picture.size
    mask = Image.new("L", picture.size)
    ImageDraw.Draw(mask).polygon(edge + [(width, height), (0, height)], fill=255)
    first = int(min(y for _, y in edge))
    fill = Image.new("RGB", picture.size)
    fill.paste(sky(width, height - first, top, bottom), (0, first))
    picture.paste(fill, mask=mask)


def cloud(picture, x, y, size):
    mask = Image.new("L", picture.size)
    draw = ImageDraw.Draw(mask)
    for dx, dy, r in [(-1.5, 0.1, 0.55), (-0.7, -0.25, 0.8), (0.2, -0.4, 0.95), (1.1, -0.1, 0.7), (1.8, 0.15, 0.45)]:
        draw.ellipse([x + (dx - r) * size, y + (dy - r * 0.8) * size, x + (dx + r) * size, y + (dy + r * 0.6) * size], fill=225)
    draw.rectangle([0, y + 0.3 * size, picture.width, y + 2 * size], fill=0)
    picture.paste((255, 255, 255), mask=mask.filter(ImageFilter.GaussianBlur(2.2 * SCALE)))


def tree(draw, x, y, size):
    draw.polygon([(x - 0.07 * size, y), (x + 0.07 * size, y), (x + 0.04 * size, y - 0.6 * size), (x - 0.04 * size, y - 0.6 * size)], fill=(94, 66, 44))
    for dx, dy, r, green in [(0.2, -0.7, 0.34, 74), (-0.22, -0.72, 0.32, 88), (0, -1.0, 0.38, 104), (-0.08, -1.1, 0.22, 128)]:
        draw.ellipse([x + (dx - r) * size, y + (dy - r) * size, x + (dx + r) * size, y + (dy + r) * size], fill=(green // 3, green, green // 3))


def house(draw, x, y, size):
    """A white house with a red roof; (x, y) is the middle of its foot."""
    wall, roof, wood, glass = (240, 232, 214), (178, 62, 44), (110, 74, 50), (84, 122, 158)
    draw.rectangle([x - size, y - 1.1 * size, x + size, y], fill=wall)
    draw.rectangle([x + 0.35 * size, y - 1.1 * size, x + size, y], fill=blend(wall, (120, 110, 120), 0.25))
    draw.rectangle([x + 0.45 * size, y - 2.15 * size, x + 0.7 * size, y - 1.4 * size], fill=(150, 92, 74))
    draw.polygon([(x - 1.2 * size, y - 1.05 * size), (x - 0.62 * size, y - 1.9 * size), (x + 0.62 * size, y - 1.9 * size), (x + 1.2 * size, y - 1.05 * size)], fill=roof)
    draw.rectangle([x - 0.16 * size, y - 0.68 * size, x + 0.2 * size, y], fill=wood)
    for left in (-0.78, 0.5):
        draw.rectangle([x + left * size, y - 0.8 * size, x + (left + 0.32) * size, y - 0.42 * size], fill=glass)
        draw.line([(x + (left + 0.16) * size, y - 0.8 * size), (x + (left + 0.16) * size, y - 0.42 * size)], fill=wall, width=SCALE)


def landscape(width=300, height=203, backdrop=None):
    """With `backdrop`, a plain colour stands where the sky is."""
    w, h, s = width * SCALE, height * SCALE, SCALE
    picture = sky(w, h, backdrop or (66, 132, 206), backdrop or (214, 230, 238))
    if backdrop is None:
        ImageDraw.Draw(picture).ellipse([236 * s, 18 * s, 264 * s, 46 * s], fill=(255, 240, 178))
        for x, y, size in [(66, 42, 18), (168, 30, 13), (226, 68, 10)]:
            cloud(picture, x * s, y * s, size * s)
    filled_hill(picture, hill(w, 112 * s, [(13 * s, 190 * s, 0.4), (5 * s, 61 * s, 1.0)]), (122, 152, 176), (150, 176, 180))
    filled_hill(picture, hill(w, 134 * s, [(11 * s, 260 * s, 2.6), (3 * s, 83 * s, 0.2)]), (104, 146, 92), (126, 164, 92))
    filled_hill(picture, hill(w, 158 * s, [(9 * s, 330 * s, 0.9), (2 * s, 97 * s, 2.0)]), (108, 166, 66), (60, 112, 44))
    draw = ImageDraw.Draw(picture)
    draw.polygon([(197 * s, 151 * s), (203 * s, 151 * s), (176 * s, h), (132 * s, h)], fill=(206, 184, 140))
    house(draw, 200 * s, 153 * s, 22 * s)
    for x, y, size in [(56, 168, 34), (90, 160, 22), (258, 158, 26)]:
        tree(draw, x * s, y * s, size * s)
    for i in range(46):
        x, y = (i * 67 + 11) % 297, 171 + (i * 17) % 29
        if abs(x - 160) > 32:
            draw.ellipse([(x - 1) * s, (y - 1) * s, (x + 1) * s, (y + 1) * s], fill=[(246, 214, 70), (232, 92, 92), (244, 244, 244)][i % 3])
    return picture.resize((width, height), Image.Resampling.BOX)


def sky_matte():
    """How much of each pixel is sky: what differs between a white and a black backdrop."""
    return ImageChops.difference(landscape(backdrop=(255, 255, 255)), landscape(backdrop=(0, 0, 0))).convert("L")


def boat(width=157, height=210):
    w, h, s = width * SCALE, height * SCALE, SCALE
    picture = sky(w, h, (244, 178, 112), (252, 226, 180))
    filled_hill(picture, [(0, 128 * s), (w, 128 * s)], (88, 132, 150), (24, 60, 88))
    draw = ImageDraw.Draw(picture)
    draw.pieslice([24 * s, 106 * s, 68 * s, 150 * s], 180, 360, fill=(250, 244, 206))
    for i in range(26):
        x, y = (i * 41 + 7) % 150, 134 + (i * 23) % 72
        draw.line([(x * s, y * s), ((x + 6 + i % 5) * s, y * s)], fill=blend((170, 186, 180), (40, 84, 110), (y - 134) / 76), width=s)
    draw.rectangle([91 * s, 46 * s, 93 * s, 152 * s], fill=(86, 56, 38))
    draw.polygon([(90 * s, 50 * s), (90 * s, 144 * s), (46 * s, 144 * s)], fill=(248, 246, 238))
    draw.polygon([(95 * s, 58 * s), (95 * s, 144 * s), (126 * s, 144 * s)], fill=(206, 66, 54))
    draw.polygon([(42 * s, 150 * s), (134 * s, 150 * s), (118 * s, 170 * s), (56 * s, 170 * s)], fill=(110, 62, 40))
    return picture.resize((width, height), Image.Resampling.BOX)


def main():
    PHOTOS.mkdir(parents=True, exist_ok=True)
    landscape().save(PHOTOS / "landscape.png", optimize=True)
    sky_matte().save(PHOTOS / "landscape-sky.png", optimize=True)
    lying = boat().transpose(Image.Transpose.ROTATE_90)
    exif = Image.Exif()
    exif[0x0112] = 6  # Orientation: turn by 90° clockwise to see it upright.
    lying.save(PHOTOS / "boat.jpg", quality=90, exif=exif)


if __name__ == "__main__":
    main()
