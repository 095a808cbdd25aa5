"""Full-reference metrics: one a file, each a pure function of two uint8 images, and the table that describes them."""

import math
from collections.abc import Callable
from typing import NamedTuple

from latentpress.metrics.mse import mse
from latentpress.metrics.psnr import psnr
from latentpress.metrics.ssim import ssim

__all__ = ["METRICS", "Metric", "mse", "psnr", "ssim"]


class Metric(NamedTuple):
    """name; unit as it is printed; lowest and highest value; which direction is better; the function (a, b, *, grey) -> float."""

    name: str
    unit: str
    range: tuple[float, float]
    direction: str  # "higher" or "lower"
    function: Callable[..., float]


METRICS = {
    "mse": Metric("MSE", "levels²", (0.0, 65025.0), "lower", mse),
    "psnr": Metric("PSNR", "dB", (0.0, math.inf), "higher", psnr),
    "ssim": Metric("SSIM", "", (-1.0, 1.0), "higher", ssim),
}
