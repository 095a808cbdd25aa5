"""Fine patterns, which a transform made for photographs cannot hold: `PATTERNS` draws each, 512 x
512, from its formula.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Pixels = NDArray[np.uint8]
SIDE = 512
SAMPLES = Path(__file__).parents[2] / "samples"
BAYER = np.array([[0, 8, 2, 10], [12, 4, 14, 6], [3, 11, 1, 9], [15, 7, 13, 5]])
Y, X = np.mgrid[:SIDE, :SIDE]


def two_colors(
    where: NDArray[np.bool_], a: tuple[int, int, int], b: tuple[int, int, int]
) -> Pixels:
    """One color where the array says so, another elsewhere."""
    return np.where(where[..., None], np.array(a, np.uint8), np.array(b, np.uint8))


def gray(levels: NDArray[np.float64]) -> Pixels:
    """Levels 0 to 255 as RGB."""
    return np.repeat(np.rint(levels).clip(0, 255).astype(np.uint8)[..., None], 3, axis=2)


def photograph(name: str) -> Pixels:
    """The middle of a photograph of samples/."""
    image = Image.open(SAMPLES / f"{name}.jpg").convert("RGB")
    scale = SIDE / min(image.size)
    image = image.resize(
        (max(SIDE, round(image.width * scale)), max(SIDE, round(image.height * scale)))
    )
    left, top = (image.width - SIDE) // 2, (image.height - SIDE) // 2
    return np.asarray(image.crop((left, top, left + SIDE, top + SIDE)))


def dithered(name: str) -> Pixels:
    """A photograph in a 4 x 4 Bayer dither of eight colors."""
    threshold = np.tile(BAYER, (SIDE // 4, SIDE // 4))[..., None] * 16 + 8
    return np.where(photograph(name) > threshold, np.uint8(255), np.uint8(0))


def interlaced() -> Pixels:
    """Two fields that have moved by 12 pixels against each other."""
    image = photograph("coffee").copy()
    image[1::2] = np.roll(image[1::2], 12, axis=1)
    return image


def scanlines() -> Pixels:
    """Each second row at a fifth of its light."""
    image = photograph("china").copy()
    image[1::2] //= 5
    return image


def error_diffused() -> Pixels:
    """Floyd and Steinberg's dither of two levels."""
    return gray(np.asarray(Image.fromarray(photograph("flower")).convert("1"), np.float64) * 255)


def noise(colors: int) -> Pixels:
    """Independent pixels of so many channels."""
    drawn = np.random.default_rng(5).integers(0, 256, (SIDE, SIDE, colors), np.uint8)
    return np.ascontiguousarray(np.broadcast_to(drawn, (SIDE, SIDE, 3)))


def halftone() -> Pixels:
    """Dots at 45 degrees, six pixels apart, whose size follows a photograph."""
    light = photograph("astronaut").mean(2) / 255
    screen = 0.5 + 0.25 * (np.cos((X + Y) * 2 * np.pi / 8.5) + np.cos((X - Y) * 2 * np.pi / 8.5))
    return gray(255.0 * (light > screen))


def screen_door() -> Pixels:
    """A photograph of which every second pixel is left out, as in old games' shadows."""
    image = photograph("astronaut").copy()
    image[(X + Y) % 2 == 0] = 0
    return image


def textile() -> Pixels:
    """A twill of two yarns, two pixels wide."""
    return two_colors((X + Y) // 2 % 4 < 2, (32, 48, 120), (188, 176, 150))


WHITE, BLACK = (255, 255, 255), (0, 0, 0)
PATTERNS: dict[str, Callable[[], Pixels]] = {
    "rows-1": lambda: two_colors(Y % 2 == 0, WHITE, BLACK),
    "checker-1": lambda: two_colors((X + Y) % 2 == 0, WHITE, BLACK),
    "bayer": lambda: dithered("coffee"),
    "columns-2": lambda: two_colors(X // 2 % 2 == 0, (220, 30, 30), (20, 20, 160)),
    "checker-2": lambda: two_colors((X // 2 + Y // 2) % 2 == 0, (240, 240, 0), (0, 90, 60)),
    "interlaced": interlaced,
    "scanlines": scanlines,
    "error-diffusion": error_diffused,
    "noise-gray": lambda: noise(1),
    "noise-color": lambda: noise(3),
    "halftone": halftone,
    "screen-door": screen_door,
    "textile": textile,
    "zone-plate": lambda: gray(127.5 + 127.5 * np.cos(np.pi * (X**2 + Y**2) / (1.42 * SIDE))),
    "diagonal": lambda: two_colors((X + Y) % 3 == 0, WHITE, BLACK),
}
