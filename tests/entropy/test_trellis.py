"""Laws of dependent quantization: the stream is the format's, the path is the best, and it beats
rounding at the same rate.
"""

from itertools import product

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from helpers.slow_rans import slow_encode_groups
from latentpress.entropy import cdf_tables, rans
from latentpress.entropy.quantizer import SYMBOL_MAX
from latentpress.entropy.trellis import NEXT, REACH, Path, TrellisLanes
from latentpress.errors import FormatError

pytestmark = pytest.mark.usefixtures("engine")

CASES = st.lists(
    st.tuples(st.integers(-9, 9) | st.integers(-32767, 32767), st.integers(-600, 1100)), max_size=80
)


def by_the_format(
    symbols: list[int], scale_eighths: list[int], table: list[int], length: int
) -> tuple[bytes, list[int]]:
    """The rules of docs/formats/ltp.md, symbol by symbol -> the stream, and of which quantizer each
    symbol is.
    """
    n = len(symbols)
    order = sorted(range(n), key=lambda i: (min(max(scale_eighths[i], -512), 1023), i))
    lanes = max(1, -(-n // length))
    states, odd, groups = [0] * lanes, [0] * n, []
    for step in range(0, n, lanes):
        members = order[step : step + lanes]
        for lane, i in enumerate(members):
            odd[i] = states[lane] % 2
            states[lane] = int(NEXT[states[lane]][symbols[i] % 2])
        for t, quantizer in sorted({(table[i], odd[i]) for i in members}):
            groups.append(
                (
                    t + 384 * quantizer,
                    [symbols[i] for i in members if (table[i], odd[i]) == (t, quantizer)],
                )
            )
    return slow_encode_groups(groups), odd


def table_of(scale_eighths: NDArray[np.int64], family: int, move: int) -> NDArray[np.uint16]:
    return (
        np.clip(scale_eighths + 2 * move + 4 >> 3, 0, cdf_tables.SCALES - 1)
        + cdf_tables.SCALES * family
    ).astype(np.uint16)


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(CASES, st.integers(1, 40), st.integers(0, 3), st.integers(-32, 31))
def test_the_stream_is_that_of_the_format(
    cases: list[tuple[int, int]], length: int, family: int, move: int
) -> None:
    symbols, scale_eighths = (np.array([c[i] for c in cases], np.int64) for i in (0, 1))
    table = table_of(scale_eighths, family, move)
    stream, odd = by_the_format(symbols.tolist(), scale_eighths.tolist(), table.tolist(), length)
    chains, coder = TrellisLanes(scale_eighths, length), rans.new_coder()
    chains.push(coder, Path(symbols.astype(np.int32), np.array(odd, np.uint8)), table)
    assert rans.to_bytes(coder) == stream
    coder = rans.from_bytes(stream)
    path = chains.pop(coder, table)
    rans.check_empty(coder)
    assert path.symbols.tolist() == symbols.tolist()
    assert path.odd.tolist() == odd


def test_a_value_is_the_symbol_or_half_a_step_nearer_to_zero() -> None:
    path = Path(
        np.array([0, 3, -3, 0, 1, -1, 4, -4], np.int32),
        np.array([0, 0, 0, 1, 1, 1, 1, 1], np.uint8),
    )
    assert (path.half_steps() / 2).tolist() == [0, 3, -3, 0, 0.5, -0.5, 3.5, -3.5]


@pytest.mark.parametrize("weight", [1.0, 12.0, 200.0])
@pytest.mark.parametrize("scale", [4, 16, 30])
def test_no_other_path_is_better(scale: int, weight: float) -> None:
    rng, table = np.random.default_rng(scale), np.full(5, scale)
    bits = [cdf_tables.bit_costs(scale), cdf_tables.bit_costs(scale + cdf_tables.ODD)]
    r = cdf_tables.radius(scale)
    for v in rng.normal(0, max(1.0, float(cdf_tables.sigmas()[scale]) / 2), (6, 5)).astype(
        np.float32
    ):
        path = TrellisLanes(np.zeros(5, int), 5).quantize(v, table, weight)

        def loss(symbols: tuple[int, ...], v: NDArray[np.float32] = v) -> float:
            total, state = 0.0, 0
            for number, symbol in zip(v.tolist(), symbols, strict=True):
                odd = state % 2
                total += weight * (number - symbol + odd * float(np.sign(symbol)) / 2) ** 2
                total += float(bits[odd][symbol + r if abs(symbol) <= r else -1])
                state = int(NEXT[state][symbol % 2])
            return total

        around = [range(int(np.floor(t)) - 1, int(np.floor(t)) + 3) for t in v]
        assert loss(tuple(path.symbols.tolist())) <= min(map(loss, product(*around))) * (1 + 1e-5)


def test_it_beats_rounding_at_the_same_error() -> None:
    """At a deviation of three steps a symbol takes .12 bits less or more of them, at half a step .2
    or more (R(D) leaves .25).
    """
    rng = np.random.default_rng(0)
    for scale, gain in ((30, 0.12), (14, 0.2)):
        v = rng.normal(0, float(cdf_tables.sigmas()[scale]), 40_000)
        plain = np.rint(v).astype(np.int32)
        rounding = (
            cdf_tables.bit_costs(scale)[plain + cdf_tables.radius(scale)].mean(),
            np.square(v - plain).mean(),
        )
        reached = []
        for coarser in (1.0, 1.1186):  # a scale less, a step that much larger
            table = np.full(v.size, scale - (coarser > 1))
            chains, coder = TrellisLanes(np.zeros(v.size, int), 128), rans.new_coder()
            path = chains.quantize(v / coarser, table, 12.0 * coarser**2)
            chains.push(coder, path, table)
            error = np.square(v - path.half_steps() / 2 * coarser).mean()
            reached.append(
                8 * len(rans.to_bytes(coder)) / v.size + np.log2(error / rounding[1]) / 2
            )
        assert min(reached) < rounding[0] - gain


def test_numbers_beyond_the_symbols_and_beyond_the_tables() -> None:
    v = np.array([1e9, -1e9, 40_000, 300.2, -REACH - 50, 0, -0.0], np.float32)
    table, chains, coder = np.full(7, 9), TrellisLanes(np.zeros(7, int), 3), rans.new_coder()
    path = chains.quantize(v, table, 12.0)
    assert np.abs(path.symbols).max() <= SYMBOL_MAX
    assert np.abs(path.half_steps()[3:] / 2 - v[3:]).max() <= 1
    chains.push(coder, path, table)
    back = chains.pop(rans.from_bytes(rans.to_bytes(coder)), table)
    assert np.array_equal(back, path)


def test_no_symbols_at_all_and_a_symbol_out_of_range() -> None:
    none = TrellisLanes(np.zeros(0, int), 32)
    coder = rans.new_coder()
    path = none.quantize(np.zeros(0), np.zeros(0, int), 12.0)
    none.push(coder, path, np.zeros(0, int))
    assert rans.to_bytes(coder) == b""
    assert none.pop(coder, np.zeros(0, int)).symbols.size == 0
    with pytest.raises(FormatError, match="out of range"):
        TrellisLanes(np.zeros(1, int), 32).pop(
            rans.from_bytes(slow_encode_groups([(5, [-32768])])), np.array([5])
        )
