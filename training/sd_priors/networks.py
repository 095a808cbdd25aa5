"""The priors of the Stable Diffusion spaces in torch: a multistage context model, a network a pass.

    inputs (what a pass sees) ─┬─► 2 hidden layers ─► + ─► mu, log sigma
                               └──────── linear ──────┘

    symbol = round((y - mu) / step),  y_hat = mu + step x symbol,  distance = |step x symbol|

Passes and their inputs are those of `latentpress.entropy.multistage_passes`. Training runs the
closed loop that the decoder runs, with values rounded to what the integer networks that
`training.sd_priors.export` writes will see. A pass's inputs carry no gradient, so the passes learn
beside each other.

The canvas, (N, h + 2 REACH, w + 2 REACH, 3 C), holds what is decoded so far: the values of the C
channels, their distances and their local activity, in the latent's unit.
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
CONDITION_MAX = 255  # of the log step as the networks see it, either side of MIDDLE
COARSEST = 1.5  # step that is trained on
MIDDLE = math.log(math.sqrt(0.05 * 1.5))  # of the log step, as the decoder has it
HIDDEN = {4: 64, 16: 48}  # of a new prior, by channels


class PassNet(nn.Module):
    """The network of one pass, for n positions.

    Args:
        inputs: How many numbers of the canvas a position sees.
        hidden: Width of both hidden layers.
    """

    def __init__(self, inputs: int, hidden: int) -> None:
        super().__init__()
        self.first = nn.Linear(inputs + 1, hidden)
        self.second = nn.Linear(hidden, hidden)
        self.head = nn.Linear(hidden, 2, bias=False)
        self.linear = nn.Linear(inputs + 1, 2)
        self.head.weight.data.mul_(0.1)
        self.linear.weight.data.zero_()
        self.linear.bias.data.zero_()

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """x (n, inputs + 1), the last input the log step -> mu and log sigma, (n,) each.

        Both are in the latent's unit.
        """
        h = act(self.second(act(self.first(x))))
        mu, s = (self.head(h) + self.linear(x)).unbind(1)
        return mu, s


class Prior(nn.Module):
    """All passes of a space, in coding order.

    Args:
        channels: Of the latent, 4 or 16.
        hidden: Width of the hidden layers; None takes that of HIDDEN.

    Attributes:
        mean: (C,) what stands for 0 in each channel, a multiple of 1/16.
    """

    def __init__(self, channels: int, hidden: int | None = None) -> None:
        super().__init__()
        self.channels = channels
        self.passes = passes(channels)
        self.nets = nn.ModuleList(
            PassNet(p.inputs, hidden or HIDDEN[channels]) for p in self.passes
        )
        self.register_buffer("mean", torch.zeros(channels))

    def forward(self, y: Tensor, step: Tensor, hard: bool = False) -> tuple[Tensor, Tensor]:
        """Code latents.

        Args:
            y: (N, C, h, w).
            step: (N,) of each latent, in the latent's unit.
            hard: Scales on the tables' grid, as the decoder has them.

        Returns:
            Bits of each channel, (N, C), and y_hat, (N, C, h, w).
        """
        n, channels, h, w = y.shape
        y = (y - self.mean.view(1, -1, 1, 1)).permute(0, 2, 3, 1)
        canvas = y.new_zeros(n, h + 2 * REACH, w + 2 * REACH, 3 * channels)
        inner = canvas[:, REACH:-REACH, REACH:-REACH]
        y_hat = torch.zeros_like(y)
        log_step = (step.log() / LOG_UNIT).round() * LOG_UNIT
        bits: list[list[Tensor]] = [[] for _ in range(channels)]
        for p, net in zip(self.passes, self.nets, strict=True):
            target = pass_view(y[..., p.channel], p)
            if not target.numel():
                continue
            shape = target.shape
            d = at_positions(step, shape)
            log_d = at_positions(log_step, shape)
            with torch.no_grad():
                x = torch.cat([gather(canvas, p, shape), self.condition(log_d)[:, None]], 1)
            mu, s = net(x)
            symbol = (target.reshape(-1) - mu) / d
            symbol = symbol + (symbol.round() - symbol).detach()
            sigma = table_sigma(s - log_d, hard)
            bits[p.channel].append(gaussian_bits(symbol, sigma).view(n, -1).sum(1))
            with torch.no_grad():
                found = mu + d * symbol
                pass_view(y_hat[..., p.channel], p)[...] = found.view(shape)
                value = (found * VALUE).round().clamp(-VALUE_MAX, VALUE_MAX) / VALUE
                pass_view(inner[..., p.channel], p)[...] = value.view(shape)
                self.put(canvas, p, (d * symbol.abs()).view(shape))
        y_hat = y_hat.permute(0, 3, 1, 2) + self.mean.view(1, -1, 1, 1)
        return torch.stack([sum(b) for b in bits], 1), y_hat

    def put(self, canvas: Tensor, p: Pass, distance: Tensor) -> None:
        """Enter the distances of a pass, (N, rows, columns), and its channel's local activity."""
        inner = canvas[:, REACH:-REACH, REACH:-REACH]
        rounded = (distance * VALUE).round().clamp(max=DISTANCE_MAX) / VALUE
        pass_view(inner[..., self.channels + p.channel], p)[...] = rounded
        sums = canvas[None, ..., self.channels + p.channel].contiguous()
        for window in ((WINDOW, 1), (1, WINDOW)):
            sums = F.avg_pool2d(sums, window, 1, divisor_override=1)
        shifted = (sums[0] * (VALUE / 2 ** LOCAL_ACTIVITY_SHIFTS[p.number])).floor()
        local_activity = shifted.clamp(max=LOCAL_ACTIVITY_MAX) / VALUE
        inner[..., 2 * self.channels + p.channel] = local_activity

    @staticmethod
    def condition(log_step: Tensor) -> Tensor:
        """The log step as the networks see it: units of LOG_UNIT from MIDDLE, in sixty-fourths."""
        units = ((log_step - MIDDLE) / LOG_UNIT).round()
        return units.clamp(-CONDITION_MAX, CONDITION_MAX) / VALUE


def pass_view(planes: Tensor, p: Pass) -> Tensor:
    """A view of a pass's positions in planes (N, h, w) -> (N, rows, columns)."""
    return planes[:, p.top :: p.stride, p.left :: p.stride]


def at_positions(of_latents: Tensor, shape: torch.Size) -> Tensor:
    """A number a latent, (N,), at each position (N, rows, columns) -> (N rows columns,)."""
    return of_latents.view(-1, 1, 1).expand(shape).reshape(-1)


def gather(canvas: Tensor, p: Pass, shape: torch.Size) -> Tensor:
    """What a pass sees at its positions: `multistage_passes.gather` for a batch.

    Args:
        canvas: (N, h + 2 REACH, w + 2 REACH, 3 C).
        p: The pass.
        shape: (N, rows, columns) of its positions.

    Returns:
        (N rows columns, inputs).
    """
    _, rows, columns = shape
    parts = []
    for down, right, channels in p.taps:
        y = REACH + down + p.top
        x = REACH + right + p.left
        down_to = slice(y, y + rows * p.stride, p.stride)
        right_to = slice(x, x + columns * p.stride, p.stride)
        parts.append(canvas[:, down_to, right_to, channels][:, :rows, :columns])
    if not parts:
        return canvas.new_zeros(shape.numel(), 0)
    return torch.cat(parts, 3).reshape(-1, p.inputs)


def least_squares(x: Tensor, t: Tensor, ridge: float) -> Tensor:
    """The weights (k,) of inputs x (n, k) that come nearest to targets t (n,). float64.

    Args:
        x: Inputs.
        t: Targets.
        ridge: Penalty of the squared weights, per sample.
    """
    penalty = ridge * len(t) * torch.eye(x.shape[1], dtype=x.dtype)
    return torch.linalg.solve(x.T @ x + penalty, x.T @ t)


@torch.no_grad()
def fit_linear(prior: Prior, y: Tensor, step: float = 0.25, ridge: float = 3e-3) -> None:
    """Start a prior's means and linear paths from least squares on latents.

    Uniform noise stands for rounding. mu is fitted on the values, then log sigma on the distances
    and the local activity, to the logarithm of the residuals' magnitude.

    Args:
        prior: It is changed in place.
        y: (N, C, h, w).
        step: Width of the noise, in the latent's unit.
        ridge: See `least_squares`.
    """
    channels = y.shape[1]
    prior.mean.copy_((16 * y.mean((0, 2, 3))).round() / 16)
    y = (y - prior.mean.view(1, -1, 1, 1)).permute(0, 2, 3, 1)
    n, h, w, _ = y.shape
    canvas = y.new_zeros(n, h + 2 * REACH, w + 2 * REACH, 3 * channels)
    canvas[:, REACH:-REACH, REACH:-REACH, :channels] = y + step * (torch.rand_like(y) - 0.5)
    for p, net in zip(prior.passes, prior.nets, strict=True):
        target = pass_view(y[..., p.channel], p)
        x = gather(canvas, p, target.shape).double()
        t = target.reshape(-1).double()
        channel_of = [c for _, _, part in p.taps for c in range(part.start, part.stop)]
        is_value = torch.tensor(channel_of, dtype=torch.long) < channels
        one = torch.ones(len(t), 1, dtype=torch.double)
        values = torch.cat([x[:, is_value], one], 1)
        spread = torch.cat([x[:, ~is_value], one], 1)
        v = least_squares(values, t, ridge)
        residual = t - values @ v
        log_magnitude = torch.log(residual.abs() + 0.1 * residual.std())
        u = least_squares(spread, log_magnitude, ridge)
        log_sigma = spread @ u
        u[-1] += 0.5 * torch.log((residual / log_sigma.exp()).square().mean())
        net.linear.weight[0, :-1][is_value] = v[:-1].float()
        net.linear.bias[0] = float(v[-1])
        net.linear.weight[1, :-1][~is_value] = u[:-1].float()
        net.linear.bias[1] = float(u[-1])
        prior.put(canvas, p, residual.abs().float().view(target.shape))
