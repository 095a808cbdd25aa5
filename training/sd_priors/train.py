"""Train the prior of a Stable Diffusion space.

    python -m training.sd_priors.train sd15 --minutes 10

Adam on whitened inputs, a cosine of the learning rate, a budget of wall-clock time, one thread.
Each batch is random windows of the latents in runs/priors/SPACE.npy with a step of up to 1.5 for
each window. Writes runs/priors/SPACE.pt and SPACE.csv: seconds, updates, bits a number in
training, and on the held-out latents at steps 0.1, 0.25 and 0.75 bits a number and their share of
the order-0 entropy.
"""

import argparse
import math
import random
import time
from pathlib import Path
from typing import IO

import numpy as np
import torch

from training.sd_priors.networks import COARSEST, Prior, fit_linear
from training.sd_priors.shipped import load_shipped
from training.sd_priors.whitened_adam import WhitenedAdam, inverse_root

FOLDER = Path(__file__).parents[2] / "runs/priors"
BATCH = 8
SIDE = 36
RATE = 1e-2
WARM_UP = 20  # updates
# Of the learning rate; the linear layers start well.
SHARES = {"first": 0.3, "second": 1.0, "head": 1.0, "linear": 0.1}
ON_CANVAS = ("first", "linear")  # the layers whose inputs are whitened
MOMENT_BATCHES = 6
HELD_STEPS = (0.1, 0.25, 0.75)


def order0(q: np.ndarray) -> float:
    """Entropy of integers (N, C, h, w) in bits a number, a distribution a channel and latent."""
    total = 0.0
    for channel in q.reshape(-1, q.shape[2] * q.shape[3]):
        amounts = np.unique(channel, return_counts=True)[1]
        total -= float((amounts * np.log2(amounts / amounts.sum())).sum())
    return total / q.size


@torch.no_grad()
def held_bits(prior: Prior, held: torch.Tensor, step: float) -> float:
    """Bits a number of latents (N, C, h, w) at one step, scales on the tables' grid."""
    bits, _ = prior(held, torch.full((len(held),), step), hard=True)
    return float(bits.sum()) / held.numel()


def usual_bits(step: torch.Tensor) -> torch.Tensor:
    """About what a number costs at each step (N,), in bits.

    Bits saved count by their share of it, or the fine steps would have all the say.
    """
    return 0.5 * torch.log2(1 + 2.4 / step**2)


class Windows:
    """Draws batches of random windows of latents, and a step for each window.

    Args:
        latents: (N, C, h, w).
        least_step: Steps lie between it and COARSEST, their logarithms evenly.
        seed: The same seed gives the same batches.
    """

    def __init__(self, latents: torch.Tensor, least_step: float, seed: int) -> None:
        self.latents = latents
        self.least_step = least_step
        self.rng = random.Random(seed)

    def __call__(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Windows (BATCH, C, SIDE, SIDE) and steps (BATCH,)."""
        n, _, h, w = self.latents.shape
        windows = []
        for _ in range(BATCH):
            r = self.rng.randrange(h - SIDE + 1)
            c = self.rng.randrange(w - SIDE + 1)
            i = self.rng.randrange(n)
            windows.append(self.latents[i, :, r : r + SIDE, c : c + SIDE])
        ratio = COARSEST / self.least_step
        steps = [self.least_step * ratio ** self.rng.random() for _ in range(BATCH)]
        return torch.stack(windows), torch.tensor(steps)


@torch.no_grad()
def moments(prior: Prior, windows: Windows) -> list[torch.Tensor]:
    """Of each pass the sum of x x^T over what it sees, x with a 1 at its end. float64."""
    sums = [torch.zeros(p.inputs + 2, p.inputs + 2, dtype=torch.double) for p in prior.passes]
    number = {net: i for i, net in enumerate(prior.nets)}

    def add(net: torch.nn.Module, inputs: tuple[torch.Tensor]) -> None:
        x = torch.cat([inputs[0], inputs[0].new_ones(len(inputs[0]), 1)], 1).double()
        sums[number[net]] += x.T @ x

    hooks = [net.register_forward_pre_hook(add) for net in prior.nets]
    for _ in range(MOMENT_BATCHES):
        prior(*windows())
    for hook in hooks:
        hook.remove()
    return sums


def optimizer_of(prior: Prior, windows: Windows) -> WhitenedAdam:
    """Whitened inputs for the layers that see the canvas, plain Adam for the inner ones."""
    found = []
    for net, seen in zip(prior.nets, moments(prior, windows), strict=True):
        root = inverse_root(seen)  # of what both layers see
        for name, share in SHARES.items():
            found.append((getattr(net, name), share, root if name in ON_CANVAS else None))
    return WhitenedAdam(found)


def rate_at(share: float, updates: int, highest: float) -> float:
    """The learning rate at a share of the time and after some updates.

    It rises linearly over WARM_UP updates and follows a cosine down to a hundredth.
    """
    warm = min(1, (updates + 1) / WARM_UP)
    cosine = 0.5 * (1 + math.cos(math.pi * min(share, 1)))
    return highest * warm * (0.01 + 0.99 * cosine)


class Looks:
    """Evaluates a prior on held-out latents, and writes what it finds and the weights.

    Args:
        space: Name of what is written, in FOLDER.
        prior: The prior that is trained.
        held: (N, C, h, w).
        start: When training began, by time.monotonic.
    """

    def __init__(self, space: str, prior: Prior, held: torch.Tensor, start: float) -> None:
        self.space = space
        self.prior = prior
        self.held = held
        self.start = start
        self.simple = [order0(np.rint(held.numpy() / s)) for s in HELD_STEPS]
        self.log = (FOLDER / f"{space}.csv").open("w", encoding="utf-8")
        columns = [f"held_{s},share_of_order0_{s}" for s in HELD_STEPS]
        print("seconds,updates,train_bits", *columns, sep=",", file=self.log)

    def __call__(self, updates: int, bits: float) -> None:
        """A row of the table, after some updates and with the mean bits of training since."""
        found = [held_bits(self.prior, self.held, s) for s in HELD_STEPS]
        pairs = [f"{b:.4f},{b / e:.4f}" for b, e in zip(found, self.simple, strict=True)]
        begin = f"{time.monotonic() - self.start:.0f},{updates},{bits:.4f}"
        streams: tuple[IO[str] | None, ...] = (self.log, None)
        for stream in streams:
            print(begin, *pairs, sep=",", file=stream, flush=True)
        torch.save(self.prior.state_dict(), FOLDER / f"{self.space}.pt")


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("space")
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--resume", action="store_true", help="go on from the shipped prior")
    parser.add_argument(
        "--every", type=float, default=60, help="seconds between looks at the held-out latents"
    )
    parser.add_argument(
        "--least-step",
        type=float,
        default=0.05,
        help="that is trained on; .015 for latents as data at 8 bits",
    )
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rate", type=float, default=RATE)
    return parser.parse_args()


def main() -> None:
    """Train until the time is over."""
    options = parse()
    torch.set_num_threads(1)
    torch.manual_seed(1)
    latents = torch.from_numpy(np.load(FOLDER / f"{options.space}.npy")).float()
    held = torch.from_numpy(np.load(FOLDER / f"{options.space}-held.npy")).float()
    start = time.monotonic()
    prior = load_shipped(options.space) if options.resume else Prior(latents.shape[1])
    if not options.resume:
        fit_linear(prior, latents[:: max(1, len(latents) // 100)])
    windows = Windows(latents, options.least_step, options.seed)
    optimizer = optimizer_of(prior, windows)
    look = Looks(options.space, prior, held, start)
    look(0, math.nan)
    updates = 0
    share = 0.0
    seen: list[float] = []  # bits a number since the last look
    looked = time.monotonic()
    while share < 1:
        share = (time.monotonic() - start) / (60 * options.minutes)
        rate = rate_at(share, updates, options.rate)
        y, step = windows()
        bits = prior(y, step)[0].sum(1) / y[0].numel()
        prior.zero_grad()
        (bits / usual_bits(step)).mean().backward()
        torch.nn.utils.clip_grad_norm_(prior.parameters(), 1.0)
        optimizer.step(rate)
        updates += 1
        seen.append(float(bits.detach().mean()))
        if time.monotonic() - looked > options.every:
            look(updates, float(np.mean(seen)))
            seen = []
            looked = time.monotonic()
    look(updates, float(np.mean(seen)))


if __name__ == "__main__":
    main()
