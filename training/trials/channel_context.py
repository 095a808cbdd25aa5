"""What the prior would gain if some channels of a position were coded before the others:

    python -m training.trials.channel_context PHOTOGRAPHS [--steps 3000] [--first 0 32 64 128]

The channels that take the most bits come first, in the order that the shipped prior has for them. A
small network then corrects the means and scales that the shipped prior gives the rest, from the
innovations of the first at the same position, in both passes of the checkerboard. Transforms, gains
and the shipped prior stay as they are. With 0 the network sees no innovation, only the features and
the level: what it gains is no gain of the channels.

A row a number of first channels: their share of all bits of y, and how many of these are saved at
the levels 1 to 5, on photographs that the network was not trained on.
"""

import argparse
import random
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from training.grids import gaussian_bits, skipped, table_sigma
from training.lp1.codec import Codec, checkerboard, interpolate
from training.lp1.shape import LEVELS
from training.lp1.shipped import shipped_codec

SEEN, HELD_OUT, SIDE = 900, 200, 320  # photographs, a crop of each
JUDGED = range(1, 6)  # levels
HIDDEN, BATCH, RATE = 192, 2048, 2e-3
CLIP = 8.0  # of an innovation


class Positions(NamedTuple):
    """n positions of latents: y - mu and log sigma (n, M) in steps, features (n, F), level (n,)."""

    error: Tensor
    log_sigma: Tensor
    features: Tensor
    level: Tensor

    def some(self, index: Tensor) -> "Positions":
        """Some of them, in float32."""
        return Positions(*(t[index].float() for t in self))


def crops(paths: list[Path]) -> Iterator[Tensor]:
    """A square of each photograph that has one, (1, 3, SIDE, SIDE) in [-1, 1]."""
    for path in paths:
        with Image.open(path) as image:
            pixels = np.array(image.convert("RGB"))
        height, width = (n - SIDE for n in pixels.shape[:2])
        if min(height, width) < 0:
            continue
        top, left = random.randint(0, height), random.randint(0, width)
        square = torch.from_numpy(pixels[top : top + SIDE, left : left + SIDE])
        yield square.permute(2, 0, 1)[None] / 127.5 - 1


@torch.no_grad()
def positions(net: Codec, paths: list[Path]) -> Positions:
    """What the shipped prior says of a crop of each photograph, the levels taking turns."""
    found = []
    for number, x in enumerate(crops(paths)):
        level = torch.tensor([float(JUDGED[number % len(JUDGED)])])
        log_gain = interpolate(net.gain, level)[:, :, None, None]
        y = net.ga(x).float() * log_gain.exp()
        z = net.prior.ha(torch.asinh(y)).round()
        features = net.prior.hyper_features(z, interpolate(net.prior.level_bias, level))
        mu, log_sigma = net.prior.anchors(features)
        mu, log_sigma = mu * log_gain.exp(), log_sigma + log_gain
        factor = net.step_factor(log_sigma, level)
        assert factor is not None
        y, mu, log_sigma = y * factor, mu * factor, log_sigma + factor.log()
        # the second pass, with the first one's symbols
        anchor = checkerboard(*y.shape[2:], y.device)
        sigma = table_sigma(log_sigma, True)
        symbols = (y - mu).round() * ~skipped(sigma)
        by_mu, by_sigma = net.prior.non_anchors(features, symbols / sigma * anchor)
        error = torch.where(anchor, y - mu, y - mu - sigma * by_mu)
        log_sigma = torch.where(anchor, log_sigma, log_sigma + by_sigma)
        rows = [t[0].flatten(1).T.half() for t in (error, log_sigma, features)]
        found.append(Positions(*rows, level.repeat(len(rows[0])).half()))
    return Positions(*map(torch.cat, zip(*found, strict=True)))


def bits(error: Tensor, log_sigma: Tensor) -> Tensor:
    """Of rounded symbols, of the same shape."""
    sigma = table_sigma(log_sigma, True)
    coded = ~skipped(sigma)
    return gaussian_bits(error.round() * coded, sigma) * coded


class Correction(nn.Module):
    """The innovations of the first channels, features, level -> changes of the others' mu, in
    units of sigma, and of their log sigma.
    """

    def __init__(self, first: Tensor, rest: Tensor, features: int) -> None:
        super().__init__()
        self.first, self.rest = first, rest
        self.enter = nn.Linear(len(first) + features + 1, HIDDEN)
        self.mix = nn.Linear(HIDDEN, HIDDEN)
        self.head = nn.Linear(HIDDEN, 2 * len(rest))
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)

    def forward(self, at: Positions) -> tuple[Tensor, Tensor]:
        """Corrected error and log sigma of the rest, (n, rest) each."""
        sigma = table_sigma(at.log_sigma[:, self.first], True)
        symbols = at.error[:, self.first].round() * ~skipped(sigma)
        seen = [(symbols / sigma).clamp(-CLIP, CLIP), at.features / 4, at.level[:, None] / LEVELS]
        t = torch.relu(self.enter(torch.cat(seen, 1)))
        t = t + torch.relu(self.mix(t))
        by_mu, by_sigma = self.head(t).chunk(2, 1)
        log_sigma = at.log_sigma[:, self.rest]
        error = at.error[:, self.rest] - by_mu * table_sigma(log_sigma, True)
        return error, log_sigma + by_sigma


def train(net: Correction, seen: Positions, usual: Tensor, steps: int) -> None:
    """Train for some steps. usual: bits of a position at each level, (LEVELS,), so that none
    outweighs the others.
    """
    optimizer = torch.optim.Adam(net.parameters(), RATE)
    for step in range(steps):
        optimizer.param_groups[0]["lr"] = RATE * (1 - step / steps)
        at = seen.some(torch.randint(len(seen.level), (BATCH,)))
        error, log_sigma = net(at)
        noisy = error + torch.rand_like(error) - 0.5
        loss = gaussian_bits(noisy, table_sigma(log_sigma, False)).sum(1) / usual[at.level.long()]
        optimizer.zero_grad()
        loss.mean().backward()
        optimizer.step()


@torch.no_grad()
def sums(net: Correction, held_out: Positions) -> Tensor:
    """Bits before and after of the rest, and of all channels before, a row each: (3, LEVELS)."""
    out = torch.zeros(3, LEVELS)
    for index in torch.arange(len(held_out.level)).split(BATCH):
        at = held_out.some(index)
        plain = bits(at.error, at.log_sigma)
        rows = [plain[:, net.rest].sum(1), bits(*net(at)).sum(1), plain.sum(1)]
        out.index_add_(1, at.level.long(), torch.stack(rows))
    return out


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("photographs", type=Path)
    parser.add_argument("--steps", type=int, default=3000, help="of training a row")
    parser.add_argument("--first", type=int, nargs="+", default=[0, 32, 64, 128])
    args = parser.parse_args()
    random.seed(1)
    torch.manual_seed(1)
    shipped = shipped_codec()
    shipped.shape = replace(shipped.shape, masking=True)
    paths = sorted(args.photographs.glob("*.jpg"))
    random.shuffle(paths)
    seen = positions(shipped, paths[:SEEN])
    held_out = positions(shipped, paths[SEEN : SEEN + HELD_OUT])
    every = torch.stack(
        [bits(*held_out.some(i)[:2]).sum(0) for i in torch.arange(len(held_out.level)).split(BATCH)]
    )
    by_channel, order = every.sum(0).sort(descending=True)
    print("| first channels | their bits |" + "".join(f" level {n} |" for n in JUDGED))
    print("|---|---|" + "---|" * len(JUDGED), flush=True)
    for count in args.first:
        net = Correction(order[:count], order[count:], seen.features.shape[1])
        usual = sums(net, held_out)[2] / torch.bincount(held_out.level.long(), minlength=LEVELS)
        train(net, seen, usual, args.steps)
        before, after, whole = sums(net, held_out)
        saved = 100 * (after - before) / whole
        cells = "".join(f" {float(saved[level]):+.2f} % |" for level in JUDGED)
        share = float(by_channel[:count].sum() / by_channel.sum())
        print(f"| {count} | {share:.0%} |{cells}", flush=True)


if __name__ == "__main__":
    main()
