"""Latent optimization in the Stable Diffusion spaces, tile after tile, through the given decoder:
the bitstream is that of MultistageCoder, or of FactorizedCoder where that serves a made-up picture
better.

The prior's mu and scales depend on the symbols before. The optimization holds them fixed for
BETWEEN iterations, moves y under them, and computes them anew. What it decodes is restored, as the
file's decoder will restore it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np
import torch

from latentpress._typing import Floats, Tensor
from latentpress.entropy import Coder, cdf_tables
from latentpress.entropy.factorized import FactorizedCoder
from latentpress.entropy.multistage import FINE, MultistageCoder, table_numbers
from latentpress.entropy.quantizer import check_finite
from latentpress.entropy.smallest import Smallest
from latentpress.image.picture import Picture
from latentpress.optimize.annealing import Rounding, anneal, with_gradients
from latentpress.optimize.loss import Distortion, half_precision, weights_at
from latentpress.optimize.onnx_torch import torch_graph
from latentpress.optimize.progress import Clock
from latentpress.optimize.rate import gaussian_bits
from latentpress.options import Progress
from latentpress.runtimes.torch_graph import straight_through
from latentpress.spaces import Space, step_size
from latentpress.transforms import restoration
from latentpress.transforms.stable_diffusion import StableDiffusionTransform
from latentpress.transforms.tiling import with_halo

# latent positions a side, 768 pixels; a multiple of 4, as HALO is, so that a window has the
# picture's lattices
TILE = 96
HALO = 8  # latent positions around a tile whose pixels count too
BETWEEN = 10  # iterations between two updates of the prior's mu and sigma


class Tile(NamedTuple):
    """A tile of a latent, in slices of its three axes. place: within the latent. window: the same
    with HALO around it. own: the tile within the window. distortion: of the window's pixels.
    """

    place: tuple[slice, slice, slice]
    window: tuple[slice, slice, slice]
    own: tuple[slice, slice, slice]
    distortion: Distortion


class StableDiffusionOptimizer:
    """The encoder of one picture at one quality.

    objective: one of options.OBJECTIVES; its weights are those of the rate that the file has
    without optimization. iterations: of each tile. progress: called after each of them.
    """

    @with_gradients
    def __init__(
        self,
        picture: Picture,
        transform: StableDiffusionTransform,
        quality: float,
        objective: str,
        iterations: int,
        progress: Progress | None,
    ) -> None:
        self.picture = picture
        self.transform = transform
        self.objective = objective
        self.iterations = iterations
        self.prior = MultistageCoder(transform.space, quality)
        self.quality = quality
        self.step = self.prior.step / FINE
        self.progress = progress

    @with_gradients
    def encode(self, strips_of_y: Iterable[Floats]) -> tuple[int, bytes]:
        """Strips of y (C, r, w) -> (type, body) of the latent chunk; a tile whose loss does not
        fall keeps the latent of analysis. Where the factorized prior codes the latent of analysis
        in fewer bytes, the chunk of the smaller loss is taken.
        """
        y = np.concatenate([check_finite(strip) for strip in strips_of_y], axis=1)
        factorized = FactorizedCoder(self.transform.space, self.quality)
        chunk_type, plain = Smallest([self.prior, factorized]).encode([y])
        self.weights = weights_at(
            8 * len(plain) / (self.picture.width * self.picture.height), self.objective
        )
        y_hat = (self.prior.fine(self.prior.model(y)) / FINE).astype(np.float32)
        clock = Clock(y.shape[1] * y.shape[2] * self.iterations, self.progress)
        for tile in self.tiles(*y.shape[1:]):
            self.optimize_tile(y, y_hat, tile, clock)
        searched = self.prior.encode([y])
        if (
            chunk_type == factorized.chunk_type
            and len(plain) < len(searched)
            and self.loss_of(factorized, plain) < self.loss_of(self.prior, searched)
        ):
            return chunk_type, plain
        return self.prior.chunk_type, searched

    def tiles(self, h: int, w: int) -> Iterator[Tile]:
        """The tiles of a latent of h x w positions."""
        f = self.transform.space.factor
        for r in range(0, h, TILE):
            for c in range(0, w, TILE):
                rows, columns = slice(r, min(r + TILE, h)), slice(c, min(c + TILE, w))
                top, bottom = with_halo(rows.start, rows.stop, HALO, h)
                left, right = with_halo(columns.start, columns.stop, HALO, w)
                area = (
                    f * top,
                    min(f * bottom, self.picture.height),
                    f * left,
                    min(f * right, self.picture.width),
                )
                yield Tile(
                    (slice(None), rows, columns),
                    (slice(None), slice(top, bottom), slice(left, right)),
                    (
                        slice(None),
                        slice(rows.start - top, rows.stop - top),
                        slice(columns.start - left, columns.stop - left),
                    ),
                    Distortion(
                        self.picture.pixels(*area), self.weights, self.picture.opacity(*area)
                    ),
                )

    def optimize_tile(self, y: Floats, y_hat: Floats, tile: Tile, clock: Clock) -> None:
        """Optimize one tile in place: its latent in y, and its decoded values in y_hat.

        y, y_hat: (C, h, w) of the whole picture, in the latent's unit.
        """
        own = tile.own
        around = y_hat[tile.window].copy()
        v = torch.from_numpy(y[tile.place] / np.float32(self.step))[None].requires_grad_()
        mu, sigma = self.predict(around, own, v)
        iterations_done = 0
        positions = v.shape[2] * v.shape[3]

        def loss(rounding: Rounding) -> Tensor:
            symbols = rounding(v - mu)
            latent = torch.from_numpy(around)[None].clone()
            latent[:, :, own[1], own[2]] = (symbols + mu) * self.step
            return gaussian_bits(symbols, sigma).sum() + tile.distortion(self.shown(latent))

        def tick() -> None:
            nonlocal mu, sigma, iterations_done
            clock.tick(positions)
            iterations_done += 1
            if iterations_done % BETWEEN == 0:
                mu, sigma = self.predict(around, own, v)

        with torch.no_grad():
            plain_loss = float(loss(straight_through))
        anneal([v], loss, self.iterations, tick)
        mu, sigma = self.predict(around, own, v)
        with torch.no_grad():
            if float(loss(straight_through)) < plain_loss:
                y[tile.place] = y_hat[tile.place] = (((v - mu).round() + mu) * self.step)[0].numpy()

    def shown(self, latent: Tensor) -> Tensor:
        """What the decoder will show of a decoded latent (1, C, h, w), with gradients: (1, 3, 8 h,
        8 w) in [0, 255].
        """
        with half_precision():
            x_hat = self.transform.decode_tensor(
                restored(self.transform.space, latent, self.quality)
            )
        return x_hat.float().cpu().clamp(0, 255)

    def loss_of(self, coder: Coder, body: bytes) -> float:
        """The loss of a coded latent, in bits. Pixels near the border of two tiles count twice."""
        grid = self.transform.space.grid(self.picture.width, self.picture.height)
        y_hat = np.concatenate(list(coder.decode(body, *grid)), axis=1)
        with torch.no_grad():
            return 8 * len(body) + sum(
                float(tile.distortion(self.shown(torch.from_numpy(y_hat[tile.window])[None])))
                for tile in self.tiles(*grid)
            )

    def predict(
        self, around: Floats, own: tuple[slice, slice, slice], v: Tensor
    ) -> tuple[Tensor, Tensor]:
        """The prior's mu and sigma for the tile's symbols, in steps, (1, C, h, w) each.

        around: (C, H, W) decoded latent of the tile and its halo. own: the tile within it. v: (1,
        C, h, w) the tile's latent, in steps, which takes its place in `around`.
        """
        window = around.copy()
        window[own] = v.detach()[0].numpy() * np.float32(self.step)
        quantized = self.prior.model(window)
        mu = ((quantized.mu + self.prior.means) / self.prior.step).astype(np.float32)[own]
        return torch.from_numpy(mu)[None], torch.from_numpy(
            cdf_tables.sigmas()[table_numbers(quantized.scale_eighths[own], 0)]
        )[None]


def restored(space: Space, y_hat: Tensor, quality: float) -> Tensor:
    """`restoration.restore` on tensors, with gradients and without tiles: (1, C, h, w) -> the same
    shape. In a space without weights y_hat as it is.
    """
    if not restoration.is_shipped(space):
        return y_hat
    condition = torch.full_like(y_hat[:, :1], restoration.condition(quality))
    [f] = torch_graph(space.name, restoration.FILE)(x=torch.cat([y_hat, condition], 1))
    return y_hat + step_size(quality) * f
