"""Make src/latentpress/entropy/tables.npz: python training/tables.py (needs scipy). Run once; the result is shipped and never recomputed.

Families, of mean 0, scaled to standard deviation sigma and integrated over unit bins: gaussian; student (t with 5
degrees of freedom); laplace; flat (generalised Gaussian of exponent 4); skewed and very skewed (gamma of shape 8 and 2,
skewness .7 and 1.4). scipy gives the CDFs.
"""
import math

import numpy as np
from scipy import stats

from latentpress.entropy.tables import FAMILIES, FILE, PRECISION_BITS, SCALES, WHITENER_BITS
from networks import LOG_STEP, SIGMA_MIN, WHITE

# unit distribution, its mean and deviation, radius in sigmas
DISTRIBUTIONS = {"gaussian": (stats.norm(), 0.0, 1.0, 8.5), "student": (stats.t(5), 0.0, math.sqrt(5 / 3), 16.0),
                 "laplace": (stats.laplace(), 0.0, math.sqrt(2), 14.0), "flat": (stats.gennorm(4), 0.0, stats.gennorm(4).std(), 6.0),
                 "skewed": (stats.gamma(8), 8.0, math.sqrt(8), 9.0), "very_skewed": (stats.gamma(2), 2.0, math.sqrt(2), 12.0)}


def integer_counts(p: np.ndarray) -> np.ndarray:
    """Probabilities -> counts >= 1 that sum to 2^24; what rounding leaves is shared by probability, its rest one by one about the mode."""
    total, p = 1 << PRECISION_BITS, p / p.sum()
    n = np.floor(p * (total - len(p))).astype(np.int64) + 1
    for _ in range(4):
        n += np.floor(p * (total - n.sum())).astype(np.int64)
    mode = int(p.argmax())
    reach = min(int(total - n.sum() - 1) // 2, mode, len(p) - 2 - mode)
    if reach >= 0:
        n[mode - reach : mode + reach + 1] += 1
    n[mode] += total - n.sum()
    return n.astype(np.int32)


def main() -> None:
    sigma = SIGMA_MIN * np.exp(np.arange(SCALES) * LOG_STEP)
    counts, radii = [], []
    for family in FAMILIES:
        unit, mean, deviation, reach = DISTRIBUTIONS[family]
        for s in sigma:
            r = max(2, math.ceil(reach * s))
            edges = (np.arange(-r, r + 2) - 0.5) / s * deviation + mean
            p = np.where(edges[:-1] < mean, np.diff(unit.cdf(edges)), -np.diff(unit.sf(edges)))  # accurate in both tails
            counts.append(integer_counts(np.append(p, unit.cdf(edges[0]) + unit.sf(edges[-1]))))
            radii.append(r)
    whitener = np.round(WHITE * (1 << WHITENER_BITS) / sigma).astype(np.int64)
    radius = np.array(radii, np.int32)
    np.savez_compressed(FILE, counts=np.concatenate(counts), radius=radius, sigma=sigma.astype(np.float32), whitener=whitener)
    print(FILE, FILE.stat().st_size, "bytes")


if __name__ == "__main__":
    main()
