"""The whole model in torch.

    x ──ga──► y ──·gain──► y' ──(y' - mu) rounded──► symbols ──+ mu, ·inverse gain──► gs ──► x_hat
                           └─asinh─ha──► z ──► hs ──► features ─► head1 ─► mu, sigma of the anchors
                                                          └─ + whitened anchors ─► head2 ─► the rest

Everything that decides a probability is a function of integers only: z and the symbols.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from training.grids import (
    WHITE,
    WHITE_MAX,
    Z_MAX,
    gaussian_bits,
    skipped,
    ste_round,
    table_sigma,
)
from training.lp1 import masking
from training.lp1.prior import Prior, checkerboard
from training.lp1.shape import LEVELS, Shape
from training.lp1.transforms import Analysis, Synthesis

Noisy = Callable[[Tensor], Tensor]
MEANT_BPP = (0.035, 1.15)  # of the first and the last level: where fresh gains begin


def rate_of(level: Tensor, bounds: tuple[float, float] = MEANT_BPP) -> Tensor:
    """The bpp that a level is meant for: a geometric series from the first to the last."""
    lowest, highest = bounds
    return lowest * (highest / lowest) ** (level / (LEVELS - 1))


def interpolate(table: Tensor, level: Tensor) -> Tensor:
    """Rows of table (LEVELS, C) at fractional levels (N,) in [0, LEVELS - 1] -> (N, C)."""
    anchor = torch.arange(LEVELS, device=table.device)
    return (1 - (level[:, None] - anchor).abs()).clamp_min(0) @ table


class Coded(NamedTuple):
    """x_hat: (N, 3, H, W) about [-1, 1]. bits: (N,) of each image. y_hat: (N, M, H/16, W/16)."""

    x_hat: Tensor
    bits: Tensor
    y_hat: Tensor


class Codec(nn.Module):
    """Analysis, prior, gain units and synthesis.

    `gain` and `inverse` are logarithms, a row a level, of the encoder and of the decoder (Cui et
    al. 2021, arXiv:2003.02012).
    """

    def __init__(self, shape: Shape | None = None) -> None:
        super().__init__()
        self.shape = shape or Shape()
        self.ga = Analysis(self.shape)
        self.gs = Synthesis(self.shape)
        self.prior = Prior(self.shape)
        rates = rate_of(torch.arange(LEVELS)).tolist()
        start = torch.tensor([[0.9 * math.log(r / 0.25)] for r in rates]).repeat(
            1, self.shape.latent
        )
        self.gain = nn.Parameter(start.clone())
        self.inverse = nn.Parameter(-start.clone())
        reference = torch.tensor(masking.REFERENCE, dtype=torch.float32)[:, None]
        self.register_buffer("masking_reference", reference, persistent=False)

    def forward(self, x: Tensor, level: Tensor, hard: bool = False) -> Coded:
        """Code images.

        Args:
            x: (N, 3, H, W) in [-1, 1], H and W multiples of 16.
            level: (N,) in [0, LEVELS - 1].
            hard: True rounding in the rate instead of noise.
        """
        p = self.prior
        log_gain = interpolate(self.gain, level)[:, :, None, None]
        y = self.ga(x).float() * log_gain.exp()
        h, w = y.shape[2:]
        noisy = torch.round if hard else lambda t: t + torch.rand_like(t) - 0.5
        padded = F.pad(torch.asinh(y), (0, -w % 4, 0, -h % 4))
        z = p.ha(padded).float().clamp(-Z_MAX, Z_MAX)
        z_sigma = table_sigma(interpolate(p.z_log_sigma, level), hard)[:, :, None, None]
        bits = gaussian_bits(noisy(z), z_sigma).sum((1, 2, 3))
        f = p.hyper_features(ste_round(z), interpolate(p.level_bias, level))[:, :, :h, :w]
        mu1, s1 = p.anchors(f)
        mu1, s1 = mu1 * log_gain.exp(), s1 + log_gain
        factor = self.step_factor(s1, level)
        if factor is not None:
            y, mu1, s1 = y * factor, mu1 * factor, s1 + factor.log()
        symbols, mu, of_symbols = self.code_symbols(y, f, mu1, s1, hard, noisy)
        y_hat = (symbols + mu) if factor is None else (symbols + mu) / factor
        y_hat = y_hat * interpolate(self.inverse, level)[:, :, None, None].exp()
        return Coded(self.gs(y_hat).float(), bits + of_symbols, y_hat)

    def step_factor(self, log_sigma: Tensor, level: Tensor) -> Tensor | None:
        """How much finer steps are where (N, 1, h, w); None where they are the same everywhere."""
        if not self.shape.masking:
            return None
        reference = interpolate(self.masking_reference, level)[:, 0]
        return masking.step_factor(table_sigma(log_sigma, True), reference)

    def code_symbols(
        self, y: Tensor, f: Tensor, mu1: Tensor, s1: Tensor, hard: bool, noisy: Noisy
    ) -> tuple[Tensor, Tensor, Tensor]:
        """The two passes: symbols and mu (N, M, h, w), both in steps, and bits (N,)."""
        anchor = checkerboard(*y.shape[2:], y.device)
        sigma1 = table_sigma(s1, hard)
        first = (y - mu1).round() * ~skipped(sigma1)
        white = (first / sigma1 * WHITE).round().clamp(-WHITE_MAX, WHITE_MAX).detach() / WHITE
        dmu, ds = self.prior.non_anchors(f, white * anchor)
        mu = torch.where(anchor, mu1, mu1 + sigma1 * dmu)
        sigma = torch.where(anchor, sigma1, table_sigma(s1 + ds, hard))
        symbols, nothing = ste_round(y - mu), skipped(sigma)
        symbols = symbols - (symbols * nothing).detach()
        if hard:
            bits = gaussian_bits(symbols, sigma) * ~nothing
        else:
            bits = gaussian_bits(noisy(y - mu), sigma)
        return symbols, mu, bits.sum((1, 2, 3))
