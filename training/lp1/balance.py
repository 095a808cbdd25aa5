"""How hard each part of the loss pulls:  python -m training.lp1.balance PACKS [--run RUN]

Of a model (the shipped one where no run is named) on crops of photographs, for four levels: the
root mean square over pixels of each part's gradient, as the weight of one would have it, and the
part itself. A new part's weight is chosen so that it pulls as hard as the one it replaces.
"""

import argparse
from dataclasses import replace
from pathlib import Path

import torch

from training.data.batches import Crops
from training.data.packs import LPIPS
from training.data.store import load_held_out
from training.losses.parts import Distances, Parts
from training.losses.pixels import text_error
from training.losses.trunks import load_trunks
from training.lp1.checkpoint import load_run
from training.lp1.panel import EVERYTHING, LEVELS_SHOWN
from training.lp1.shipped import shipped_codec

CROPS, SIDE = 4, 192
ALL = replace(EVERYTHING, coarse=1.0)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("packs", type=Path)
    parser.add_argument("--run", help="output folder of a run, or folder:NAME of a run of pairs")
    args = parser.parse_args()
    packs = args.packs
    net = load_run(args.run) if args.run else shipped_codec()
    trunks = load_trunks(packs / LPIPS, "cpu", torch.float32)
    distances = Distances(ALL, *trunks, load_held_out(packs)[:4])
    x = Crops(packs, seed=1).batch(CROPS, SIDE)
    print("| level | " + " | ".join(Parts._fields) + " |")
    print("|---" * (1 + len(Parts._fields)) + "|")
    for level in LEVELS_SHOWN:
        with torch.no_grad():
            coded = net(x * 2 - 1, torch.full((CROPS,), float(level)), hard=True)
        x_hat = (coded.x_hat / 2 + 0.5).requires_grad_()
        parts = distances(x, x_hat, torch.zeros_like(x[:, :1]))
        parts = parts._replace(text=text_error(x, x_hat, torch.ones_like(x[:, :1])))
        cells = []
        for part in parts:
            (gradient,) = torch.autograd.grad(part.sum(), x_hat, retain_graph=True)
            pull = gradient.square().mean().sqrt() * SIDE**2
            cells.append(f"{float(pull):.4f} ({float(part.detach().mean()):.4f})")
        print(f"| {level} | " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
