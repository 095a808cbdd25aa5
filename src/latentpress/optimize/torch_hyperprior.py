"""The learned prior on tensors: a segment's latent and hyper latent -> y_hat and bits, with
gradients, in the decoder's two passes.
"""

import math
from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray

from latentpress._typing import Tensor
from latentpress.entropy import cdf_tables
from latentpress.entropy.cdf_tables import SCALE_UNIT_BITS
from latentpress.entropy.gaussian_conditional import WHITE_MAX
from latentpress.entropy.hyperprior import Z_MAX, HyperpriorCoder
from latentpress.entropy.planes import MU_UNIT, checkerboard
from latentpress.optimize.onnx_torch import torch_graph
from latentpress.optimize.rate import LowerBound, gaussian_bits
from latentpress.runtimes.torch_graph import straight_through

Rounding: TypeAlias = Callable[[Tensor], Tensor]


class QuantizedSegment(NamedTuple):
    """symbols (1, C, h, w) and z (1, Z, hz, wz) as they were rounded; y_hat in the latent's units;
    bits, a scalar.
    """

    symbols: Tensor
    z: Tensor
    y_hat: Tensor
    bits: Tensor


class TorchHyperprior:
    """The prior of a HyperpriorCoder, which brings the quality, on tensors."""

    def __init__(self, prior: HyperpriorCoder) -> None:
        def column(a: NDArray[Any]) -> Tensor:
            return torch.from_numpy(np.asarray(a, np.float32).reshape(1, -1, 1, 1))

        self.gain = column(prior.gain)
        self.inverse = column(prior.inverse)
        self.scale_offset = column(prior.scale_offset)
        self.bias = column(prior.bias)
        self.z_sigma = sigma_of(table_index(column(prior.z_scale)))
        self.features, self.context = (
            torch_graph(prior.space, name) for name in ("features.onnx", "context.onnx")
        )

    def __call__(self, y: Tensor, z: Tensor, rounding: Rounding) -> QuantizedSegment:
        """Quantize a segment and count its bits.

        y: (1, C, h, w) in steps, not rounded. z: (1, Z, ceil(h / 4), ceil(w / 4)), not rounded.
        rounding: of the symbols of both.
        """
        h, w = y.shape[2:]
        first = torch.from_numpy(checkerboard(h, w))
        z = rounding(z).clamp(-Z_MAX, Z_MAX)
        bits = gaussian_bits(z, self.z_sigma.expand_as(z)).sum()
        features, head = (t[:, :, :h, :w] for t in self.features(z=z, bias=self.bias))
        mu1, scale_eighths = head.chunk(2, 1)
        mu1 = mu1 * float(MU_UNIT) * self.gain
        scale_eighths = scale_eighths + self.scale_offset
        index1 = table_index(scale_eighths)
        sigma1 = sigma_of(index1)
        anchors = rounding(y - mu1) * (coded(index1) & first)
        white = straight_through((anchors * 16 / sigma1).clamp(-WHITE_MAX, WHITE_MAX))
        mu2, change = self.context(features=features, white=white)[0].chunk(2, 1)
        mu = torch.where(first, mu1, mu1 + sigma1 * mu2 * float(MU_UNIT))
        index = torch.where(first, index1, table_index(scale_eighths + change))
        symbols = torch.where(first, anchors, rounding(y - mu) * coded(index))
        bits = bits + (gaussian_bits(symbols, sigma_of(index)) * coded(index)).sum()
        return QuantizedSegment(symbols, z, (symbols + mu) * self.inverse, bits)


def table_index(scale_eighths: Tensor) -> Tensor:
    """Scale indices of the tables, whole numbers; the gradient is that of eighths / 8 within the
    tables' range.
    """
    index = LowerBound.apply(scale_eighths / (1 << SCALE_UNIT_BITS)).clamp(
        max=cdf_tables.SCALES - 1
    )
    return index + (torch.floor(index.detach() + 0.5) - index.detach())


def sigma_of(index: Tensor) -> Tensor:
    """Standard deviations, in steps, of scale indices."""
    sigmas = cdf_tables.sigmas()
    log_step = math.log(float(sigmas[-1] / sigmas[0])) / (len(sigmas) - 1)
    return torch.exp(index * log_step) * float(sigmas[0])


def coded(index: Tensor) -> Tensor:
    """Where symbols are coded: at the least scale they are all 0."""
    return index.detach() > 0
