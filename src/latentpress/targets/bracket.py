"""The quality at which a rising quantity passes a target, in few probes: secants within a bracket,
on the quality grid.
"""

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from latentpress.errors import UsageError
from latentpress.options import TOP_STEP

SIZE_CLOSE = 0.001  # a file within this share of a size target ends the search
# until one lies within this share, probes aim at its middle: just below the limit half of them
# would be above
SIZE_NEAR = 0.01
MAX_PROBES = 14


class WrittenFiles:
    """The files of one or more pictures at steps of the quality grid; the last few are kept. write:
    the files at a step.
    """

    KEPT = 2

    def __init__(self, write: Callable[[int], list[bytes]]) -> None:
        self._write = write
        self._kept = dict[int, list[bytes]]()
        self.sizes = dict[int, int]()

    def at(self, step: int) -> list[bytes]:
        """The files at a step, written where they are not kept."""
        if step not in self._kept:
            if len(self._kept) >= self.KEPT:
                self._kept.pop(next(iter(self._kept)))
            self._kept[step] = self._write(step)
            self.sizes[step] = sum(map(len, self._kept[step]))
        return self._kept[step]

    def within(self, limit: int, fixed: int, estimate: NDArray[np.float64]) -> int:
        """The step whose files' bytes sum to the most of at most `limit`, of those that a search
        for it tries; 0 where there is none.

        fixed: bytes that they have at every step. estimate: (TOP_STEP + 1,) the logarithm of the
        others, about, rising.
        """
        if limit < 1:
            raise UsageError(f"a size is a number of bytes above 0, not {limit}")
        room = limit - fixed
        if room < 1:
            return 0
        start = int(np.searchsorted(estimate, math.log(room)))

        def gap(step: int) -> float:
            self.at(step)
            return (
                math.log(max(self.sizes[step] - fixed, 1) / room) or -1e-12
            )  # a file of exactly the limit fits

        def done(low: int, high: int) -> bool:
            return high - low <= 1 or (low >= 0 and self.sizes[low] >= (1 - SIZE_CLOSE) * limit)

        def aim(low: int) -> float:
            near = low >= 0 and self.sizes[low] >= (1 - SIZE_NEAR) * limit
            return math.log1p(-min((SIZE_CLOSE if near else SIZE_NEAR) / 2 * limit / room, 0.5))

        bracket(gap, start=start, axis=estimate, slope=1.0, aim=aim, done=done)
        fitting = {step: size for step, size in self.sizes.items() if size <= limit}
        return max(
            fitting, key=lambda step: (fitting[step], step), default=0
        )  # sizes of neighbouring steps go up and down a little


def bracket(
    gap: Callable[[int], float],
    *,
    start: int,
    done: Callable[[int, int], bool],
    axis: NDArray[np.float64] | None = None,
    slope: float | None = None,
    aim: Callable[[int], float] = lambda low: 0.0,
) -> tuple[int, int]:
    """(low, high): steps where a rising function is below 0, and not below, as near each other as
    `done` asks.

    The function is probed at steps chosen by secants through the nearest points, on `axis`. Two
    secants that end on the same side in a row are followed by a bisection.

    Args:
        gap: the function, of a step.
        start: the first step to probe.
        done: whether (low, high) are near enough.
        axis: (TOP_STEP + 1,), a rising stand-in for the step on which the function is about
            linear.
        slope: of the function on `axis`, where it is known. It leads the second probe, and replaces
            a secant's slope that is less than half or more than twice as much: sizes of
            neighbouring steps go up and down a little.
        aim: the value at which a probe is sent, for the lower end so far.

    Returns:
        (low, high); -1 and TOP_STEP + 1 stand for the ends when no step is below, or all are.
    """
    axis = np.arange(TOP_STEP + 1, dtype=np.float64) if axis is None else axis
    known = dict[int, float]()
    low = -1
    high = TOP_STEP + 1
    step = min(max(start, 0), TOP_STEP)
    same_side = 0
    while not done(low, high) and len(known) < MAX_PROBES:
        known[step] = gap(step)
        side = 1 if known[step] >= 0 else -1
        low, high = (low, step) if side > 0 else (step, high)
        if high - low <= 1:
            break
        same_side = same_side + side if same_side * side > 0 else side
        step = _next(known, low, high, axis, slope, aim(low), abs(same_side) > 2)
    if low < 0 and 0 not in known:  # probes ran out before the end was tried
        return (0, high) if gap(0) < 0 else (-1, 0)
    if high > TOP_STEP and TOP_STEP not in known:
        return (low, TOP_STEP) if gap(TOP_STEP) >= 0 else (TOP_STEP, TOP_STEP + 1)
    return low, high


def _next(
    known: dict[int, float],
    low: int,
    high: int,
    axis: NDArray[np.float64],
    slope: float | None,
    aim: float,
    bisect: bool,
) -> int:
    """The step to probe next, strictly between low and high."""
    if len(known) == 1:
        [(step, value)] = known.items()
        guess = (
            _step(axis, axis[step] - (value - aim) / slope)
            if slope
            else (0 if value >= 0 else TOP_STEP)
        )
    elif bisect and low >= 0 and high <= TOP_STEP:
        guess = (low + high) / 2
    else:
        by_distance = sorted(
            known, key=lambda step: (abs(known[step] - aim), step not in (low, high))
        )
        a, b = by_distance[:2]
        rise = (known[b] - known[a]) / (axis[b] - axis[a])
        if slope and not slope / 2 <= rise <= slope * 2:
            rise = slope
        guess = _step(axis, axis[a] - (known[a] - aim) / rise) if rise > 0 else (low + high) / 2
    return int(min(max(round(guess), max(low + 1, 0)), min(high - 1, TOP_STEP)))


def _step(axis: NDArray[np.float64], value: float) -> float:
    """Where on the axis a value stands; beyond its ends a step beyond them."""
    if not axis[0] <= value <= axis[-1]:
        return -1 if value < axis[0] else TOP_STEP + 1
    return float(np.interp(value, axis, np.arange(TOP_STEP + 1)))
