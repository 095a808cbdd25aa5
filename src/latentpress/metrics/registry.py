"""The table of metrics: what each is called, its unit, range and direction, what it needs, and the
function that computes it.
"""

import functools
import math
from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple

from latentpress._typing import Pixels
from latentpress.errors import UsageError, WeightsError
from latentpress.metrics.checks import check_pair
from latentpress.metrics.dists import MIN_SIDE as DISTS_SIDE
from latentpress.metrics.dists import against as against_dists
from latentpress.metrics.dists import dists
from latentpress.metrics.dists import missing as dists_missing
from latentpress.metrics.gmsd import MIN_SIDE as GMSD_SIDE
from latentpress.metrics.gmsd import gmsd
from latentpress.metrics.lpips import MIN_SIDE as LPIPS_SIDE
from latentpress.metrics.lpips import against as against_lpips
from latentpress.metrics.lpips import lpips, lpips_vgg
from latentpress.metrics.lpips import missing as lpips_missing
from latentpress.metrics.ms_ssim import MIN_SIDE as MS_SSIM_SIDE
from latentpress.metrics.ms_ssim import decibels, ms_ssim, ms_ssim_db
from latentpress.metrics.mse import mse
from latentpress.metrics.psnr import psnr, psnr_of_mse
from latentpress.metrics.ssim import WINDOW as SSIM_SIDE
from latentpress.metrics.ssim import ssim
from latentpress.metrics.ssimulacra2 import MIN_SIDE as SSIMULACRA2_SIDE
from latentpress.metrics.ssimulacra2 import against as against_ssimulacra2
from latentpress.metrics.ssimulacra2 import ssimulacra2

Names = Sequence[str] | Literal["all"] | None
# pixels of an original of which features are kept: 500 bytes a pixel for LPIPS on VGG16 or DISTS
KEPT = 1 << 21


def _nothing_missing() -> str | None:
    return None


class Metric(NamedTuple):
    """One metric.

    name: as it is printed. unit: as it is printed. range: lowest and highest value. direction:
    "higher" or "lower" is better. function: (a, b, *, gray=False) -> float on uint8 images.
    needs_weights: of a pretrained network. missing: why it cannot be computed on this machine, None
    where it can. smallest: pixels a side of the smallest image. slow: seconds, not a fraction of
    one, for an image of 768 x 512. keeping: of an original, the same function of what is graded
    against it, which keeps what it finds in the original; None where that saves little.
    """

    name: str
    unit: str
    range: tuple[float, float]
    direction: str
    function: Callable[..., float]
    needs_weights: bool = False
    missing: Callable[[], str | None] = _nothing_missing
    smallest: int = 1
    slow: bool = False
    keeping: Callable[[Pixels], Callable[[Pixels], float]] | None = None

    def against(self, a: Pixels, *, gray: bool = False) -> Callable[[Pixels], float]:
        """The metric of one picture after the other against an original, the same numbers as
        `function` gives: what it finds in the original is computed once. Of an original of more
        than KEPT pixels nothing is kept.

        Args:
            a: the original, as of `function`.
            gray: as of `function`.

        Returns:
            A function of a distorted picture, which raises what `function` raises.

        Example:
            >>> import numpy as np
            >>> mse_against = METRICS["mse"].against(np.zeros((8, 8), np.uint8))
            >>> mse_against(np.full((8, 8), 3, np.uint8))
            9.0
        """
        if self.keeping is not None and math.prod(a.shape[:2]) <= KEPT:
            return self.keeping(a)
        return functools.partial(self.function, a, gray=gray)


METRICS = {
    "mse": Metric("MSE", "levels²", (0.0, 65025.0), "lower", mse),
    "psnr": Metric("PSNR", "dB", (0.0, math.inf), "higher", psnr),
    "ssim": Metric("SSIM", "", (-1.0, 1.0), "higher", ssim, smallest=SSIM_SIDE),
    "ms-ssim": Metric("MS-SSIM", "", (0.0, 1.0), "higher", ms_ssim, smallest=MS_SSIM_SIDE),
    "ms-ssim-db": Metric(
        "MS-SSIM", "dB", (0.0, math.inf), "higher", ms_ssim_db, smallest=MS_SSIM_SIDE
    ),
    "gmsd": Metric("GMSD", "", (0.0, 0.5), "lower", gmsd, smallest=GMSD_SIDE),
    "ssimulacra2": Metric(
        "SSIMULACRA 2",
        "",
        (-math.inf, 100.0),
        "higher",
        ssimulacra2,
        smallest=SSIMULACRA2_SIDE,
        keeping=against_ssimulacra2,
    ),
    "lpips": Metric(
        "LPIPS",
        "",
        (0.0, math.inf),
        "lower",
        lpips,
        True,
        functools.partial(lpips_missing, "alex"),
        smallest=LPIPS_SIDE["alex"],
        keeping=functools.partial(against_lpips, "alex"),
    ),
    "lpips-vgg": Metric(
        "LPIPS (VGG)",
        "",
        (0.0, math.inf),
        "lower",
        lpips_vgg,
        True,
        functools.partial(lpips_missing, "vgg"),
        LPIPS_SIDE["vgg"],
        slow=True,
        keeping=functools.partial(against_lpips, "vgg"),
    ),
    "dists": Metric(
        "DISTS",
        "",
        (0.0, math.inf),
        "lower",
        dists,
        True,
        dists_missing,
        DISTS_SIDE,
        slow=True,
        keeping=against_dists,
    ),
}
# metric -> (of which one, how)
DERIVED = {"psnr": ("mse", psnr_of_mse), "ms-ssim-db": ("ms-ssim", decibels)}


def check_names(names: Names) -> list[str]:
    """The keys of METRICS that are meant.

    Args:
        names: keys of METRICS, or one of them; "all"; None for all but the slow ones.

    Returns:
        The keys, each once, in the order of the table.

    Raises:
        UsageError: an unknown or no name.

    Example:
        >>> check_names(["ssim", "psnr", "ssim"])
        ['psnr', 'ssim']
    """
    if names is None:
        return [key for key, metric in METRICS.items() if not metric.slow]
    if isinstance(names, str):
        names = list(METRICS) if names == "all" else [names]
    names = list(names)  # they may come from a generator
    if unknown := [name for name in names if name not in METRICS]:
        raise UsageError(f"unknown metric {unknown[0]!r}: choose from {', '.join(METRICS)}, or all")
    if not names:
        raise UsageError(f"no metric was named: choose from {', '.join(METRICS)}, or all")
    return [key for key in METRICS if key in names]


def available(names: Names = None) -> tuple[list[str], dict[str, str]]:
    """The metrics that can be computed on this machine.

    Args:
        names: keys of METRICS; "all"; None for all but the slow ones (LPIPS on VGG16, DISTS).

    Returns:
        (keys that can be computed, key -> reason of every other one, a sentence without a stop).

    Raises:
        UsageError: an unknown name.

    Example:
        >>> available(["psnr"])
        (['psnr'], {})
    """
    reasons = {key: METRICS[key].missing() for key in check_names(names)}
    return [key for key, reason in reasons.items() if reason is None], {
        key: reason for key, reason in reasons.items() if reason
    }


def assess(a: Pixels, b: Pixels, metrics: Names = None, *, gray: bool = False) -> dict[str, float]:
    """Metrics of two arrays.

    Args:
        a: the original, uint8 (H, W) or (H, W, 3), samples 0 to 255.
        b: the distorted picture, of the same shape.
        metrics: keys of METRICS: then each is computed or there is an error. "all" or None (all but
            the slow ones): those that can be computed here.
        gray: MSE, PSNR, SSIM and MS-SSIM of the luma (the others are metrics of colors, GMSD of
            luma always).

    Returns:
        Key -> value, in the metric's unit.

    Raises:
        ImageError: the images do not match, or are too small for a named metric.
        WeightsError: weights or the library of a named metric are missing.
        UsageError: an unknown name.

    Example:
        >>> import numpy as np
        >>> assess(np.zeros((9, 9), np.uint8), np.full((9, 9), 2, np.uint8), ["mse"])
        {'mse': 4.0}
    """
    return _assess(a, b, metrics, lambda key: METRICS[key].function(a, b, gray=gray))


class Reference:
    """An original that several pictures are graded against: what metrics find in it is computed
    once, and kept as long as this object (`Metric.against`).

    Args:
        a: the original, as of `assess`.
        gray: as of `assess`.

    Example:
        >>> import numpy as np
        >>> reference = Reference(np.zeros((9, 9), np.uint8))
        >>> [reference.assess(np.full((9, 9), i, np.uint8), ["mse"]) for i in (2, 3)]
        [{'mse': 4.0}, {'mse': 9.0}]
    """

    def __init__(self, a: Pixels, *, gray: bool = False) -> None:
        self._a = a
        self._gray = gray
        self._against: dict[str, Callable[[Pixels], float]] = {}

    def assess(self, b: Pixels, metrics: Names = None) -> dict[str, float]:
        """Metrics of a distorted picture against the original.

        Args:
            b: the distorted picture, as of `assess`.
            metrics: as of `assess`.

        Returns:
            What `assess` returns, to the bit.

        Raises:
            ImageError, WeightsError, UsageError: as `assess`.

        Example:
            >>> import numpy as np
            >>> Reference(np.zeros((9, 9), np.uint8)).assess(np.ones((9, 9), np.uint8), ["mse"])
            {'mse': 1.0}
        """
        return _assess(self._a, b, metrics, lambda key: self._metric(key)(b))

    def _metric(self, key: str) -> Callable[[Pixels], float]:
        if key not in self._against:
            self._against[key] = METRICS[key].against(self._a, gray=self._gray)
        return self._against[key]


def _assess(
    a: Pixels, b: Pixels, metrics: Names, value: Callable[[str], float]
) -> dict[str, float]:
    """As of `assess`. value: of the metric of a key."""
    check_pair(a, b)
    usable, reasons = available(metrics)
    if metrics is None or metrics == "all":
        usable = [key for key in usable if min(a.shape[:2]) >= METRICS[key].smallest]
    elif reasons:
        raise WeightsError(
            "; ".join(f"{METRICS[key].name}: {reason}" for key, reason in reasons.items())
        )
    values: dict[str, float] = {}
    for key in usable:
        source, derive = DERIVED.get(key, (None, None))
        if source in values and derive is not None:
            values[key] = derive(values[source])
        else:
            values[key] = value(key)
    return values
