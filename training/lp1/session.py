"""An accelerator's ten minutes in one command: variants are compared, and the best one goes on.

    python -m training.lp1.session PACKS OUT --pairs FILE --minutes 9.6

First `training.lp1.train --pairs FILE` with a share of the minutes, into the folder `pairs` beside
PACKS, which need not come back: its log and its table are copied to OUT/pairs. With `--continue
SOURCE` all variants begin with the weights of SOURCE, else fresh. Then the variant whose pictures
are nearest at equal rate goes on alone in OUT, by `--phase longer`. Where fresh ones were compared
and that is the shape of the shipped model, it goes on from the shipped weights, which have seen
more. Where the comparison fails, the first variant has the time that is left, from SOURCE or fresh.

What is not listed below goes to both: --pages, --painters, --no-graphs.
"""

import argparse
import math
import shutil
import subprocess
import sys
import time
from pathlib import Path

from training import STARTED
from training.lp1.checkpoint import split_source
from training.lp1.keeper import LOG
from training.lp1.panel import Point
from training.lp1.record import of_kind, read_log
from training.lp1.run import TABLE
from training.lp1.shape import Shape
from training.lp1.table import against, overall
from training.lp1.train import SHIPPED
from training.lp1.variant import Variant, read_variants

PAIRS = "pairs"
SHARE = 0.5  # of the minutes, for the comparison


def last_points(folder: Path) -> dict[str, list[Point]]:
    """The last points of every variant of a run, in the order of its first judgment."""
    judged = of_kind(read_log(folder), "panel")
    return {row["variant"]: [Point(**point) for point in row["rows"]] for row in judged}


def as_graphs_went(folder: Path) -> list[str]:
    """Arguments for a run after another on the same device: what could not be captured there is
    not tried again.
    """
    return [f"--no-graphs={row['told']}" for row in of_kind(read_log(folder), "graphs")[:1]]


def best_of(points: dict[str, list[Point]], candidates: set[str]) -> str:
    """The candidate whose distances are the smallest at equal rate.

    Args:
        points: Of all variants; the first is what the others are compared with.
        candidates: Names of those that can go on.

    Raises:
        ValueError: None of them can be compared.
    """
    first = next(iter(points.values()))
    found = {name: against(first, points[name]) for name in points if name in candidates}
    scores = {name: overall(one) for name, one in found.items() if one}
    scores = {name: score for name, score in scores.items() if math.isfinite(score)}
    if not scores:
        raise ValueError(f"none of {', '.join(sorted(candidates))} has a rate in common")
    return min(scores, key=lambda name: scores[name])


def to_go_on_from(pairs: Path, variants: dict[str, Variant], fresh: bool = True) -> tuple[str, str]:
    """The best variant of a run of pairs, and the source of the weights that it goes on from.

    Args:
        pairs: What the run left.
        variants: Of the run. Those whose weights were kept can go on and, of fresh ones, those of
            the shape of the shipped model.
        fresh: Whether they began without weights of before.
    """
    kept = {name for name in variants if (pairs / f"{name}-1.safetensors").exists()}
    alike = {name for name, variant in variants.items() if variant.shape == Shape()}
    shipped = alike if fresh else set()
    best = best_of(last_points(pairs), kept | shipped)
    return best, SHIPPED if best in shipped else f"{pairs}:{best}"


def train(*arguments: object) -> int:
    """Run the training command. Returns its status."""
    command = [sys.executable, "-m", "training.lp1.train", *map(str, arguments)]
    print("$", *command[1:], flush=True)
    return subprocess.run(command).returncode


def after(pairs: Path, file: Path, source: str | None) -> list[str]:
    """Arguments for the run after that of pairs, whose variants FILE has.

    Args:
        pairs: What the run of pairs left. Without a table it failed.
        file: Its variants.
        source: What they began with; None where they were fresh.
    """
    variants = read_variants(file)
    try:
        if not (pairs / TABLE).exists():
            raise ValueError("no table")
        name, source = to_go_on_from(pairs, variants, not source)
    except ValueError as error:
        name = next(iter(variants))
        print(f"the pairs failed ({error}): {name} goes on alone", flush=True)
    going_on = ["--continue", source, "--phase", "longer"] if source else []
    graphs = as_graphs_went(pairs) if (pairs / LOG).exists() else []
    return ["--variant", f"{file}:{name}", *going_on, *graphs]


def check_places(pairs: Path, packs: Path, out: Path, source: str | None) -> None:
    """Raise where the comparison, which empties its folder, would remove what the session needs.

    Raises:
        SystemExit: PACKS, OUT or SOURCE lies in that folder.
    """
    places = [packs, out, *([split_source(source)[0]] if source not in (None, SHIPPED) else [])]
    for place in places:
        if place.resolve().is_relative_to(pairs):
            raise SystemExit(
                f"{place} would be lost, since the comparison empties {pairs}: move it elsewhere"
            )


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("packs", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--pairs", type=Path, required=True, help="a TOML file of variants")
    budget = parser.add_mutually_exclusive_group(required=True)
    budget.add_argument("--minutes", type=float, help="of both together")
    budget.add_argument("--steps", type=int, help="of each variant, and of the best one again")
    parser.add_argument("--share", type=float, default=SHARE, help="of the minutes, for the pairs")
    parser.add_argument("--continue", dest="source", help="weights that the pairs begin with")
    args, others = parser.parse_known_args()
    read_variants(args.pairs)  # what is wrong with them is told before anything is computed
    pairs = args.packs.resolve().parent / PAIRS
    check_places(pairs, args.packs, args.out, args.source)
    shutil.rmtree(pairs, ignore_errors=True)  # weights of another run must not be taken for its
    first = ["--steps", args.steps] if args.steps else ["--minutes", args.share * args.minutes]
    if args.source:
        first += ["--continue", args.source]
    failed = train(args.packs, pairs, "--pairs", args.pairs, *first, "--profile", *others)
    (args.out / PAIRS).mkdir(parents=True, exist_ok=True)
    for path in filter(Path.exists, (pairs / LOG, pairs / TABLE)):
        shutil.copyfile(path, args.out / PAIRS / path.name)
    which = after(pairs, args.pairs, args.source)
    left = (args.minutes or 0.0) - (time.monotonic() - STARTED) / 60
    second = ["--steps", args.steps] if args.steps else ["--minutes", round(left, 2)]
    # The status of the pairs, where they failed, is still told at the end.
    raise SystemExit(train(args.packs, args.out, *which, *second, *others) or failed)


if __name__ == "__main__":
    main()
