"""Symbols <-> words of one rANS stream under shipped integer CDF tables.

Normative model of the coder: 64-bit state, 32-bit words, 24-bit precision (docs/formats/ltp.md).
Three stacks do it, with the same words: that of the C library (`rans_native.py`) where there is
one, else constriction's (`rans_constriction.py`) where that is installed, else one in Python
(`rans_python.py`), which needs nothing and takes longest. tests/entropy/test_rans.py holds all to a
coder that follows the page to the letter.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, TypeAlias

import google_crc32c
import numpy as np
from numpy.typing import NDArray

from latentpress._typing import Ints
from latentpress.entropy import native
from latentpress.entropy.rans_native import NativeStack
from latentpress.errors import FormatError

if TYPE_CHECKING:
    from latentpress.entropy.rans_runs import RunStack

Coder: TypeAlias = "NativeStack | RunStack"
Tables = NDArray[np.uint8] | NDArray[np.uint16]
CRC_BYTES = 4


def push(coder: Coder, symbols: Ints, tables: Tables) -> None:
    """Put symbols, each under its own table (the same shape), on the stack; `pop` with the same
    tables gives them back.

    Symbols lie in (-ESCAPE_LIMIT, ESCAPE_LIMIT); beyond a table's radius they are escaped.
    """
    order = np.argsort(tables.ravel(), kind="stable")
    coder.push_runs(symbols.ravel()[order], *runs(tables))


def pop(coder: Coder, tables: Tables) -> Ints:
    """Take one symbol per table off the stack -> int32 of the tables' shape. FormatError as of
    `pop_runs`.
    """
    symbols = np.empty(tables.size, np.int32)
    symbols[np.argsort(tables.ravel(), kind="stable")] = coder.pop_runs(*runs(tables))
    return symbols.reshape(tables.shape)


def runs(tables: Tables) -> tuple[NDArray[np.uint16], NDArray[np.int64]]:
    """The runs of symbols that are coded table after table: (tables, ends), as of `push_runs`."""
    amounts = np.bincount(tables.ravel(), minlength=1)
    used = np.flatnonzero(amounts)
    return used.astype(np.uint16), np.cumsum(amounts[used], dtype=np.int64)


def new_coder() -> Coder:
    """An empty stack."""
    return of_words(np.empty(0, np.uint32))


def of_words(words: NDArray[np.uint32]) -> Coder:
    """The stack that holds words."""
    if library := native.library():
        return NativeStack(library, words)
    return without_library()(words)


@cache
def without_library() -> Callable[[NDArray[np.uint32]], RunStack]:
    """Makes the stack of some words where the C library is not there."""
    try:
        from latentpress.entropy.rans_constriction import ConstrictionStack
    except ImportError:  # no wheel of constriction for this platform
        from latentpress.entropy.rans_python import PythonStack

        return PythonStack
    return ConstrictionStack


def to_bytes(coder: Coder) -> bytes:
    """The stream: words little-endian, without the zero bytes at its end."""
    data: bytes = coder.words().astype("<u4").tobytes()
    return data.rstrip(b"\0")


def from_bytes(data: bytes) -> Coder:
    """The coder that `to_bytes` saw; FormatError where data ends in a zero byte."""
    if data.endswith(b"\0"):
        raise FormatError("the coded latent ends in a zero byte")
    return of_words(np.frombuffer(data + bytes(-len(data) % 4), "<u4").astype(np.uint32))


def check_empty(coder: Coder) -> None:
    """FormatError unless everything has been decoded."""
    if not coder.is_empty():
        raise FormatError("the coded latent holds more than its symbols")


def symbols_crc(*arrays: NDArray[np.integer]) -> bytes:
    """CRC-32C of the symbols as int16 little-endian, in order, each array in raster order (channel,
    row, column).
    """
    value = 0
    for a in arrays:
        value = google_crc32c.extend(value, np.ascontiguousarray(a, "<i2").tobytes())
    return int(value).to_bytes(CRC_BYTES, "little")
