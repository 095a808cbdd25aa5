"""The whole model in torch.

    x ──ga──► y ──·gain──► y' ──(y' - mu) rounded──► symbols ──+ mu, ·inverse gain──► gs ──► x_hat
                           └─asinh─ha──► z ──► hs ──► features ─► head1 ─► mu, sigma of the anchors
                                                          └─ + whitened anchors ─► head2 ─► the rest

Everything that decides a probability is a function of integers only: z and the symbols.
"""

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
from training.losses.parts import LossShape
from training.lp1 import masking
from training.lp1.grid_prior import GridPrior
from training.lp1.prior import Prior, checkerboard
from training.lp1.shape import LEVELS, Shape
from training.lp1.transforms import Analysis, Synthesis
from training.precision import float32

PRIORS: dict[str, type[Prior] | type[GridPrior]] = {"checkerboard": Prior, "grid": GridPrior}


def rate_of(level: Tensor, loss: LossShape) -> Tensor:
    """The bpp that a level is meant for: a geometric series from the first to the last."""
    return loss.lowest * (loss.highest / loss.lowest) ** (level / (LEVELS - 1))


def interpolate(table: Tensor, level: Tensor) -> Tensor:
    """Rows of table (LEVELS, C) at fractional levels (N,) in [0, LEVELS - 1] -> (N, C)."""
    anchor = torch.arange(LEVELS, device=table.device)
    return (1 - (level[:, None] - anchor).abs()).clamp_min(0) @ table


def noise(t: Tensor) -> Tensor:
    """t with uniform noise of one step: rounding that has a gradient. Any shape."""
    return t + torch.rand_like(t) - 0.5


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
        if self.shape.prior not in PRIORS:
            raise ValueError(f"{self.shape.prior!r} is not a prior: {', '.join(PRIORS)}")
        self.prior = PRIORS[self.shape.prior](self.shape)
        start = 0.9 * (rate_of(torch.arange(LEVELS), LossShape()) / 0.25).log()
        start = start[:, None].repeat(1, self.shape.latent)
        self.gain = nn.Parameter(start.clone())
        self.inverse = nn.Parameter(-start.clone())
        rule = torch.tensor([masking.REFERENCE, masking.STRENGTH], dtype=torch.float32)
        self.register_buffer("masking_rule", rule.T.contiguous(), persistent=False)

    def forward(self, x: Tensor, level: Tensor, hard: bool = False) -> Coded:
        """Code images.

        Args:
            x: (N, 3, H, W) in [-1, 1], H and W multiples of 16.
            level: (N,) in [0, LEVELS - 1].
            hard: True rounding in the rate instead of noise.
        """
        y = self.ga(x)
        with float32(x.device.type):  # a gain of 8 bits would change brightness by a per cent
            y_hat, bits = self.quantize(y.float(), level, hard)
        return Coded(self.gs(y_hat).float(), bits, y_hat)

    def quantize(self, y: Tensor, level: Tensor, hard: bool) -> tuple[Tensor, Tensor]:
        """y (N, M, h, w), of the analysis -> y_hat, for the synthesis, and its bits (N,)."""
        p = self.prior
        log_gain = interpolate(self.gain, level)[:, :, None, None]
        y = y * log_gain.exp()
        h, w = y.shape[2:]
        padded = F.pad(torch.asinh(y), (0, -w % 4, 0, -h % 4))
        z = p.ha(padded).float().clamp(-Z_MAX, Z_MAX)
        z_sigma = table_sigma(interpolate(p.z_log_sigma, level), hard)[:, :, None, None]
        bits = gaussian_bits(z.round() if hard else noise(z), z_sigma).sum((1, 2, 3))
        f = p.hyper_features(ste_round(z), interpolate(p.level_bias, level))[:, :, :h, :w]
        if isinstance(p, GridPrior):
            values, of_symbols = p.code(y, f, log_gain, hard)
        else:
            values, of_symbols = self.code_checkerboard(y, f, log_gain, level, hard)
        y_hat = values * interpolate(self.inverse, level)[:, :, None, None].exp()
        return y_hat, bits + of_symbols

    def code_checkerboard(
        self, y: Tensor, f: Tensor, log_gain: Tensor, level: Tensor, hard: bool
    ) -> tuple[Tensor, Tensor]:
        """y (N, M, h, w) in steps -> y_hat in steps, and the bits (N,) of its symbols."""
        mu, log_sigma = self.prior.anchors(f)
        mu, log_sigma = mu * log_gain.exp(), log_sigma + log_gain
        factor = self.step_factor(log_sigma, level)
        if factor is None:
            symbols, mu, bits = self.code_symbols(y, f, mu, log_sigma, hard)
            return symbols + mu, bits
        log_sigma = log_sigma + factor.log()
        symbols, mu, bits = self.code_symbols(y * factor, f, mu * factor, log_sigma, hard)
        return (symbols + mu) / factor, bits

    def step_factor(self, log_sigma: Tensor, level: Tensor) -> Tensor | None:
        """How much finer steps are where (N, 1, h, w); None where they are the same everywhere."""
        if not self.shape.masking:
            return None
        reference, strength = interpolate(self.masking_rule, level).unbind(1)
        return masking.step_factor(table_sigma(log_sigma, True), reference, strength)

    def code_symbols(
        self, y: Tensor, f: Tensor, mu1: Tensor, s1: Tensor, hard: bool
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
            bits = gaussian_bits(noise(y - mu), sigma)
        return symbols, mu, bits.sum((1, 2, 3))
