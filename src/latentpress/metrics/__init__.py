"""Full-reference metrics: one a file, each a pure function of two uint8 images, and the table that
describes them.

>>> from latentpress.metrics import assess
>>> assess(original, decoded, ["psnr", "ssim"])  # doctest: +SKIP
{"psnr": 30.12, "ssim": 0.871}

`docs/measurements/metrics.md` says of each metric what it measures and where it misleads.
"""

from latentpress.metrics.dists import dists
from latentpress.metrics.gmsd import gmsd
from latentpress.metrics.lpips import lpips, lpips_vgg
from latentpress.metrics.ms_ssim import ms_ssim, ms_ssim_db
from latentpress.metrics.mse import mse
from latentpress.metrics.psnr import psnr
from latentpress.metrics.registry import (
    METRICS,
    Metric,
    Reference,
    assess,
    available,
    check_names,
)
from latentpress.metrics.ssim import ssim
from latentpress.metrics.ssimulacra2 import ssimulacra2

__all__ = [
    "METRICS",
    "Metric",
    "Reference",
    "assess",
    "available",
    "check_names",
    "dists",
    "gmsd",
    "lpips",
    "lpips_vgg",
    "ms_ssim",
    "ms_ssim_db",
    "mse",
    "psnr",
    "ssim",
    "ssimulacra2",
]
