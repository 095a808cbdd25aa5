"""One pass of lp1's symbols: each rounded alone, or those of large scales in chains of dependent quantisation (`trellis.py`).

Chains save bits where symbols carry one or more each; the many of small scales, mostly zeros, are left alone. A symbol in a chain has a
step STEP times that of the others, one scale's ratio, since both quantisers together are twice as fine; so its table is one scale lower.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from latentpress.entropy import rans, tables
from latentpress.entropy.dead_zones import shrink
from latentpress.entropy.gaussians import Gaussians
from latentpress.entropy.trellis import Chains, Path
from latentpress.quantizer import quantize

Floats = NDArray[np.float32]
Ints = NDArray[np.int32]
FIRST_CHAINED = 14  # scale index, .53 steps: from here on symbols stand in chains
LENGTH = 128        # symbols a chain, at most
STEP = tables.SCALE_RATIO
OUTWARD = np.float32(1 / 16)  # of a step in a chain: so much further from mu a value is put than the path has it
ERROR_WEIGHT = 20.0  # of a path, bits a squared error of one step^2


class Symbols(NamedTuple):
    """Of one pass, in the order of its positions. alone: (n,) int32. path: those in chains."""

    alone: Ints
    path: Path


class Pass:
    """The positions of one pass and what codes them. where: (h, w) or (C, h, w), the positions that are not of another pass.
    dependent: whether there are chains.
    """

    def __init__(self, modelled: Gaussians, where: NDArray[np.bool_], dependent: bool) -> None:
        self.mu, self.scale, self.finer = modelled.mu, modelled.scale(), modelled.finer
        coded = modelled.coded() & where
        self.chained = coded & (self.scale >= FIRST_CHAINED) if dependent else np.zeros_like(coded)
        self.alone = coded & ~self.chained
        self.tables, self.chain_tables = self.scale[self.alone], self.scale[self.chained] - 1
        self.chains = Chains(modelled.eighths[self.chained], LENGTH)

    def quantize(self, y: Floats, error_weight: float | None) -> Symbols:
        """y (C, h, w) in steps of the quality -> symbols. error_weight: of the dead zones of what stands alone; None rounds it."""
        v = y * self.finer - self.mu
        single = v[self.alone]
        alone = quantize(single, np.float32(0)) if error_weight is None else shrink(single, self.tables, error_weight)
        return Symbols(alone, self.chains.quantize(v[self.chained] / STEP, self.chain_tables, ERROR_WEIGHT))

    def push(self, coder: rans.Coder, symbols: Symbols) -> None:
        """Put the symbols on the stack: `pop` gives those that stand alone first."""
        self.chains.push(coder, symbols.path, self.chain_tables)
        rans.push(coder, symbols.alone, self.tables)

    def pop(self, coder: rans.Coder) -> Symbols:
        """Take the symbols off the stack. FormatError as of `rans.pop`."""
        return Symbols(rans.pop(coder, self.tables), self.chains.pop(coder, self.chain_tables))

    def symbols(self, found: Symbols) -> Ints:
        """The symbols at their places: (C, h, w), 0 elsewhere."""
        return self._spread(found.alone, found.path.symbols)

    def halves(self, found: Symbols) -> Ints:
        """Their values in half steps, each of its own step, at their places: (C, h, w), 0 elsewhere."""
        return self._spread(2 * found.alone, found.path.halves())

    def whitened(self, halves: Ints) -> NDArray[np.int64]:
        """16 value / sigma in integers, rounded: (C, h, w)."""
        bits = tables.WHITENER_BITS + 1
        white: NDArray[np.int64] = halves * tables.whiteners()[self.scale - self.chained] + (1 << bits - 1) >> bits
        return white

    def values(self, halves: Ints) -> Floats:
        """What is decoded, about mu, in steps of what stands alone: (C, h, w) float32.

        Those in chains lie OUTWARD of the path's own: so does synthesis, trained on rounding, give the better picture.
        """
        values = halves.astype(np.float32) / 2
        return np.where(self.chained, STEP * (values + OUTWARD * np.sign(values)), values)

    def _spread(self, alone: Ints, chained: Ints) -> Ints:
        out = np.zeros(self.mu.shape, np.int32)
        out[self.alone], out[self.chained] = alone, chained
        return out
