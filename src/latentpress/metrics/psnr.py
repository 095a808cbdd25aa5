"""Peak signal-to-noise ratio."""

import math

from latentpress._typing import Pixels
from latentpress.metrics.mse import mse

PEAK = 255


def psnr(a: Pixels, b: Pixels, *, gray: bool = False) -> float:
    """PSNR = 10 log10(255^2 / MSE) in dB, 0 to infinity (identical images; never capped). Higher is
    better.

    a, b: uint8 (H, W) or (H, W, 3), samples 0 to 255; one MSE over all channels. gray: compare
    their luma (H, W). ImageError where the images do not match.
    """
    return psnr_of_mse(mse(a, b, gray=gray))


def psnr_of_mse(error: float) -> float:
    """10 log10(255^2 / error) in dB, infinity for an error of 0."""
    return 10 * math.log10(PEAK**2 / error) if error else math.inf
