"""Train the prior of a Stable Diffusion space: python training/priors.py sd15 --minutes 10   (after prior_latents.py)

Adam, cosine, a wall-clock budget, one thread. Random windows of the latents in runs/priors/SPACE.npy, a step between 0.05 and 1.5
for each. Writes runs/priors/SPACE.pt and SPACE.csv: seconds, bits a number in training, and on held-out latents at steps 0.1, 0.25, 0.75.
"""
import argparse
import math
import random
import time
from pathlib import Path

import numpy as np
import torch

from prior_networks import STEPS, Prior, fit_linear
from shipped_priors import load_shipped

FOLDER = Path(__file__).parents[1] / "runs/priors"
BATCH, SIDE, RATE, DECAY, WARM_UP = 8, 36, 4e-3, 0.02, 20
SHARES = {"first": 0.5, "linear": 0.1}  # of the learning rate: layers of many inputs move their outputs far, and the linear ones start well
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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("space")
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--resume", action="store_true", help="go on from the shipped prior")
    parser.add_argument("--every", type=float, default=60, help="seconds between looks at the held-out latents")
    options = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(1)
    rng = random.Random(1)
    latents = torch.from_numpy(np.load(FOLDER / f"{options.space}.npy")).float()
    held = torch.from_numpy(np.load(FOLDER / f"{options.space}-held.npy")).float()
    start = time.monotonic()
    prior = load_shipped(options.space) if options.resume else Prior(latents.shape[1])
    if not options.resume:
        fit_linear(prior, latents[:: max(1, len(latents) // 100)])
    groups: dict[float, list[torch.nn.Parameter]] = {}
    for name, p in prior.named_parameters():
        groups.setdefault(SHARES.get(name.split(".")[2], 1.0), []).append(p)
    optimizer = torch.optim.AdamW([{"params": v, "share": k} for k, v in groups.items()], RATE, betas=(0.9, 0.98), weight_decay=DECAY)
    simple = [order0(np.rint(held.numpy() / s)) for s in HELD_STEPS]
    log = (FOLDER / f"{options.space}.csv").open("w")
    print("seconds,updates,train_bits", *(f"held_{s},share_of_order0_{s}" for s in HELD_STEPS), sep=",", file=log)

    def look(updates: int, bits: float) -> None:
        found = [held_bits(prior, held, s) for s in HELD_STEPS]
        pairs = [f"{b:.4f},{b / e:.4f}" for b, e in zip(found, simple, strict=True)]
        for stream in (log, None):
            print(f"{time.monotonic() - start:.0f},{updates},{bits:.4f}", *pairs, sep=",", file=stream, flush=True)
        torch.save(prior.state_dict(), FOLDER / f"{options.space}.pt")

    look(0, math.nan)
    updates, mean, looked, share = 0, [], time.monotonic(), 0.0
    while share < 1:
        share = (time.monotonic() - start) / (60 * options.minutes)
        rate = RATE * min(1, (updates + 1) / WARM_UP) * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * min(share, 1))))
        for group in optimizer.param_groups:
            group["lr"] = group["share"] * rate
        window = []
        for _ in range(BATCH):
            r, c = rng.randrange(latents.shape[2] - SIDE + 1), rng.randrange(latents.shape[3] - SIDE + 1)
            window.append(latents[rng.randrange(len(latents)), :, r : r + SIDE, c : c + SIDE])
        y = torch.stack(window)
        step = torch.tensor([STEPS[0] * (STEPS[1] / STEPS[0]) ** rng.random() for _ in range(BATCH)])
        bits = prior(y, step)[0].sum() / y.numel()
        optimizer.zero_grad()
        bits.backward()
        torch.nn.utils.clip_grad_norm_(prior.parameters(), 1.0)
        optimizer.step()
        updates += 1
        mean.append(float(bits.detach()))
        if time.monotonic() - looked > options.every:
            look(updates, float(np.mean(mean)))
            mean, looked = [], time.monotonic()
    look(updates, float(np.mean(mean)))


if __name__ == "__main__":
    main()
