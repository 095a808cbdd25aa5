"""The coder's stack on constriction, where the C library is not there.

constriction takes probabilities as floats and gives symbol i the count floor(cumulated p * (2^24 -
n) / sum) + 1; handing it `count - 1` makes that map the identity, so the integers of the table are
the ones that code.
"""

from functools import cache
from itertools import pairwise
from typing import Any

import constriction
import numpy as np
from numpy.typing import NDArray

from latentpress._typing import Ints
from latentpress.entropy.cdf_tables import (
    ESCAPE_LIMIT,
    alphabet_index,
    check_range,
    counts,
    load,
    radius,
)
from latentpress.entropy.rans_runs import RunStack
from latentpress.errors import FormatError

SLICE = 1 << 20  # symbols a call
FEW = 48  # up to so many symbols, a list is searched faster than an array
ESCAPED = constriction.stream.model.Uniform(2 * ESCAPE_LIMIT)


@cache
def model(table: int) -> Any:
    """The entropy model of a table: alphabet 0..2r for symbols -r..r, then the escape."""
    return constriction.stream.model.Categorical(
        (counts(table) - 1).astype(np.float64), perfect=False, lazy=False
    )


class ConstrictionStack(RunStack):
    """constriction's stack."""

    def __init__(self, words: NDArray[np.uint32]) -> None:
        self._stack: Any = constriction.stream.stack.AnsCoder(words)

    def words(self) -> NDArray[np.uint32]:
        """As of RunStack."""
        words: NDArray[np.uint32] = self._stack.get_compressed()
        return words

    def is_empty(self) -> bool:
        """As of RunStack."""
        return bool(self._stack.is_empty())

    def push_runs(self, symbols: Ints, tables: NDArray[np.uint16], ends: NDArray[np.int64]) -> None:
        """As of RunStack."""
        bounds = [0, *ends.tolist()]
        r = load()["radius"][np.repeat(tables, np.diff(bounds))]
        outside = np.abs(symbols) > r
        escaped = bool(outside.any())
        if escaped:
            check_range(symbols)
        values = alphabet_index(symbols, r).astype(np.int32)
        runs = zip(tables.tolist(), pairwise(bounds), strict=True)
        for table, (start, end) in reversed(list(runs)):
            if escaped and (beyond := symbols[start:end][outside[start:end]]).size:
                self._stack.encode_reverse(beyond + np.int32(ESCAPE_LIMIT), ESCAPED)
            self._stack.encode_reverse(values[start:end], model(table))

    def pop_run(self, table: int, amount: int) -> Ints:
        """As of RunStack."""
        r = radius(table)
        group = self._decode(model(table), amount)
        group -= np.int32(r)
        if r + 1 in (group.tolist() if amount <= FEW else group):
            outside = group > r
            escaped = self._decode(ESCAPED, int(outside.sum())) - np.int32(ESCAPE_LIMIT)
            if escaped.min() == -ESCAPE_LIMIT:
                raise FormatError("the coded latent holds a symbol that is out of range")
            group[outside] = escaped
        return group

    def _decode(self, entropy_model: Any, amount: int) -> Ints:
        """Take `amount` numbers off the stack, a slice at a time: an allocation that fails inside
        constriction would end the process.
        """
        if amount <= SLICE:
            few: Ints = self._stack.decode(entropy_model, amount)
            return few
        numbers = np.empty(amount, np.int32)
        for start in range(0, amount, SLICE):
            numbers[start : start + SLICE] = self._stack.decode(
                entropy_model, min(SLICE, amount - start)
            )
        return numbers
