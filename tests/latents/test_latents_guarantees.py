"""What `latentpress.latents` promises of errors holds for any numbers."""

import math
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from latentpress.latents import record
from latentpress.latents.dtypes import BFLOAT16, FLOAT16, FLOAT32, round_to
from latentpress.latents.methods import learned, lossless, predictive, predictive_coding
from latentpress.latents.precision import Precision

TYPES = {FLOAT32: np.float32, FLOAT16: np.float16, BFLOAT16: np.float32}
SHAPES = hnp.array_shapes(min_dims=3, max_dims=3, max_side=7)


def values(kind: int, finite: bool) -> st.SearchStrategy[NDArray[Any]]:
    width = 16 if kind == FLOAT16 else 32
    wild = st.floats(width=width, allow_nan=not finite, allow_infinity=not finite)
    tame = st.floats(-4, 4, width=width)  # type: ignore[arg-type]
    arrays = st.one_of(
        hnp.arrays(TYPES[kind], SHAPES, elements=wild),
        hnp.arrays(TYPES[kind], SHAPES, elements=tame),
        # a few values among many of another
        hnp.arrays(TYPES[kind], SHAPES, elements=tame, fill=wild),
        hnp.arrays(TYPES[kind], SHAPES, elements=wild, fill=tame),
    )
    if kind == BFLOAT16 and finite:
        return arrays.map(lambda a: round_to(a.astype(np.float64), BFLOAT16))
    return arrays


def kinds_and_values(finite: bool) -> st.SearchStrategy[tuple[int, NDArray[Any]]]:
    return st.sampled_from(sorted(TYPES)).flatmap(
        lambda k: st.tuples(st.just(k), values(k, finite))
    )


def there_and_back(
    y: NDArray[Any], kind: int, precision: Precision, space: int = 0
) -> NDArray[Any]:
    body = record.pack(y, kind, space, precision, "", None)
    y_hat, kind_back, _ = record.unpack(body, space)
    assert kind_back == kind
    assert y_hat.dtype == y.dtype
    assert y_hat.shape == y.shape
    return y_hat


@settings(max_examples=150)
@given(kinds_and_values(True), st.one_of(st.floats(1e-6, 10), st.floats(1e-300, 1e300)))
def test_max_error_is_a_guarantee(drawn: tuple[int, NDArray[Any]], max_error: float) -> None:
    kind, y = drawn
    y_hat = there_and_back(y, kind, Precision(max_error=max_error))
    assert np.isfinite(y_hat).all()
    assert (np.abs(y_hat.astype(np.float64) - y.astype(np.float64)) <= max_error).all()


@settings(max_examples=80)
@given(kinds_and_values(True), st.one_of(st.floats(1e-6, 10), st.floats(1e-30, 1e30)))
def test_rmse_is_met_from_below(drawn: tuple[int, NDArray[Any]], rmse: float) -> None:
    kind, y = drawn
    y_hat = there_and_back(y, kind, Precision(rmse=rmse))
    error = np.abs(y_hat.astype(np.float64) - y.astype(np.float64)) / rmse
    assert math.sqrt(np.square(error).mean()) <= 1 + 1e-12


@settings(max_examples=50)
@given(kinds_and_values(True), st.floats(0, 100))
def test_quality_takes_any_finite_latent(drawn: tuple[int, NDArray[Any]], quality: float) -> None:
    kind, y = drawn
    assert np.isfinite(there_and_back(y, kind, Precision(quality=quality))).all()


SIDES = st.tuples(st.just(4), st.integers(1, 7), st.integers(1, 7))
TAME, WILD = st.floats(-4, 4, width=32), st.floats(width=32, allow_nan=False, allow_infinity=False)
LATENTS = hnp.arrays(np.float32, SIDES, elements=TAME, fill=WILD) | hnp.arrays(
    np.float32, SIDES, elements=WILD, fill=TAME
)


@settings(max_examples=25)
@given(LATENTS, st.floats(0.008, 2))
def test_the_lattice_prior_keeps_the_same_promises(y: NDArray[Any], error: float) -> None:
    y_hat = there_and_back(y, FLOAT32, Precision(max_error=error), 16)
    assert (np.abs(y_hat.astype(np.float64) - y) <= error).all()
    y_hat = there_and_back(y, FLOAT32, Precision(rmse=error), 16)
    assert math.sqrt(np.square((y_hat.astype(np.float64) - y) / error).mean()) <= 1 + 1e-12
    for dependent in (False, True):
        coded = learned.encode(y, FLOAT32, np.float32(error), error / 2, 16, dependent)
        if coded is not None:
            assert np.array_equal(learned.decode(coded.payload, y.shape, FLOAT32, 16), coded.y_hat)
            assert (np.abs(coded.y_hat.astype(np.float64) - y) <= error / 2).all()


@settings(max_examples=80)
@given(hnp.arrays(np.uint32, SHAPES))
def test_lossless_keeps_every_bit(bits: NDArray[np.uint32]) -> None:
    half_steps = (bits >> 16).astype(np.uint16)
    brains = (bits & np.uint32(0xFFFF0000)).astype(np.uint32).view(np.float32)
    for kind, y in (
        (FLOAT32, bits.view(np.float32)),
        (FLOAT16, half_steps.view(np.float16)),
        (BFLOAT16, brains),
    ):
        assert there_and_back(y, kind, Precision(lossless=True)).tobytes() == y.tobytes()


@settings(max_examples=40)
@given(hnp.arrays(np.int32, SHAPES, elements=st.integers(-32767, 32767)), st.sampled_from([0, 1]))
def test_symbols_come_back(symbols: NDArray[np.int32], model: int) -> None:
    bases, stream = predictive_coding.encode(symbols, model)
    back = predictive_coding.decode(bases, stream, symbols.shape, model, 0)
    assert (back.symbols == symbols).all()


def test_the_encoder_has_what_the_decoder_will_have() -> None:
    y = np.random.default_rng(0).standard_t(2, (4, 33, 18)).astype(np.float32)
    for model in (0, 1, 16, 17):
        coded = predictive.encode(y, FLOAT32, np.float32(0.1), 0.05001, model)
        assert predictive.decode(coded.payload, y.shape, FLOAT32).tobytes() == coded.y_hat.tobytes()


def test_outliers_are_kept_exactly_and_cost_little() -> None:
    y = np.random.default_rng(0).normal(0, 1, (4, 32, 32)).astype(np.float32)
    plain = len(record.pack(y, FLOAT32, 16, Precision(max_error=0.05), "", None))
    y[1, 5, 5], y[2, 9, 30] = 3e38, -7e12
    body = record.pack(y, FLOAT32, 16, Precision(max_error=0.05), "", None)
    y_hat, _, _ = record.unpack(body, 16)
    assert np.abs(y_hat.astype(np.float64) - y).max() <= 0.05
    assert len(body) < plain + 150


def test_lossless_costs_less_than_the_raw_numbers() -> None:
    y = np.random.default_rng(0).normal(0, 1, 4096).astype(np.float32)
    assert len(lossless.encode(y, FLOAT32)) < 0.9 * y.nbytes


def test_coded_bits_are_those_of_the_tables() -> None:
    """Coded bits against the cost of the symbols under the tables: at most half a percent and 64
    bits more.
    """
    from latentpress.entropy import cdf_tables, rans

    symbols = np.rint(np.random.default_rng(1).normal(0, 6, (4, 64, 64))).astype(np.int32)
    spent: list[float] = []
    push = rans.push

    def watched(coder: Any, part: NDArray[np.int32], table: NDArray[Any]) -> None:
        for t in np.unique(table).tolist():
            group, r = part[table == t], cdf_tables.radius(t)
            spent.append(
                float(
                    cdf_tables.bit_costs(t)[np.where(np.abs(group) > r, 2 * r + 1, group + r)].sum()
                )
            )
        push(coder, part, table)

    rans.push = watched
    try:
        _, stream = predictive_coding.encode(symbols, 16)
    finally:
        rans.push = push
    assert sum(spent) <= 8 * len(stream) <= 1.005 * sum(spent) + 64
