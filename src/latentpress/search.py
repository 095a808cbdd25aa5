"""Ask for a size, a rate or a metric instead of a quality: the analysis transform runs once, only stages 3 to 5 repeat.

>>> from latentpress import search
>>> data = search.to_size("photo.jpg", 20_000)               # at most 20,000 bytes, as close below as the quality grid allows
>>> data = search.to_rate("photo.jpg", 0.15)                 # bpp
>>> data = search.to_metric("photo.jpg", "psnr", 32)         # the smallest file that reaches it
"""

import math
import tempfile
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from latentpress import codec as pipeline
from latentpress import refine
from latentpress.codec import Source
from latentpress.container import QUALITY_UNIT
from latentpress.correction import searched_metric, searched_size
from latentpress.errors import TargetError, UsageError
from latentpress.image import Picture, read_picture
from latentpress.refine.plan import FIRST_EFFORT, Progress, check_effort
from latentpress.transforms import load_transform
from latentpress.transforms.spaces import space_of_codec

TOP = 100 * QUALITY_UNIT             # the quality grid: hundredths, 0 to TOP
SIZE_SLOPE = math.log(30) / TOP     # log bytes a grid step, about, until two probes tell
SIZE_CLOSE = 0.001                   # a file within this share of a size target ends the search
NEAR = 100                           # grid steps: a searched file this near a metric target is not corrected
METRIC_CLOSE = 10                    # grid steps: a metric target is met by the least quality, to so many
MAX_PROBES = 14


class Analyzed:
    """A picture whose latent is kept (in a temporary file), to be written at many qualities. Arguments as in `compress`."""

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
    ) -> None:
        self.space, self.model, self.device = space_of_codec(codec), model, device
        self.effort, self.optimize_for, self.progress = check_effort(effort), optimize_for, progress
        if self.searched:
            refine.check_torch()
        self.picture = image if isinstance(image, Picture) else read_picture(image, strict=strict)
        self.transform = load_transform(self.space, model, device)
        self.strips = [_on_disk(strip) for strip in self.transform.analyze(self.picture)]
        self.side = pipeline.side_chunks(self.picture)
        self.pixels = self.picture.width * self.picture.height

    @property
    def searched(self) -> bool:
        """Whether the effort asks for a search of the latent."""
        return self.effort >= FIRST_EFFORT

    def write(self, step: int) -> bytes:
        """The file at a step of the quality grid, without a search of the latent."""
        return self._write(step, min(self.effort, FIRST_EFFORT - 1))

    def search(self, step: int) -> bytes:
        """The file at a step of the quality grid, with the search that the effort asks for."""
        return self._write(step, self.effort)

    def _write(self, step: int, effort: int) -> bytes:
        quality = step / QUALITY_UNIT
        coder = pipeline.encoder(self.picture, self.transform, quality, effort, self.optimize_for, self.progress)
        return pipeline.write(self.picture, self.transform, iter(self.strips), quality, self.side, coder)

    def measure(self, data: bytes, metric: Callable[..., float]) -> float:
        """A metric between the picture and what the file decodes to, in RGB."""
        decoded = pipeline.decompress(data, model=self.model, device=self.device)
        return metric(np.asarray(self.picture.image.convert("RGB")), np.asarray(decoded.convert("RGB")))


def to_size(image: Source | Analyzed, limit: int, *, best_effort: bool = False, **how: Any) -> bytes:
    """The best file of at most `limit` bytes. **how: codec, model, device, strict, effort, optimize_for, progress of
    `compress`; a search of the latent (efforts 7 to 9) is run up to three times.

    Raises TargetError, naming the least size, where even quality 0 is larger (best_effort: gives that file).
    """
    analyzed = image if isinstance(image, Analyzed) else Analyzed(image, **how)
    [data] = _within([analyzed], limit)
    if len(data) > limit and not best_effort:
        raise TargetError(f"no file of this picture is as small as {limit:,} bytes: the least, at quality 0, has {len(data):,}")
    return data


def to_rate(image: Source | Analyzed, bpp: float, *, best_effort: bool = False, **how: Any) -> bytes:
    """The best file of at most `bpp` bits a pixel: 8 x file bytes / (W x H). Else as `to_size`."""
    if not bpp > 0:
        raise UsageError(f"a rate is a number of bits a pixel above 0, not {bpp}")
    analyzed = image if isinstance(image, Analyzed) else Analyzed(image, **how)
    limit = int(bpp * analyzed.pixels / 8)
    try:
        return to_size(analyzed, limit, best_effort=best_effort)
    except TargetError:
        least = 8 * len(analyzed.write(0)) / analyzed.pixels
        raise TargetError(f"no file of this picture has as little as {bpp:g} bpp: the least, at quality 0, has {least:.4f}") from None


def to_total(images: Sequence[Source | Analyzed], limit: int, *, best_effort: bool = False, **how: Any) -> list[bytes]:
    """One quality for all pictures, the best whose files sum to at most `limit` bytes. Else as `to_size`."""
    analyzed = [i if isinstance(i, Analyzed) else Analyzed(i, **how) for i in images]
    data = _within(analyzed, limit)
    total = sum(map(len, data))
    if total > limit and not best_effort:
        raise TargetError(f"these pictures do not fit into {limit:,} bytes: at quality 0 they have {total:,}")
    return data


def to_metric(image: Source | Analyzed, name: str, value: float, *, best_effort: bool = False, **how: Any) -> bytes:
    """The smallest file whose decoded picture reaches `value` in a metric of `latentpress.metrics` (psnr, ssim, lpips...).

    Raises TargetError, naming the best value, where even quality 100 does not reach it (best_effort: gives the best file);
    UsageError for an unknown metric or one that cannot be computed here.
    """
    metric = _metric(name)
    analyzed = image if isinstance(image, Analyzed) else Analyzed(image, **how)
    sign = 1 if metric.direction == "higher" else -1
    files, found = Files(lambda step: [analyzed.write(step)]), dict[int, float]()

    def gap(step: int) -> float:
        found[step] = analyzed.measure(files.at(step)[0], metric.function)
        return sign * (found[step] - value)

    _, least = bracket(gap, start=TOP // 2, slope=None, done=lambda low, high: high - low <= METRIC_CLOSE)
    if least > TOP:
        best = max(found, key=lambda step: sign * found[step])
        if not best_effort:
            raise TargetError(f"no quality reaches {name} {value:g} on this picture: the best, at {best / QUALITY_UNIT:g}, "
                              f"is {found[best]:.4g}")  # fmt: skip
        least = best
    data = files.at(least)[0]
    if not analyzed.searched or found.get(least, -math.inf) * sign < value * sign:
        return data
    (low, high) = (min(found), max(found))
    slope = sign * (found[high] - found[low]) / max(1, high - low)

    def beyond(data: bytes) -> float:
        return sign * (analyzed.measure(data, metric.function) - value)

    return searched_metric(analyzed.search, beyond, data, least, slope=slope, near=NEAR, top=TOP) if slope > 0 else analyzed.search(least)


def _within(analyzed: Sequence[Analyzed], limit: int) -> list[bytes]:
    """The best files, at one quality, whose bytes sum to at most `limit`; those of quality 0 where there are none."""
    files = Files(lambda step: [a.write(step) for a in analyzed])
    plain = files.within(limit)
    if not any(a.searched for a in analyzed):
        return plain
    step = next(step for step in reversed(files.sizes) if files.at(step) == plain)
    return searched_size(lambda step: [a.search(step) for a in analyzed], plain, step, limit, slope=SIZE_SLOPE, top=TOP)


class Files:
    """The files of one or more pictures at steps of the quality grid; the last few are kept."""

    KEPT = 2

    def __init__(self, write: Callable[[int], list[bytes]]) -> None:
        self._write, self._kept, self.sizes = write, dict[int, list[bytes]](), dict[int, int]()

    def at(self, step: int) -> list[bytes]:
        """The files at a step, written where they are not kept."""
        if step not in self._kept:
            if len(self._kept) >= self.KEPT:
                self._kept.pop(next(iter(self._kept)))
            self._kept[step] = self._write(step)
            self.sizes[step] = sum(map(len, self._kept[step]))
        return self._kept[step]

    def within(self, limit: int) -> list[bytes]:
        """The files of the highest step whose bytes sum to at most `limit`; those of step 0 where there is none."""
        if limit < 1:
            raise UsageError(f"a size is a number of bytes above 0, not {limit}")

        def gap(step: int) -> float:
            self.at(step)
            return math.log(self.sizes[step] / limit) or -1e-12  # a file of exactly the limit fits

        def done(low: int, high: int) -> bool:
            return high - low <= 1 or (low >= 0 and self.sizes[low] >= (1 - SIZE_CLOSE) * limit)

        highest, _ = bracket(gap, start=TOP // 2, slope=SIZE_SLOPE, done=done)
        return self.at(max(highest, 0))


def bracket(
    gap: Callable[[int], float], *, start: int, slope: float | None, done: Callable[[int, int], bool]
) -> tuple[int, int]:
    """(low, high): steps where a rising function is below 0, and not below, as near each other as `done` asks.

    -1 and TOP + 1 stand for the ends when no step is below, or all are. Secants of the nearest points lead; a slope
    a step, where known, leads the second probe. Two secants on one side in a row are followed by a bisection.
    """
    known, low, high, step, same_side = dict[int, float](), -1, TOP + 1, start, 0
    while not done(low, high) and len(known) < MAX_PROBES:
        known[step] = gap(step)
        side = 1 if known[step] >= 0 else -1
        low, high = (low, step) if side > 0 else (step, high)
        if high - low <= 1:
            break
        same_side = same_side + side if same_side * side > 0 else side
        step = _next(known, low, high, slope, abs(same_side) > 2)
    if low < 0 and 0 not in known:  # probes ran out before the end was tried
        return (0, high) if gap(0) < 0 else (-1, 0)
    if high > TOP and TOP not in known:
        return (low, TOP) if gap(TOP) >= 0 else (TOP, TOP + 1)
    return low, high


def _next(known: dict[int, float], low: int, high: int, slope: float | None, bisect: bool) -> int:
    """The step to probe next, strictly between low and high."""
    if len(known) == 1:
        [(step, value)] = known.items()
        guess = step - value / slope if slope else (0 if value >= 0 else TOP)
    elif bisect and low >= 0 and high <= TOP:
        guess = (low + high) / 2
    else:
        (a, fa), (b, fb) = sorted(sorted(known.items(), key=lambda item: abs(item[1]))[:2])
        guess = a - fa * (b - a) / (fb - fa) if fb > fa else (low + high) / 2
    return int(min(max(round(guess), max(low + 1, 0)), min(high - 1, TOP)))


def _metric(name: str) -> Any:
    from latentpress.metrics import METRICS, available

    found, missing = available([name])
    if not found:
        raise UsageError(f"{name} cannot be computed here: {missing[name]}")
    return METRICS[found[0]]


def _on_disk(array: NDArray[np.float32]) -> NDArray[np.float32]:
    """The same numbers in a temporary file that is gone with the array: memory is set by the strip, not by the picture."""
    with tempfile.TemporaryFile() as file:
        array.tofile(file)
        file.flush()
        return np.memmap(file, np.float32, "c", shape=array.shape)
