"""Train the prior of a Stable Diffusion space: python -m training.sd_priors.train sd15 --minutes 10

Adam on whitened inputs, cosine, a wall-clock budget, one thread. Random windows of the latents in runs/priors/SPACE.npy, a step
of up to 1.5 for each. Writes runs/priors/SPACE.pt and SPACE.csv: seconds, bits a number in training, and on held-out latents
at steps 0.1, 0.25, 0.75.
"""

import argparse
import math
import random
import time
from pathlib import Path

import numpy as np
import torch

from training.sd_priors.networks import COARSEST, Prior, fit_linear
from training.sd_priors.shipped import load_shipped
from training.sd_priors.whitened_adam import WhitenedAdam, inverse_root

FOLDER = Path(__file__).parents[2] / "runs/priors"
BATCH, SIDE, RATE, WARM_UP = 8, 36, 1e-2, 20
SHARES = {
    "first": 0.3,
    "second": 1.0,
    "head": 1.0,
    "linear": 0.1,
}  # of the learning rate; the linear layers start well
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
    bits, _ = prior(held, torch.full((len(held),), step), hard=True)
    return float(bits.sum()) / held.numel()


def usual_bits(step: torch.Tensor) -> torch.Tensor:
    """About what a number costs at a step: bits saved count by their share of it, or the fine steps would have all the say."""
    return 0.5 * torch.log2(1 + 2.4 / step**2)


class Windows:
    """Batches of random windows of latents (N, C, h, w), and a step for each."""

    def __init__(self, latents: torch.Tensor, least_step: float, seed: int) -> None:
        self.latents, self.least_step, self.rng = latents, least_step, random.Random(seed)

    def __call__(self) -> tuple[torch.Tensor, torch.Tensor]:
        n, _, h, w = self.latents.shape
        window = []
        for _ in range(BATCH):
            r, c = self.rng.randrange(h - SIDE + 1), self.rng.randrange(w - SIDE + 1)
            window.append(self.latents[self.rng.randrange(n), :, r : r + SIDE, c : c + SIDE])
        steps = [
            self.least_step * (COARSEST / self.least_step) ** self.rng.random()
            for _ in range(BATCH)
        ]
        return torch.stack(window), torch.tensor(steps)


@torch.no_grad()
def moments(prior: Prior, windows: Windows) -> list[torch.Tensor]:
    """Sums of x x^T over what each pass sees, x with a 1 at its end."""
    sums = [torch.zeros(p.inputs + 2, p.inputs + 2, dtype=torch.double) for p in prior.passes]

    def add(net: torch.nn.Module, inputs: tuple[torch.Tensor]) -> None:
        x = torch.cat([inputs[0], inputs[0].new_ones(len(inputs[0]), 1)], 1).double()
        sums[number[net]] += x.T @ x

    number = {net: i for i, net in enumerate(prior.nets)}
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
            found.append((getattr(net, name), share, root if name in ("first", "linear") else None))
    return WhitenedAdam(found)


def main() -> None:
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
    options = parser.parse_args()
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
    simple = [order0(np.rint(held.numpy() / s)) for s in HELD_STEPS]
    log = (FOLDER / f"{options.space}.csv").open("w")
    print(
        "seconds,updates,train_bits",
        *(f"held_{s},share_of_order0_{s}" for s in HELD_STEPS),
        sep=",",
        file=log,
    )

    def look(updates: int, bits: float) -> None:
        found = [held_bits(prior, held, s) for s in HELD_STEPS]
        pairs = [f"{b:.4f},{b / e:.4f}" for b, e in zip(found, simple, strict=True)]
        for stream in (log, None):
            print(
                f"{time.monotonic() - start:.0f},{updates},{bits:.4f}",
                *pairs,
                sep=",",
                file=stream,
                flush=True,
            )
        torch.save(prior.state_dict(), FOLDER / f"{options.space}.pt")

    look(0, math.nan)
    updates, mean, looked, share = 0, [], time.monotonic(), 0.0
    while share < 1:
        share = (time.monotonic() - start) / (60 * options.minutes)
        rate = (
            options.rate
            * min(1, (updates + 1) / WARM_UP)
            * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * min(share, 1))))
        )
        y, step = windows()
        bits = prior(y, step)[0].sum(1) / y[0].numel()
        prior.zero_grad()
        (bits / usual_bits(step)).mean().backward()
        torch.nn.utils.clip_grad_norm_(prior.parameters(), 1.0)
        optimizer.step(rate)
        updates += 1
        mean.append(float(bits.detach().mean()))
        if time.monotonic() - looked > options.every:
            look(updates, float(np.mean(mean)))
            mean, looked = [], time.monotonic()
    look(updates, float(np.mean(mean)))


if __name__ == "__main__":
    main()
