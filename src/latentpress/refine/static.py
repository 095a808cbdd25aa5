"""Search in the Stable Diffusion spaces, tile after tile: the bitstream of StaticTables, made by a search through the given decoder."""

from collections.abc import Iterable, Iterator
from typing import TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray

from latentpress.entropy.static import StaticTables, best_table, bits_of
from latentpress.image import Picture
from latentpress.quantizer import quantize
from latentpress.refine.descent import descend
from latentpress.refine.loss import Distortion, half_precision, weights_at
from latentpress.refine.plan import Clock, Progress
from latentpress.refine.rounding import Rounding
from latentpress.transforms.stable_diffusion import StableDiffusionTransform
from latentpress.transforms.tiling import with_halo
from latentpress.twin.interpreter import straight_through

Tensor: TypeAlias = torch.Tensor
TILE = 96    # latent positions a side, 768 pixels
HALO = 8     # latent positions around a tile whose pixels count too
BETWEEN = 20  # iterations until the channels' tables are chosen anew
REACH = 64    # symbols beyond this cost what this one costs, in the search's estimate


class StaticSearch:
    """A coder of one picture at one quality: `encode` as of StaticTables. aim: of plan.AIMS; its weights are those of the plain rate."""

    def __init__(
        self, picture: Picture, transform: StableDiffusionTransform, quality: float, aim: str, iterations: int, progress: Progress | None
    ) -> None:
        self.picture, self.transform, self.aim, self.iterations = picture, transform, aim, iterations
        self.tables = StaticTables(transform.space, quality)
        self.progress = progress

    def encode(self, strips_of_y: Iterable[NDArray[np.float32]]) -> bytes:
        """Strips of y (C, r, w) -> the latent chunk's body: the best found, plain rounding where a tile of it is better."""
        y, means = self.tables.scaled(strips_of_y)
        self.offsets = self.tables.offsets(means)
        symbols = quantize(y, self.offsets)
        plain = self.tables.encode_symbols(symbols, means)
        self.weights = weights_at(8 * len(plain) / (self.picture.width * self.picture.height), self.aim)
        tiles = list(_tiles(*y.shape[1:]))
        clock = Clock(len(tiles) * self.iterations, self.progress)
        for rows, columns in tiles:
            self.search_tile(y, symbols, rows, columns, clock)
        return self.tables.encode_symbols(symbols, means)

    def search_tile(self, y: NDArray[np.float32], symbols: NDArray[np.int32], rows: slice, columns: slice, clock: Clock) -> None:
        """Put better symbols into a tile of `symbols`. y, symbols: (C, h, w), of the whole picture, y in steps."""
        f = self.transform.space.factor
        top, bottom = with_halo(rows.start, rows.stop, HALO, y.shape[1])
        left, right = with_halo(columns.start, columns.stop, HALO, y.shape[2])
        own = (slice(rows.start - top, rows.stop - top), slice(columns.start - left, columns.stop - left))
        around = torch.from_numpy(symbols[:, top:bottom, left:right].astype(np.float32) + self.offsets)[None]
        pixels = self.picture.pixels(f * top, min(f * bottom, self.picture.height), f * left, min(f * right, self.picture.width))
        distortion = Distortion(pixels, self.weights)
        offsets = torch.from_numpy(self.offsets)[None]
        v = (torch.from_numpy(y[:, rows, columns].copy())[None] - offsets).requires_grad_()
        costs, done = table_costs(symbols), 0

        def loss(rounding: Rounding) -> Tensor:
            rounded = rounding(v)
            latent = around.clone()
            latent[:, :, own[0], own[1]] = rounded + offsets
            with half_precision():
                x_hat = self.transform.decode_tensor(latent * float(self.tables.step)).float().cpu()
            return soft_bits(rounded, costs) + distortion(x_hat.clamp(0, 255))

        def tick() -> None:
            nonlocal costs, done
            clock.tick(1)
            done += 1
            if done % BETWEEN == 0:
                symbols[:, rows, columns] = v.detach().round()[0].numpy().astype(np.int32)
                costs = table_costs(symbols)

        kept = symbols[:, rows, columns].copy()
        with torch.no_grad():
            before = float(loss(straight_through))
        descend([v], loss, self.iterations, tick)
        with torch.no_grad():
            better = float(loss(straight_through)) < before
        symbols[:, rows, columns] = v.detach().round()[0].numpy().astype(np.int32) if better else kept


def table_costs(symbols: NDArray[np.int32]) -> Tensor:
    """(C, 2 REACH + 1) bits of the symbols -REACH..REACH under the best table of each channel of symbols (C, h, w)."""
    values = np.arange(-REACH, REACH + 1, dtype=np.int32)
    return torch.from_numpy(np.stack([bits_of(values, best_table(s)) for s in symbols]).astype(np.float32))


def soft_bits(v: Tensor, costs: Tensor) -> Tensor:
    """Bits of v (1, C, h, w), linear between the integers: the mean over a rounding up as often as v is near. A scalar."""
    low = v.detach().floor().clamp(-REACH, REACH - 1)
    index = (low[0].flatten(1) + REACH).long()
    below, above = costs.gather(1, index), costs.gather(1, index + 1)
    share = (v - low)[0].flatten(1)
    return (below + (above - below) * share).sum()


def _tiles(h: int, w: int) -> Iterator[tuple[slice, slice]]:
    for r in range(0, h, TILE):
        for c in range(0, w, TILE):
            yield slice(r, min(r + TILE, h)), slice(c, min(c + TILE, w))
