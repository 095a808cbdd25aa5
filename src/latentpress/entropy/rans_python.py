"""The coder's stack in Python, where there is neither the C library nor constriction."""

from bisect import bisect_right
from functools import cache

import numpy as np
from numpy.typing import NDArray

from latentpress._typing import Ints
from latentpress.entropy.cdf_tables import (
    ESCAPE_LIMIT,
    PRECISION_BITS,
    alphabet_index,
    check_range,
    first_entries,
    load,
    radius,
)
from latentpress.entropy.rans_runs import RunStack
from latentpress.errors import FormatError

WORD_BITS = 32
WORD = (1 << WORD_BITS) - 1
FULL_BITS = 64 - PRECISION_BITS  # from count << FULL_BITS on, a word leaves the state first
PLACE = (1 << PRECISION_BITS) - 1
ESCAPE_BITS = 8  # an escaped symbol has 2^8 of 2^24 counts


@cache
def starts() -> NDArray[np.int64]:
    """The sum of the counts before each entry of its table, of all tables one after the other."""
    counts = load()["counts"].astype(np.int64)
    return (np.cumsum(counts) - counts) & PLACE  # the counts of a table sum to 2^24


@cache
def bounds(table: int) -> list[int]:
    """The starts of a table's entries, and 2^24 behind the last."""
    first = first_entries()[table]
    return [*starts()[first : first + 2 * radius(table) + 2].tolist(), 1 << PRECISION_BITS]


class PythonStack(RunStack):
    """The words in a list, the state in a whole number."""

    def __init__(self, words: NDArray[np.uint32]) -> None:
        self._words: list[int] = words.tolist()
        self._state = 0
        for _ in self._words[-2:]:
            self._state = self._state << WORD_BITS | self._words.pop()

    def words(self) -> NDArray[np.uint32]:
        """As of RunStack."""
        last = [self._state & WORD, self._state >> WORD_BITS]
        while last and not last[-1]:
            last.pop()
        return np.array(self._words + last, np.uint32)

    def is_empty(self) -> bool:
        """As of RunStack."""
        return not self._state and not self._words

    def push_runs(self, symbols: Ints, tables: NDArray[np.uint16], ends: NDArray[np.int64]) -> None:
        """As of RunStack."""
        lengths = np.diff(ends, prepend=0)
        r = load()["radius"][np.repeat(tables, lengths)]
        entries = alphabet_index(symbols, r)
        at = entries + np.repeat(first_entries()[tables], lengths)
        places, counts = starts()[at], load()["counts"][at]
        escaped = np.flatnonzero(entries > 2 * r)
        if escaped.size:  # they follow the others of their run
            check_range(symbols)
            beyond = symbols[escaped].astype(np.int64) + ESCAPE_LIMIT
            behind = np.repeat(ends, lengths)[escaped]
            places = np.insert(places, behind, beyond << ESCAPE_BITS)
            counts = np.insert(counts, behind, 1 << ESCAPE_BITS)
        state, words = self._state, self._words
        for start, count in zip(places[::-1].tolist(), counts[::-1].tolist(), strict=True):
            if state >> FULL_BITS >= count:
                words.append(state & WORD)
                state >>= WORD_BITS
            whole, rest = divmod(state, count)
            state = (whole << PRECISION_BITS) + start + rest
        self._state = state

    def pop_run(self, table: int, amount: int) -> Ints:
        """As of RunStack."""
        known, r = bounds(table), radius(table)
        state, words = self._state, self._words
        symbols = []
        for _ in range(amount):
            place = state & PLACE
            entry = bisect_right(known, place) - 1
            start = known[entry]
            state = (state >> PRECISION_BITS) * (known[entry + 1] - start) + place - start
            if state <= WORD and words:
                state = state << WORD_BITS | words.pop()
            symbols.append(entry - r)
        self._state = state
        if r + 1 in symbols:
            symbols = [self._pop_escaped() if s == r + 1 else s for s in symbols]
        return np.array(symbols, np.int32)

    def _pop_escaped(self) -> int:
        state = self._state
        number = (state & PLACE) >> ESCAPE_BITS
        state = (state >> PRECISION_BITS << ESCAPE_BITS) + (state & ((1 << ESCAPE_BITS) - 1))
        if state <= WORD and self._words:
            state = state << WORD_BITS | self._words.pop()
        self._state = state
        if not number:
            raise FormatError("the coded latent holds a symbol that is out of range")
        return number - ESCAPE_LIMIT
