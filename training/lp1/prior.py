"""The prior: a mean-scale hyperprior with a checkerboard context, in arithmetic with an exact twin.

`integer.py` turns its layers into integer tensors; the layers here imitate that arithmetic.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from training.grids import act
from training.lp1.shape import LEVELS, Shape


class Hyperprior(nn.Module):
    """What priors share: ha makes z of the latent, hs makes features of z, z has its own scales."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        m, z, features = shape.latent, shape.hyper, shape.features
        conv = nn.Conv2d
        self.ha = nn.Sequential(
            conv(m, 128, 1), nn.ReLU(), conv(128, 128, 4, 2, 1), nn.ReLU(), conv(128, z, 4, 2, 1)
        )
        self.hs1 = conv(z, features * 4, 1)
        self.hs2 = conv(features, features * 4, 1)
        self.hs3 = conv(features, features, 3, 1, 1)
        self.level_bias = nn.Parameter(torch.zeros(LEVELS, features * 4))  # tells hs the level
        self.z_log_sigma = nn.Parameter(torch.zeros(LEVELS, z))

    def hyper_features(self, z: Tensor, level_bias: Tensor) -> Tensor:
        """z (N, Z, h / 4, w / 4) and the level's bias (N, 4 F) -> (N, F, h, w) on the grid."""
        f = act(F.pixel_shuffle(self.hs1(z).float() + level_bias[:, :, None, None], 2))
        return act(self.hs3(act(F.pixel_shuffle(self.hs2(f), 2))))


class Prior(Hyperprior):
    """Two heads make mu and log sigma of the features.

    The anchors' head sees the features. The non-anchors' head also sees the anchors' innovations
    (symbols divided by their scale), never y_hat, so that mu may stay a float.
    """

    def __init__(self, shape: Shape) -> None:
        super().__init__(shape)
        m, features, hidden = shape.latent, shape.features, shape.context
        conv = nn.Conv2d
        self.head1 = conv(features, 2 * m, 1)
        # Together the 12 taps of 5 x 5 that meet anchors: even rows and odd columns away, and the
        # reverse.
        self.ctx_a = conv(m, hidden, (3, 2), 1, (2, 1), 2, bias=False)
        self.ctx_b = conv(m, hidden, (2, 3), 1, (1, 2), 2, bias=False)
        self.ctx_f = conv(features, hidden, 1)
        self.mix = conv(hidden, hidden, 1)
        self.head2 = conv(hidden, 2 * m, 1)
        self.head1.weight.data.mul_(0.3)
        self.head2.weight.data.mul_(0.1)
        self.head2.bias.data.zero_()

    def anchors(self, f: Tensor) -> tuple[Tensor, Tensor]:
        """Features -> mu and log sigma of the latent before its gain, (N, M, h, w) each."""
        mu, s = self.head1(f).float().chunk(2, 1)
        return mu, s

    def non_anchors(self, f: Tensor, white: Tensor) -> tuple[Tensor, Tensor]:
        """Change of mu in units of sigma, and of log sigma, given whitened anchor symbols."""
        h = act(self.ctx_a(white) + self.ctx_b(white) + self.ctx_f(f))
        mu, s = self.head2(act(self.mix(h))).float().chunk(2, 1)
        return mu, s


def checkerboard(h: int, w: int, device: torch.device) -> Tensor:
    """(1, 1, h, w) bool, true at the anchors: row + column even."""
    r = torch.arange(h, device=device)[:, None]
    c = torch.arange(w, device=device)
    return ((r + c) % 2 == 0)[None, None]
