"""The coder, on each of its stacks, against one that follows docs/formats/ltp.md to the letter, and
its rate against the tables'.
"""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from helpers.slow_rans import slow_encode
from latentpress.entropy import cdf_tables, native, rans
from latentpress.entropy.rans_python import PythonStack
from latentpress.errors import FormatError

pytestmark = pytest.mark.usefixtures("stack")


@pytest.fixture(params=["native", "constriction", "python"])
def stack(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """The test runs three times, on each stack."""
    if request.param == "native" and not native.library():
        pytest.skip("the C library was not built: python -m latentpress.system.c_libraries")
    if request.param == "constriction":
        pytest.importorskip("constriction")
    if request.param == "python":
        monkeypatch.setattr(rans, "without_library", lambda: PythonStack)
    if request.param != "native":
        monkeypatch.setattr(native, "library", lambda: None)
    return str(request.param)


def fast_encode(symbols: list[int], numbers: list[int]) -> bytes:
    coder = rans.new_coder()
    rans.push(coder, np.array(symbols, np.int32), np.array(numbers, np.uint16))
    return rans.to_bytes(coder)


NUMBERS = st.integers(0, len(cdf_tables.FAMILIES) * cdf_tables.SCALES - 1)
CASES = st.lists(st.tuples(st.integers(-40, 40) | st.integers(-32767, 32767), NUMBERS), max_size=60)


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(CASES)
def test_equals_a_coder_in_plain_integers(cases: list[tuple[int, int]]) -> None:
    symbols, numbers = [c[0] for c in cases], [c[1] for c in cases]
    assert fast_encode(symbols, numbers) == slow_encode(symbols, numbers)


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(CASES)
def test_pop_inverts_push_and_empties_the_stack(cases: list[tuple[int, int]]) -> None:
    numbers = np.array([c[1] for c in cases], np.uint16)
    coder = rans.from_bytes(fast_encode([c[0] for c in cases], numbers.tolist()))
    assert rans.pop(coder, numbers).tolist() == [c[0] for c in cases]
    rans.check_empty(coder)


def test_many_symbols_of_a_table_are_taken_a_slice_at_a_time(
    monkeypatch: pytest.MonkeyPatch, stack: str
) -> None:
    if stack == "constriction":
        monkeypatch.setattr("latentpress.entropy.rans_constriction.SLICE", 7)
    symbols = np.random.default_rng(0).integers(-900, 900, 50).tolist()  # with escaped ones
    numbers = np.full(50, 30, np.uint16)
    coder = rans.from_bytes(fast_encode(symbols, numbers.tolist()))
    assert rans.pop(coder, numbers).tolist() == symbols
    rans.check_empty(coder)


def test_coded_bits_stay_by_the_tables_bits() -> None:
    rng = np.random.default_rng(0)
    numbers = rng.integers(0, cdf_tables.SCALES, 50_000).astype(np.uint8)
    symbols = np.rint(rng.normal(0, cdf_tables.sigmas()[numbers])).astype(np.int32)
    pairs = zip(symbols.tolist(), numbers.tolist(), strict=True)
    bits = sum(
        cdf_tables.bit_costs(n)[min(s + cdf_tables.radius(n), 2 * cdf_tables.radius(n) + 1)]
        for s, n in pairs
    )
    coded = 8 * len(fast_encode(symbols.tolist(), numbers.tolist()))
    assert bits - 1 <= coded <= 1.0005 * bits + 64


def test_leftovers_and_padding_are_refused() -> None:
    coder = rans.from_bytes(fast_encode([3, 1], [20, 20]))
    rans.pop(coder, np.array([20], np.uint8))
    with pytest.raises(FormatError, match="more than"):
        rans.check_empty(coder)
    with pytest.raises(FormatError, match="zero byte"):
        rans.from_bytes(b"\1\0")


@pytest.mark.parametrize("symbol", [-32767, 32767])
def test_no_escaped_symbol_is_beyond_the_range(symbol: int) -> None:
    data = fast_encode([1, symbol, 2], [5, 5, 5])
    assert rans.pop(rans.from_bytes(data), np.full(3, 5, np.uint8)).tolist() == [1, symbol, 2]
    # what int16 can hold, and the format forbids
    with pytest.raises(FormatError, match="out of range"):
        rans.pop(rans.from_bytes(slow_encode([1, -32768, 2], [5, 5, 5])), np.full(3, 5, np.uint8))


@pytest.mark.parametrize("symbol", [-32768, 32768])
def test_a_symbol_beyond_the_range_is_not_coded(symbol: int) -> None:
    with pytest.raises(ValueError, match="out of range"):
        fast_encode([1, symbol], [5, 5])
