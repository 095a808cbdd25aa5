"""`latentpress bench`: codecs side by side on pictures, by real file bytes."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from latentpress.cli.arguments import each, local_path
from latentpress.cli.terminal import console, line, notice, plain

DEFAULT_CODECS = "builtin,jpeg,webp,avif,png"
LINE_SECONDS = 10.0  # between lines of progress, where stderr is no terminal


def bench(
    images: Annotated[
        list[Path] | None,
        typer.Argument(help="Pictures, or folders of them.", show_default=False, callback=each),
    ] = None,
    dataset: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="Instead of pictures: kodak or science-fair.", show_default=False
        ),
    ] = None,
    output: Annotated[
        Path,
        typer.Option(
            "-o",
            "--output",
            metavar="FOLDER",
            help="The run's folder; a run that is there is gone on with.",
            parser=local_path,
        ),
    ] = Path("run"),
    codecs: Annotated[
        str,
        typer.Option(
            metavar="NAMES",
            help="With commas between: builtin, sd15, sdxl, sd3, flux1; jpeg, jpeg444, webp, "
            "avif, avif4, avif-ssim, jxl, heic; png, webp-lossless; "
            "all for those that are installed.",
        ),
    ] = DEFAULT_CODECS,
    points: Annotated[
        int,
        typer.Option(
            min=1, max=100, metavar="N", help="Qualities of each codec, spread over its range."
        ),
    ] = 8,
    qualities: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=Q,Q",
            help="A codec's qualities instead; may be repeated.",
            show_default=False,
        ),
    ] = None,
    metrics: Annotated[
        str | None,
        typer.Option(
            metavar="NAMES",
            help="With commas between, or all.",
            show_default="those that are installed and fast",
        ),
    ] = None,
    gray: Annotated[
        bool, typer.Option("--grey", help="Compare the luma, as the study did.")
    ] = False,
    anchor: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="The codec that the others are held against.", show_default="avif"
        ),
    ] = None,
    model: Annotated[
        list[str] | None,
        typer.Option(
            metavar="CODEC=MODEL",
            help="Weights of a Stable Diffusion codec; may be repeated.",
            show_default=False,
        ),
    ] = None,
    external: Annotated[
        list[str] | None,
        typer.Option(
            metavar="TEMPLATE",
            help="A program: 'name:enc {in} {out} {q}:dec {out} {png}'; needs --qualities.",
            show_default=False,
        ),
    ] = None,
    pictures: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=FOLDER",
            help="Pictures decoded elsewhere, with a sizes.csv (file,bytes).",
            show_default=False,
        ),
    ] = None,
    repeats: Annotated[
        int,
        typer.Option(
            min=1, max=100, metavar="N", help="Of every compression; its time is their median."
        ),
    ] = 3,
    jobs: Annotated[
        int | None,
        typer.Option(
            min=1,
            metavar="N",
            help="Processes that compute metrics.",
            show_default="one a core, at most 8",
        ),
    ] = None,
) -> None:
    """Compare codecs: rate from real files, quality of what they decode to, time and memory.

    Examples:

    latentpress bench photos/ -o results/mine

    latentpress bench --dataset kodak --codecs builtin,jpeg,webp,avif,jxl,png --points 6 -o
    results/kodak

    latentpress bench photos/ --external 'slow:cjxl {in} {out}.jxl -q {q} -e 9:djxl {out}.jxl {png}'
    --qualities slow=20,40,60
    """
    from latentpress.bench import cli_arguments
    from latentpress.bench.datasets import find_sources
    from latentpress.bench.rate_distortion import default_anchor, lossy
    from latentpress.bench.rows import INFO, read_run
    from latentpress.bench.run import Plan, run
    from latentpress.cli import bench_tables
    from latentpress.errors import UsageError
    from latentpress.metrics import available

    chosen = cli_arguments.codecs(codecs, model or [], external or [], pictures or [])
    tried = cli_arguments.qualities(chosen, points, qualities or [])
    if anchor is not None:
        there = lossy(read_run(output)) if (output / INFO).is_file() else []
        if anchor not in [*there, *(codec.name for codec in chosen if not codec.lossless)]:
            raise UsageError(f"--anchor {anchor} is not among the lossy codecs of this run")
    usable, reasons = available(
        metrics if metrics in (None, "all") else [name.strip() for name in metrics.split(",")]
    )
    label, sources = find_sources(images or [], dataset, output)
    if (
        metrics in (None, "all")
        # those that were named are an error on a picture too small for them, the others are left
        # out
    ):
        usable, more = cli_arguments.metrics_for(usable, sources)
        reasons |= more
    for reason in dict.fromkeys(reasons.values()):
        notice(f"no {', '.join(name for name in reasons if reasons[name] == reason)}: {reason}")
    with run_progress() as (on_start, on_cell):
        plan = Plan(
            label,
            sources,
            tried,
            usable,
            gray,
            repeats,
            jobs or cli_arguments.cores(),
            cli_arguments.command(sys.argv[1:]),
            on_cell,
            on_start,
        )
        result = run(plan, output)
    bench_tables.show(result, anchor or (default_anchor(result) if lossy(result) else ""))
    line(f"The run is in {output}; `latentpress report {output}` draws it.")


@contextmanager
def run_progress() -> Iterator[tuple[Any, Any]]:
    """A bar with the time left on a terminal, now and then a line elsewhere; yields the functions
    on_start and on_cell of a Plan.
    """
    state = {"todo": 0, "made": 0, "start": time.monotonic(), "line": time.monotonic()}
    if not sys.stderr.isatty():
        yield _announce(state), lambda text: _line(state, text)
        return
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(
        *columns, console=console(stderr=True), speed_estimate_period=300, transient=True
    ) as bar:
        task = bar.add_task("starting", total=None)
        yield (
            lambda todo, done: bar.update(task, total=todo),
            lambda text: bar.update(task, advance=1, description=plain(text)),
        )


def _announce(state: dict[str, Any]) -> Any:
    def on_start(todo: int, done: int) -> None:
        state["todo"] = todo
        there = f", {done} are there already" if done else ""
        print(f"{todo} files to compress and grade{there}", file=sys.stderr)

    return on_start


def _line(state: dict[str, Any], text: str) -> None:
    state["made"] += 1
    now = time.monotonic()
    if now - state["line"] >= LINE_SECONDS:
        state["line"] = now
        left = (now - state["start"]) / state["made"] * (state["todo"] - state["made"])
        print(
            f"{state['made']} of {state['todo']}, about {left / 60:.0f} min left: {plain(text)}",
            file=sys.stderr,
            flush=True,
        )
