"""Smooth fields over a picture: the grounds that text, noise and dithers lie on."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from training.data.painters.chance import happens, pick, span, whole
from training.data.painters.colors import Color, any_color, blend, hsv, luma

Field = NDArray[np.float32]


def ramp(rng: np.random.Generator, height: int, width: int) -> Field:
    """A plane from 0 to 1 in any direction, (H, W) float32."""
    angle = pick(rng, (0.0, 90.0, 180.0, 270.0, span(rng, 0, 360)))
    across, down = np.cos(np.radians(angle)), np.sin(np.radians(angle))
    x = np.linspace(-1, 1, width, dtype=np.float32)[None, :] * np.float32(across)
    y = np.linspace(-1, 1, height, dtype=np.float32)[:, None] * np.float32(down)
    reach = np.float32(abs(across) + abs(down))
    plane: Field = ((x + y) / (2 * reach) + 0.5).astype(np.float32)
    return plane


def radial(rng: np.random.Generator, height: int, width: int) -> Field:
    """Distance from a point, 0 there and about 1 at the far side, (H, W) float32."""
    x = np.linspace(0, 1, width, dtype=np.float32)[None, :] - np.float32(span(rng, 0.1, 0.9))
    y = np.linspace(0, 1, height, dtype=np.float32)[:, None] - np.float32(span(rng, 0.1, 0.9))
    reach = np.float32(span(rng, 0.5, 1.2))
    return np.minimum(np.sqrt(x * x + y * y) / reach, np.float32(1))


def enlarged(small: Field, height: int, width: int) -> Field:
    """A small field (h, w) resized by cubic interpolation to (H, W)."""
    image = Image.fromarray(np.ascontiguousarray(small, np.float32))
    return np.asarray(image.resize((width, height), Image.Resampling.BICUBIC))


def cloud(
    rng: np.random.Generator, height: int, width: int, coarse: int = 3, octaves: int = 4
) -> Field:
    """Noise whose amplitude falls with its frequency, 0 to 1, (H, W) float32."""
    total = np.zeros((height, width), np.float32)
    cells = coarse
    for octave in range(octaves):
        small = rng.standard_normal((cells, cells), dtype=np.float32)
        total += enlarged(small, height, width) * np.float32(0.5**octave)
        cells = min(cells * 2, height, width)
    low, high = total.min(), total.max()
    return (total - low) / max(high - low, np.float32(1e-6))


def tone(rng: np.random.Generator, height: int, width: int) -> Field:
    """Any of the fields above, 0 to 1, (H, W) float32."""
    kind = pick(rng, ("ramp", "radial", "cloud", "blobs"))
    if kind == "ramp":
        return ramp(rng, height, width)
    if kind == "radial":
        return radial(rng, height, width)
    if kind == "cloud":
        return cloud(rng, height, width, whole(rng, 3, 6), whole(rng, 1, 4))
    field = np.full((height, width), span(rng, 0.1, 0.9), np.float32)
    for _ in range(whole(rng, 2, 6)):
        inside = radial(rng, height, width) < span(rng, 0.15, 0.6)
        field[inside] = span(rng, 0, 1)
    return field


def between(field: Field, first: Color, last: Color) -> Field:
    """Colors from first (field 0) to last (field 1), (H, W, 3) float32, 0 to 255."""
    start = np.asarray(first, np.float32)
    return start + field[..., None] * (np.asarray(last, np.float32) - start)


def rounded(colors: NDArray[np.floating]) -> NDArray[np.uint8]:
    """Colors as 8-bit numbers, rounded and clipped."""
    return np.clip(colors + np.float32(0.5), 0, 255).astype(np.uint8)


def photo(rng: np.random.Generator, height: int, width: int) -> NDArray[np.uint8]:
    """Something like a photograph out of focus: light, blurred shapes, grain; (H, W, 3) uint8."""
    base = hsv(span(rng, 0, 1), span(rng, 0.1, 0.7), span(rng, 0.2, 0.9))
    other = blend(any_color(rng), base, 0.4)
    colors = between(cloud(rng, height, width, whole(rng, 2, 5), whole(rng, 2, 6)), base, other)
    if happens(rng, 0.6):
        light = ramp(rng, height, width) * np.float32(span(rng, 0.2, 0.9))
        colors *= np.float32(1.15) - light[..., None]
    for _ in range(whole(rng, 0, 3)):
        edge = np.float32(log_edge(rng))
        inside = np.clip(
            (np.float32(span(rng, 0.1, 0.5)) - radial(rng, height, width)) * edge, 0, 1
        )
        paint = np.asarray(blend(any_color(rng), base, span(rng, 0.2, 0.7)), np.float32)
        colors += inside[..., None] * (paint - colors)
    if happens(rng, 0.7):
        grain = rng.standard_normal((height, width), dtype=np.float32)
        colors += (grain * np.float32(span(rng, 0.5, 9)))[..., None]
    return rounded(colors)


def log_edge(rng: np.random.Generator) -> float:
    """How steep a blurred edge is: 3 (very soft) to 100 (sharp)."""
    return float(3 * (100 / 3) ** rng.random())


def mean_luma(pixels: NDArray[np.uint8]) -> float:
    """How light a picture is on average, 0 to 255."""
    red, green, blue = (int(v) for v in pixels[::4, ::4].reshape(-1, 3).mean(0))
    return luma((red, green, blue))
