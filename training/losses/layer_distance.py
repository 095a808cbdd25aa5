"""LPIPS and texture distance of one layer's features in one pass over them, with their gradient by hand.

By autograd the same two numbers take five times as long on a CPU: at VGG16's first layers the maps are far larger than
a cache, and every operation walks through memory again. Here a few passes over two float32 copies do.
"""
from typing import Any

import torch
from torch import Tensor

LEAST = 1e-4    # steadies the quotients of the texture distance


class LayerDistance(torch.autograd.Function):
    """apply(g, f, w) -> (2,) float32: LPIPS's term with weights w (1, C, 1, 1), and the texture distance of the maps.

    f, g: (1, C, H, W), of the original and of the reconstruction, which alone gets a gradient. The texture distance is
    1 - (similarity of means + similarity of structure) / 2, a mean over channels, in [0, 1]: DISTS (Ding et al. 2020)
    without its learned weights.
    """

    @staticmethod
    def forward(ctx: Any, g: Tensor, f: Tensor, w: Tensor) -> Tensor:
        rows = lambda t: t.permute(0, 2, 3, 1).reshape(-1, t.shape[1]).float()
        ctx.shape = g.shape
        f, g, w = rows(f), rows(g), w.reshape(-1)
        n, c = f.shape
        both = torch.stack([w, torch.ones_like(w)], 1)
        product = f * f
        ff, vf = product @ both, product.sum(0) / n         # by pixel: weighted and plain squares; by channel
        torch.mul(g, g, out=product)
        gg, vg = product @ both, product.sum(0) / n
        torch.mul(f, g, out=product)
        fg, cov = product @ w, product.sum(0) / n
        rf, rg = ((t[:, 1].sqrt() + 1e-10).reciprocal() for t in (ff, gg))
        lpips = (ff[:, 0] * rf**2 + gg[:, 0] * rg**2 - 2 * fg * rf * rg).mean()
        mf, mg = f.mean(0), g.mean(0)
        vf, vg, cov = vf - mf**2, vg - mg**2, cov - mf * mg
        means, structure = mf**2 + mg**2 + LEAST, vf + vg + LEAST
        s_means, s_structure = (2 * mf * mg + LEAST) / means, (2 * cov + LEAST) / structure
        # d texture / dg = of_f * f + of_g * g + constant, a number a channel each
        share = -0.5 / c
        of_f, of_g = share * 2 / (n * structure), -share * s_structure * 2 / (n * structure)
        constant = share * 2 * (mf - s_means * mg) / (means * n) - of_f * mf - of_g * mg
        # d lpips / dg = cross * w * f + (own * w + radial) * g, a number a pixel each
        own, cross = 2 * rg**2 / n, -2 * rf * rg / n
        radial = 2 * (fg * rf * rg**3 - gg[:, 0] * rg**4) / n
        ctx.save_for_backward(f, g, w, own, cross, radial, of_f, of_g, constant)
        return torch.stack([lpips, 1 - (s_means + s_structure).mean() / 2])

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None, None]:
        f, g, w, own, cross, radial, of_f, of_g, constant = ctx.saved_tensors
        of_lpips, of_texture = grads[0].unbind()
        out = torch.addcmul(of_texture * constant, torch.outer(cross * of_lpips, w) + of_texture * of_f, f)
        out.addcmul_(torch.outer(own * of_lpips, w) + (radial * of_lpips)[:, None] + of_texture * of_g, g)
        n, c, height, width = ctx.shape
        return out.reshape(n, height, width, c).permute(0, 3, 1, 2), None, None
