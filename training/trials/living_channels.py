"""How many channels inside residual blocks still fire after some steps:

    python -m training.trials.living_channels PACKS FILE STEPS

Every variant of a TOML file goes on from the shipped model, whose dead channels begin anew
(`training.lp1.shipped`). A row a block: its channels that fire at one of 10,000 positions or more,
before the first step and after the last one.
"""

import sys
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import torch

from training.lp1.codec import Codec
from training.lp1.pruning import RARELY, activity, blocks_of
from training.lp1.run import Run, Settings
from training.lp1.train import SHIPPED, continue_from
from training.lp1.variant import read_variants

BATCHES, SIDE = 2, 192


def living(net: Codec, packs: Path) -> list[int]:
    """Of each block, how many channels fire."""
    return [int((share >= RARELY).sum()) for share in activity(net, packs, BATCHES, SIDE)]


def main() -> None:
    """Print a table."""
    packs, path, steps = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
    columns: dict[str, list[int]] = {}
    for name, variant in read_variants(path).items():
        with TemporaryDirectory() as out:
            settings = Settings(packs, Path(out), steps=steps, pages=2)
            run = Run({name: variant}, settings, partial(continue_from, SHIPPED))
            learner = run.turns[0].learner
            columns.setdefault("start", living(learner.net, packs))
            while learner.steps < steps:
                learner.step(learner.steps / steps)
            with learner.averaged() as net, torch.no_grad():
                columns[name] = living(net, packs)
            run.close()
    places = {id(part): name for name, part in learner.net.named_modules()}
    print("| block | channels | " + " | ".join(columns) + " |")
    print("|---" * (2 + len(columns)) + "|")
    blocks = [block for _, _, block in blocks_of(learner.net)]
    for i, block in enumerate(blocks):
        row = " | ".join(str(counts[i]) for counts in columns.values())
        print(f"| {places[id(block)]} | {block.a.out_channels} | {row} |")


if __name__ == "__main__":
    main()
