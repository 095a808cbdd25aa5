"""Flats: single colors, two halves, gradients, skies and vignettes, and nothing else."""

import numpy as np
from numpy.typing import NDArray

from training.data.painters.canvas import opaque
from training.data.painters.chance import happens, log_span, pick, span, weighted
from training.data.painters.colors import Color, any_color, blend, hsv, saturated
from training.data.painters.fields import Field, between, enlarged, radial, ramp, rounded
from training.data.painters.fonts import Fonts


def single(rng: np.random.Generator, height: int, width: int) -> NDArray[np.uint8]:
    """One color everywhere; half of them saturated, of every hue."""
    color = saturated(rng) if happens(rng, 0.5) else any_color(rng)
    return np.full((height, width, 3), color, np.uint8)


def split(rng: np.random.Generator, height: int, width: int) -> NDArray[np.uint8]:
    """Two colors with one straight edge between them."""
    first, second = any_color(rng), any_color(rng)
    if happens(rng, 0.3):
        second = blend(first, second, span(rng, 0.02, 0.2))
    side = ramp(rng, height, width) < span(rng, 0.2, 0.8)
    return np.where(side[..., None], np.asarray(first, np.uint8), np.asarray(second, np.uint8))


def _ends(rng: np.random.Generator) -> tuple[Color, Color]:
    """A gradient's ends: near together, so that it bands, or far apart."""
    first, last = any_color(rng), any_color(rng)
    return first, blend(first, last, log_span(rng, 0.03, 1) if happens(rng, 0.6) else 1.0)


def _eight_bits(rng: np.random.Generator, colors: Field) -> NDArray[np.uint8]:
    """Rounded to 8 bits: plainly (with bands), or with a little noise against bands."""
    if happens(rng, 0.6):
        return rounded(colors)
    channels = 1 if happens(rng, 0.5) else 3
    noise = rng.random((*colors.shape[:2], channels), dtype=np.float32)
    if happens(rng, 0.3):  # a triangular distribution
        noise = noise + rng.random(noise.shape, dtype=np.float32) - np.float32(0.5)
    return rounded(colors + noise - np.float32(0.5))


def linear(rng: np.random.Generator, height: int, width: int) -> NDArray[np.uint8]:
    """A gradient along a line, of two or three colors."""
    field = ramp(rng, height, width)
    first, last = _ends(rng)
    colors = between(field, first, last)
    if happens(rng, 0.25):
        upper = np.clip(field * 2 - 1, 0, 1)[..., None]
        colors = between(np.minimum(field * 2, 1), first, last)
        colors = colors + upper * (np.asarray(any_color(rng), np.float32) - colors)
    return _eight_bits(rng, colors)


def round_gradient(rng: np.random.Generator, height: int, width: int) -> NDArray[np.uint8]:
    """A gradient about a point."""
    first, last = _ends(rng)
    return _eight_bits(rng, between(radial(rng, height, width), first, last))


def mesh(rng: np.random.Generator, height: int, width: int) -> NDArray[np.uint8]:
    """A gradient of a few colors in two directions, as wallpapers have them."""
    cells = pick(rng, (2, 3, 4))
    first = any_color(rng)
    near = span(rng, 0.1, 1)
    points = [[blend(first, any_color(rng), near) for _ in range(cells)] for _ in range(cells)]
    corners = np.asarray(points, np.float32)
    colors = np.dstack([enlarged(corners[..., c], height, width) for c in range(3)])
    return _eight_bits(rng, colors)


def sky(rng: np.random.Generator, height: int, width: int) -> NDArray[np.uint8]:
    """A slow gradient from top to bottom of few levels: a clear sky, a dusk, a studio wall."""
    hue = pick(rng, (span(rng, 0.52, 0.66), span(rng, 0, 0.12), span(rng, 0, 1)))
    top = hsv(hue, span(rng, 0.05, 0.9), span(rng, 0.15, 1))
    bottom = hsv(hue + span(rng, -0.05, 0.05), span(rng, 0.02, 0.6), span(rng, 0.3, 1))
    bottom = blend(top, bottom, log_span(rng, 0.05, 1))
    fall = np.linspace(0, 1, height, dtype=np.float32) ** np.float32(span(rng, 0.6, 2.5))
    tilt = np.linspace(-1, 1, width, dtype=np.float32) * np.float32(span(rng, -0.1, 0.1))
    field = np.clip(fall[:, None] + tilt[None, :], 0, 1)
    return _eight_bits(rng, between(field, top, bottom))


def vignette(rng: np.random.Generator, height: int, width: int) -> NDArray[np.uint8]:
    """One color that gets darker toward the corners."""
    color = np.asarray(any_color(rng), np.float32)
    fall = np.float32(span(rng, 0.05, 0.9)) * radial(rng, height, width) ** np.float32(2)
    return _eight_bits(rng, color * (1 - fall[..., None]))


FLATS = {
    single: 0.32,
    split: 0.12,
    linear: 0.16,
    round_gradient: 0.1,
    mesh: 0.06,
    sky: 0.16,
    vignette: 0.08,
}


def flat(rng: np.random.Generator, height: int, width: int) -> NDArray[np.uint8]:
    """Any of these pictures, (H, W, 3) uint8."""
    return weighted(rng, FLATS)(rng, height, width)


def paint(rng: np.random.Generator, size: int, fonts: Fonts) -> NDArray[np.uint8]:
    """A flat, (size, size, 4) uint8 with an empty mask."""
    return opaque(flat(rng, size, size))
