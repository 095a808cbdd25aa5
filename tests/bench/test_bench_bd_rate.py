"""BD-rate: scipy's PCHIP, the bjontegaard package, known curves, metrics that fall, and curves that
do not meet.
"""

from typing import Any

import numpy as np
import pytest

from latentpress.bench.bd_rate import bd_rate, pchip, rate_at

CURVE = [(0.1, 25.0), (0.2, 28.0), (0.4, 31.0), (0.8, 33.5)]


@pytest.mark.parametrize("points", [2, 3, 4, 7])
@pytest.mark.parametrize("monotone", [True, False])
def test_monotone_cubic_interpolation_is_scipys(points: Any, monotone: Any) -> None:
    interpolate = pytest.importorskip("scipy.interpolate")
    rng = np.random.default_rng(points)
    for _ in range(20):
        x = np.cumsum(rng.uniform(0.1, 2, points))
        y = np.cumsum(rng.uniform(0, 3, points)) if monotone else rng.normal(size=points)
        at = np.linspace(x[0], x[-1], 99)
        assert np.allclose(pchip(x, y, at), interpolate.PchipInterpolator(x, y)(at), atol=1e-10)


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("direction", ["higher", "lower"])
def test_bd_rate_is_that_of_the_bjontegaard_package(seed: Any, direction: Any) -> None:
    bjontegaard = pytest.importorskip("bjontegaard")
    rng = np.random.default_rng(seed)
    sign = 1 if direction == "higher" else -1
    rates = [np.cumsum(rng.uniform(0.05, 0.3, n)) for n in (4 + seed % 3, 5)]
    metrics = [
        sign * (25 + 3 * np.log2(rate / 0.1) + np.cumsum(rng.uniform(0, 0.5, len(rate))))
        for rate in rates
    ]
    tested, anchor = (
        list(zip(rate.tolist(), metric.tolist(), strict=True))
        for rate, metric in zip(rates, metrics, strict=True)
    )
    theirs = bjontegaard.bd_rate(
        rates[1],
        sign * metrics[1],
        rates[0],
        sign * metrics[0],
        method="pchip",
        require_matching_points=False,
        min_overlap=0,
    )
    ours = bd_rate(tested, anchor, direction=direction)
    assert ours is not None
    assert ours.percent == pytest.approx(theirs, abs=1e-3)
    assert ours.low < ours.high


def test_bd_rate_of_known_curves() -> None:
    cheaper = [(0.8 * rate, metric) for rate, metric in CURVE]
    assert bd_rate(CURVE, CURVE).percent == pytest.approx(0, abs=1e-9)
    assert bd_rate(cheaper, CURVE).percent == pytest.approx(-20)
    assert bd_rate(CURVE, cheaper).percent == pytest.approx(25)
    half = bd_rate(CURVE, CURVE[1:3])
    assert (half.low, half.high, half.share) == (28.0, 31.0, pytest.approx(3 / 8.5))


def test_a_metric_that_falls_gives_the_same_figure_and_its_own_range() -> None:
    falling = [(rate, 1 - metric / 100) for rate, metric in CURVE]
    cheaper = [(0.8 * rate, metric) for rate, metric in falling]
    result = bd_rate(cheaper, falling, direction="lower")
    assert result.percent == pytest.approx(-20)
    assert (result.low, result.high) == (pytest.approx(0.665), pytest.approx(0.75))


def test_no_figure_where_the_curves_do_not_overlap() -> None:
    assert bd_rate(CURVE, [(rate, metric + 20) for rate, metric in CURVE]) is None
    # they touch at one value
    assert bd_rate(CURVE, [(rate, metric + 8.5) for rate, metric in CURVE]) is None
    assert bd_rate(CURVE, CURVE[:1]) is None
    assert bd_rate(CURVE, [(1.0, float("inf"))]) is None


def test_a_point_that_costs_more_for_less_is_left_out() -> None:
    assert bd_rate([*CURVE, (0.5, 30.0)], CURVE).percent == pytest.approx(0, abs=1e-9)


def test_rate_at_a_metric() -> None:
    assert rate_at(CURVE, 28.0) == pytest.approx(0.2)
    assert 0.2 < rate_at(CURVE, 29.5) < 0.4
    assert rate_at(CURVE, 24.9) is None
    assert rate_at(CURVE, 34.0) is None
    assert rate_at(
        [(rate, -metric) for rate, metric in CURVE], -28.0, direction="lower"
    ) == pytest.approx(0.2)
