"""BD-rate: the mean difference of two codecs' rates at equal quality, in percent.

Bjontegaard's measure (VCEG-M33, 2001) with monotone cubic interpolation (PCHIP, Fritsch and Butland
1984) in place of one cubic, which is what later reference scripts do: log rate is interpolated over
the metric and integrated over the overlap.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Curve = list[tuple[float, float]]  # (rate in bpp, metric), any order


class BdRate(NamedTuple):
    """percent: negative where the tested codec needs fewer bytes. low, high: the metric's overlap.
    share: of it in the joint range, from the worst value of either curve to the best of either.
    """

    percent: float
    low: float
    high: float
    share: float


def bd_rate(
    tested: Curve, anchor: Curve, *, direction: str = "higher", samples: int = 4001
) -> BdRate | None:
    """BD-rate of tested against anchor; None where the metrics' ranges do not overlap or a curve
    has less than two points.

    direction: "higher" or "lower", which of the metric's values is better. A point that costs more
    and is no better than another of its curve is left out, since the curve would turn back on
    itself.
    """
    sign = {"higher": 1, "lower": -1}[direction]
    curves = [
        _monotone([(rate, sign * metric) for rate, metric in curve]) for curve in (tested, anchor)
    ]
    if min(len(metric) for metric, _ in curves) < 2:
        return None
    low = max(m[0] for m, _ in curves)
    high = min(m[-1] for m, _ in curves)
    if high <= low:
        return None
    at = np.linspace(low, high, samples)
    gap = pchip(*curves[0], at) - pchip(*curves[1], at)
    mean = float((gap[1:] + gap[:-1]).mean() / 2)
    widest = max(m[-1] for m, _ in curves) - min(m[0] for m, _ in curves)
    ends = sorted((float(sign * low), float(sign * high)))
    return BdRate(float(100 * (np.exp(mean) - 1)), ends[0], ends[1], float((high - low) / widest))


def rate_at(curve: Curve, metric: float, *, direction: str = "higher") -> float | None:
    """The rate, in the curve's unit, at which it reaches this metric value (PCHIP of log rate);
    None outside of its range.
    """
    sign = {"higher": 1, "lower": -1}[direction]
    x, y = _monotone([(rate, sign * value) for rate, value in curve])
    if len(x) < 2 or not x[0] <= sign * metric <= x[-1]:
        return None
    return float(np.exp(pchip(x, y, np.array([sign * metric]))[0]))


def pchip(
    x: NDArray[np.float64], y: NDArray[np.float64], at: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Monotone piecewise cubic Hermite interpolation of (x, y), x rising, at points inside [x[0],
    x[-1]].
    """
    h = np.diff(x)
    slope = np.diff(y) / np.diff(x)
    if len(x) == 2:
        return y[0] + (at - x[0]) * slope[0]
    d = np.empty_like(y)
    w1, w2 = 2 * h[1:] + h[:-1], h[1:] + 2 * h[:-1]
    same = slope[:-1] * slope[1:] > 0
    with np.errstate(divide="ignore", invalid="ignore"):
        d[1:-1] = np.where(same, (w1 + w2) / (w1 / slope[:-1] + w2 / slope[1:]), 0)
    d[0], d[-1] = _end(h[0], h[1], slope[0], slope[1]), _end(h[-1], h[-2], slope[-1], slope[-2])
    i = np.clip(np.searchsorted(x, at, side="right") - 1, 0, len(h) - 1)
    t = (at - x[i]) / h[i]
    value = (1 + 2 * t) * (1 - t) ** 2 * y[i] + t**2 * (3 - 2 * t) * y[i + 1]
    return np.asarray(value + h[i] * t * (1 - t) * ((1 - t) * d[i] - t * d[i + 1]))


def _end(h0: float, h1: float, s0: float, s1: float) -> float:
    """The derivative at an end: three points, kept from overshooting."""
    d = ((2 * h0 + h1) * s0 - h0 * s1) / (h0 + h1)
    if d * s0 <= 0:
        return 0.0
    return 3 * s0 if s0 * s1 < 0 and abs(d) > 3 * abs(s0) else float(d)


def _monotone(curve: Curve) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(metric, log rate), both rising; dominated points are left out."""
    rising: Curve = []
    for rate, metric in sorted(curve):
        if np.isfinite(metric) and (not rising or metric > rising[-1][1]):
            rising.append((rate, metric))
    return np.array([m for _, m in rising]), np.log([r for r, _ in rising])
