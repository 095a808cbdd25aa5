"""The shipped CDF tables are distributions, and those of the first family normal ones."""

import numpy as np
import pytest

from latentpress.entropy import cdf_tables


@pytest.mark.parametrize("table", range(cdf_tables.SCALES * len(cdf_tables.FAMILIES)))
def test_tables_are_distributions(table: int) -> None:
    counts = cdf_tables.counts(table)
    assert counts.sum() == 1 << cdf_tables.PRECISION_BITS
    assert counts.min() >= 1
    assert len(counts) == 2 * cdf_tables.radius(table) + 2
    if cdf_tables.FAMILIES[table // cdf_tables.SCALES] not in cdf_tables.SKEWED:
        assert np.array_equal(counts[:-1], counts[:-1][::-1])


def test_gaussian_tables_are_gaussian() -> None:
    from math import erf, sqrt

    for scale in (0, 10, 30, 50, 63):
        sigma, r = float(cdf_tables.sigmas()[scale]), cdf_tables.radius(scale)
        phi = lambda t: 0.5 * (1 + erf(t / sqrt(2)))
        expected = np.array(
            [phi((k + 0.5) / sigma) - phi((k - 0.5) / sigma) for k in range(-r, r + 1)]
        )
        assert np.abs(cdf_tables.counts(scale)[:-1] / 2**24 - expected).max() < 5e-7
