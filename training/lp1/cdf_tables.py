"""Make src/latentpress/entropy/tables.npz: python -m training.lp1.cdf_tables (needs scipy). The result is shipped and never recomputed.

Families, of mean 0, scaled to standard deviation sigma and integrated over unit bins: gaussian; student (t with 5
degrees of freedom); laplace; flat (generalised Gaussian of exponent 4); skewed and very skewed (gamma of shape 8 and 2,
skewness .7 and 1.4). scipy gives the CDFs. The odd families hold how often the odd quantiser of dependent quantisation
(`latentpress.entropy.trellis`) takes each of its points, for the same distributions: counted on paths that were found under
the tables so far, a few times over; where the scale is large, the distribution integrated over the points' own bins.
"""

import math

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

# unit distribution, its mean and deviation, radius in sigmas
DISTRIBUTIONS = {
    "gaussian": (stats.norm(), 0.0, 1.0, 8.5),
    "student": (stats.t(5), 0.0, math.sqrt(5 / 3), 16.0),
    "laplace": (stats.laplace(), 0.0, math.sqrt(2), 14.0),
    "flat": (stats.gennorm(4), 0.0, stats.gennorm(4).std(), 6.0),
    "skewed": (stats.gamma(8), 8.0, math.sqrt(8), 9.0),
    "very_skewed": (stats.gamma(2), 2.0, math.sqrt(2), 12.0),
}

SAMPLES, CHAIN, ROUNDS = 128_000, 128, 5  # of the odd tables
WEIGHT = 12.0  # bits that a squared error of one step^2 is worth: the slope of a fine quantiser is 6 / ln 2
PRETENDED = 30  # draws that the table to begin with counts for: the tails, and scales where the odd quantiser is hardly used
COUNTED_BELOW = 5.0  # standard deviation, in steps


def integer_counts(p: np.ndarray, mode: int | None = None) -> np.ndarray:
    """Probabilities -> counts >= 1 that sum to 2^24; what rounding leaves is shared by probability, its rest one by one about the mode."""
    mode = int(p.argmax()) if mode is None else mode
    total, p = 1 << PRECISION_BITS, p / p.sum()
    n = np.floor(p * (total - len(p))).astype(np.int64) + 1
    for _ in range(4):
        n += np.floor(p * (total - n.sum())).astype(np.int64)
    reach = min(int(total - n.sum() - 1) // 2, mode, len(p) - 2 - mode)
    if reach >= 0:
        n[mode - reach : mode + reach + 1] += 1
    n[mode] += total - n.sum()
    return n.astype(np.int32)


def odd_bins(r: int) -> np.ndarray:
    """Edges between the points -r..r of the odd quantiser, in steps: 0 at 0, k at k - 1/2, halfway between neighbours."""
    inner = np.concatenate([[0.25], np.arange(1.0, r + 1)])
    return np.concatenate([-inner[::-1], inner])


def integrated(family: str, s: float, edges: np.ndarray) -> np.ndarray:
    """Probabilities of the bins between the edges, then of what is beyond them. s: standard deviation."""
    unit, mean, deviation, _ = DISTRIBUTIONS[family]
    edges = edges / s * deviation + mean
    p = np.where(
        edges[:-1] < mean, np.diff(unit.cdf(edges)), -np.diff(unit.sf(edges))
    )  # accurate in both tails
    return np.append(p, unit.cdf(edges[0]) + unit.sf(edges[-1]))


def counted(family: str, s: float, even: np.ndarray, odd: np.ndarray) -> np.ndarray:
    """What the odd quantiser takes of SAMPLES draws. even: counts of the table of whole steps. odd: probabilities to begin with."""
    unit, mean, deviation, _ = DISTRIBUTIONS[family]
    v = ((unit.rvs(SAMPLES, random_state=0) - mean) / deviation * s).astype(np.float32)
    r, k = len(odd) // 2 - 1, np.arange(REACH + 1)
    magnitudes = lambda p: (
        -np.log2(np.maximum(p / p.sum(), 1e-12))[np.where(k > r, 2 * r + 1, k + r)].astype(
            np.float32
        )
    )
    start = odd
    for _ in range(ROUNDS):
        costs, symbols = candidates(
            v, np.zeros(SAMPLES, np.intp), WEIGHT, (magnitudes(even), magnitudes(odd))
        )
        taken = cheapest(costs, SAMPLES // CHAIN)
        found = np.abs(symbols[taken, np.arange(SAMPLES)][taken >= 2])
        amounts = np.bincount(found[found <= r], minlength=r + 1)
        amounts = np.concatenate([amounts[:0:-1] / 2, amounts[:1], amounts[1:] / 2, [0]])
        odd = (amounts + PRETENDED * start) / (amounts.sum() + PRETENDED)
    return odd


def main() -> None:
    sigma = SIGMA_MIN * np.exp(np.arange(SCALES) * LOG_STEP)
    counts, radii = [], []
    for family in FAMILIES[: ODD // SCALES]:
        for s in sigma:
            r = max(2, math.ceil(DISTRIBUTIONS[family][3] * s))
            counts.append(integer_counts(integrated(family, s, np.arange(-r, r + 2) - 0.5)))
            radii.append(r)
    for table in range(ODD_FAMILIES * SCALES):
        family, s, r = FAMILIES[table // SCALES], sigma[table % SCALES], radii[table]
        p = integrated(family, s, odd_bins(r))
        counts.append(
            integer_counts(counted(family, s, counts[table], p) if s < COUNTED_BELOW else p, mode=r)
        )
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
