"""Train the built-in model in a short run:  python -m training.lp1.train PACKS OUT --minutes 9.5

PACKS is a folder that `python -m training.pack` made. OUT takes the averaged weights, every minute
and at the end, the momenta, the log and a table: at most 8 files of 16 MiB. CUDA is used where it
is. Several devices of one machine: torchrun --nproc-per-node 4 -m training.lp1.train ...

    --pairs FILE       the variants of a TOML file share the device in turn, at equal time
    --variant FILE     the one variant of a TOML file; FILE:NAME where it has several. Without it
                       that of the source, or the shape of the shipped model
    --continue SOURCE  weights to begin with: an OUT of before (with its momenta), a folder:NAME
                       of a run of pairs, or "shipped", the model of the package
    --phase longer     go on from a source at half the rate; larger crops in the second half
    --phase int8       go on from a source, with transforms that compute as int8 will: a last phase
    --rehearse         some steps of every variant, of every optimizer, and of a discriminator,
                       with and without graphs: a line each, nothing is trained
"""

import argparse
import os
import sys
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import NoReturn

import torch
import torch.distributed as dist
from safetensors.torch import load_file

from training import AGAIN, STARTED
from training.data.painter import PAGE
from training.lp1.capture import CaptureError
from training.lp1.checkpoint import load_weights, split_source, unpack_state
from training.lp1.keeper import DISCRIMINATOR
from training.lp1.learner import Learner
from training.lp1.run import KEEP_EVERY, TURN, Run, Settings
from training.lp1.variant import Variant, read_variants
from training.optimizers.together import NAMES

SHIPPED = "shipped"
PAINTING = 3  # a painter for so many cores: more pages would be replaced unseen
SEARCHED = 4  # algorithms that cuDNN tries for a convolution; a search takes seconds of a run


def continue_from(source: str, learner: Learner) -> str:
    """Give a learner the weights of a source, and momenta where there are some.

    Returns:
        What was done, for the log.

    Raises:
        ValueError: The source has no weights, or others than the learner's network.
    """
    if source == SHIPPED:
        from training.lp1.shipped import load_shipped

        revive = learner.variant.revive
        learner.start_from(load_shipped(revive))
        return "the shipped weights, fresh momenta" + ("" if revive else ", no channels revived")
    folder, name = split_source(source)
    state, _ = load_weights(folder, name)
    learner.start_from(state)
    note = f"weights of {source}"
    if learner.fresh:
        note += f", fresh: {', '.join(learner.fresh)}"
    judge = folder / f"{name}-{DISCRIMINATOR}.safetensors"
    if learner.discriminator is not None and judge.exists():
        taken = learner.start_discriminator(load_file(judge))
        note += ", its discriminator" if taken else ", a fresh discriminator of another shape"
    momenta = folder / f"{name}-momenta.safetensors"
    if not momenta.exists():
        return note + ", fresh momenta"
    try:
        left_out = unpack_state(load_file(momenta), learner.optimizer.state)
    except ValueError as error:
        return f"{note}, fresh momenta ({error})"
    return note + (f", momenta without {', '.join(left_out)}" if left_out else ", momenta")


def choose(args: argparse.Namespace) -> dict[str, Variant]:
    """The variants that the command line asks for.

    Raises:
        ValueError: The file has another number of them, or not that one.
    """
    if args.pairs:
        return read_variants(args.pairs)
    if not args.variant:
        if args.source in (None, SHIPPED):
            return {"default": Variant()}
        return {"default": load_weights(*split_source(args.source))[1]}
    path, name = args.variant, ""
    if not Path(path).exists():
        path, _, name = args.variant.rpartition(":")
    found = read_variants(Path(path))
    if not name and len(found) == 1:
        return found
    if name not in found:
        raise ValueError(f"which variant of {path}: {', '.join(found)}?")
    return {name: found[name]}


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("packs", type=Path)
    parser.add_argument("out", type=Path)
    budget = parser.add_mutually_exclusive_group()
    budget.add_argument("--minutes", type=float, help="of the whole process")
    budget.add_argument("--steps", type=int, help="of each variant")
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--pairs", type=Path)
    which.add_argument("--variant")
    parser.add_argument("--continue", dest="source")
    parser.add_argument("--phase", choices=list(PHASES), help="of a run that goes on")
    parser.add_argument(
        "--painters", type=int, help="processes; default: on CUDA one for three cores"
    )
    parser.add_argument(
        "--pages", type=int, default=256, help="painted pages in memory, 1 MiB each"
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep-every", type=float, default=KEEP_EVERY, help="seconds")
    parser.add_argument("--turn", type=float, default=TURN, help="seconds of a variant")
    parser.add_argument("--profile", action="store_true", help="time the parts of a step first")
    parser.add_argument("--rehearse", action="store_true", help="try everything, train nothing")
    parser.add_argument(
        "--no-graphs",
        nargs="?",
        const="as the command asks",
        metavar="REASON",
        help="do not capture steps on CUDA",
    )
    args = parser.parse_args()
    if args.phase and not args.source:
        parser.error("--phase goes on from a source: name it with --continue")
    if args.minutes is None and args.steps is None and not args.rehearse:
        parser.error("one of --minutes, --steps and --rehearse is needed")
    return args


def int8_phase(variant: Variant) -> Variant:
    """A variant in its last phase: bytes in the transforms, a low rate, one size of crops."""
    n, side = variant.crops_at(0.0)
    return replace(
        variant,
        shape=replace(variant.shape, int8=True),
        rate=0.2 * variant.rate,
        crops=((0.0, n, side),),
    )


def longer_phase(variant: Variant) -> Variant:
    """A variant that goes on: half the rate, and from the half of the time on a quarter as many
    crops of twice the side, or of a page's. It is kept, whatever it was among others.
    """
    n, side = variant.crops_at(0.0)
    larger = (0.5, max(1, n // 4), min(2 * side, PAGE))
    return replace(variant, rate=0.5 * variant.rate, crops=((0.0, n, side), larger), keep=True)


PHASES = {"int8": int8_phase, "longer": longer_phase}


def rehearsed(variants: dict[str, Variant]) -> dict[str, Variant]:
    """Variants, and the first of them with the optimizers and with what is not among them."""
    name, first = next(iter(variants.items()))
    out = dict(variants)
    for optimizer in NAMES:
        if all(variant.optimizer != optimizer for variant in variants.values()):
            out[f"{name}-{optimizer}"] = replace(first, optimizer=optimizer)
    if not any(variant.loss.adversarial for variant in variants.values()):
        loss = replace(first.loss, adversarial=0.01, wasserstein=0.3)
        out[f"{name}-discriminator"] = replace(first, loss=loss, learn=("gs",))
    return out


def again_without_graphs(error: CaptureError) -> NoReturn:
    """Replace the process by one that does not capture, whose clock runs on.

    Raises:
        SystemExit: It is one of several.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise SystemExit(f"steps cannot be captured ({error}): run it with --no-graphs")
    os.environ[AGAIN] = repr(STARTED)
    arguments = [*sys.argv[1:], "--no-graphs", str(error)[:200]]
    print(f"again, without graphs: {error}", flush=True)
    os.execv(sys.executable, [sys.executable, "-m", "training.lp1.train", *arguments])


def main() -> None:
    """Run it."""
    args = parse()
    device = "cuda" if torch.cuda.is_available() else "cpu"
    processes = int(os.environ.get("WORLD_SIZE", "1"))
    if processes > 1:
        if device == "cuda":
            torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
        dist.init_process_group("cpu:gloo,cuda:nccl" if device == "cuda" else "gloo")
    if device == "cuda":
        torch.backends.cudnn.benchmark = True
        torch.backends.cudnn.benchmark_limit = SEARCHED
    painters = args.painters
    if painters is None:
        cores = (os.cpu_count() or 1) // processes
        painters = max(1, cores // PAINTING) if device == "cuda" else 0
    settings = Settings(
        packs=args.packs,
        out=args.out,
        minutes=args.minutes,
        steps=args.steps,
        painters=painters,
        pages=args.pages,
        seed=args.seed,
        no_graphs=args.no_graphs,
        profile=args.profile,
        keep_every=args.keep_every,
        turn=args.turn,
    )
    source = args.source
    start = (lambda learner: continue_from(source, learner)) if source else None
    # Graphs cannot be captured on the default stream: everything is on another one.
    on_stream = torch.cuda.stream(torch.cuda.Stream()) if device == "cuda" else nullcontext()
    with on_stream:
        carry_out(args, settings, start, device)
    if processes > 1:
        dist.destroy_process_group()


def carry_out(
    args: argparse.Namespace,
    settings: Settings,
    start: Callable[[Learner], str] | None,
    device: str,
) -> None:
    """Train or rehearse, as the command line asks.

    Raises:
        SystemExit: What it asks cannot be, or a rehearsal had a failure.
    """
    try:
        variants = choose(args)
        if args.phase:
            variants = {name: PHASES[args.phase](variant) for name, variant in variants.items()}
        variants = rehearsed(variants) if args.rehearse else variants
        run = Run(variants, settings, start, device)
    except ValueError as error:
        raise SystemExit(f"error: {error}") from None
    if args.rehearse:
        run.look_at_device()
        failed = run.rehearse(go_on=True)
        run.close()
        raise SystemExit(f"{failed} of {len(variants)} failed" if failed else 0)
    try:
        run.train()
    except CaptureError as error:
        run.close()
        again_without_graphs(error)


if __name__ == "__main__":
    main()
