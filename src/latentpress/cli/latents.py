"""`latentpress latents`: latents as data, many in one .ltps file."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from latentpress.cli import terminal
from latentpress.cli.arguments import (
    Column,
    Exclude,
    FilesFrom,
    Include,
    Jobs,
    KeepSuffix,
    OverwriteOne,
    Quiet,
    SkipExisting,
    Verbose,
    Verify,
    device_option,
    model_option,
    output_option,
    path_argument,
)
from latentpress.cli.batch import check_kept, end, names_folder, progress
from latentpress.cli.engines import Address, EngineName, check_engine, engine_of
from latentpress.cli.json_output import to_json
from latentpress.cli.pipes import DASH
from latentpress.cli.units import parse_size
from latentpress.collection.faults import describe
from latentpress.collection.unit import Row, Unit
from latentpress.errors import ImageError, OutputError, UsageError
from latentpress.system.places import as_path

if TYPE_CHECKING:
    from latentpress.collection.packing import Reading

latents_app = typer.Typer(
    no_args_is_help=True, help="Pack latents into one .ltps file, unpack it, show what it holds."
)
FORMATS = ("npy", "safetensors", "pt")


@latents_app.command()
def pack(
    output: Annotated[
        str,
        typer.Option(
            "-o",
            "--output",
            metavar="PATH",
            help="The .ltps file to write, or a folder for one of each file.",
            show_default=False,
        ),
    ],
    source: Annotated[
        Path | None,
        path_argument("SOURCE", "Folder of .npy, .safetensors, .pt, .ltp files or photographs."),
    ] = None,
    space: Annotated[
        str | None,
        typer.Option(
            metavar="SPACE",
            help="What the numbers mean: sd15, sdxl, sd3, flux1 (scaled latents, as the diffusion "
            "model sees them) or raw.",
            show_default="that of .ltp files, else raw",
        ),
    ] = None,
    max_error: Annotated[
        float | None,
        typer.Option(
            metavar="ERROR",
            help="Bound of every number's error, in the latent's unit.",
            show_default=False,
        ),
    ] = None,
    rmse: Annotated[
        float | None,
        typer.Option(
            metavar="ERROR",
            help="Root mean square error of each latent, in its unit, met from below.",
            show_default=False,
        ),
    ] = None,
    quality: Annotated[
        float | None,
        typer.Option(
            "-q", "--quality", metavar="0..100", help="As of .ltp files.", show_default=False
        ),
    ] = None,
    lossless: Annotated[bool, typer.Option("--lossless", help="Keep every bit.")] = False,
    codec: Annotated[
        str | None,
        typer.Option(
            metavar="[sd15|sdxl|sd3|flux1]",
            help="For photographs; names the space too.",
            show_default=False,
        ),
    ] = None,
    model: Annotated[
        str | None, model_option("For photographs: folder, file or hub id of the weights.")
    ] = None,
    device: Annotated[str, device_option("Where photographs are encoded.")] = "auto",
    append: Annotated[
        bool, typer.Option("--append", help="Put the latents behind those of an existing output.")
    ] = False,
    overwrite: OverwriteOne = False,
    files_from: FilesFrom = None,
    include: Include = None,
    exclude: Exclude = None,
    keep_suffix: KeepSuffix = False,
    column: Column = None,
    shard_size: Annotated[
        str | None,
        typer.Option(
            metavar="SIZE",
            help="Put the latents into numbered files of about this size, in the folder that -o "
            "names: 256MB.",
            show_default=False,
        ),
    ] = None,
    skip_existing: SkipExisting = False,
    verify: Verify = False,
    jobs: Jobs = None,
    engine: EngineName = "local",
    address: Address = None,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Pack latents into one file: named after their files, readable one by one.

    A NAME.json beside NAME.npy becomes that latent's metadata, a NAME.txt its caption and a
    NAME.cls its label; so do the fields of a sample in a .tar shard, and the other columns of a
    .parquet file. Into a folder each file is packed by
    itself, the tree is kept, and the same command again does only what is missing or changed.

    Examples:

    latentpress latents pack latents/ -o set.ltps --space sd15 --rmse 0.02

    latentpress latents pack latents/ -o packed --space sd15 --rmse 0.02

    latentpress latents pack shards/ -o packed --codec sd15 -q 60 --shard-size 256MB
    """
    if codec is not None and space not in (None, "raw", codec):
        raise UsageError(f"--codec {codec} gives latents of space {codec}, not {space}")
    from latentpress.cli.trees import Tree, run_tree
    from latentpress.collection.find import ARCHIVES
    from latentpress.collection.packing import (
        LTPS,
        Exactness,
        Pack,
        Reading,
        check,
        common_space,
        packed_suffixes,
        with_companions,
    )
    from latentpress.latents.conversion import LATENTS

    _check_precision(max_error, rmse, quality, lossless)
    if source is not None and not source.exists():
        raise UsageError(f"{source} does not exist")
    is_folder = names_folder(output)
    if append and (is_folder or shard_size is not None):
        raise UsageError("--append puts latents behind those of one .ltps file, which -o names")
    if append and overwrite:
        raise UsageError("--append keeps what --overwrite would replace: give one of them")
    if (skip_existing or verify) and (not is_folder or shard_size is not None):
        raise UsageError("--skip-existing and --verify are of folders with an .ltps file of each")
    tree = Tree(
        [source] if source is not None else [],
        output,
        files_from,
        include,
        exclude,
        keep_suffix=keep_suffix,
        skip_existing=skip_existing,
        verify=verify,
    )
    tree.check_inputs()
    is_tree = is_folder and shard_size is None
    within = output if is_tree or shard_size is not None else ""
    search = tree.search(packed_suffixes(codec) | ARCHIVES, LTPS, within, keeps_archives=False)
    exactness = Exactness(max_error, rmse, quality, lossless)
    reading = Reading(codec or space, codec, model, device)
    if check_engine(engine, address) and not is_tree:
        raise UsageError("--engine ray packs into a folder, each file by itself: name one with -o")
    if is_tree:
        if reading.space is not None:
            check(reading.space, exactness)
        task = Pack(
            tree.folder(),
            overwrite,
            columns=tuple(column or ()),
            reading=reading,
            exactness=exactness,
        )
        workers = engine_of(engine, address, jobs, device)
        run_tree(tree, task, workers, search, "packing", with_companions(tree.found(search)))
        return
    units = []
    for found in with_companions(tree.found(search)):
        if isinstance(found, Row):
            raise ImageError(found.error)
        units.append(found)
    if not units:
        place = "the list" if source is None else source
        raise UsageError(f"{place} holds no {', '.join(LATENTS)} file and no photograph")
    reading = replace(reading, space=reading.space or common_space(units, column or ()))
    how = {**vars(exactness), "space": reading.space, "overwrite": overwrite}
    if shard_size is None:
        _pack_into_one(output, units, reading, column or (), {**how, "append": append})
    elif not is_folder:
        raise UsageError("shards are new files in a folder, which -o names")
    else:
        _pack_into_shards(output, parse_size(shard_size), units, reading, column or (), how)


def _pack_into_one(
    output: str,
    units: Sequence[Unit],
    reading: "Reading",
    columns: Sequence[str],
    how: dict[str, Any],
) -> None:
    """All latents into one file. how: keywords of its writer."""
    from latentpress.collection.packing import pack_together
    from latentpress.latents.writer import Writer

    check_kept(as_path(output), [as_path(unit.source) for unit in units])
    path = as_path(output)
    before = path.stat().st_size if how["append"] and path.exists() else 0
    writer = Writer(output, **how)
    with writer, progress(len(units)) as advance:
        packed = pack_together(units, reading, writer, advance, columns)
    size = path.stat().st_size - before
    terminal.line(
        f"{path}: {_latents(packed.latents)}, {size:,} bytes{' more' if before else ''}, "
        f"{8 * size / max(packed.numbers, 1):.3f} bits a number"
    )


def _pack_into_shards(
    output: str,
    shard_size: int,
    units: Sequence[Unit],
    reading: "Reading",
    columns: Sequence[str],
    how: dict[str, Any],
) -> None:
    """All latents into numbered files in a folder, of which those that are there stay; a file that
    fails is told and left out.
    """
    from latentpress.collection.packing_shards import ShardPacking

    sharded = ShardPacking(output, shard_size, reading, how, columns, terminal.error)
    with progress(len(units)) as advance:
        done = sharded.run(units, advance)
    told = [
        f"{done.files} {'shard' if done.files == 1 else 'shards'}",
        _latents(done.latents),
        f"{done.size:,} bytes",
    ]
    if done.numbers:
        told.append(f"{8 * done.written / done.numbers:.3f} bits a number")
    if done.kept:
        told.append(f"{_latents(done.kept)} packed before")
    terminal.line(f"{as_path(output)}: {', '.join(told)}")
    end(done.failed, done.failed + done.latents)


def _latents(many: int) -> str:
    return f"{many} {'latent' if many == 1 else 'latents'}"


def _check_precision(
    max_error: float | None, rmse: float | None, quality: float | None, lossless: bool
) -> None:
    """UsageError in the command line's words, where `latentpress.latents` would say Python's."""
    options = {"--max-error": max_error, "--rmse": rmse, "-q": quality}
    given = [name for name, value in options.items() if value is not None]
    given += ["--lossless"] * lossless
    if not given:
        raise UsageError(
            "say how exact the latents must be: --max-error, --rmse, -q (--quality) or --lossless"
        )
    if len(given) > 1:
        raise UsageError(f"{' and '.join(given)} ask for different files: give one of them")
    for name in ("--max-error", "--rmse"):
        value = options[name]
        if value is not None and not (math.isfinite(value) and value > 0):
            raise UsageError(
                f"{name} is a number above 0, not {value:g}; --lossless keeps every bit"
            )


@latents_app.command()
def unpack(
    source: Annotated[Path, path_argument("FILE", "A .ltps file.")],
    output: Annotated[Path, output_option("The folder to write to.", show_default=False)],
    to: Annotated[
        str, typer.Option("--format", metavar="[npy|safetensors|pt]", help="Of the files.")
    ] = "npy",
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace existing files.")] = False,
) -> None:
    """Unpack every latent into a file of its own, with its name (or number), and its metadata as
    JSON beside it.

    Example: latentpress latents unpack set.ltps -o latents/
    """
    if to not in FORMATS:
        raise UsageError(f"unknown format {to!r}: choose one of {', '.join(FORMATS)}")
    if str(output) == DASH:
        raise UsageError("standard output holds one file: name a folder with -o")
    from latentpress.latents.conversion import targets, write
    from latentpress.latents.reader import Reader

    with Reader(source, torch=to != "npy") as reader:
        places = targets(reader.names(), output, to)
        with progress(len(reader)) as advance:
            for n, place in enumerate(places):
                latent, info = reader.read(n)
                try:
                    place.parent.mkdir(parents=True, exist_ok=True)
                except OSError as error:
                    raise OutputError(f"{place.parent}: {error.strerror or error}") from error
                write(latent, info.metadata, place, overwrite)
                advance()
    terminal.line(f"{output}: {_latents(len(places))}")


@latents_app.command()
def info(
    source: Annotated[Path, path_argument("FILE", "A .ltps file.")],
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object, with a row a latent.")
    ] = False,
) -> None:
    """Show space, size and shapes of the latents in a file, its index and every latent's checksum
    verified.

    Example: latentpress latents info set.ltps
    """
    from latentpress.latents.reader import Reader

    try:
        size = source.stat().st_size
    except OSError as error:
        raise describe(source, error) from error
    with Reader(source) as reader:
        rows = [reader.info(n) for n in range(len(reader))]
        space = reader.space
    numbers = sum(r.shape[0] * r.shape[1] * r.shape[2] for r in rows)
    if as_json:
        latents: list[dict[str, Any]] = [vars(r) for r in rows]
        typer.echo(
            to_json(
                {
                    "file": str(source),
                    "space": space,
                    "bytes": size,
                    "numbers": numbers,
                    "latents": latents,
                }
            )
        )
        return
    if not rows:
        raise ImageError(f"{source}: holds no latent")
    lines = {
        "space": space,
        "latents": f"{len(rows)}, {numbers:,} numbers, {size:,} bytes, {8 * size / numbers:.3f} "
        "bits a number",
        "shapes": _counted(" x ".join(map(str, r.shape)) for r in rows),
        "types": _counted(r.dtype for r in rows),
        "methods": _counted(r.method for r in rows),
        "named": f"{sum(bool(r.name) for r in rows)}, {sum(bool(r.metadata) for r in rows)} with "
        "metadata",
    }
    for key, value in lines.items():
        typer.echo(f"{key:8} {value}")


def _counted(values: Iterable[str]) -> str:
    """Each value and how often it is there."""
    from collections import Counter

    return ", ".join(f"{value} ({amount})" for value, amount in sorted(Counter(values).items()))
