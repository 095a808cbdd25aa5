"""The shipped integer CDF tables: zero-mean distributions at SCALES scales, in counts of 2^24.

A table's number is family * SCALES + scale index. Its alphabet is -radius..radius and an escape;
counts are at least 1 and sum to 2^24. `tables.npz` (of training/lp1/cdf_tables.py) holds integers
only: nothing is recomputed here. The odd families are those of the odd quantizer of `trellis.py`,
one for each of the first four: table t + ODD stands beside table t.
"""

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from latentpress._typing import Floats, Ints

FILE = Path(__file__).parent / "tables.npz"
PRECISION_BITS = 24
SCALE_UNIT_BITS = 3  # the priors give scale indices in eighths
SCALES = 64  # standard deviations, SIGMA_MIN * exp(i * LOG_STEP)
SCALE_RATIO = np.float32(1.118571)  # exp(LOG_STEP), of neighboring scales
# position = id; never reordered
FAMILIES = (
    "gaussian",
    "student",
    "laplace",
    "flat",
    "skewed",
    "very_skewed",
    "odd_gaussian",
    "odd_student",
    "odd_laplace",
    "odd_flat",
)
ODD_FAMILIES = 4
ODD = SCALES * 6  # tables below it are of whole steps
WHITENER_BITS = 12  # whitened symbol = symbol * whitener >> WHITENER_BITS, in 1/16 of sigma
SKEWED = FAMILIES[4:6]
ESCAPE_LIMIT = 1 << 15  # symbols lie in (-ESCAPE_LIMIT, ESCAPE_LIMIT)


@cache
def load() -> dict[str, NDArray[Any]]:
    """counts: of all tables, one after the other; radius: of each table; sigma, whitener, activity:
    of each scale.
    """
    with np.load(FILE) as f:
        return dict(f)


@cache
def radius(table: int) -> int:
    """Largest symbol of the table that needs no escape."""
    return int(load()["radius"][table])


@cache
def counts(table: int) -> Ints:
    """(2 * radius + 2,) counts of -radius..radius and the escape; they sum to 2^24."""
    start = int(first_entries()[table])
    return load()["counts"][start : start + 2 * radius(table) + 2]


@cache
def first_entries() -> NDArray[np.int64]:
    """Where the counts of each table begin among those of all."""
    sizes = 2 * load()["radius"].astype(np.int64) + 2
    return np.cumsum(sizes) - sizes


def sigmas() -> Floats:
    """(SCALES,) standard deviations in steps; used for mu and estimates, never for a
    probability.
    """
    return load()["sigma"]


def activities() -> Ints:
    """(SCALES,) integers: log2(1 + sigma^2) / 2, about the bits of a symbol, in 1/64
    (`masking.py`).
    """
    return load()["activity"]


def whiteners() -> NDArray[np.int64]:
    """(SCALES,) integers: 16 / sigma in units of 2^-WHITENER_BITS."""
    return load()["whitener"]


@cache
def bit_costs(table: int) -> NDArray[np.float64]:
    """(2 * radius + 2,) bits of each symbol; the escape's include its 16 raw bits."""
    bits = PRECISION_BITS - np.log2(counts(table).astype(np.float64))
    bits[-1] += 16
    return bits


def magnitude_bits(tables: NDArray[Any], most: int) -> NDArray[np.float64]:
    """(n, most + 1) bits of the symbols 0..most under each of n tables, as of `bit_costs`."""
    radii = load()["radius"].astype(np.int64)[tables, None]
    magnitudes = np.arange(most + 1)
    index = first_entries()[tables, None] + alphabet_index(magnitudes, radii)
    bits: NDArray[np.float64] = PRECISION_BITS - np.log2(load()["counts"][index].astype(np.float64))
    bits[magnitudes > radii] += 16
    return bits


def check_range(symbols: Ints) -> None:
    """ValueError where a symbol is beyond what an escape holds."""
    if symbols.size and not -ESCAPE_LIMIT < symbols.min() <= symbols.max() < ESCAPE_LIMIT:
        raise ValueError("a symbol is out of range")


def alphabet_index(symbols: NDArray[Any], radius: int | NDArray[Any]) -> NDArray[Any]:
    """Where symbols stand in the alphabet of a table: 0..2r for -r..r, 2r + 1 for the escape.

    symbols: any shape. radius: r, one or one a symbol.
    """
    index: NDArray[Any] = np.where(np.abs(symbols) > radius, 2 * radius + 1, symbols + radius)
    return index
