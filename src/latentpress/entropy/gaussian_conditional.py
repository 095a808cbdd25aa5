"""One pass of lp1's symbols: each rounded alone, or those of large scales under trellis-coded
quantization (`trellis.py`).

A trellis saves bits where symbols carry about one bit or more each; the many of small scales,
mostly zeros, are rounded alone. In a trellis the step is STEP times the step outside, which is the
ratio of neighboring scales, since both quantizers together are twice as fine; so a symbol's table
is one scale lower there.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from latentpress._typing import Floats, Ints
from latentpress.entropy import cdf_tables, planes, rans, trellis
from latentpress.entropy.cdf_tables import SCALES
from latentpress.entropy.planes import Gaussians
from latentpress.entropy.rdoq import quantize_rdoq
from latentpress.entropy.trellis import Path
from latentpress.system.once import cached_property

FIRST_TRELLIS_SCALE = 14  # scale index, .53 steps: from here on symbols are trellis-coded
LENGTH = 128  # symbols a lane, at most
STEP = cdf_tables.SCALE_RATIO
# Reconstruction offset away from mu, in steps of a symbol in a lane.
OUTWARD = np.float32(1 / 16)
ERROR_WEIGHT = 20.0  # of a path, bits a squared error of one step^2
WHITE_MAX = 127  # whitened symbols: integers in -127..127, units of 1/16 sigma
ALL_SCALES = np.arange(SCALES, dtype=np.uint16)


class ConditionalSymbols(NamedTuple):
    """Of one pass. alone: (n,) int32, of `positions.alone`. path: (m,), of `positions.lanes`."""

    alone: Ints
    path: Path


class GaussianConditional:
    """The positions of one pass, and the tables that code their symbols.

    gaussians: the distribution of every position. kind: of the pass, as of `planes.cells_of`.
    dependent: whether symbols of large scales are trellis-coded.
    """

    def __init__(self, gaussians: Gaussians, kind: int, dependent: bool) -> None:
        self.shape = gaussians.mu.shape
        first_trellis_scale = FIRST_TRELLIS_SCALE if dependent else SCALES
        self.positions = planes.select(gaussians, kind, first_trellis_scale)
        self.lanes = trellis.lane_count(self.positions.lanes.size, LENGTH)

    @cached_property
    def tables(self) -> NDArray[np.uint16]:
        """(n,) table numbers of the symbols outside of a trellis."""
        return np.repeat(ALL_SCALES, np.diff(self.positions.alone_ends, prepend=0))

    def quantize(
        self, y: Floats, mu: Floats, step_factor: Floats, lagrangian_weight: float | None
    ) -> ConditionalSymbols:
        """y (C, h, w) in steps of the quality -> the symbols of the pass.

        mu: (C, h, w), in local steps. step_factor: (h, w), the quality's step / the local step.
        lagrangian_weight: as `rdoq.quantize_rdoq`'s weight, for the symbols outside a trellis.
        """
        p = self.positions
        v = planes.residuals(y, step_factor, mu, p)
        single, chained = v[: p.alone.size], v[p.alone.size :]
        return ConditionalSymbols(
            quantize_rdoq(single, self.tables, lagrangian_weight),
            trellis.quantize(chained / STEP, p.lane_tables, ERROR_WEIGHT, self.lanes),
        )

    def push(self, coder: rans.Coder, symbols: ConditionalSymbols) -> None:
        """Put the symbols on the stack so that `pop` takes those outside a trellis first."""
        trellis.push_lanes(coder, symbols.path, self.positions.lane_tables, self.lanes)
        coder.push_runs(symbols.alone, ALL_SCALES, self.positions.alone_ends)

    def pop(self, coder: rans.Coder) -> ConditionalSymbols:
        """Take the symbols off the stack. FormatError as of `rans.pop`."""
        return ConditionalSymbols(
            coder.pop_runs(ALL_SCALES, self.positions.alone_ends),
            trellis.pop_lanes(coder, self.positions.lane_tables, self.lanes),
        )

    def put_symbols(self, symbols: ConditionalSymbols, plane: NDArray[np.int16]) -> None:
        """Put the symbols at their places in a plane (C, h, w)."""
        planes.put_symbols(plane, self.positions.alone, symbols.alone)
        planes.put_symbols(plane, self.positions.lanes, symbols.path.symbols)

    def whitened(self, symbols: ConditionalSymbols) -> Floats:
        """16 value / sigma in integers, rounded, within +-WHITE_MAX: (C, h, w) float32, 0 where
        nothing is coded.
        """
        white = np.zeros(self.shape, np.float32)
        p = self.positions
        planes.put_whitened(white, p.alone, 2 * symbols.alone, self.tables, WHITE_MAX)
        half_steps = symbols.path.half_steps()
        planes.put_whitened(white, p.lanes, half_steps, p.lane_tables, WHITE_MAX)
        return white

    def whitened_bytes(
        self, symbols: ConditionalSymbols
    ) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """The same as bytes, each 128 more: the cells of the pass in even and in odd rows,
        (ceil(h / 2), ceil(w / 2), C) each.
        """
        c, h, w = self.shape
        half = (-(-h // 2), -(-w // 2), c)
        white = (np.full(half, planes.WHITE_ZERO, np.uint8) for _ in range(2))
        halves = (next(white), next(white))
        p = self.positions
        for positions, half_steps, tables in (
            (p.alone, 2 * symbols.alone, self.tables),
            (p.lanes, symbols.path.half_steps(), p.lane_tables),
        ):
            planes.put_whitened_bytes(halves, self.shape, positions, half_steps, tables, WHITE_MAX)
        return halves

    def add_values(self, symbols: ConditionalSymbols, y: Floats) -> None:
        """Add the decoded values less mu, in local steps, to y (C, h, w) float32.

        Values of a trellis are moved OUTWARD, away from mu. That makes them a little worse as
        numbers and the picture better, for synthesis was trained on rounded latents.
        """
        p = self.positions
        planes.add_values(y, p.alone, 2 * symbols.alone, planes.ONE, planes.ZERO)
        planes.add_values(y, p.lanes, symbols.path.half_steps(), STEP, OUTWARD)
