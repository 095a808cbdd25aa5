"""The coder against a pure-Python one that follows docs/format.md, and its rate against the tables'."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from latentpress.entropy import rans, tables
from latentpress.errors import FormatError

MASK = 0xFFFFFFFF


def slow_push(words: list[int], state: int, start: int, count: int) -> int:
    """One rANS step of docs/format.md: 64-bit state, 32-bit words, 24-bit precision."""
    if state >= count << 40:
        words.append(state & MASK)
        state >>= 32
    return (state // count << 24) + start + state % count


def slow_encode(symbols: list[int], numbers: list[int]) -> bytes:
    """The stream of docs/format.md in plain integers: by table, in order; written from the end."""
    plan: list[tuple[int, int, int]] = []  # (start, count, total bits) in decoding order
    for table in sorted(set(numbers)):
        group = [s for s, n in zip(symbols, numbers, strict=True) if n == table]
        counts, r = tables.counts(table).tolist(), tables.radius(table)
        starts = np.concatenate([[0], np.cumsum(counts)]).tolist()
        coded = [2 * r + 1 if abs(s) > r else s + r for s in group]
        plan += [(starts[i], counts[i], 24) for i in coded]
        plan += [((s + 32768) << 8, 1 << 8, 24) for s in group if abs(s) > r]
    words: list[int] = []
    state = 0
    for start, count, _ in reversed(plan):
        state = slow_push(words, state, start, count)
    while state:
        words.append(state & MASK)
        state >>= 32
    return np.array(words, "<u4").tobytes().rstrip(b"\0")


def fast_encode(symbols: list[int], numbers: list[int]) -> bytes:
    coder = rans.new_coder()
    rans.push(coder, np.array(symbols, np.int32), np.array(numbers, np.uint16))
    return rans.to_bytes(coder)


CASES = st.lists(st.tuples(st.integers(-40, 40) | st.integers(-32767, 32767), st.integers(0, 383)), max_size=60)


@settings(deadline=None)
@given(CASES)
def test_equals_a_coder_in_plain_integers(cases: list[tuple[int, int]]) -> None:
    symbols, numbers = [c[0] for c in cases], [c[1] for c in cases]
    assert fast_encode(symbols, numbers) == slow_encode(symbols, numbers)


@settings(deadline=None)
@given(CASES)
def test_pop_inverts_push_and_empties_the_stack(cases: list[tuple[int, int]]) -> None:
    numbers = np.array([c[1] for c in cases], np.uint16)
    coder = rans.from_bytes(fast_encode([c[0] for c in cases], numbers.tolist()))
    assert rans.pop(coder, numbers).tolist() == [c[0] for c in cases]
    rans.check_empty(coder)


def test_coded_bits_stay_by_the_tables_bits() -> None:
    rng = np.random.default_rng(0)
    numbers = rng.integers(0, tables.SCALES, 50_000).astype(np.uint8)
    symbols = np.rint(rng.normal(0, tables.sigmas()[numbers])).astype(np.int32)
    pairs = zip(symbols.tolist(), numbers.tolist(), strict=True)
    bits = sum(tables.bit_costs(n)[min(s + tables.radius(n), 2 * tables.radius(n) + 1)] for s, n in pairs)
    coded = 8 * len(fast_encode(symbols.tolist(), numbers.tolist()))
    assert bits - 1 <= coded <= 1.0005 * bits + 64


def test_leftovers_and_padding_are_refused() -> None:
    coder = rans.from_bytes(fast_encode([3, 1], [20, 20]))
    rans.pop(coder, np.array([20], np.uint8))
    with pytest.raises(FormatError, match="more than"):
        rans.check_empty(coder)
    with pytest.raises(FormatError, match="zero byte"):
        rans.from_bytes(b"\1\0")


@pytest.mark.parametrize("table", range(tables.SCALES * len(tables.FAMILIES)))
def test_tables_are_distributions(table: int) -> None:
    counts = tables.counts(table)
    assert counts.sum() == 1 << tables.PRECISION_BITS
    assert counts.min() >= 1
    assert len(counts) == 2 * tables.radius(table) + 2
    if tables.FAMILIES[table // tables.SCALES] not in tables.SKEWED:
        assert np.array_equal(counts[:-1], counts[:-1][::-1])


def test_gaussian_tables_are_gaussian() -> None:
    from math import erf, sqrt

    for scale in (0, 10, 30, 50, 63):
        sigma, r = float(tables.sigmas()[scale]), tables.radius(scale)
        phi = lambda t: 0.5 * (1 + erf(t / sqrt(2)))
        expected = np.array([phi((k + 0.5) / sigma) - phi((k - 0.5) / sigma) for k in range(-r, r + 1)])
        assert np.abs(tables.counts(scale)[:-1] / 2**24 - expected).max() < 5e-7


@pytest.mark.parametrize("symbol", [-32767, 32767])
def test_no_escaped_symbol_is_beyond_the_range(symbol: int) -> None:
    data = fast_encode([1, symbol, 2], [5, 5, 5])
    assert rans.pop(rans.from_bytes(data), np.full(3, 5, np.uint8)).tolist() == [1, symbol, 2]
    with pytest.raises(FormatError, match="out of range"):  # what int16 can hold, and the format forbids
        rans.pop(rans.from_bytes(slow_encode([1, -32768, 2], [5, 5, 5])), np.full(3, 5, np.uint8))
