"""Rate-distortion optimized quantization: a symbol goes one step towards zero where the bits it
saves outweigh the error it adds.

With v = y - mu, its nearest integer q and the bits b of the symbol's own integer CDF table, q gives
way to q' = q - sign(q) where w (v - q')^2 + b(q') < w (v - q)^2 + b(q). So every table and
magnitude has a dead zone of its own. The decoder notices nothing.
"""

from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from latentpress._typing import Floats, Ints
from latentpress.entropy import cdf_tables
from latentpress.entropy.quantizer import quantize

REACH = 64  # a larger symbol is taken to save as many bits as this one


def quantize_rdoq(v: NDArray[np.floating[Any]], table: NDArray[Any], weight: float | None) -> Ints:
    """Symbols of the least weight * error^2 + bits, each the nearest integer or one step nearer to
    zero.

    v: values in steps, about their means, of any shape. table: each symbol's table number, of a
    shape that broadcasts to v's. weight: bits that a squared error of one step^2 is worth; None
    rounds to the nearest.
    """
    if weight is None:
        return quantize(v, np.float32(0))
    v = v.astype(np.float32, copy=False)
    symbols = quantize(v, np.float32(0))
    saved = bits_saved()[table, np.clip(symbols, -REACH, REACH) + REACH]
    grown = 1 + 2 * (np.abs(v) - np.abs(symbols))  # by how much the squared error grows
    symbols -= np.where(saved > weight * grown, np.sign(symbols), 0).astype(np.int32)
    return symbols


@cache
def bits_saved() -> Floats:
    """Bits that a symbol saves by going one step towards zero: (tables of whole steps, 2 REACH +
    1), for the symbols -REACH..REACH; 0 for the symbol 0 and for those beyond the table's radius.
    """
    saved = np.zeros((cdf_tables.ODD, 2 * REACH + 1), np.float32)
    for table, row in enumerate(saved):
        r = cdf_tables.radius(table)
        bits = cdf_tables.bit_costs(table)
        m = np.arange(1, min(r, REACH) + 1)
        row[REACH + m] = bits[r + m] - bits[r + m - 1]
        row[REACH - m] = bits[r - m] - bits[r - m + 1]
    return saved
