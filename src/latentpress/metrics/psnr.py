"""Peak signal-to-noise ratio."""

import math

from latentpress._typing import Pixels
from latentpress.metrics.mse import mse

PEAK = 255


def psnr(a: Pixels, b: Pixels, *, gray: bool = False) -> float:
    """Peak signal-to-noise ratio; one MSE over all channels.

        PSNR = 10 log10(255^2 / MSE)

    Args:
        a: the original, uint8 (H, W) or (H, W, 3), samples 0 to 255.
        b: the distorted picture, of the same shape.
        gray: compare their luma (H, W) instead.

    Returns:
        Decibels, 0 to infinity (identical images; never capped). Higher is better.

    Raises:
        ImageError: the images do not match.

    Example:
        >>> import numpy as np
        >>> round(psnr(np.zeros((8, 8), np.uint8), np.full((8, 8), 3, np.uint8)), 2)
        38.59
    """
    return psnr_of_mse(mse(a, b, gray=gray))


def psnr_of_mse(error: float) -> float:
    """10 log10(255^2 / error) in dB, infinity for an error of 0."""
    return 10 * math.log10(PEAK**2 / error) if error else math.inf
