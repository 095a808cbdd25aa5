"""Stage 3 of 5: latent <-> integer symbols, about a mean, with the steps that a quality names.

A model carries gains (reciprocal steps) for a few anchor levels; between them the logarithm of a
gain is linear in the quality, and integers of the prior are interpolated in integers, so that every
machine has the same.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from latentpress._typing import Floats, Ints
from latentpress.errors import ImageError
from latentpress.options import TOP_STEP, grid_step

SYMBOL_MAX = 32767


def interpolate(anchors: NDArray[Any], quality: float) -> NDArray[Any]:
    """Values at a quality, (n,), between those of the two levels around it.

    anchors: (levels, n), of equally spaced qualities from 0 to 100. Integers are interpolated in
    integers, rounded half up.
    """
    position = grid_step(quality) * (len(anchors) - 1)
    i = min(position // TOP_STEP, len(anchors) - 2)
    f = position - i * TOP_STEP
    if np.issubdtype(anchors.dtype, np.integer):
        a = anchors[i].astype(np.int64)
        b = anchors[i + 1].astype(np.int64)
        between: NDArray[Any] = (a * (TOP_STEP - f) + b * f + TOP_STEP // 2) // TOP_STEP
    else:
        between = (anchors[i] * (TOP_STEP - f) + anchors[i + 1] * f) / np.float32(TOP_STEP)
    return between


def check_finite(y: Floats) -> Floats:
    """y as it is; ImageError where a number in it is NaN or infinite, which no symbol can stand
    for.
    """
    if not np.isfinite(y).all():
        raise ImageError(
            "the analysis transform gave a latent that is not finite; with 16-bit weights try "
            "--device cpu"
        )
    return y


def quantize(y: NDArray[np.floating[Any]], mu: Floats | np.float32) -> Ints:
    """Symbols: y - mu rounded to the nearest integer, within +-SYMBOL_MAX. Any shape."""
    symbols: Ints = np.clip(np.rint(y - mu), -SYMBOL_MAX, SYMBOL_MAX).astype(np.int32)
    return symbols


def dequantize(symbols: Ints, mu: Floats) -> Floats:
    """y_hat = symbols + mu. Any shape."""
    return symbols.astype(np.float32) + mu
