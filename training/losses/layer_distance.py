"""LPIPS and texture distance of one layer's features in one pass, with their gradient by hand.

By autograd the same two numbers take several times as long: at VGG16's first layers the maps are
far larger than a cache, and every operation walks through memory again. Here fewer passes do; on
CUDA, where Triton is there, kernels that walk through it once each way (`layer_kernels`).
"""

from typing import Any

import torch
from torch import Tensor

from training.losses.kernels import Kernels
from training.precision import float32

LEAST = 1e-4  # steadies the quotients of the texture distance


def _rows(t: Tensor) -> Tensor:
    """(N, C, H, W) -> (N, H W, C) float32; no copy but the conversion where channels are last."""
    return t.permute(0, 2, 3, 1).reshape(len(t), -1, t.shape[1]).float()


class LayerDistance(torch.autograd.Function):
    """apply(g, f, w) -> (2, N) float32: LPIPS's term, and the texture distance, of each picture.

    f, g: (N, C, H, W), of the original and of the reconstruction, which alone gets a gradient.
    w: (C,), LPIPS's weights. The texture distance is 1 - (similarity of means + similarity of
    structure) / 2, a mean over channels, in [0, 1]: DISTS (Ding et al. 2020, arXiv:2004.07728)
    without its learned weights.
    """

    @staticmethod
    def forward(ctx: Any, g: Tensor, f: Tensor, w: Tensor) -> Tensor:
        """See the class."""
        ctx.fused = Kernels.fused
        if ctx.fused:
            from training.losses import layer_kernels

            w = w.reshape(-1).float()
            out, sums = layer_kernels.distances(g, f, w, LEAST)
            ctx.save_for_backward(g, f, w, sums)
            return out
        ctx.save_for_backward(g, f, w)
        with float32(g.device.type):
            own = _Statistics(_rows(f), _rows(g), w.reshape(-1).float())
            return torch.stack([own.lpips(), own.texture()])

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None, None]:
        """The gradient of g."""
        if ctx.fused:
            from training.losses import layer_kernels

            return layer_kernels.gradient(*ctx.saved_tensors, grads[0], LEAST), None, None
        g, f, w = ctx.saved_tensors
        with float32(g.device.type):
            rows = (_rows(f), _rows(g))
            gradient = _Statistics(*rows, w.reshape(-1).float()).gradient(*rows, *grads[0])
        n, c, height, width = g.shape
        shaped = gradient.view(n, height, width, c).permute(0, 3, 1, 2)
        return shaped.to(g.dtype), None, None


class _Statistics:
    """The sums that both distances are made of. f, g: (N, P, C), P positions; w: (C,)."""

    def __init__(self, f: Tensor, g: Tensor, w: Tensor) -> None:
        self.w = w
        self.positions = f.shape[1]
        both = torch.stack([w, torch.ones_like(w)], 1)
        product = f * f
        ff = product @ both  # by position: weighted and plain squares
        vf = product.mean(1)  # by channel
        torch.mul(g, g, out=product)
        gg = product @ both
        vg = product.mean(1)
        torch.mul(f, g, out=product)
        self.fg = product @ w
        cov = product.mean(1)
        del product
        self.ff_weighted, self.gg_weighted = ff[..., 0], gg[..., 0]
        self.rf = (ff[..., 1].sqrt() + 1e-10).reciprocal()
        self.rg = (gg[..., 1].sqrt() + 1e-10).reciprocal()
        self.mf, self.mg = f.mean(1), g.mean(1)
        cov = cov - self.mf * self.mg
        self.means = self.mf**2 + self.mg**2 + LEAST
        self.structure = vf - self.mf**2 + vg - self.mg**2 + LEAST
        self.like_means = (2 * self.mf * self.mg + LEAST) / self.means
        self.like_structure = (2 * cov + LEAST) / self.structure

    def lpips(self) -> Tensor:
        """(N,)."""
        of_f = self.ff_weighted * self.rf**2
        of_g = self.gg_weighted * self.rg**2
        return (of_f + of_g - 2 * self.fg * self.rf * self.rg).mean(1)

    def texture(self) -> Tensor:
        """(N,)."""
        return 1 - (self.like_means + self.like_structure).mean(1) / 2

    def gradient(self, f: Tensor, g: Tensor, of_lpips: Tensor, of_texture: Tensor) -> Tensor:
        """(N, P, C): of the sum of both distances, each times its number of the picture (N,)."""
        n = self.positions
        # d texture / dg = by_f f + by_g g + constant: numbers of a picture and a channel.
        share = of_texture[:, None] * (-0.5 / f.shape[2])
        by_f = share * 2 / (n * self.structure)
        by_g = -self.like_structure * by_f
        constant = share * 2 * (self.mf - self.like_means * self.mg) / (self.means * n)
        constant = constant - by_f * self.mf - by_g * self.mg
        # d lpips / dg = cross w f + (own w + radial) g: numbers of a position.
        of_lpips = of_lpips[:, None]
        own = of_lpips * 2 * self.rg**2 / n
        cross = of_lpips * -2 * self.rf * self.rg / n
        radial = own * (self.fg * self.rf * self.rg - self.gg_weighted * self.rg**2)
        factor = cross[:, :, None] * self.w
        out = torch.addcmul(constant[:, None], factor.add_(by_f[:, None]), f)
        factor = torch.mul(own[:, :, None], self.w, out=factor)
        factor.add_(radial[:, :, None]).add_(by_g[:, None])
        return out.addcmul_(factor, g)
