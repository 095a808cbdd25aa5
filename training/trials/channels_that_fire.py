"""How often the channels inside residual blocks fire:

    python -m training.trials.channels_that_fire PACKS [RUN]

Of a run's model, or of the shipped one at its full width, a row a block on crops of PACKS: its
channels, how many of them never fire, at fewer than one in 100,000, 10,000 and 1,000 positions, and
how many an export leaves (`training.lp1.pruning`). Then what that changes in held-out pictures.
"""

import copy
import math
import sys
from pathlib import Path

import torch

from training.data.store import load_held_out
from training.lp1.checkpoint import load_run
from training.lp1.codec import Codec
from training.lp1.pruning import activity, blocks_of, hidden_channels, prune
from training.lp1.shipped import shipped_codec

RARE = (1e-5, 1e-4, 1e-3)
LOOKED_AT = (0.0, 3.0, 6.0)  # levels
SIDE = 480


def compare(full: Codec, pruned: Codec, packs: Path) -> str:
    """What two models make of the same symbols of held-out pictures, at LOOKED_AT."""
    most, decibels = 0.0, 0.0
    for x in load_held_out(packs, SIDE):
        for level in LOOKED_AT:
            y_hat = full(x * 2 - 1, torch.full((1,), level), hard=True).y_hat
            both = [net.gs(y_hat).clamp(-1, 1) / 2 + 0.5 for net in (full, pruned)]
            most = max(most, 255 * float((both[0] - both[1]).abs().max()))
            first, second = (float((x - x_hat).square().mean()) for x_hat in both)
            decibels = max(decibels, abs(10 * math.log10(first / second)))
    return f"a pixel differs by {most:.3f} levels at most, a picture by {decibels:.5f} dB"


@torch.no_grad()
def main() -> None:
    """Print the table."""
    net = load_run(sys.argv[2]) if len(sys.argv) > 2 else shipped_codec()
    places = {id(block): name for name, block in net.named_modules()}
    names = [places[id(block)] for _, _, block in blocks_of(net)]
    full = hidden_channels(net)
    packs, whole = Path(sys.argv[1]), copy.deepcopy(net)
    shares = activity(net, packs)
    prune(net, shares)
    left = {
        name: block.a.out_channels
        for name, block in net.named_modules()
        if name in names and hasattr(block, "a")
    }
    print("| block | channels | never | " + " | ".join(f"below {r:g}" for r in RARE) + " | left |")
    print("|---" * (4 + len(RARE)) + "|")
    for name, count, share in zip(names, full, shares, strict=True):
        rare = " | ".join(str(int((share < limit).sum())) for limit in RARE)
        never = int((share == 0).sum())
        print(f"| {name} | {count} | {never} | {rare} | {left.get(name, 0)} |")
    print(compare(whole, net, packs))


if __name__ == "__main__":
    main()
