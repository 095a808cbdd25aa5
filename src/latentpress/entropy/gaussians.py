"""The distributions that lp1's prior gives to the symbols of a pass."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from latentpress.entropy import tables

SCALE_UNIT_BITS = 3  # scale indices come in eighths
ONE = np.float32(1)


@dataclass(frozen=True, eq=False)
class Gaussians:
    """mu: float32, in steps. eighths: int64, scale index times 8, unclipped. Both (C, h, w). finer: (h, w) float32, or 1, how many
    of those steps make one of the quality's (`masking.py`).
    """

    mu: NDArray[np.float32]
    eighths: NDArray[np.int64]
    finer: NDArray[np.float32] | np.float32 = ONE

    def scale(self) -> NDArray[np.uint8]:
        """Scale index of each symbol: the number of its CDF table (family 0, gaussian)."""
        return self._scale

    @cached_property
    def _scale(self) -> NDArray[np.uint8]:
        half = 1 << SCALE_UNIT_BITS - 1
        index: NDArray[np.uint8] = np.clip(self.eighths + half >> SCALE_UNIT_BITS, 0, tables.SCALES - 1).astype(np.uint8)
        return index

    def coded(self) -> NDArray[np.bool_]:
        """Where a symbol is coded: at the least scale it is 0 and costs nothing, neither bits nor time."""
        return self.scale() > 0
