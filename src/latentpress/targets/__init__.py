"""Ask for a size, a rate or a metric instead of a quality: the analysis transform runs once, only
stages 3 to 5 repeat.

bracket.py     the quality at which a rising quantity passes a target, in few probes
size_model.py  how large a file will be, about, before one is written
correction.py  where the latent is optimized: the quality is corrected once or twice afterwards
analyzed.py    a picture after stage 2, to be written at many qualities

>>> from latentpress import targets
>>> data = targets.to_size("photo.jpg", 20_000)  # doctest: +SKIP
>>> data = targets.to_rate("photo.jpg", 0.15)  # doctest: +SKIP
>>> data = targets.to_metric("photo.jpg", "psnr", 32)  # doctest: +SKIP
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Sequence
from functools import reduce
from typing import TYPE_CHECKING

import numpy as np

from latentpress.container import read_header
from latentpress.errors import TargetError, UsageError
from latentpress.image.picture import Picture, Source
from latentpress.options import QUALITY_UNIT, TOP_STEP, EncodeOptions
from latentpress.targets.analyzed import Analyzed
from latentpress.targets.bracket import WrittenFiles, bracket
from latentpress.targets.correction import corrected_metric, corrected_size

if TYPE_CHECKING:
    from latentpress.metrics.registry import Metric

__all__ = ["Analyzed", "to_metric", "to_rate", "to_size", "to_total"]

NEAR = 100  # grid steps: an optimized file this near a metric target is not corrected
METRIC_CLOSE = 10  # grid steps: a metric target is met by the least quality, to so many
SQUARED_ERROR = ("psnr", "mse")


def to_size(
    image: Source | Picture | Analyzed,
    limit: int,
    *,
    options: EncodeOptions | None = None,
    best_effort: bool = False,
) -> bytes:
    """The best file of at most `limit` bytes.

    Args:
        image: as in `compress`, or an Analyzed, which brings its own options.
        limit: bytes of the whole file, above 0.
        options: as in `compress`; the quality is not looked at. At efforts 7 to 9 the latent is
            optimized up to three times.
        best_effort: where no file is small enough, give the smallest one.

    Returns:
        The largest file within the limit of those that were tried.

    Raises:
        TargetError: even quality 0 is larger; it names the least size.
        UsageError: the limit is below 1, or options were given for an Analyzed.
        ImageError, ConversionError, WeightsError: as `compress`.

    Example:
        >>> import numpy as np
        >>> picture = np.random.default_rng(0).integers(0, 256, (64, 96, 3), np.uint8)
        >>> len(to_size(picture, 1500)) <= 1500
        True
    """

    def too_small(data: Sequence[bytes]) -> str:
        return (
            f"no file of this picture is as small as {limit:,} bytes: the least, at quality 0, "
            f"has {len(data[0]):,}{_metadata_words(data)}"
        )

    return _within([_analyzed(image, options)], limit, too_small, best_effort)[0]


def to_rate(
    image: Source | Picture | Analyzed,
    bpp: float,
    *,
    options: EncodeOptions | None = None,
    best_effort: bool = False,
) -> bytes:
    """The best file of at most `bpp` bits a pixel.

    Args:
        image: as in `to_size`.
        bpp: 8 x bytes of the whole file / (width x height), above 0.
        options: as in `to_size`.
        best_effort: as in `to_size`.

    Returns:
        The largest file within the rate of those that were tried.

    Raises:
        TargetError: even quality 0 has more; it names the least rate.
        UsageError: the rate is not above 0, or options were given for an Analyzed.
        ImageError, ConversionError, WeightsError: as `compress`.

    Example:
        >>> import latentpress, numpy as np
        >>> picture = np.random.default_rng(0).integers(0, 256, (64, 96, 3), np.uint8)
        >>> latentpress.read_header(to_rate(picture, 2.0)).bpp <= 2.0
        True
    """
    if not 0 < bpp < math.inf:
        raise UsageError(f"a rate is a number of bits a pixel above 0, not {bpp}")
    analyzed = _analyzed(image, options)

    def too_small(data: Sequence[bytes]) -> str:
        least = 8 * len(data[0]) / analyzed.pixels
        return (
            f"no file of this picture has as little as {bpp:g} bpp: the least, at quality 0, has "
            f"{least:.4f}{_metadata_words(data)}"
        )

    limit = max(1, int(min(bpp * analyzed.pixels / 8, sys.maxsize)))
    limit += 8 * (limit + 1) / analyzed.pixels <= bpp  # which rounding may have taken away
    return _within([analyzed], limit, too_small, best_effort)[0]


def to_total(
    images: Sequence[Source | Picture | Analyzed],
    limit: int,
    *,
    options: EncodeOptions | None = None,
    best_effort: bool = False,
) -> list[bytes]:
    """One quality for all pictures, the best whose files sum to at most `limit` bytes.

    One picture at a time is in memory, at efforts 7 to 9 all of them.

    Args:
        images: each as in `to_size`.
        limit: bytes of all files together, above 0.
        options: as in `to_size`, for all pictures that are not Analyzed.
        best_effort: as in `to_size`.

    Returns:
        The files, in the order of the pictures.

    Raises:
        TargetError: even at quality 0 they have more; it names the least sum.
        UsageError: there is no picture, or the limit is below 1.
        ImageError, ConversionError, WeightsError: as `compress`.

    Example:
        >>> import numpy as np
        >>> pictures = list(np.random.default_rng(0).integers(0, 256, (2, 64, 96, 3), np.uint8))
        >>> sum(map(len, to_total(pictures, 3000))) <= 3000
        True
    """
    if not len(images):
        raise UsageError("there is no picture to share the bytes among")

    def too_small(data: Sequence[bytes]) -> str:
        return (
            f"these pictures do not fit into {limit:,} bytes: at quality 0 they have "
            f"{sum(map(len, data)):,}{_metadata_words(data)}"
        )

    analyzed = [
        image if isinstance(image, Analyzed) else Analyzed(image, options, keep_pixels=False)
        for image in images
    ]
    return _within(analyzed, limit, too_small, best_effort)


def to_metric(
    image: Source | Picture | Analyzed,
    name: str,
    value: float,
    *,
    options: EncodeOptions | None = None,
    best_effort: bool = False,
) -> bytes:
    """The smallest file whose decoded picture reaches a value of a metric.

    Args:
        image: as in `to_size`.
        name: of a metric of `latentpress.metrics`: "psnr", "ssim", "lpips", ...
        value: in the metric's unit; at least it, or at most it where less is better.
        options: as in `to_size`; for psnr and mse, optimize_for is mse where it is None.
        best_effort: where no quality reaches the value, give the best file.

    Returns:
        The file.

    Raises:
        TargetError: even quality 100 does not reach the value; it names the best one.
        UsageError: the metric is unknown or cannot be computed here, or the value is not finite.
        ImageError, ConversionError, WeightsError: as `compress`.

    Example:
        >>> import numpy as np
        >>> data = to_metric(np.full((64, 96, 3), 128, np.uint8), "psnr", 30)
    """
    metric = _metric(name)
    if not math.isfinite(value):
        raise UsageError(f"a target is a finite value of {name}, not {value}")
    analyzed = _analyzed(image, options)
    if name in SQUARED_ERROR and analyzed.options.optimize_for is None:
        analyzed = analyzed.with_options(optimize_for="mse")
    sign = 1 if metric.direction == "higher" else -1
    measured = analyzed.measuring(metric)
    files = WrittenFiles(lambda step: [analyzed.write(step)])
    gaps: dict[int, float] = {}

    def beyond(data: bytes) -> float:
        """How far beyond its target the metric of a file is; below 0 where it is not reached."""
        return sign * (measured(data) - value)

    def gap(step: int) -> float:
        gaps[step] = beyond(files.at(step)[0])
        return gaps[step]

    _, least = bracket(gap, start=TOP_STEP // 2, done=lambda low, high: high - low <= METRIC_CLOSE)
    if least > TOP_STEP:
        best = max(gaps, key=lambda step: gaps[step])
        data = files.at(best)[0]
        reached = gaps[best]
        if analyzed.options.optimizes_latent:  # which may reach what rounding does not
            optimized = analyzed.optimized(best)
            found = beyond(optimized)
            if found > reached:
                data = optimized
                reached = found
        if reached < 0 and not best_effort:
            raise TargetError(
                f"no quality reaches {name} {value:g} on this picture: the best, at "
                f"{best / QUALITY_UNIT:g}, is {value + sign * reached:.4g}",
                [data],
            )
        return data
    data = files.at(least)[0]
    if not analyzed.options.optimizes_latent or gaps.get(least, -math.inf) < 0:
        return data
    low = min(gaps)
    high = max(gaps)
    slope = (gaps[high] - gaps[low]) / max(1, high - low)
    if slope > 0:
        better = corrected_metric(
            analyzed.optimized, beyond, data, least, slope=slope, near=NEAR, top=TOP_STEP
        )
    else:
        better = analyzed.optimized(least)
    # Dead zones and latent optimization pay on average, not on every picture: the file without them
    # is tried too.
    plain = to_metric(analyzed.with_options(effort=0), name, value, best_effort=True)
    return min(better, plain, key=lambda file: (beyond(file) < 0, len(file)))


def _analyzed(image: Source | Picture | Analyzed, options: EncodeOptions | None) -> Analyzed:
    """The picture after stage 2; UsageError where it brings options and others are given."""
    if not isinstance(image, Analyzed):
        return Analyzed(image, options)
    if options is not None:
        raise UsageError("an analyzed picture has its options already: give none beside it")
    return image


def _within(
    analyzed: Sequence[Analyzed],
    limit: int,
    too_small: Callable[[Sequence[bytes]], str],
    best_effort: bool,
) -> list[bytes]:
    """The best files, at one quality, whose bytes sum to at most `limit`. Where there are none:
    TargetError with the text that `too_small` makes of the least files, or those themselves.
    """
    files = WrittenFiles(lambda step: [a.write(step) for a in analyzed])
    estimate = reduce(np.logaddexp, [a.log_sizes() for a in analyzed])
    step = files.within(limit, sum(a.fixed_bytes() for a in analyzed), estimate)
    data = files.at(step)
    if any(a.options.optimizes_latent for a in analyzed):
        low = max(step - NEAR, 0)
        high = min(step + NEAR, TOP_STEP)
        slope = max(estimate[high] - estimate[low], 1e-3) / (high - low)

        def optimized(step: int) -> list[bytes]:
            return [a.optimized(step) for a in analyzed]

        data = corrected_size(optimized, data, step, limit, slope=slope, top=TOP_STEP)
    if sum(map(len, data)) > limit:
        smallest = [a.smallest() for a in analyzed]
        if smallest != list(analyzed):  # a layer may take more bytes than its latent would
            return _within(smallest, limit, too_small, best_effort)
        if not best_effort:
            raise TargetError(too_small(data), data)
    return data


def _metadata_words(data: Sequence[bytes]) -> str:
    """What the text of a target that cannot be reached says of the files' metadata."""
    size = sum(sum(read_header(file).metadata.values()) for file in data)
    return f"; metadata take {size:,} bytes, which `strip` leaves out" if size else ""


def _metric(name: str) -> Metric:
    from latentpress.metrics import METRICS, available

    usable, missing = available([name])
    if not usable:
        raise UsageError(f"{name} cannot be computed here: {missing[name]}")
    return METRICS[usable[0]]
