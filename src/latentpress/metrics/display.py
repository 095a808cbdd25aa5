"""How metrics are told to people: their digits, their names, and which of them say the same."""

import math
from collections.abc import Iterable

from latentpress.metrics.registry import METRICS

# digits after the point; others: 4
DIGITS = {"mse": 1, "psnr": 2, "psnr_of_mean_mse": 2, "ms-ssim-db": 2, "ssimulacra2": 1}
# the first that a run has stands for how it looks
PERCEPTUAL = ("lpips", "dists", "lpips-vgg", "ssimulacra2", "ms-ssim")
# metric -> the one whose values it says in other units
REPEATS = {"mse": "psnr", "ms-ssim-db": "ms-ssim"}


def number(metric: str, value: float | None) -> str:
    """A metric's value with the digits that mean something, "∞" for identical images, "–" where
    there is none.
    """
    if value is None:
        return "–"
    return f"{value:.{DIGITS.get(metric, 4)}f}".replace("-", "−") if math.isfinite(value) else "∞"


def told(metrics: Iterable[str]) -> list[str]:
    """The metrics of short tables: without those that repeat another of them."""
    metrics = list(metrics)
    return [metric for metric in metrics if REPEATS.get(metric) not in metrics]


def spoken(metrics: Iterable[str]) -> list[str]:
    """Those that are put into words: the first perceptual one, and PSNR, for a codec that wins one
    often loses the other.
    """
    metrics = list(metrics)
    perceptual = [metric for metric in PERCEPTUAL if metric in metrics][:1]
    return [*perceptual, *(["psnr"] if "psnr" in metrics else [])]


def metric_name(metric: str) -> str:
    """A metric's name for people, with its unit where two metrics share a name: "MS-SSIM (dB)"."""
    entry = METRICS[metric]
    shared = sum(m.name == entry.name for m in METRICS.values()) > 1
    return f"{entry.name} ({entry.unit})" if shared and entry.unit else entry.name


def title(metric: str) -> str:
    """Name and unit of a metric: "PSNR, dB"."""
    entry = METRICS[metric]
    return f"{entry.name}, {entry.unit}" if entry.unit else entry.name
