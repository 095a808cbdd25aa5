"""Noise: white, pink, film grain, salt and pepper, about a color or a gradient."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from training.data.painters.canvas import opaque
from training.data.painters.chance import happens, log_span, pick, span, weighted, whole
from training.data.painters.colors import any_color
from training.data.painters.fields import Field, between, enlarged, photo, rounded, tone
from training.data.painters.fonts import Fonts


def _ground(rng: np.random.Generator, height: int, width: int) -> Field:
    """What the noise is about: one color, a gradient, or blurred shapes; float32, 0 to 255."""
    if happens(rng, 0.5):
        return np.full((height, width, 3), any_color(rng), np.float32)
    if happens(rng, 0.6):
        return between(tone(rng, height, width), any_color(rng), any_color(rng))
    return photo(rng, height, width).astype(np.float32)


def _channels(rng: np.random.Generator, height: int, width: int) -> tuple[int, int, int]:
    """The shape of gray noise (one channel) or of colored noise (three)."""
    return height, width, pick(rng, (1, 3))


def white(rng: np.random.Generator, height: int, width: int) -> NDArray[np.uint8]:
    """Independent pixels, normal or uniform, of an amplitude from 0.5 to 80 levels."""
    shape = _channels(rng, height, width)
    if happens(rng, 0.7):
        noise = rng.standard_normal(shape, dtype=np.float32)
    else:
        noise = (rng.random(shape, dtype=np.float32) - np.float32(0.5)) * np.float32(3.4)
    return rounded(_ground(rng, height, width) + noise * np.float32(log_span(rng, 0.5, 80)))


def full(rng: np.random.Generator, height: int, width: int) -> NDArray[np.uint8]:
    """Uniform over all levels: an untuned television, gray, colored or of two levels."""
    shape = _channels(rng, height, width)
    if happens(rng, 0.3):
        levels = rng.integers(0, 2, shape, np.uint8) * np.uint8(255)
    else:
        levels = rng.integers(0, 256, shape, np.uint8)
    return np.broadcast_to(levels, (height, width, 3)).copy()


def pink(rng: np.random.Generator, height: int, width: int) -> NDArray[np.uint8]:
    """Noise of octaves, each coarser one of about the same or of more power."""
    channels = pick(rng, (1, 3))
    fall = span(rng, 0.5, 1.1)
    planes = [_octaves(rng, height, width, fall) for _ in range(channels)]
    noise = np.dstack(planes) * np.float32(log_span(rng, 2, 60))
    return rounded(_ground(rng, height, width) + noise)


def _octaves(rng: np.random.Generator, height: int, width: int, fall: float) -> Field:
    """A plane of octaves with a deviation of about 1."""
    total = rng.standard_normal((height, width), dtype=np.float32) * np.float32(fall**7)
    power = fall**14
    for octave in range(1, 7):
        cells = (max(2, height >> octave), max(2, width >> octave))
        gain = fall ** (7 - octave)
        total += enlarged(rng.standard_normal(cells, dtype=np.float32), height, width) * np.float32(
            gain
        )
        power += gain * gain
    return total / np.float32(power**0.5)


def grain(rng: np.random.Generator, height: int, width: int) -> NDArray[np.uint8]:
    """Film grain: soft clumps, strongest in the middle tones."""
    ground = _ground(rng, height, width)
    levels = rng.integers(0, 256, (height, width), np.uint8)
    soft = Image.fromarray(levels).filter(ImageFilter.GaussianBlur(span(rng, 0.5, 1.4)))
    noise = np.asarray(soft, np.float32) - np.float32(127.5)
    noise *= np.float32(log_span(rng, 2, 25)) / max(noise.std(), np.float32(1))
    middle = 1 - np.abs(ground.mean(2) / np.float32(127.5) - 1) * np.float32(0.8)
    return rounded(ground + (noise * middle)[..., None])


def salt_and_pepper(rng: np.random.Generator, height: int, width: int) -> NDArray[np.uint8]:
    """Single pixels of black, white or any color."""
    pixels = rounded(_ground(rng, height, width))
    count = max(1, int(height * width * log_span(rng, 0.0005, 0.25)))
    rows, columns = rng.integers(0, height, count), rng.integers(0, width, count)
    kind = pick(rng, ("both", "salt", "pepper", "colors"))
    if kind == "colors":
        pixels[rows, columns] = rng.integers(0, 256, (count, 3), np.uint8)
    else:
        levels = {"salt": [255], "pepper": [0], "both": [0, 255]}[kind]
        pixels[rows, columns] = np.asarray(levels, np.uint8)[
            rng.integers(0, len(levels), count), None
        ]
    return pixels


def chroma(rng: np.random.Generator, height: int, width: int) -> NDArray[np.uint8]:
    """Blotches of color of a sensor in the dark: coarse in color, fine in lightness."""
    ground = _ground(rng, height, width)
    step = whole(rng, 2, 6)
    cells = (-(-height // step), -(-width // step))
    strong = np.float32(log_span(rng, 2, 30))
    for channel in (0, 2):
        blotches = enlarged(rng.standard_normal(cells, dtype=np.float32), height, width)
        ground[..., channel] += blotches * strong
    fine = rng.standard_normal((height, width, 1), dtype=np.float32) * (strong / 2)
    return rounded(ground + fine)


NOISES = {white: 0.32, full: 0.06, pink: 0.2, grain: 0.2, salt_and_pepper: 0.12, chroma: 0.1}


def noise(rng: np.random.Generator, height: int, width: int) -> NDArray[np.uint8]:
    """Any of these pictures, (H, W, 3) uint8."""
    return weighted(rng, NOISES)(rng, height, width)


def paint(rng: np.random.Generator, size: int, fonts: Fonts) -> NDArray[np.uint8]:
    """Noise, (size, size, 4) uint8 with an empty mask."""
    return opaque(noise(rng, size, size))
