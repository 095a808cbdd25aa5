"""The coder's stack in C (`native/rans.c`), and the CDF tables as it takes them."""

import ctypes
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from latentpress._typing import Ints
from latentpress.entropy import cdf_tables
from latentpress.entropy.native import Stack, Tables
from latentpress.errors import WeightsError

NEAR = 257  # of native.h


class CodingTables:
    """All tables with their starts. WeightsError where one is no distribution.

    library: of `native.library`. struct: what C takes; the arrays that it points to live as long as
    this object.
    """

    def __init__(self, library: Any) -> None:
        loaded = cdf_tables.load()
        counts, self._radius = (loaded[k].astype(np.int32, "C") for k in ("counts", "radius"))
        tables = self._radius.size
        self._starts = np.empty(counts.size + tables, np.uint32)
        self._first = np.empty(tables, np.int32)
        self._near = np.empty((tables, NEAR), np.uint16)
        found = (self._starts, self._first, self._near)
        try:
            library.arrange_tables(counts, counts.size, self._radius, tables, *found)
        except ValueError as error:
            raise WeightsError("the CDF tables are damaged: reinstall latentpress") from error
        pointers = (a.ctypes.data for a in (self._starts, self._first, self._radius, self._near))
        self.struct = Tables(*pointers, tables)


@cache
def coding_tables(library: Any) -> CodingTables:
    """The shipped tables."""
    return CodingTables(library)


class NativeStack:
    """A stack of symbols, with the same words as `rans_runs.RunStack`.

    library: of `native.library`. words: what it holds.
    """

    def __init__(self, library: Any, words: NDArray[np.uint32]) -> None:
        self._library = library
        self._tables = coding_tables(library)
        self._words = words
        low, high = words[-2:-1].tolist(), words[-1:].tolist()
        state = ((high[0] << 32) | low[0]) if low else sum(high)
        self._stack = Stack(state, words.ctypes.data, max(0, words.size - 2), words.size)

    def words(self) -> NDArray[np.uint32]:
        """As of RunStack."""
        state = self._stack.state
        last = [state & 0xFFFFFFFF, state >> 32]
        while last and not last[-1]:
            last.pop()
        return np.concatenate([self._words[: self._stack.size], np.array(last, np.uint32)])

    def is_empty(self) -> bool:
        """As of RunStack."""
        return not self._stack.state and not self._stack.size

    def push_runs(self, symbols: Ints, tables: NDArray[np.uint16], ends: NDArray[np.int64]) -> None:
        """As of RunStack."""
        check_bounds(symbols.size, tables, ends)
        self._make_room(symbols.size)
        self._library.push_runs(*self._coder(), symbols, tables, ends, ends.size)

    def pop_runs(self, tables: NDArray[np.uint16], ends: NDArray[np.int64]) -> Ints:
        """As of RunStack."""
        symbols = np.empty(ends[-1] if ends.size else 0, np.int32)
        check_bounds(symbols.size, tables, ends)
        self._library.pop_runs(*self._coder(), symbols, tables, ends, ends.size)
        return symbols

    def push_lanes(
        self, symbols: Ints, odd: NDArray[np.uint8], table: NDArray[np.uint16], lanes: int
    ) -> None:
        """`trellis.push_lanes`."""
        if not symbols.size == odd.size == table.size:
            raise ValueError("a symbol, a quantizer and a table each")
        self._make_room(symbols.size)
        self._library.trellis_push(
            *self._coder(),
            symbols,
            odd,
            table,
            table.size,
            lanes,
            cdf_tables.ODD,
            np.empty(lanes, np.int32),
        )

    def pop_lanes(self, table: NDArray[np.uint16], lanes: int) -> tuple[Ints, NDArray[np.uint8]]:
        """`trellis.pop_lanes`: (symbols, odd)."""
        symbols, odd = np.empty(table.size, np.int32), np.empty(table.size, np.uint8)
        scratch = np.empty(lanes, np.uint8), np.empty(lanes, np.int32)
        self._library.trellis_pop(
            *self._coder(), symbols, odd, table, table.size, lanes, cdf_tables.ODD, *scratch
        )
        return symbols, odd

    def _coder(self) -> tuple[Any, Any]:
        return ctypes.byref(self._stack), ctypes.byref(self._tables.struct)

    def _make_room(self, symbols: int) -> None:
        """For so many more symbols, each of which may put out two words."""
        size, needed = self._stack.size, self._stack.size + 2 * symbols
        if needed > self._stack.capacity:
            grown = np.empty(max(needed, 2 * self._stack.capacity), np.uint32)
            grown[:size] = self._words[:size]
            self._words = grown
            self._stack.words, self._stack.capacity = grown.ctypes.data, grown.size


def check_bounds(amount: int, tables: NDArray[np.uint16], ends: NDArray[np.int64]) -> None:
    """ValueError unless the runs are one after the other and hold `amount` symbols."""
    if tables.size != ends.size or (ends[-1] if ends.size else 0) != amount:
        raise ValueError("the runs do not hold the symbols")
    if ends.size and (ends[0] < 0 or (np.diff(ends) < 0).any()):
        raise ValueError("the ends of runs do not rise")
