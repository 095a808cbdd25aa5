"""Symbols <-> words of one rANS stream, through constriction, under shipped integer CDF tables.

Normative model of the coder: 64-bit state, 32-bit words, 24-bit precision (docs/formats/ltp.md).
constriction takes probabilities as floats and gives symbol i the count floor(cumulated p * (2^24 -
n) / sum) + 1; handing it `count - 1` makes that map the identity, so the integers of the table are
the ones that code (tests/entropy/test_rans.py holds it to a pure-Python coder).
"""

from functools import cache
from itertools import pairwise
from typing import Any, TypeAlias

import constriction
import google_crc32c
import numpy as np
from numpy.typing import NDArray

from latentpress._typing import Ints
from latentpress.entropy.cdf_tables import ESCAPE_LIMIT, alphabet_index, counts, load, radius
from latentpress.errors import FormatError

Coder: TypeAlias = Any  # constriction's AnsCoder, which has no stubs
Tables = NDArray[np.uint8] | NDArray[np.uint16]
CRC_BYTES = 4
SLICE = 1 << 20  # symbols a call
FEW = 48  # up to so many symbols, a list is searched faster than an array
ESCAPED = constriction.stream.model.Uniform(2 * ESCAPE_LIMIT)


@cache
def model(table: int) -> Any:
    """The entropy model of a table: alphabet 0..2r for symbols -r..r, then the escape."""
    return constriction.stream.model.Categorical(
        (counts(table) - 1).astype(np.float64), perfect=False, lazy=False
    )


def push(coder: Coder, symbols: Ints, tables: Tables) -> None:
    """Put symbols, each under its own table (the same shape), on the stack; `pop` with the same
    tables gives them back.

    Symbols lie in (-ESCAPE_LIMIT, ESCAPE_LIMIT); beyond a table's radius they are escaped: 16 raw
    bits.
    """
    order = np.argsort(tables.ravel(), kind="stable")
    symbols = symbols.ravel()[order]
    numbers = tables.ravel()[order]
    push_runs(coder, symbols, numbers, np.flatnonzero(np.diff(numbers)) + 1)


def push_runs(coder: Coder, symbols: Ints, tables: NDArray[Any], edges: NDArray[Any]) -> None:
    """Put symbols (n,) on the stack, run after run of symbols that share a table; `pop_group` gives
    a run back.

    tables: (n,) table numbers. edges: the indices at which a new run begins, without 0.
    """
    r = load()["radius"][tables]
    outside = np.abs(symbols) > r
    escaped = bool(outside.any())
    values = alphabet_index(symbols, r).astype(np.int32)
    bounds = [0, *edges.tolist(), symbols.size] if symbols.size else [0]
    for start, end in reversed(list(pairwise(bounds))):
        if escaped and (beyond := symbols[start:end][outside[start:end]]).size:
            coder.encode_reverse(beyond + np.int32(ESCAPE_LIMIT), ESCAPED)
        coder.encode_reverse(values[start:end], model(int(tables[start])))


def pop(coder: Coder, tables: Tables) -> Ints:
    """Take one symbol per table off the stack -> int32 of the tables' shape. FormatError for a
    symbol of -ESCAPE_LIMIT.
    """
    order = np.argsort(tables.ravel(), kind="stable")
    amounts = np.bincount(tables.ravel(), minlength=1)
    sorted_symbols = np.empty(tables.size, np.int32)
    position = 0
    for table in np.flatnonzero(amounts).tolist():
        amount = int(amounts[table])
        sorted_symbols[position : position + amount] = pop_group(coder, table, amount)
        position += amount
    symbols = np.empty_like(sorted_symbols)
    symbols[order] = sorted_symbols
    return symbols.reshape(tables.shape)


def pop_group(coder: Coder, table: int, amount: int) -> Ints:
    """Take `amount` symbols that share a table off the stack: first all of them, then those that
    were escaped. FormatError as of `pop`.
    """
    r = radius(table)
    group = decode(coder, model(table), amount)
    group -= np.int32(r)
    if r + 1 in (group.tolist() if amount <= FEW else group):
        outside = group > r
        escaped = decode(coder, ESCAPED, int(outside.sum())) - np.int32(ESCAPE_LIMIT)
        if escaped.min() == -ESCAPE_LIMIT:
            raise FormatError("the coded latent holds a symbol that is out of range")
        group[outside] = escaped
    return group


def decode(coder: Coder, entropy_model: Any, amount: int) -> Ints:
    """Take `amount` numbers off the stack, a slice at a time: an allocation that fails inside the
    coder would end the process.
    """
    if amount <= SLICE:
        few: Ints = coder.decode(entropy_model, amount)
        return few
    numbers = np.empty(amount, np.int32)
    for start in range(0, amount, SLICE):
        numbers[start : start + SLICE] = coder.decode(entropy_model, min(SLICE, amount - start))
    return numbers


def new_coder() -> Coder:
    """An empty stack."""
    return constriction.stream.stack.AnsCoder()


def to_bytes(coder: Coder) -> bytes:
    """The stream: words little-endian, without the zero bytes at its end."""
    data: bytes = coder.get_compressed().astype("<u4").tobytes()
    return data.rstrip(b"\0")


def from_bytes(data: bytes) -> Coder:
    """The coder that `to_bytes` saw; FormatError where data ends in a zero byte."""
    if data.endswith(b"\0"):
        raise FormatError("the coded latent ends in a zero byte")
    return constriction.stream.stack.AnsCoder(
        np.frombuffer(data + bytes(-len(data) % 4), "<u4").astype(np.uint32)
    )


def check_empty(coder: Coder) -> None:
    """FormatError unless everything has been decoded."""
    if not coder.is_empty():
        raise FormatError("the coded latent holds more than its symbols")


def symbols_crc(*arrays: Ints) -> bytes:
    """CRC-32C of the symbols as int16 little-endian, in order, each array in raster order (channel,
    row, column).
    """
    value = 0
    for a in arrays:
        value = google_crc32c.extend(value, a.astype("<i2").tobytes())
    return int(value).to_bytes(CRC_BYTES, "little")
