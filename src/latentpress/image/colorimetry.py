"""Matrices between the RGB of a set of primaries and CIE XYZ (float64, columns R, G, B)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float64]

D50 = np.array([0.9642, 1.0, 0.8249])  # XYZ of the white that ICC profiles refer to (ICC.1, 7.2.16)
# Bradford's cone responses (ICC.1:2022, annex E.2)
BRADFORD = np.array(
    [[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]]
)


def white_of(primaries: Sequence[float]) -> Matrix:
    """XYZ (3,) of the white, Y = 1; primaries: (x, y) of red, green, blue and white, 8 numbers."""
    x, y = primaries[6:8]
    return np.array([x / y, 1.0, (1 - x - y) / y])


def to_xyz(primaries: Sequence[float]) -> Matrix:
    """(3, 3): linear RGB -> XYZ, not adapted; SMPTE RP 177. ValueError for primaries of no
    triangle, or a white outside it.
    """
    x, y = np.array(primaries[0:6:2]), np.array(primaries[1:6:2])
    if not np.isfinite(primaries).all() or min(primaries[1::2]) <= 0:
        raise ValueError("chromaticities must be positive")
    columns = np.stack([x / y, np.ones(3), (1 - x - y) / y])
    if abs(np.linalg.det(columns)) < 1e-3:
        raise ValueError("the primaries span no triangle")
    scale = np.linalg.solve(columns, white_of(primaries))
    if scale.min() <= 0:
        raise ValueError("the white lies outside the primaries")
    matrix = columns * scale
    if not np.abs(matrix).max() < 100:
        raise ValueError("the chromaticities lie too far apart")
    return matrix


def adaptation(white: Matrix, to: Matrix = D50) -> Matrix:
    """(3, 3): XYZ under one white -> XYZ under another, by Bradford."""
    scale = np.diag((BRADFORD @ to) / (BRADFORD @ white))
    return np.linalg.inv(BRADFORD) @ scale @ BRADFORD
