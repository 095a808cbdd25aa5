"""The lp1 networks in torch: analysis, synthesis, and the prior that will run in exact integers.

    x ──ga──► y ──·gain──► y' ──(y' - mu) rounded──► symbols ──+ mu, ·inverse gain──► gs ──► x_hat
                           └─asinh─ha──► z ──► hs ──► features ─► head1 ─► mu, sigma of the anchors
                                                          └─ + whitened anchor symbols ─► head2 ─► the others

Everything that decides a probability is a function of integers only: z and the symbols. The context sees the
*innovations* of the anchors (symbols divided by their scale), never y_hat, so mu may stay a float.
`integer.py` turns the `Int*` layers below into integer tensors; the layers here imitate that arithmetic.
"""
import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from latentpress.optimize.rate import LowerBound

M, Z, FEATURES, HIDDEN = 320, 64, 128, 192  # channels: latent, hyper latent, hyper features, context
LEVELS = 7                                  # anchor levels of the quality knob; between them all is interpolated
RATES = [0.035 * (1.15 / 0.035) ** (i / (LEVELS - 1)) for i in range(LEVELS)]  # bpp each level is meant for
SIGMA_MIN, SIGMA_MAX, SCALES = 0.11, 128.0, 64
LOG_STEP = math.log(SIGMA_MAX / SIGMA_MIN) / (SCALES - 1)  # ratio of neighbouring scales, in nats
ACT, ACT_MAX = 32, 255                      # hidden activations: integers 0..255, in units of 1/32
WHITE, WHITE_MAX = 16, 127                  # whitened symbols: integers -127..127, in units of 1/16
Z_MAX = 127


def ste_round(t: Tensor) -> Tensor:
    """Round in the forward pass, identity in the backward pass."""
    return t + (t.round() - t).detach()


def act(t: Tensor) -> Tensor:
    """Clipped ReLU on the integer grid of the exact prior."""
    return ste_round((t.float() * ACT).clamp(0, ACT_MAX)) / ACT


class Residual(nn.Module):
    """x + conv(relu(conv(x))), near identity at the start (without it the first hundred steps blow up)."""

    def __init__(self, c: int, gain: float = 0.2) -> None:
        super().__init__()
        self.a = nn.Conv2d(c, c, 3, 1, 1)
        self.b = nn.Conv2d(c, c, 3, 1, 1)
        self.b.weight.data.mul_(gain)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.b(F.relu(self.a(x)))


class Synthesis(nn.Module):
    """(N, M, h, w) -> (N, 3, 16 h, 16 w) about [-1, 1]: a trunk up to quarter resolution, then a 4 x 4 pixel
    shuffle plus a half-resolution branch that removes its grid, plus the linear path of `Analysis`, transposed."""

    def __init__(self, n1: int = 64, n2: int = 128, n3: int = 192, fine: int = 16) -> None:
        super().__init__()
        conv, up = nn.Conv2d, nn.PixelShuffle
        self.trunk = nn.Sequential(conv(M, n3, 1), Residual(n3), Residual(n3), conv(n3, n2 * 4, 1), up(2), Residual(n2),
                                   Residual(n2), Residual(n2), conv(n2, n1 * 4, 1), up(2), Residual(n1), Residual(n1))
        self.coarse = nn.Sequential(conv(n1, 48, 3, 1, 1), up(4))
        self.fine = nn.Sequential(conv(n1, fine * 4, 1), up(2), nn.ReLU(), conv(fine, fine, 3, 1, 1), nn.ReLU(),
                                  conv(fine, 12, 3, 1, 1), up(2))
        self.linear = nn.Sequential(conv(M, 768, 1), up(16))
        self.fine[5].weight.data.mul_(0.05)
        self.fine[5].bias.data.zero_()

    def forward(self, y: Tensor) -> Tensor:
        t = self.trunk(y)
        return self.coarse(t) + self.fine(t) + self.linear(y)


class Analysis(nn.Module):
    """(N, 3, 16 h, 16 w) in [-1, 1] -> (N, M, h, w): a deep path, plus one linear map of each 16 x 16 block, which
    carries the detail of high rates that the deep path is slow to learn."""

    def __init__(self, n1: int = 64, n2: int = 128, n3: int = 192) -> None:
        super().__init__()
        conv = nn.Conv2d
        self.deep = nn.Sequential(conv(3, n1, 8, 4, 2), Residual(n1), conv(n1, n2, 4, 2, 1), Residual(n2), Residual(n2),
                                  Residual(n2), conv(n2, n3, 4, 2, 1), Residual(n3), Residual(n3), conv(n3, M, 1))
        self.linear = conv(3, M, 16, 16)

    def forward(self, x: Tensor) -> Tensor:
        return self.deep(x) + self.linear(x)


class Prior(nn.Module):
    """Mean-scale hyperprior with a two-pass checkerboard context, in arithmetic that has an exact integer twin."""

    def __init__(self) -> None:
        super().__init__()
        conv = nn.Conv2d
        self.ha = nn.Sequential(conv(M, 128, 1), nn.ReLU(), conv(128, 128, 4, 2, 1), nn.ReLU(), conv(128, Z, 4, 2, 1))
        self.hs1 = conv(Z, FEATURES * 4, 1)
        self.hs2 = conv(FEATURES, FEATURES * 4, 1)
        self.hs3 = conv(FEATURES, FEATURES, 3, 1, 1)
        self.head1 = conv(FEATURES, 2 * M, 1)
        self.ctx_a = conv(M, HIDDEN, (3, 2), 1, (2, 1), 2, bias=False)  # with ctx_b the 12 taps of 5 x 5 that meet anchors:
        self.ctx_b = conv(M, HIDDEN, (2, 3), 1, (1, 2), 2, bias=False)  # even rows and odd columns away, and the reverse
        self.ctx_f = conv(FEATURES, HIDDEN, 1)
        self.mix = conv(HIDDEN, HIDDEN, 1)
        self.head2 = conv(HIDDEN, 2 * M, 1)
        self.head1.weight.data.mul_(0.3)
        self.head2.weight.data.mul_(0.1)
        self.head2.bias.data.zero_()
        self.level_bias = nn.Parameter(torch.zeros(LEVELS, FEATURES * 4))   # tells hs the level
        self.z_log_sigma = nn.Parameter(torch.zeros(LEVELS, Z))

    def features(self, z: Tensor, level_bias: Tensor) -> Tensor:
        f = act(F.pixel_shuffle(self.hs1(z).float() + level_bias[:, :, None, None], 2))
        return act(self.hs3(act(F.pixel_shuffle(self.hs2(f), 2))))

    def anchors(self, f: Tensor) -> tuple[Tensor, Tensor]:
        """mu and log sigma of the un-gained latent."""
        mu, s = self.head1(f).float().chunk(2, 1)
        return mu, s

    def others(self, f: Tensor, white: Tensor) -> tuple[Tensor, Tensor]:
        """Change of mu in units of sigma, change of log sigma, given whitened anchor symbols."""
        h = act(self.ctx_a(white) + self.ctx_b(white) + self.ctx_f(f))
        mu, s = self.head2(act(self.mix(h))).float().chunk(2, 1)
        return mu, s


def checkerboard(h: int, w: int, device: torch.device) -> Tensor:
    """(1, 1, h, w) bool, true at the anchors (first pass): row + column even."""
    r, c = torch.arange(h, device=device)[:, None], torch.arange(w, device=device)[None]
    return ((r + c) % 2 == 0)[None, None]


def gaussian_bits(v: Tensor, sigma: Tensor) -> Tensor:
    """Bits of v under a zero-mean Gaussian integrated over unit bins."""
    v = v.abs()
    phi = lambda t: 0.5 * torch.erfc(-t / math.sqrt(2))
    return -torch.log2((phi((0.5 - v) / sigma) - phi((-0.5 - v) / sigma)).clamp_min(1e-9))


def interpolate(table: Tensor, level: Tensor) -> Tensor:
    """Rows of table (LEVELS, C) at fractional levels (N,) in [0, LEVELS - 1] -> (N, C)."""
    i = level.floor().clamp(max=LEVELS - 2).long()
    f = (level - i)[:, None]
    return table[i] * (1 - f) + table[i + 1] * f


def table_sigma(log_sigma: Tensor, hard: bool) -> Tensor:
    """exp(log sigma) inside the table's range; on the table's grid when hard."""
    index = LowerBound.apply((log_sigma - math.log(SIGMA_MIN)) / LOG_STEP).clamp(max=SCALES - 1)
    return torch.exp((index.round() if hard else index) * LOG_STEP + math.log(SIGMA_MIN))


def skipped(sigma: Tensor) -> Tensor:
    """True where the table is the least one: such a symbol is 0 and not coded."""
    return sigma < SIGMA_MIN * math.exp(LOG_STEP / 2)


class Codec(nn.Module):
    """The whole model. Gains: log, a row a level, separately for the encoder (gain) and the decoder (inverse)."""

    def __init__(self) -> None:
        super().__init__()
        self.ga, self.gs, self.prior = Analysis(), Synthesis(), Prior()
        start = torch.tensor([[0.9 * math.log(r / 0.25)] for r in RATES]).repeat(1, M)
        self.gain, self.inverse = nn.Parameter(start.clone()), nn.Parameter(-start.clone())

    def forward(self, x: Tensor, level: Tensor, hard: bool = False) -> tuple[Tensor, Tensor]:
        """x (N, 3, H, W) in [-1, 1], H and W multiples of 16; level (N,) float in [0, LEVELS - 1].

        Returns x_hat and the bits of each image (N,). hard: true rounding instead of noise in the rate.
        """
        p, log_gain = self.prior, interpolate(self.gain, level)[:, :, None, None]
        y = self.ga(x).float() * log_gain.exp()
        h, w = y.shape[2:]
        z = p.ha(F.pad(torch.asinh(y), (0, -w % 4, 0, -h % 4))).float().clamp(-Z_MAX, Z_MAX)
        z_sigma = table_sigma(interpolate(p.z_log_sigma, level), hard)[:, :, None, None]
        noise = (lambda t: t.round()) if hard else (lambda t: t + torch.rand_like(t) - 0.5)
        bits = gaussian_bits(noise(z), z_sigma).sum((1, 2, 3))
        f = p.features(ste_round(z), interpolate(p.level_bias, level))[:, :, :h, :w]
        mu1, s1 = p.anchors(f)
        mu1, s1 = mu1 * log_gain.exp(), s1 + log_gain
        anchor, sigma1 = checkerboard(h, w, x.device), table_sigma(s1, hard)
        first = (y - mu1).round() * ~skipped(sigma1)
        white = (first / sigma1 * WHITE).round().clamp(-WHITE_MAX, WHITE_MAX).detach() / WHITE
        dmu, ds = p.others(f, white * anchor)
        mu = torch.where(anchor, mu1, mu1 + sigma1 * dmu)
        sigma = torch.where(anchor, sigma1, table_sigma(s1 + ds, hard))
        symbols, nothing = ste_round(y - mu), skipped(sigma)
        symbols = symbols - (symbols * nothing).detach()
        of_symbols = gaussian_bits(symbols, sigma) * ~nothing if hard else gaussian_bits(noise(y - mu), sigma)
        bits = bits + of_symbols.sum((1, 2, 3))
        return self.gs((symbols + mu) * interpolate(self.inverse, level)[:, :, None, None].exp()).float(), bits
