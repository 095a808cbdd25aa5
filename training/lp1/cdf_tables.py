"""Make the integer CDF tables:  python -m training.lp1.cdf_tables

Writes src/latentpress/entropy/tables.npz, which is shipped and never recomputed. Needs scipy.

Families, of mean 0, scaled to standard deviation sigma and integrated over unit bins: gaussian;
student (t with 5 degrees of freedom); laplace; flat (generalized Gaussian of exponent 4); skewed
and very skewed (gamma of shape 8 and 2, skewness .7 and 1.4). scipy gives the CDFs. The odd
families hold how often the odd quantizer of dependent quantization (`latentpress.entropy.trellis`)
takes each of its points, for the same distributions: counted on paths that were found under the
tables so far, a few times over; where the scale is large, the distribution integrated over the
points' own bins.
"""

import argparse
import math
from typing import Any, NamedTuple

import numpy as np
from scipy import stats

from latentpress.entropy.cdf_tables import (
    FAMILIES,
    FILE,
    ODD,
    ODD_FAMILIES,
    PRECISION_BITS,
    SCALES,
    WHITENER_BITS,
)
from latentpress.entropy.trellis import REACH, candidates, cheapest
from training.grids import LOG_STEP, SIGMA_MIN, WHITE


class Distribution(NamedTuple):
    """A distribution of scipy, its mean and deviation, and a table's radius in deviations."""

    unit: Any
    mean: float
    deviation: float
    radius: float


DISTRIBUTIONS = {
    "gaussian": Distribution(stats.norm(), 0.0, 1.0, 8.5),
    "student": Distribution(stats.t(5), 0.0, math.sqrt(5 / 3), 16.0),
    "laplace": Distribution(stats.laplace(), 0.0, math.sqrt(2), 14.0),
    "flat": Distribution(stats.gennorm(4), 0.0, stats.gennorm(4).std(), 6.0),
    "skewed": Distribution(stats.gamma(8), 8.0, math.sqrt(8), 9.0),
    "very_skewed": Distribution(stats.gamma(2), 2.0, math.sqrt(2), 12.0),
}

# Of the odd tables.
SAMPLES = 128_000
CHAIN = 128  # symbols of a path
ROUNDS = 5
# Bits that a squared error of one step^2 is worth: the slope of a fine quantizer is 6 / ln 2.
WEIGHT = 12.0
# Draws that the table to begin with counts for: the tails, and scales where the odd quantizer is
# hardly used.
PRETENDED = 30
COUNTED_BELOW = 5.0  # standard deviation, in steps


def integer_counts(p: np.ndarray, mode: int | None = None) -> np.ndarray:
    """Probabilities -> integer counts >= 1 that sum to 2^PRECISION_BITS.

    What rounding leaves is shared by probability, its rest one by one about the mode.

    Args:
        p: (n,), not necessarily of sum 1.
        mode: Index of the middle; None takes the most probable.

    Returns:
        (n,) int32.
    """
    mode = int(p.argmax()) if mode is None else mode
    total = 1 << PRECISION_BITS
    p = p / p.sum()
    n = np.floor(p * (total - len(p))).astype(np.int64) + 1
    for _ in range(4):
        n += np.floor(p * (total - n.sum())).astype(np.int64)
    reach = min(int(total - n.sum() - 1) // 2, mode, len(p) - 2 - mode)
    if reach >= 0:
        n[mode - reach : mode + reach + 1] += 1
    n[mode] += total - n.sum()
    return n.astype(np.int32)


def odd_bins(r: int) -> np.ndarray:
    """Edges between the points -r..r of the odd quantizer, in steps, (2 r + 2,).

    Its points are 0 at 0 and k at k - 1/2; edges lie halfway between neighbors.
    """
    inner = np.concatenate([[0.25], np.arange(1.0, r + 1)])
    return np.concatenate([-inner[::-1], inner])


def integrated(family: str, s: float, edges: np.ndarray) -> np.ndarray:
    """Probabilities of the bins between edges, then of what is beyond them: (edges,).

    Args:
        family: A name of DISTRIBUTIONS.
        s: Standard deviation, in steps.
        edges: Ascending, in steps.
    """
    unit, mean, deviation, _ = DISTRIBUTIONS[family]
    edges = edges / s * deviation + mean
    below = np.diff(unit.cdf(edges))
    above = -np.diff(unit.sf(edges))
    p = np.where(edges[:-1] < mean, below, above)  # accurate in both tails
    return np.append(p, unit.cdf(edges[0]) + unit.sf(edges[-1]))


def costs_of_magnitudes(p: np.ndarray) -> np.ndarray:
    """Bits of the magnitudes 0 to REACH under a table, (REACH + 1,) float32.

    p: (2 r + 2,) the counts or probabilities of -r..r and of the escape, which stands for all
    that is beyond r.
    """
    r = len(p) // 2 - 1
    magnitude = np.arange(REACH + 1)
    index = np.where(magnitude > r, 2 * r + 1, magnitude + r)
    return -np.log2(np.maximum(p / p.sum(), 1e-12))[index].astype(np.float32)


def counted(family: str, s: float, even: np.ndarray, odd: np.ndarray) -> np.ndarray:
    """How often the odd quantizer takes each of its points, of SAMPLES draws.

    Args:
        family: A name of DISTRIBUTIONS.
        s: Standard deviation, in steps.
        even: (2 r + 2,) counts of the table of whole steps, -r..r and the escape.
        odd: (2 r + 2,) probabilities of the odd quantizer to begin with, likewise.

    Returns:
        (2 r + 2,) probabilities, symmetric.
    """
    unit, mean, deviation, _ = DISTRIBUTIONS[family]
    v = ((unit.rvs(SAMPLES, random_state=0) - mean) / deviation * s).astype(np.float32)
    r = len(odd) // 2 - 1
    start = odd
    for _ in range(ROUNDS):
        tables = (costs_of_magnitudes(even), costs_of_magnitudes(odd))
        costs, symbols = candidates(v, np.zeros(SAMPLES, np.intp), WEIGHT, tables)
        taken = cheapest(costs, SAMPLES // CHAIN)
        found = np.abs(symbols[taken, np.arange(SAMPLES)][taken >= 2])
        amounts = np.bincount(found[found <= r], minlength=r + 1)
        amounts = np.concatenate([amounts[:0:-1] / 2, amounts[:1], amounts[1:] / 2, [0]])
        odd = (amounts + PRETENDED * start) / (amounts.sum() + PRETENDED)
    return odd


def main() -> None:
    """Make all tables, those of whole steps first, and write them."""
    argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    ).parse_args()
    sigma = SIGMA_MIN * np.exp(np.arange(SCALES) * LOG_STEP)
    counts = []
    radii = []
    for family in FAMILIES[: ODD // SCALES]:
        for s in sigma:
            r = max(2, math.ceil(DISTRIBUTIONS[family].radius * s))
            counts.append(integer_counts(integrated(family, s, np.arange(-r, r + 2) - 0.5)))
            radii.append(r)
    for table in range(ODD_FAMILIES * SCALES):
        family = FAMILIES[table // SCALES]
        s = sigma[table % SCALES]
        r = radii[table]
        p = integrated(family, s, odd_bins(r))
        if s < COUNTED_BELOW:
            p = counted(family, s, counts[table], p)
        counts.append(integer_counts(p, mode=r))
        radii.append(r)
    whitener = np.round(WHITE * (1 << WHITENER_BITS) / sigma).astype(np.int64)
    activity = np.round(64 * 0.5 * np.log2(1 + sigma**2)).astype(np.int32)
    arrays = {
        "radius": np.array(radii, np.int32),
        "sigma": sigma.astype(np.float32),
        "whitener": whitener,
        "activity": activity,
    }
    np.savez_compressed(FILE, counts=np.concatenate(counts), **arrays)
    print(FILE, FILE.stat().st_size, "bytes")


if __name__ == "__main__":
    main()
