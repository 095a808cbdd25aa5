"""Latent optimization in the Stable Diffusion spaces, tile after tile, through the given decoder:
the bitstream is that of MultistageCoder.

The prior's mu and scales depend on the symbols before. The optimization holds them fixed for
BETWEEN iterations, moves y under them, and computes them anew. What it decodes is restored, as the
file's decoder will restore it.
"""

from collections.abc import Iterable, Iterator

import numpy as np
import torch

from latentpress._typing import Floats, Tensor
from latentpress.entropy import cdf_tables
from latentpress.entropy.multistage import FINE, MultistageCoder, table_numbers
from latentpress.entropy.quantizer import check_finite
from latentpress.image.picture import Picture
from latentpress.optimize.annealing import Rounding, anneal
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


class StableDiffusionOptimizer:
    """The encoder of one picture at one quality.

    objective: one of options.OBJECTIVES; its weights are those of the rate that the file has
    without optimization. iterations: of each tile. progress: called after each of them.
    """

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

    def encode(self, strips_of_y: Iterable[Floats]) -> tuple[int, bytes]:
        """Strips of y (C, r, w) -> (type, body) of the latent chunk; a tile whose loss does not
        fall keeps the latent of analysis.
        """
        y = np.concatenate([check_finite(strip) for strip in strips_of_y], axis=1)
        plain = self.prior.encode([y])
        self.weights = weights_at(
            8 * len(plain) / (self.picture.width * self.picture.height), self.objective
        )
        y_hat = next(self.prior.decode(plain, *y.shape[1:]))
        clock = Clock(y.shape[1] * y.shape[2] * self.iterations, self.progress)
        for rows, columns in _tiles(*y.shape[1:]):
            self.optimize_tile(y, y_hat, rows, columns, clock)
        return self.prior.chunk_type, self.prior.encode([y])

    def optimize_tile(
        self, y: Floats, y_hat: Floats, rows: slice, columns: slice, clock: Clock
    ) -> None:
        """Optimize one tile in place: its latent in y, and its decoded values in y_hat.

        y, y_hat: (C, h, w) of the whole picture, in the latent's unit. rows, columns: of the tile.
        """
        f = self.transform.space.factor
        top, bottom = with_halo(rows.start, rows.stop, HALO, y.shape[1])
        left, right = with_halo(columns.start, columns.stop, HALO, y.shape[2])
        own = (
            slice(None),
            slice(rows.start - top, rows.stop - top),
            slice(columns.start - left, columns.stop - left),
        )
        around = y_hat[:, top:bottom, left:right].copy()
        area = (
            f * top,
            min(f * bottom, self.picture.height),
            f * left,
            min(f * right, self.picture.width),
        )
        distortion = Distortion(
            self.picture.pixels(*area), self.weights, self.picture.opacity(*area)
        )
        v = torch.from_numpy(y[:, rows, columns] / np.float32(self.step))[None].requires_grad_()
        mu, sigma = self.predict(around, own, v)
        iterations_done = 0
        positions = v.shape[2] * v.shape[3]

        def loss(rounding: Rounding) -> Tensor:
            symbols = rounding(v - mu)
            latent = torch.from_numpy(around)[None].clone()
            latent[:, :, own[1], own[2]] = (symbols + mu) * self.step
            with half_precision():
                x_hat = (
                    self.transform.decode_tensor(
                        restored(self.transform.space, latent, self.quality)
                    )
                    .float()
                    .cpu()
                )
            return gaussian_bits(symbols, sigma).sum() + distortion(x_hat.clamp(0, 255))

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
                y[:, rows, columns] = y_hat[:, rows, columns] = (
                    ((v - mu).round() + mu) * self.step
                )[0].numpy()

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


def _tiles(h: int, w: int) -> Iterator[tuple[slice, slice]]:
    for r in range(0, h, TILE):
        for c in range(0, w, TILE):
            yield slice(r, min(r + TILE, h)), slice(c, min(c + TILE, w))
