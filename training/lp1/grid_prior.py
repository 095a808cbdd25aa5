"""Another prior, for trials: scales from z at once, means and widths in a 2 x 2 grid.

PICO (arXiv:2605.05148, "one-shot context") and JPEG AI: the scale of every symbol is a function of
z alone, so that all entropy decoding is one call and only one small network must be exact. The
context moves the means and never a probability:

    v = (y - mu) / q,   y_hat = q round(v) + mu,   bits of round(v) under sigma(z)

with mu of a pass from the features of z and the y_hat of the passes before it, and a learned
quantization width q from the features. It is not exported yet.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from training.grids import gaussian_bits, skipped, ste_round, table_sigma
from training.lp1.blocks import Depthwise
from training.lp1.prior import Hyperprior
from training.lp1.shape import Shape

PASSES = ((0, 0), (1, 1), (0, 1), (1, 0))  # row and column in the 2 x 2 grid
WIDEST = 0.9  # largest |log q|


class GridPrior(Hyperprior):
    """Heads for sigma, q and the means of the passes."""

    def __init__(self, shape: Shape) -> None:
        super().__init__(shape)
        m, features, hidden = shape.latent, shape.features, shape.context
        self.head1 = nn.Conv2d(features, m, 1)  # log sigma, the part that must be exact
        self.width = nn.Conv2d(features, m, 1)
        self.enter = nn.ModuleList([nn.Conv2d(features + m, hidden, 3, 1, 1) for _ in PASSES])
        self.block = nn.ModuleList([Depthwise(shape, hidden) for _ in PASSES])
        self.mean = nn.ModuleList([nn.Conv2d(hidden, m, 1) for _ in PASSES])
        self.width.weight.data.zero_()
        self.width.bias.data.zero_()
        for head in (self.head1, *self.mean):
            head.weight.data.mul_(0.3)

    def code(self, y: Tensor, f: Tensor, log_gain: Tensor, hard: bool) -> tuple[Tensor, Tensor]:
        """Quantize a latent in its four passes.

        Args:
            y: (N, M, h, w) in steps of the quality.
            f: (N, F, h, w), of `hyper_features`.
            log_gain: (N, M, 1, 1) of the level. Means are those of the latent before its gain.
            hard: True rounding in the rate instead of noise.

        Returns:
            y_hat (N, M, h, w) in steps, and bits (N,).
        """
        gain = log_gain.exp()
        q = torch.exp(WIDEST * torch.tanh(self.width(f).float()))
        sigma = table_sigma(self.head1(f).float() + log_gain, hard)
        nothing = skipped(sigma)
        y_hat = torch.zeros_like(y)
        mu = torch.zeros_like(y)
        for number, place in enumerate(PASSES):
            here = places(*y.shape[2:], place, y.device)
            seen = torch.cat([f, (y_hat / gain).to(f.dtype)], 1)
            t = self.block[number](F.relu(self.enter[number](seen)))
            of_pass = self.mean[number](t).float() * gain
            symbols = ste_round((y - of_pass) / q)
            symbols = symbols - (symbols * nothing).detach()
            mu = torch.where(here, of_pass, mu)
            y_hat = torch.where(here, symbols * q + of_pass, y_hat)
        v = (y - mu) / q
        if hard:
            return y_hat, (gaussian_bits(v.round(), sigma) * ~nothing).sum((1, 2, 3))
        return y_hat, gaussian_bits(v + torch.rand_like(v) - 0.5, sigma).sum((1, 2, 3))


def places(h: int, w: int, place: tuple[int, int], device: torch.device) -> Tensor:
    """(1, 1, h, w) bool, true at one place of each 2 x 2 block."""
    rows = torch.arange(h, device=device)[:, None] % 2 == place[0]
    columns = torch.arange(w, device=device) % 2 == place[1]
    return (rows & columns)[None, None]
