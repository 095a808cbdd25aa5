"""The priors of the Stable Diffusion spaces in torch: a small network a pass, trained in the closed loop that the decoder runs.

    inputs (what a pass sees, lattices.py) ─► 2 hidden layers ─► + ─► mu, log sigma
                                           └──── linear ────────┘

    symbol = round((y - mu) / step),  y_hat = mu + step x symbol,  distance = |step x symbol|

Values are rounded to what the integer networks of `export_priors.py` will see. A pass's inputs carry no gradient, so the
passes learn beside each other.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from latentpress.entropy.multistage import (
    DISTANCE_MAX,
    FINE,
    INPUT_BITS,
    LOCAL_ACTIVITY_MAX,
    VALUE_MAX,
)
from latentpress.entropy.multistage_passes import LOCAL_ACTIVITY_SHIFTS, REACH, WINDOW, Pass, passes
from training.grids import LOG_STEP, act, gaussian_bits, table_sigma

VALUE = FINE >> INPUT_BITS  # inputs: integers in units of 1/64 of a latent's unit
LOG_UNIT = LOG_STEP / 8  # of log sigma and log step
COARSEST = 1.5  # step that is trained on
MIDDLE = math.log(math.sqrt(0.05 * 1.5))  # of the log step, as the decoder has it
HIDDEN = {4: 64, 16: 48}  # of a new prior, by channels


class PassNet(nn.Module):
    """(n, inputs + 1) -> mu, log sigma, (n,) each; the last input is the log step."""

    def __init__(self, inputs: int, hidden: int) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(inputs + 1, hidden), nn.Linear(hidden, hidden)
        self.head, self.linear = nn.Linear(hidden, 2, bias=False), nn.Linear(inputs + 1, 2)
        self.head.weight.data.mul_(0.1)
        self.linear.weight.data.zero_()
        self.linear.bias.data.zero_()

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        h = act(self.second(act(self.first(x))))
        mu, s = (self.head(h) + self.linear(x)).unbind(1)
        return mu, s


class Prior(nn.Module):
    """All passes of a space. mean: of each channel, in sixteenths of a unit, (C,)."""

    def __init__(self, channels: int, hidden: int | None = None) -> None:
        super().__init__()
        self.channels, self.passes = channels, passes(channels)
        self.nets = nn.ModuleList(
            PassNet(p.inputs, hidden or HIDDEN[channels]) for p in self.passes
        )
        self.register_buffer("mean", torch.zeros(channels))

    def forward(self, y: Tensor, step: Tensor, hard: bool = False) -> tuple[Tensor, Tensor]:
        """y (N, C, h, w), step (N,) -> bits of each channel (N, C), y_hat. hard: scales on the tables' grid."""
        n, channels, h, w = y.shape
        y = (y - self.mean.view(1, -1, 1, 1)).permute(0, 2, 3, 1)
        canvas = y.new_zeros(n, h + 2 * REACH, w + 2 * REACH, 3 * channels)
        y_hat, log_step = torch.zeros_like(y), (step.log() / LOG_UNIT).round() * LOG_UNIT
        bits = [[] for _ in range(channels)]
        for p, net in zip(self.passes, self.nets, strict=True):
            target = y[:, p.top :: p.stride, p.left :: p.stride, p.channel]
            if not target.numel():
                continue
            shape = target.shape
            t = target.reshape(-1)
            d, log_d = (v.view(-1, 1, 1).expand(shape).reshape(-1) for v in (step, log_step))
            with torch.no_grad():
                x = torch.cat([gather(canvas, p, shape), self.condition(log_d)[:, None]], 1)
            mu, s = net(x)
            symbol = (t - mu) / d
            symbol = symbol + (symbol.round() - symbol).detach()
            sigma = table_sigma(s - log_d, hard)
            bits[p.channel].append(gaussian_bits(symbol, sigma).view(n, -1).sum(1))
            with torch.no_grad():
                found = mu + d * symbol
                y_hat[:, p.top :: p.stride, p.left :: p.stride, p.channel] = found.view(shape)
                at = (
                    slice(None),
                    slice(REACH + p.top, REACH + h, p.stride),
                    slice(REACH + p.left, REACH + w, p.stride),
                )
                canvas[(*at, p.channel)] = (
                    (found * VALUE).round().clamp(-VALUE_MAX, VALUE_MAX) / VALUE
                ).view(shape)
                self.put(canvas, p, (d * symbol.abs()).view(shape))
        return torch.stack([sum(b) for b in bits], 1), y_hat.permute(0, 3, 1, 2) + self.mean.view(
            1, -1, 1, 1
        )

    def put(self, canvas: Tensor, p: Pass, distance: Tensor) -> None:
        """The distances of a pass, (N, rows, columns), and the unrest that comes of them."""
        end = [n - REACH for n in canvas.shape[1:3]]
        at = (
            slice(None),
            slice(REACH + p.top, end[0], p.stride),
            slice(REACH + p.left, end[1], p.stride),
        )
        canvas[(*at, self.channels + p.channel)] = (distance * VALUE).round().clamp(
            max=DISTANCE_MAX
        ) / VALUE
        sums = canvas[None, ..., self.channels + p.channel].contiguous()
        for window in ((WINDOW, 1), (1, WINDOW)):
            sums = F.avg_pool2d(sums, window, 1, divisor_override=1)
        unrest = (sums[0] * (VALUE / 2 ** LOCAL_ACTIVITY_SHIFTS[p.number])).floor().clamp(
            max=LOCAL_ACTIVITY_MAX
        ) / VALUE
        canvas[:, REACH:-REACH, REACH:-REACH, 2 * self.channels + p.channel] = unrest

    @staticmethod
    def condition(log_step: Tensor) -> Tensor:
        """The log step as the networks see it: units of LOG_UNIT from MIDDLE, in sixty-fourths."""
        return ((log_step - MIDDLE) / LOG_UNIT).round().clamp(-255, 255) / VALUE


def gather(canvas: Tensor, p: Pass, shape: torch.Size) -> Tensor:
    """`lattices.gather` on a batch."""
    parts, (_, rows, columns) = [], shape
    for down, right, channels in p.taps:
        y, x = REACH + down + p.top, REACH + right + p.left
        parts.append(
            canvas[
                :,
                y : y + rows * p.stride : p.stride,
                x : x + columns * p.stride : p.stride,
                channels,
            ][:, :rows, :columns]
        )
    return (
        torch.cat(parts, 3).reshape(-1, p.inputs) if parts else canvas.new_zeros(shape.numel(), 0)
    )


@torch.no_grad()
def fit_linear(prior: Prior, y: Tensor, step: float = 0.25, ridge: float = 3e-3) -> None:
    """Start the linear paths from least squares on y (N, C, h, w), with noise in place of rounding: mu from the values, then
    log sigma from the distances and the unrest, on the logarithm of the residuals.
    """
    channels, double = y.shape[1], torch.double
    prior.mean.copy_((16 * y.mean((0, 2, 3))).round() / 16)
    y = (y - prior.mean.view(1, -1, 1, 1)).permute(0, 2, 3, 1)
    n, h, w, _ = y.shape
    canvas = y.new_zeros(n, h + 2 * REACH, w + 2 * REACH, 3 * channels)
    canvas[:, REACH:-REACH, REACH:-REACH, :channels] = y + step * (torch.rand_like(y) - 0.5)

    def solve(x: Tensor, t: Tensor) -> Tensor:
        return torch.linalg.solve(
            x.T @ x + ridge * len(t) * torch.eye(x.shape[1], dtype=double), x.T @ t
        )

    for p, net in zip(prior.passes, prior.nets, strict=True):
        target = y[:, p.top :: p.stride, p.left :: p.stride, p.channel]
        x, t = gather(canvas, p, target.shape).double(), target.reshape(-1).double()
        plane = torch.tensor(
            [c for _, _, part in p.taps for c in range(part.start, part.stop)], dtype=torch.long
        )
        one = torch.ones(len(t), 1, dtype=double)
        values, spread = (
            torch.cat([x[:, chosen], one], 1) for chosen in (plane < channels, plane >= channels)
        )
        v = solve(values, t)
        residual = t - values @ v
        size = torch.log(residual.abs() + 0.1 * residual.std())
        u = solve(spread, size)
        log_sigma = spread @ u
        u[-1] += 0.5 * torch.log((residual / log_sigma.exp()).square().mean())
        net.linear.weight[0, :-1][plane < channels], net.linear.bias[0] = (
            v[:-1].float(),
            float(v[-1]),
        )
        net.linear.weight[1, :-1][plane >= channels], net.linear.bias[1] = (
            u[:-1].float(),
            float(u[-1]),
        )
        prior.put(canvas, p, residual.abs().float().view(target.shape))
