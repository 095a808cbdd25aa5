"""Dithers: gradients and shapes in few colors, by ordered, random and diffused thresholds."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from training.data.painters.chance import happens, pick, weighted, whole
from training.data.painters.colors import BLACK, WHITE, any_color, blend, palette
from training.data.painters.fields import Field, between, photo, tone


def bayer(order: int) -> Field:
    """Bayer's matrix of side 2**order, thresholds between 0 and 1 (Bayer, 1973)."""
    matrix = np.zeros((1, 1), np.int64)
    for _ in range(order):
        matrix = np.block([[4 * matrix, 4 * matrix + 2], [4 * matrix + 3, 4 * matrix + 1]])
    return ((matrix + 0.5) / matrix.size).astype(np.float32)


def _thresholds(rng: np.random.Generator, height: int, width: int, kind: str) -> Field:
    """Thresholds between 0 and 1, (H, W) float32."""
    if kind == "random":
        return rng.random((height, width), dtype=np.float32)
    matrix = bayer(whole(rng, 1, 3))
    side = len(matrix)
    return np.tile(matrix, (height // side + 1, width // side + 1))[:height, :width]


def ramped(rng: np.random.Generator, height: int, width: int, kind: str) -> NDArray[np.uint8]:
    """A tone in 2 to 16 levels between two colors."""
    levels = pick(rng, (2, 2, 2, 3, 4, 4, 8, 16))
    first, last = (BLACK, WHITE) if happens(rng, 0.4) else (any_color(rng), any_color(rng))
    steps = [blend(first, last, step / (levels - 1)) for step in range(levels)]
    place = tone(rng, height, width) * (levels - 1) + _thresholds(rng, height, width, kind)
    return np.asarray(steps, np.uint8)[np.clip(place.astype(np.int32), 0, levels - 1)]


def cubed(rng: np.random.Generator, height: int, width: int, kind: str) -> NDArray[np.uint8]:
    """A picture whose channels each have 2 to 6 levels."""
    levels = pick(rng, (2, 2, 3, 4, 6))
    colors = _source(rng, height, width).astype(np.float32) * np.float32((levels - 1) / 255)
    threshold = _thresholds(rng, height, width, kind)[..., None]
    steps = np.clip(np.floor(colors + threshold), 0, levels - 1)
    return (steps * np.float32(255 / (levels - 1)) + np.float32(0.5)).astype(np.uint8)


def _source(rng: np.random.Generator, height: int, width: int) -> NDArray[np.uint8]:
    """What is dithered: a photograph-like picture or a gradient, (H, W, 3) uint8."""
    if happens(rng, 0.6):
        return photo(rng, height, width)
    return between(tone(rng, height, width), any_color(rng), any_color(rng)).astype(np.uint8)


def diffused(rng: np.random.Generator, height: int, width: int) -> NDArray[np.uint8]:
    """A picture in 2 to 16 colors by error diffusion (Floyd and Steinberg, 1976)."""
    image = Image.fromarray(_source(rng, height, width))
    if happens(rng, 0.4):
        bits = np.asarray(image.convert("L").convert("1"))
        first, last = (BLACK, WHITE) if happens(rng, 0.6) else (any_color(rng), any_color(rng))
        return np.where(bits[..., None], np.asarray(last, np.uint8), np.asarray(first, np.uint8))
    count = whole(rng, 2, 16)
    if happens(rng, 0.5):  # the picture's own colors
        own = image.resize((64, 64)).quantize(count, Image.Quantize.MEDIANCUT)
    else:
        own = Image.new("P", (1, 1))
        flat = [level for color in palette(rng, count) for level in color]
        own.putpalette(flat + flat[:3] * (256 - count))
    dithered = image.quantize(palette=own, dither=Image.Dither.FLOYDSTEINBERG)
    return np.asarray(dithered.convert("RGB")).copy()


def dither(rng: np.random.Generator, height: int, width: int) -> NDArray[np.uint8]:
    """Any of these pictures, (H, W, 3) uint8; now and then its pixels are doubled."""
    scale = 2 if happens(rng, 0.15) else 1
    rows, columns = -(-height // scale), -(-width // scale)
    kind = weighted(rng, {"ordered": 0.4, "random": 0.15, "diffused": 0.45})
    if kind == "diffused":
        pixels = diffused(rng, rows, columns)
    else:
        pixels = pick(rng, (ramped, cubed))(rng, rows, columns, kind)
    if scale == 1:
        return pixels
    return pixels.repeat(scale, 0)[:height].repeat(scale, 1)[:, :width].copy()
