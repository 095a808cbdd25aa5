"""A fresh model that is a codec at once: its linear paths begin as principal components.

16 x 16 blocks of photographs have most of their energy in a few directions. The linear path of
the analysis begins with the first of them, that of the synthesis with their transpose, gains with
the steps that a rate calls for, the prior with their deviations, and the deep paths start quiet.
AuxT (ICLR 2025, arXiv:2501.13751) found that a linear shortcut halves the time of training.
"""

import math

import torch
from torch import Tensor

from training.losses.parts import SQUARES, LossShape, curve
from training.lp1.codec import Codec, rate_of
from training.lp1.shape import LEVELS
from training.lp1.transforms import FACTOR

QUIET = 0.1  # of the deep paths' last weights


def blocks(x: Tensor) -> Tensor:
    """(N, 3, 16 h, 16 w) -> (N h w, 768), in the order of a 16 x 16 convolution's weights."""
    n, c, h, w = x.shape
    t = x.reshape(n, c, h // FACTOR, FACTOR, w // FACTOR, FACTOR)
    return t.permute(0, 2, 4, 1, 3, 5).reshape(-1, c * FACTOR**2)


def steps_per_unit(loss: LossShape, rate: Tensor) -> Tensor:
    """Steps per unit of an orthonormal coefficient, where finer steps cost what they save.

    Of rates (L,) in bpp. A step of size s costs s^2 / 12 in squared error of a coefficient of
    pixels in [-1, 1], and log2(1 / s) bits.
    """
    weight = curve(loss.squared, rate) * SQUARES / 4  # of a squared difference in [-1, 1]
    channels = 3 * FACTOR**2
    return (weight * math.log(2) * FACTOR**2 / (6 * channels)).sqrt()


@torch.no_grad()
def begin_linear(net: Codec, loss: LossShape, pictures: list[Tensor]) -> None:
    """Start a fresh model so.

    Args:
        net: Changed.
        loss: What it will be trained with: the steps follow its rates.
        pictures: (n, 3, H, W) in [0, 1] each, some ten thousand blocks together.
    """
    device = net.gain.device
    rows = torch.cat([blocks(x.to(device) * 2 - 1) for x in pictures]).double()
    values, vectors = torch.linalg.eigh((rows.T @ rows / len(rows)).cpu())
    count = min(net.shape.latent, len(values))
    basis = vectors.flip(1)[:, :count].float().to(device)
    deviation = values.flip(0)[:count].clamp_min(1e-8).sqrt().float().to(device)
    for part in (net.ga.deep[-1], net.gs.coarse[0]):
        part.weight.mul_(QUIET)
        part.bias.zero_()
    net.ga.linear.weight.zero_()
    net.ga.linear.bias.zero_()
    net.ga.linear.weight[:count] = basis.T.reshape(count, 3, FACTOR, FACTOR)
    net.gs.linear[0].weight.zero_()
    net.gs.linear[0].bias.zero_()
    net.gs.linear[0].weight[:, :count] = basis[:, :, None, None]
    rate = rate_of(torch.arange(LEVELS, device=device), loss)
    gain = steps_per_unit(loss, rate).log()[:, None]
    net.gain.copy_(gain.expand_as(net.gain))
    net.inverse.copy_(-net.gain)
    net.prior.head1.bias.zero_()
    log_sigma = net.prior.head1.bias[-net.shape.latent :]  # after the means, where it has some
    log_sigma[:count] = deviation.log()
