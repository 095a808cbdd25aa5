"""The quality at which a rising quantity passes a target, in few probes: secants within a bracket,
on the quality grid.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from latentpress.errors import UsageError
from latentpress.options import TOP_STEP

SIZE_CLOSE = 0.001  # a file within this share of a size target ends the probing
# until one lies within this share, probes aim at its middle: just below the limit half of them
# would be above
SIZE_NEAR = 0.01
MAX_PROBES = 14
JUST_FITS = -1e-12  # the gap of a file of exactly the limit


class Sizes:
    """The bytes of one or more files together at steps of the quality grid, each asked for once.

    measure: gives them at a step. sizes: those that are known.
    """

    def __init__(self, measure: Callable[[int], int]) -> None:
        self._measure = measure
        self.sizes = dict[int, int]()

    def size(self, step: int) -> int:
        """The bytes at a step."""
        if step not in self.sizes:
            self.sizes[step] = self._measure(step)
        return self.sizes[step]

    def within(self, limit: int, fixed: int, estimate: NDArray[np.float64]) -> int:
        """The step with the largest total size of at most `limit`, among the steps tried; 0 if none
        fits.

        fixed: bytes that the files have at every step. estimate: (TOP_STEP + 1,), rising: about the
        logarithm of the other bytes at each step.
        """
        if not 1 <= limit < math.inf:
            raise UsageError(f"a size is a number of bytes above 0, not {limit}")
        if limit - fixed < 1:
            return 0
        target = _SizeTarget(self, limit, fixed)
        start = int(np.searchsorted(estimate, math.log(limit - fixed)))
        bracket(
            target.gap, start=start, axis=estimate, slope=1.0, aim=target.aim, done=target.is_met
        )
        # Not simply the highest step that fits: sizes of neighboring steps go up and down a
        # little.
        fitting = {step: size for step, size in self.sizes.items() if size <= limit}
        return max(fitting, key=lambda step: (fitting[step], step), default=0)


class WrittenFiles(Sizes):
    """The files of one or more pictures at steps of the quality grid; the last few are kept.

    write: gives the files at a step.
    """

    KEPT = 2

    def __init__(self, write: Callable[[int], list[bytes]]) -> None:
        super().__init__(lambda step: sum(map(len, self.at(step))))
        self._write = write
        self._kept = dict[int, list[bytes]]()

    def at(self, step: int) -> list[bytes]:
        """The files at a step, written where they are not kept."""
        if step not in self._kept:
            if len(self._kept) >= self.KEPT:
                self._kept.pop(next(iter(self._kept)))
            self._kept[step] = self._write(step)
        return self._kept[step]


@dataclass(frozen=True)
class _SizeTarget:
    """Files of at most `limit` bytes together, `fixed` of which they have at every step."""

    files: Sizes
    limit: int
    fixed: int

    def gap(self, step: int) -> float:
        """How far the variable bytes at a step are above the target, as a logarithm; below 0 where
        the files fit.
        """
        gap = math.log(max(self.files.size(step) - self.fixed, 1) / (self.limit - self.fixed))
        return gap if gap != 0 else JUST_FITS

    def is_met(self, low: int, high: int) -> bool:
        """Whether the files at `low` are near enough below the target, or no step is between."""
        return high - low <= 1 or self._is_within(low, SIZE_CLOSE)

    def aim(self, low: int) -> float:
        """The gap at which the next probe is sent: the middle of the share that is near enough."""
        share = SIZE_CLOSE if self._is_within(low, SIZE_NEAR) else SIZE_NEAR
        room = self.limit - self.fixed
        return math.log1p(-min(share / 2 * self.limit / room, 0.5))

    def _is_within(self, step: int, share: float) -> bool:
        return step >= 0 and self.files.size(step) >= (1 - share) * self.limit


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
            neighboring steps go up and down a little.
        aim: the value at which a probe is sent, for the lower end so far.

    Returns:
        (low, high); -1 and TOP_STEP + 1 stand for the ends when no step is below, or all are.
    """
    probes = _Probes(np.arange(TOP_STEP + 1, dtype=np.float64) if axis is None else axis, slope)
    step = min(max(start, 0), TOP_STEP)
    while not done(probes.low, probes.high) and len(probes.values) < MAX_PROBES:
        probes.add(step, gap(step))
        if probes.high - probes.low <= 1:
            break
        step = probes.next_step(aim(probes.low))
    low = probes.low
    high = probes.high
    if low < 0 and 0 not in probes.values:  # probes ran out before the end was tried
        return (0, high) if gap(0) < 0 else (-1, 0)
    if high > TOP_STEP and TOP_STEP not in probes.values:
        return (low, TOP_STEP) if gap(TOP_STEP) >= 0 else (TOP_STEP, TOP_STEP + 1)
    return low, high


class _Probes:
    """Steps that were probed, the bracket they leave, and the step to probe next.

    axis, slope: as of `bracket`. values: step -> value. low, high: the bracket. same_side: probes
    in a row on one side of 0, negative for those below.
    """

    def __init__(self, axis: NDArray[np.float64], slope: float | None) -> None:
        self.axis = axis
        self.slope = slope
        self.values = dict[int, float]()
        self.low = -1
        self.high = TOP_STEP + 1
        self.same_side = 0

    def add(self, step: int, value: float) -> None:
        """A step was probed."""
        self.values[step] = value
        side = 1 if value >= 0 else -1
        if side > 0:
            self.high = step
        else:
            self.low = step
        self.same_side = self.same_side + side if self.same_side * side > 0 else side

    def next_step(self, aim: float) -> int:
        """The step to probe next, strictly between low and high. aim: the value wanted there."""
        guess = self._guess(aim)
        lowest = max(self.low + 1, 0)
        highest = min(self.high - 1, TOP_STEP)
        return int(min(max(round(guess), lowest), highest))

    def _guess(self, aim: float) -> float:
        middle = (self.low + self.high) / 2
        if len(self.values) == 1:
            [(step, value)] = self.values.items()
            if self.slope:
                return self._step_at(self.axis[step] - (value - aim) / self.slope)
            return 0 if value >= 0 else TOP_STEP
        if abs(self.same_side) > 2 and self.low >= 0 and self.high <= TOP_STEP:
            return middle
        a, b = self._nearest_two(aim)
        rise = (self.values[b] - self.values[a]) / (self.axis[b] - self.axis[a])
        if self.slope and not self.slope / 2 <= rise <= self.slope * 2:
            rise = self.slope
        if rise <= 0:
            return middle
        end = self._nearer_end(aim)
        return self._step_at(self.axis[end] - (self.values[end] - aim) / rise)

    def _nearest_two(self, aim: float) -> list[int]:
        """The steps whose values are nearest to aim; of equal ones those of the bracket first."""
        ends = (self.low, self.high)
        by_distance = sorted(
            self.values, key=lambda step: (abs(self.values[step] - aim), step not in ends)
        )
        return by_distance[:2]

    def _nearer_end(self, aim: float) -> int:
        """The probed end of the bracket whose value is nearer to aim. Secants start there: a step
        beyond it, whose value may be nearer, leads out of the bracket.
        """
        ends = [step for step in (self.low, self.high) if step in self.values]
        return min(ends, key=lambda step: abs(self.values[step] - aim))

    def _step_at(self, place: float) -> float:
        """Where on the axis a value stands; beyond its ends a step beyond them."""
        if not self.axis[0] <= place <= self.axis[-1]:
            return -1 if place < self.axis[0] else TOP_STEP + 1
        return float(np.interp(place, self.axis, np.arange(TOP_STEP + 1)))
