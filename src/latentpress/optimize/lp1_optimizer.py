"""Latent optimization in space lp1, segment after segment: the bitstream is that of
HyperpriorCoder.
"""

import math
from collections.abc import Iterable

import numpy as np
import torch

from latentpress._typing import Floats, Ints
from latentpress.container import LATENT_HYPERPRIOR
from latentpress.entropy.hyperprior import Z_MAX, HyperpriorCoder, join
from latentpress.entropy.quantizer import check_finite
from latentpress.image.picture import Picture
from latentpress.optimize.annealing import Rounding, anneal, with_gradients
from latentpress.optimize.loss import Distortion, half_precision, meant_rate, weights_at
from latentpress.optimize.onnx_torch import torch_graph
from latentpress.optimize.progress import Clock
from latentpress.optimize.torch_hyperprior import TorchHyperprior
from latentpress.options import Progress
from latentpress.runtimes.torch_graph import straight_through
from latentpress.transforms.lp1 import FACTOR
from latentpress.transforms.tiling import STRIP_ROWS, with_halo

# latent positions around a segment whose pixels count too: nearly all that it changes (the
# receptive field is 9)
HALO = 4


class Lp1Optimizer:
    """The encoder of one picture at one quality. Arguments as of StableDiffusionOptimizer."""

    @with_gradients
    def __init__(
        self,
        picture: Picture,
        space: str,
        quality: float,
        objective: str,
        iterations: int,
        progress: Progress | None,
    ) -> None:
        self.picture = picture
        self.iterations = iterations
        self.weights = weights_at(meant_rate(quality), objective)
        self.prior = HyperpriorCoder(space, quality, chunk_type=LATENT_HYPERPRIOR)
        self.torch_prior = TorchHyperprior(self.prior)
        self.synthesis = torch_graph(space, "synthesis.onnx", "Round")
        positions = math.ceil(picture.height / FACTOR) * math.ceil(picture.width / FACTOR)
        self.clock = Clock(positions * iterations, progress)

    @with_gradients
    def encode(self, strips_of_y: Iterable[Floats]) -> tuple[int, bytes]:
        """Strips of y (C, r, w), of one segment's height -> (type, body) of the latent chunk.

        Around a segment the loss sees the latent as it is so far: y_hat above and to the left,
        where it is coded already, y below and to the right.
        """
        coded, first = [], 0
        source = map(check_finite, strips_of_y)
        strip = next(source, None)
        above = None
        while strip is not None:
            following = next(source, None)
            parts = [above, strip, None if following is None else following[:, :HALO]]
            latent = np.concatenate([p for p in parts if p is not None], axis=1)
            top, rows = 0 if above is None else above.shape[1], strip.shape[1]
            for c in range(0, strip.shape[2], STRIP_ROWS):
                left, right = with_halo(
                    c, min(c + STRIP_ROWS, strip.shape[2]), HALO, strip.shape[2]
                )
                bottom, end = first - top + latent.shape[1], FACTOR * right
                bottom = min(FACTOR * bottom, self.picture.height)
                area = (FACTOR * (first - top), bottom, FACTOR * left, min(end, self.picture.width))
                distortion = Distortion(
                    self.picture.pixels(*area), self.weights, self.picture.opacity(*area)
                )
                own = (slice(top, top + rows), slice(c - left, c - left + STRIP_ROWS))
                window = latent[:, :, left:right]
                segment = self.prior.encode_segment(*self.optimize_segment(window, own, distortion))
                coded.append(segment)
                y = window[:, own[0], own[1]]
                y[:] = self.prior.decode_segment(segment, *y.shape[1:]) * self.prior.inverse
            above = latent[:, max(0, top + rows - HALO) : top + rows].copy()
            strip, first = following, first + rows
        return self.prior.chunk_type, join(coded)

    def optimize_segment(
        self, window: Floats, own: tuple[slice, slice], distortion: Distortion
    ) -> tuple[Floats, Ints | None]:
        """Optimize one segment -> what to code: y (C, r, s) in steps, and z.

        Where the latent of analysis is no worse by the loss, that latent, with None for z.

        window: (C, h, w) latent of the segment and what lies around it. own: the segment's rows and
        columns within the window. distortion: of the window's pixels, without what lies beyond the
        picture.
        """
        around = torch.from_numpy(window[None].copy())
        plain = window[:, own[0], own[1]] * self.prior.gain
        positions = plain.shape[1] * plain.shape[2]
        y = torch.from_numpy(plain[None].astype(np.float32)).requires_grad_()
        z = torch.from_numpy(self.prior.hyper_latent(plain)[None]).requires_grad_()

        def loss(rounding: Rounding) -> torch.Tensor:
            quantized = self.torch_prior(y, z, rounding)
            latent = around.clone()
            latent[:, :, own[0], own[1]] = quantized.y_hat
            with half_precision():
                return quantized.bits + distortion(self.synthesis(y=latent)[0])

        with torch.no_grad():
            plain_loss = float(loss(straight_through))
        anneal([y, z], loss, self.iterations, lambda: self.clock.tick(positions))
        with torch.no_grad():
            better = float(loss(straight_through)) < plain_loss
        if not better:
            return plain, None
        hyper_symbols = np.clip(np.rint(z.detach().numpy()[0]), -Z_MAX, Z_MAX).astype(np.int32)
        return y.detach().numpy()[0], hyper_symbols
