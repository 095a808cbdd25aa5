"""One pass of lp1's symbols: each rounded alone, or those of large scales under trellis-coded
quantisation (`trellis.py`).

A trellis saves bits where symbols carry about one bit or more each; the many of small scales,
mostly zeros, are rounded alone. In a trellis the step is STEP times the step outside, which is the
ratio of neighbouring scales, since both quantisers together are twice as fine; so a symbol's table
is one scale lower there.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from latentpress._typing import Floats, Ints
from latentpress.entropy import cdf_tables, rans
from latentpress.entropy.cdf_tables import SCALE_UNIT_BITS
from latentpress.entropy.integers import round_shift
from latentpress.entropy.rdoq import quantize_rdoq
from latentpress.entropy.trellis import Path, TrellisLanes

ONE = np.float32(1)
FIRST_TRELLIS_SCALE = 14  # scale index, .53 steps: from here on symbols are trellis-coded
LENGTH = 128  # symbols a lane, at most
STEP = cdf_tables.SCALE_RATIO
# Reconstruction offset away from mu, in steps of a symbol in a lane.
OUTWARD = np.float32(1 / 16)
ERROR_WEIGHT = 20.0  # of a path, bits a squared error of one step^2


@dataclass(frozen=True, eq=False)
class Gaussians:
    """mu: float32, in steps. scale_eighths: int64, scale index times 8, unclipped. Both (C, h, w).
    step_factor: the quality's step / the local step, (h, w) float32, or 1 (`masking.py`).
    """

    mu: Floats
    scale_eighths: NDArray[np.int64]
    step_factor: Floats | np.float32 = ONE

    def scale(self) -> NDArray[np.uint8]:
        """Scale index of each symbol: the number of its CDF table (family 0, gaussian)."""
        return self._scale

    @cached_property
    def _scale(self) -> NDArray[np.uint8]:
        scale = round_shift(self.scale_eighths, SCALE_UNIT_BITS)
        index: NDArray[np.uint8] = np.clip(scale, 0, cdf_tables.SCALES - 1).astype(np.uint8)
        return index

    def coded(self) -> NDArray[np.bool_]:
        """Where a symbol is coded: at the least scale it is 0 and costs nothing, neither bits nor
        time.
        """
        return self.scale() > 0


class ConditionalSymbols(NamedTuple):
    """Of one pass, in the order of its positions. alone: (n,) int32. path: those in a trellis."""

    alone: Ints
    path: Path


class GaussianConditional:
    """The positions of one pass, and the tables that code their symbols.

    gaussians: the distribution of every position. where: (h, w) or (C, h, w), true at the positions
    of this pass. dependent: whether symbols of large scales are trellis-coded.
    """

    def __init__(self, gaussians: Gaussians, where: NDArray[np.bool_], dependent: bool) -> None:
        self.mu = gaussians.mu
        self.scale = gaussians.scale()
        self.step_factor = gaussians.step_factor
        coded = gaussians.coded() & where
        self.trellis_coded = (
            coded & (self.scale >= FIRST_TRELLIS_SCALE) if dependent else np.zeros_like(coded)
        )
        self.alone = coded & ~self.trellis_coded
        self.tables = self.scale[self.alone]
        self.trellis_tables = self.scale[self.trellis_coded] - 1
        self.lanes = TrellisLanes(gaussians.scale_eighths[self.trellis_coded], LENGTH)

    def quantize(self, y: Floats, lagrangian_weight: float | None) -> ConditionalSymbols:
        """y (C, h, w) in steps of the quality -> the symbols of the pass.

        lagrangian_weight: as `rdoq.quantize_rdoq`'s weight, for the symbols outside a trellis.
        """
        v = y * self.step_factor - self.mu
        single = v[self.alone]
        alone = quantize_rdoq(single, self.tables, lagrangian_weight)
        return ConditionalSymbols(
            alone,
            self.lanes.quantize(v[self.trellis_coded] / STEP, self.trellis_tables, ERROR_WEIGHT),
        )

    def push(self, coder: rans.Coder, symbols: ConditionalSymbols) -> None:
        """Put the symbols on the stack so that `pop` takes those outside a trellis first."""
        self.lanes.push(coder, symbols.path, self.trellis_tables)
        rans.push(coder, symbols.alone, self.tables)

    def pop(self, coder: rans.Coder) -> ConditionalSymbols:
        """Take the symbols off the stack. FormatError as of `rans.pop`."""
        return ConditionalSymbols(
            rans.pop(coder, self.tables), self.lanes.pop(coder, self.trellis_tables)
        )

    def symbols(self, symbols: ConditionalSymbols) -> Ints:
        """The symbols at their places: (C, h, w), 0 elsewhere."""
        return self._spread(symbols.alone, symbols.path.symbols)

    def half_steps(self, symbols: ConditionalSymbols) -> Ints:
        """The quantized values at their places, in half steps (a trellis has steps of its own, STEP
        times as large): (C, h, w), 0 elsewhere.
        """
        return self._spread(2 * symbols.alone, symbols.path.half_steps())

    def whitened(self, half_steps: Ints) -> NDArray[np.int64]:
        """16 value / sigma in integers, rounded: (C, h, w)."""
        sixteenths = half_steps * cdf_tables.whiteners()[self.scale - self.trellis_coded]
        return round_shift(sixteenths, cdf_tables.WHITENER_BITS + 1)

    def values(self, half_steps: Ints) -> Floats:
        """The decoded values less mu, in local steps: (C, h, w) float32.

        Values of a trellis are moved OUTWARD, away from mu. That makes them a little worse as
        numbers and the picture better, for synthesis was trained on rounded latents.
        """
        values = half_steps.astype(np.float32) / 2
        return np.where(self.trellis_coded, STEP * (values + OUTWARD * np.sign(values)), values)

    def _spread(self, alone: Ints, trellis_coded: Ints) -> Ints:
        out = np.zeros(self.mu.shape, np.int32)
        out[self.alone], out[self.trellis_coded] = alone, trellis_coded
        return out
