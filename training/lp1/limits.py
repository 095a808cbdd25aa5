"""The limits of tensors that are rounded to bytes with the least squared error."""

import numpy as np
from numpy.typing import NDArray

KEPT_SHARES = np.linspace(0.3, 1, 71)  # of the extremes, that are tried as limits
LEVELS = 255
BYTES = 255, 127  # highest level of channels that are never below 0, and of the others
LEAST_SHARE = 1 / 64  # of a tensor's largest step: a channel that was still may move elsewhere
LEAST_STEP = 1e-3


def least_error_limits(values: NDArray[np.float32]) -> list[float]:
    """[low, high] whose 256 levels give the values with the least squared error."""
    low, high = min(float(values.min()), 0.0), max(float(values.max()), 0.0)
    best: tuple[float, list[float]] = (np.inf, [low, high])
    for share in KEPT_SHARES:
        limits = [low * share, high * share]
        step = (limits[1] - limits[0]) / LEVELS or 1.0
        rounded = np.rint(np.clip(values, *limits) / step) * step
        best = min(best, (float(np.square(rounded - values).mean()), limits))
    return [float(f"{v:.5g}") for v in best[1]]


def to_levels(
    values: NDArray[np.float32], steps: NDArray[np.floating], is_signed: bool
) -> NDArray[np.float32]:
    """What the bytes of a tensor (..., C, places) say, in its channels' steps."""
    high = BYTES[is_signed]
    levels = np.rint(values / steps[:, None].astype(np.float32))
    return np.clip(levels, -high - 1 if is_signed else 0, high, out=levels)


def least_error_steps(
    values: NDArray[np.float32], largest: NDArray[np.float32], is_signed: bool
) -> list[float]:
    """A step for each channel of a tensor.

    Values of both signs get the step whose bytes give them with the least squared error: a rare one
    is cut off, so that all others have finer levels. After a Relu nothing is cut off: what fires
    seldom is large where it does, and what reads it would err at once in all of its channels.

    Args:
        values: (C, places), places drawn alike from all pictures.
        largest: (C,), of all values of the pictures.
        is_signed: Whether there are values below 0.
    """
    reach = np.maximum(largest, LEAST_STEP) / BYTES[is_signed]
    least, steps = np.full(len(values), np.inf), reach
    for share in KEPT_SHARES if is_signed else ():
        tried = (reach * share).astype(np.float32)
        error = to_levels(values, tried, is_signed) * tried[:, None] - values
        error = np.square(error).mean(axis=1)
        steps = np.where(error < least, tried, steps)
        least = np.minimum(error, least)
    steps = np.maximum(steps, max(LEAST_STEP, steps.max() * LEAST_SHARE))
    return [float(f"{v:.4g}") for v in steps]
