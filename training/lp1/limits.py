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


def least_error_steps(values: NDArray[np.float32]) -> list[float]:
    """A step for each channel of (C, places), so that its bytes give the values with the least
    squared error.
    """
    is_signed = bool((values < 0).any())
    high = BYTES[is_signed]
    low = -high - 1 if is_signed else 0
    largest = np.maximum(np.abs(values).max(axis=1), LEAST_STEP)
    least, steps = np.full(len(values), np.inf), largest / high
    for share in KEPT_SHARES:
        tried = largest * share / high
        rounded = np.clip(np.rint(values / tried[:, None]), low, high) * tried[:, None]
        error = np.square(rounded - values).mean(axis=1)
        steps = np.where(error < least, tried, steps)
        least = np.minimum(error, least)
    steps = np.maximum(steps, max(LEAST_STEP, steps.max() * LEAST_SHARE))
    return [float(f"{v:.4g}") for v in steps]
