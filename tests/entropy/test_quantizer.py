"""Laws of the quantizer: quality, interpolation between anchor levels, rounding."""

from fractions import Fraction
from math import floor

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from latentpress.entropy.quantizer import (
    SYMBOL_MAX,
    check_finite,
    dequantize,
    interpolate,
    quantize,
)
from latentpress.errors import ImageError, UsageError
from latentpress.options import check_quality

HUNDREDTHS = st.integers(0, 10_000)
LEVELS = st.lists(st.integers(-(1 << 31), (1 << 31) - 1), min_size=2, max_size=9)


@given(HUNDREDTHS)
def test_qualities_are_hundredths(hundredths: int) -> None:
    assert check_quality(hundredths / 100) == hundredths / 100
    assert check_quality(check_quality(hundredths / 100)) == hundredths / 100


@pytest.mark.parametrize(
    ("asked", "kept"),
    [
        *((0, 0), (100, 100), (0.004, 0), (33.333, 33.33), (99.999, 100), (np.float32(12.5), 12.5)),
        *((np.uint8(80), 80), (np.int8(40), 40), (np.int16(100), 100)),
    ],
)
def test_bounds_and_rounding_of_quality(asked: float, kept: float) -> None:
    assert check_quality(asked) == kept


@pytest.mark.parametrize(
    "quality", [-0.001, 100.001, -1, 101, 1e300, float("inf"), float("-inf"), float("nan")]
)
def test_qualities_outside_are_usage_errors(quality: float) -> None:
    with pytest.raises(UsageError, match=r"0\.\.100"):
        check_quality(quality)


@given(LEVELS, HUNDREDTHS, st.sampled_from([np.int32, np.int64]))
def test_integers_are_interpolated_exactly_and_rounded_half_up(
    levels: list[int], hundredths: int, dtype: type
) -> None:
    position = Fraction(hundredths * (len(levels) - 1), 10_000)
    i = min(floor(position), len(levels) - 2)
    exact = levels[i] + (position - i) * (levels[i + 1] - levels[i])
    found = interpolate(np.array(levels, dtype)[:, None], hundredths / 100)
    assert found.tolist() == [floor(exact + Fraction(1, 2))]


@given(LEVELS, st.integers(0, 8))
def test_anchor_levels_are_met(levels: list[int], i: int) -> None:
    i = min(i, len(levels) - 1)
    quality = 100 * i / (len(levels) - 1)
    for dtype in (np.int64, np.float64):
        found = interpolate(np.array(levels, dtype)[:, None], quality)
        # anchors that are no hundredth are met up to that
        off = abs(quality * 100 - round(quality * 100))
        assert abs(float(found[0]) - levels[i]) <= off * 1e-4 * 8 * (1 << 33) + 1e-3


def test_interpolation_is_monotone_where_the_anchors_are() -> None:
    levels = np.sort(np.random.default_rng(0).integers(-1000, 1000, (6, 20)), axis=0).astype(
        np.int32
    )
    for anchors in (levels, levels.astype(np.float32)):
        rows = np.stack([interpolate(anchors, q / 100) for q in range(0, 10_001, 37)])
        assert (np.diff(rows, axis=0) >= 0).all()
    assert interpolate(levels.astype(np.float32), 41.7).dtype == np.float32


def test_integers_do_not_depend_on_how_the_quality_was_written() -> None:
    levels = np.array([[0], [1_000_003]], np.int32)
    assert (
        len(
            {
                int(interpolate(levels, q)[0])
                for q in (0.1 + 0.2, 0.3, 30 / 100, float(np.float32(0.3)))
            }
        )
        == 1
    )


@given(
    st.lists(st.floats(-30_000, 30_000, width=32), min_size=1, max_size=50),
    st.floats(-8, 8, width=32),
)
def test_the_error_is_at_most_half_a_step(values: list[float], mu: float) -> None:
    y, center = np.array(values, np.float32), np.float32(mu)
    symbols = quantize(y, center)
    assert symbols.dtype == np.int32
    slack = np.spacing(np.abs(y).max() + np.float32(8)) * 2
    assert (np.abs(dequantize(symbols, center) - y) <= 0.5 + slack).all()


@given(st.lists(st.integers(-SYMBOL_MAX, SYMBOL_MAX), min_size=1, max_size=50))
def test_quantize_inverts_dequantize(values: list[int]) -> None:
    symbols, mu = np.array(values, np.int32), np.float32(0.25)
    assert np.array_equal(quantize(dequantize(symbols, mu), mu), symbols)


def test_rounding_is_to_the_nearest_and_far_values_saturate() -> None:
    y = np.array([0.49, 0.51, -0.49, -0.51, 1e9, -1e9], np.float32)
    assert quantize(y, np.zeros(6, np.float32)).tolist() == [0, 1, 0, -1, SYMBOL_MAX, -SYMBOL_MAX]


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_latent_that_is_not_finite_is_an_image_error(value: float) -> None:
    y = np.zeros((2, 3, 4), np.float32)
    assert check_finite(y) is y
    y[1, 2, 3] = value
    with pytest.raises(ImageError, match="finite"):
        check_finite(y)
