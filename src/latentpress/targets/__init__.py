"""Ask for a size, a rate or a metric instead of a quality: the analysis transform runs once, only
stages 3 to 5 repeat.

>>> from latentpress import targets
>>> data = targets.to_size("photo.jpg", 20_000)             # at most 20,000 bytes
>>> data = targets.to_rate("photo.jpg", 0.15)               # bpp
>>> data = targets.to_metric("photo.jpg", "psnr", 32)       # the smallest file that reaches it
"""

import math
import sys
from collections.abc import Callable, Sequence
from copy import copy
from functools import reduce
from typing import Any

import numpy as np
from numpy.typing import NDArray

from latentpress import codec as pipeline
from latentpress import container, optimize
from latentpress.codec import Source
from latentpress.entropy import latent_type
from latentpress.errors import TargetError, UsageError
from latentpress.image.picture import Picture, read_picture
from latentpress.options import (
    FIRST_EFFORT,
    QUALITY_UNIT,
    TOP_STEP,
    Progress,
    check_effort,
    has_masking,
)
from latentpress.spaces import space_of_codec
from latentpress.system.scratch import Kept
from latentpress.targets.bracket import Files, bracket
from latentpress.targets.correction import corrected_metric, corrected_size
from latentpress.targets.size_model import log_sizes
from latentpress.transforms import load_transform, restoration

NEAR = 100  # grid steps: a searched file this near a metric target is not corrected
METRIC_CLOSE = 10  # grid steps: a metric target is met by the least quality, to so many
SQUARED_ERROR = ("psnr", "mse")


class Analyzed:
    """A picture whose latent is kept (in a temporary file), to be written at many qualities.
    Arguments as in `compress`; keep_pixels: for `search` and `measure`, which need them (efforts 7
    to 9 keep them always).
    """

    def __init__(
        self,
        image: Source,
        *,
        codec: str = "builtin",
        model: str | None = None,
        device: str = "auto",
        strict: bool = False,
        effort: int = 3,
        optimize_for: str | None = None,
        progress: Progress | None = None,
        keep_pixels: bool = True,
    ) -> None:
        self.space = space_of_codec(codec)
        self.model = model
        self.device = device
        self.effort = check_effort(effort)
        self.optimize_for = optimize_for
        self.progress = progress
        if self.searched:
            optimize.check_torch()
        picture = image if isinstance(image, Picture) else read_picture(image, strict=strict)
        self.transform = load_transform(self.space, model, device)
        self.strips = Kept(self.transform.analyze(picture))
        self.side = pipeline.side_chunks(picture)
        self.outline = picture.outline
        self.pixels = picture.width * picture.height
        self.picture = picture if keep_pixels or self.searched else None

    @property
    def searched(self) -> bool:
        """Whether the effort asks for a search of the latent."""
        return self.effort >= FIRST_EFFORT

    @property
    def masking(self) -> bool:
        """Whether the steps of what `write` makes follow the activity, in the built-in codec."""
        return has_masking(self.effort, self.optimize_for)

    @property
    def kind(self) -> int:
        """The type of the latent chunk that `write` makes; in the Stable Diffusion spaces static
        tables may be smaller.
        """
        return latent_type(self.space, masking=self.masking)

    def write(self, step: int) -> bytes:
        """The file at a step of the quality grid, without a search of the latent."""
        return self._write(step, min(self.effort, FIRST_EFFORT - 1))

    def search(self, step: int) -> bytes:
        """The file at a step of the quality grid, with the search that the effort asks for."""
        return self._write(step, self.effort)

    def _write(self, step: int, effort: int) -> bytes:
        quality = step / QUALITY_UNIT
        coder = pipeline.encoder(
            self.picture,
            self.transform,
            quality,
            effort,
            self.optimize_for,
            self.progress,
            masking=self.masking,
        )
        return pipeline.write(
            self.outline, self.transform, iter(self.strips), quality, self.side, coder
        )

    def fixed_bytes(self) -> int:
        """The bytes of a file beside its latent: header, side chunks."""
        chunks = {self.kind: b""} | restoration.chunks(self.space) | self.side
        return len(
            container.pack(
                self.space,
                self.transform.model_hash,
                self.outline.width,
                self.outline.height,
                0,
                chunks,
            )
        )

    def log_sizes(self) -> NDArray[np.float64]:
        """The logarithm of the latent's bytes, about, at each step of the quality grid, before a
        file is written.
        """
        return log_sizes(self.strips, self.space, self.kind)

    def measure(self, data: bytes, metric: Callable[..., float]) -> float:
        """A metric between the picture and what the file decodes to, in RGB."""
        if self.picture is None:
            raise ValueError("this picture's pixels were let go")
        decoded = pipeline.decompress(data, model=self.model, device=self.device)
        return metric(
            np.asarray(self.picture.image.convert("RGB")), np.asarray(decoded.convert("RGB"))
        )


def to_size(
    image: Source | Analyzed, limit: int, *, best_effort: bool = False, **how: Any
) -> bytes:
    """The best file of at most `limit` bytes. **how: codec, model, device, strict, effort,
    optimize_for, progress of `compress`; a search of the latent (efforts 7 to 9) is run up to three
    times.

    Raises TargetError, naming the least size, where even quality 0 is larger (best_effort: gives
    that file).
    """

    def too_small(data: Sequence[bytes]) -> str:
        return (
            f"no file of this picture is as small as {limit:,} bytes: the least, at quality 0, "
            f"has {len(data[0]):,}"
        )

    analyzed = image if isinstance(image, Analyzed) else Analyzed(image, **how)
    return _within([analyzed], limit, too_small, best_effort)[0]


def to_rate(
    image: Source | Analyzed, bpp: float, *, best_effort: bool = False, **how: Any
) -> bytes:
    """The best file of at most `bpp` bits a pixel: 8 x file bytes / (W x H). Else as `to_size`."""
    if not 0 < bpp < math.inf:
        raise UsageError(f"a rate is a number of bits a pixel above 0, not {bpp}")
    analyzed = image if isinstance(image, Analyzed) else Analyzed(image, **how)

    def too_small(data: Sequence[bytes]) -> str:
        least = 8 * len(data[0]) / analyzed.pixels
        return (
            f"no file of this picture has as little as {bpp:g} bpp: the least, at quality 0, "
            f"has {least:.4f}"
        )

    return _within(
        [analyzed], max(1, int(min(bpp * analyzed.pixels / 8, sys.maxsize))), too_small, best_effort
    )[0]


def to_total(
    images: Sequence[Source | Analyzed], limit: int, *, best_effort: bool = False, **how: Any
) -> list[bytes]:
    """One quality for all pictures, the best whose files sum to at most `limit` bytes. Else as
    `to_size`; UsageError for no picture.

    One picture at a time is in memory, at efforts 7 to 9 all of them.
    """
    if not len(images):
        raise UsageError("there is no picture to share the bytes among")

    def too_small(data: Sequence[bytes]) -> str:
        return (
            f"these pictures do not fit into {limit:,} bytes: at quality 0 they have "
            f"{sum(map(len, data)):,}"
        )

    return _within(
        [i if isinstance(i, Analyzed) else Analyzed(i, keep_pixels=False, **how) for i in images],
        limit,
        too_small,
        best_effort,
    )


def to_metric(
    image: Source | Analyzed, name: str, value: float, *, best_effort: bool = False, **how: Any
) -> bytes:
    """The smallest file whose decoded picture reaches `value` in a metric of `latentpress.metrics`
    (psnr, ssim, lpips...). For psnr and mse, optimize_for is mse where it is not given.

    Raises TargetError, naming the best value, where even quality 100 does not reach it
    (best_effort: gives the best file); UsageError for an unknown metric or one that cannot be
    computed here.
    """
    metric = _metric(name)
    analyzed = copy(image) if isinstance(image, Analyzed) else Analyzed(image, **how)
    if name in SQUARED_ERROR:
        analyzed.optimize_for = analyzed.optimize_for or "mse"
    sign = 1 if metric.direction == "higher" else -1
    files = Files(lambda step: [analyzed.write(step)])
    found = dict[int, float]()

    def beyond(data: bytes) -> float:
        return sign * (analyzed.measure(data, metric.function) - value)

    def gap(step: int) -> float:
        found[step] = beyond(files.at(step)[0])
        return found[step]

    _, least = bracket(gap, start=TOP_STEP // 2, done=lambda low, high: high - low <= METRIC_CLOSE)
    if least > TOP_STEP:
        best = max(found, key=lambda step: found[step])
        data = files.at(best)[0]
        reached = found[best]
        if analyzed.searched:  # the search may reach what rounding does not
            data, reached = max(
                ((data, reached), (d := analyzed.search(best), beyond(d))), key=lambda pair: pair[1]
            )
        if reached < 0 and not best_effort:
            text = (
                f"no quality reaches {name} {value:g} on this picture: the best, at "
                f"{best / QUALITY_UNIT:g}"
            )
            raise TargetError(f"{text}, is {value + sign * reached:.4g}", [data])
        return data
    data = files.at(least)[0]
    (low, high) = (min(found), max(found))
    if not analyzed.searched or found.get(least, -math.inf) < 0:
        return data
    slope = (found[high] - found[low]) / max(1, high - low)
    better = (
        corrected_metric(analyzed.search, beyond, data, least, slope=slope, near=NEAR, top=TOP_STEP)
        if slope > 0
        else analyzed.search(least)
    )
    plain = copy(
        analyzed
        # dead zones and the search pay on average, not on every picture: the file without them is
        # tried
        # too
    )
    plain.effort = 0
    return min(
        better,
        to_metric(plain, name, value, best_effort=True),
        key=lambda d: (beyond(d) < 0, len(d)),
    )


def _within(
    analyzed: Sequence[Analyzed],
    limit: int,
    too_small: Callable[[Sequence[bytes]], str],
    best_effort: bool,
) -> list[bytes]:
    """The best files, at one quality, whose bytes sum to at most `limit`. Where there are none:
    TargetError with the text that `too_small` makes of the least files, or those themselves.
    """
    files = Files(lambda step: [a.write(step) for a in analyzed])
    estimate = reduce(np.logaddexp, [a.log_sizes() for a in analyzed])
    step = files.within(limit, sum(a.fixed_bytes() for a in analyzed), estimate)
    data = files.at(step)
    if any(a.searched for a in analyzed):
        slope = max(estimate[min(step + NEAR, TOP_STEP)] - estimate[max(step - NEAR, 0)], 1e-3) / (
            min(step + NEAR, TOP_STEP) - max(step - NEAR, 0)
        )
        data = corrected_size(
            lambda step: [a.search(step) for a in analyzed],
            data,
            step,
            limit,
            slope=slope,
            top=TOP_STEP,
        )
    if sum(map(len, data)) > limit and not best_effort:
        raise TargetError(too_small(data), data)
    return data


def _metric(name: str) -> Any:
    from latentpress.metrics import METRICS, available

    found, missing = available([name])
    if not found:
        raise UsageError(f"{name} cannot be computed here: {missing[name]}")
    return METRICS[found[0]]
