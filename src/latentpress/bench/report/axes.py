"""Axes of a chart: a value's place on the page, and the ticks that a reader expects."""

import math
from collections.abc import Iterable
from typing import NamedTuple

STEPS = (1, 2, 2.5, 5, 10)
TICKS = 6


class Axis(NamedTuple):
    """low, high: the values at its ends. log: logarithmic. flipped: high stands where low would.
    ticks: (value, text).
    """

    low: float
    high: float
    log: bool
    flipped: bool
    ticks: list[tuple[float, str]]

    def at(self, value: float) -> float:
        """The place of a value, 0 (left or bottom) to 1 (right or top)."""
        f = math.log if self.log else float
        share = (f(value) - f(self.low)) / (f(self.high) - f(self.low))
        return 1 - share if self.flipped else share


def linear_axis(values: Iterable[float], *, flipped: bool = False) -> Axis:
    """An axis that holds all values, with about TICKS ticks at round numbers."""
    low = min(values := list(values))
    high = max(values)
    if low == high:
        low, high = low - 0.5, high + 0.5
    margin = 0.04 * (high - low)
    low, high = low - margin, high + margin
    raw = (high - low) / TICKS
    power = 10.0 ** math.floor(math.log10(raw))
    step = power * next(s for s in STEPS if s * power >= raw)
    digits = max(0, -math.floor(math.log10(step) + 1e-9))
    # a step of .025 needs three
    digits += 1 if abs(step * 10**digits - round(step * 10**digits)) > 1e-6 else 0
    ticks = [
        i * step for i in range(math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9) + 1)
    ]
    return Axis(
        low, high, False, flipped, [(t, f"{t:.{digits}f}".replace("-", "−")) for t in ticks]
    )


def log_axis(values: Iterable[float], *, flipped: bool = False) -> Axis:
    """A logarithmic axis that holds all values (> 0), with ticks at 1, 2 and 5 of each power of ten
    (1 alone over many), or where it is too short for two of them, those of a linear one.
    """
    low = min(values := list(values))
    high = max(values)
    margin = (high / low) ** 0.04 if high > low else 2.0
    low, high = low / margin, high * margin
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    parts = (1,) if len(powers) > 6 else (1, 2, 5)
    places = [part * 10.0**power for power in powers for part in parts]
    ticks = [(place, f"{place:.6g}") for place in places if low <= place <= high]
    if len(ticks) < 2:
        ticks = [tick for tick in linear_axis((low, high)).ticks if low <= tick[0] <= high]
    return Axis(low, high, True, flipped, ticks)
