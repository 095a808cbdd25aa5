"""`latentpress assess`: metrics of one picture against its original, or of a folder against a
folder.
"""

import os
from pathlib import Path
from typing import Annotated

import typer

from latentpress.cli import pipes
from latentpress.cli.arguments import (
    Exclude,
    Include,
    Jobs,
    OverwriteOne,
    Quiet,
    device_option,
    model_option,
    output_option,
    path_argument,
)
from latentpress.cli.assess_output import (
    FORMATS,
    Row,
    as_object,
    mean_of,
    print_pair,
    print_rows,
    table_bytes,
)
from latentpress.cli.batch import end, make_folder, names_folder, output_for, progress
from latentpress.cli.engines import Address, EngineName, check_engine, engine_of
from latentpress.cli.json_output import to_json
from latentpress.cli.terminal import line, notice
from latentpress.collection.faults import describe, naming
from latentpress.collection.find import MANIFEST
from latentpress.errors import OutputError, UsageError, WeightsError
from latentpress.system.files import atomic_write, check_output
from latentpress.system.spreadsheet import check_openpyxl

TABLE = "table.csv"  # of a folder of outputs


def assess(
    original: Annotated[
        Path,
        path_argument("ORIGINAL", "The original picture, or a folder of originals."),
    ],
    distorted: Annotated[
        Path,
        path_argument(
            "DISTORTED", "The picture to grade (any image, or a .ltp file), or a folder."
        ),
    ],
    metrics: Annotated[
        str | None,
        typer.Option(
            metavar="NAMES",
            help="Names with commas between, or all; `latentpress metrics` lists them.",
            show_default="all but the slow ones",
        ),
    ] = None,
    gray: Annotated[
        bool, typer.Option("--grey", help="MSE, PSNR, SSIM, MS-SSIM of the luma; the others stay.")
    ] = False,
    output: Annotated[
        Path | None,
        output_option(
            f"Write the table: {', '.join(FORMATS)}; of folders a folder, too, which has it "
            "and a manifest, by which the same command goes on where it was ended.",
            show_default=False,
        ),
    ] = None,
    overwrite: OverwriteOne = False,
    include: Include = None,
    exclude: Exclude = None,
    jobs: Jobs = None,
    engine: EngineName = "local",
    address: Address = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    weights: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            help="Folder with the weights of LPIPS and DISTS.",
            show_default="LATENTPRESS_METRIC_WEIGHTS",
        ),
    ] = None,
    model: Annotated[
        str | None,
        model_option("Folder, file or hub id of the weights that decode."),
    ] = None,
    device: Annotated[str, device_option("Where .ltp files are decoded.")] = "auto",
    quiet: Quiet = False,
) -> None:
    """Grade a picture against its original: MSE, PSNR, SSIM, MS-SSIM, GMSD, SSIMULACRA 2, LPIPS,
    DISTS.

    Two folders are paired by file name without suffix; the table has a row a picture and their
    mean, and a picture that fails is named. Nothing is resized or converted: two sizes, gray
    against color, or more than 8 bits are an error. A metric whose weights are not here stays
    empty. bytes and bpp are of the distorted file.

    Example: latentpress assess originals decoded --metrics psnr,ssim,lpips -o table.csv
    """
    pipes.once(original, distorted)
    check_engine(engine, address)
    output = output and output_for(distorted, output, ".csv", others=[original])
    folders = original.is_dir() or distorted.is_dir()
    record = output if output is not None and folders and names_folder(output) else None
    if record is not None:
        output = record / TABLE
        overwrite = overwrite or (record / MANIFEST).is_file()  # then the table is ours
        make_folder(record)
    if output is not None and output.suffix.lower() not in FORMATS:
        raise UsageError(f"{output}: the table is written as {', '.join(FORMATS)}")
    if output is not None:
        if output.exists() and not overwrite:
            raise OutputError(f"{output} exists already: choose another name, or add --overwrite")
        check_output(output, overwrite=overwrite)
        if output.suffix.lower() == ".xlsx":
            check_openpyxl()
    if weights is not None:
        if not weights.is_dir():
            raise UsageError(f"--weights {weights}: no such folder")
        os.environ["LATENTPRESS_METRIC_WEIGHTS"] = str(weights)

    from latentpress.metrics import available, check_names

    names: list[str] | str | None = (
        metrics if metrics in (None, "all") else [name.strip() for name in str(metrics).split(",")]
    )
    columns = check_names(names)
    usable, reasons = available(columns)
    if not usable:
        raise WeightsError("; ".join(f"{key}: {reason}" for key, reason in reasons.items()))
    for reason in dict.fromkeys(reasons.values()):
        notice(f"{', '.join(k for k, r in reasons.items() if r == reason)} left empty: {reason}")

    strict = metrics not in (None, "all")
    failed = 0
    if folders:
        from latentpress.cli.assess_folders import Folders, grade
        from latentpress.collection.grading import Assess

        task = Assess(os.fspath(distorted), tuple(usable), gray, strict, model, device)
        workers = engine_of(engine, address, jobs, device)
        both = Folders(original, distorted, tuple(include or ()), tuple(exclude or ()))
        rows, failed = grade(both, task, columns, workers, record)
        if not rows:
            end(failed, failed)
    else:
        original, distorted = pipes.kept(original), pipes.kept(distorted)
        with progress(1):
            rows = [
                _row(
                    distorted.name,
                    original,
                    distorted,
                    usable,
                    columns,
                    gray,
                    model,
                    device,
                    strict=strict,
                )
            ]
    result = as_object(rows, columns, gray, folders)
    if output is not None:
        every = [*rows, mean_of(rows, columns)] if folders else rows
        atomic_write(
            output, table_bytes(output.suffix.lower(), every, columns, result), overwrite=overwrite
        )
    if json:
        typer.echo(to_json(result))
    elif output is not None:
        line(
            f"{output}: {len(rows)} {'pictures' if len(rows) > 1 else 'picture'}, {len(columns)} "
            f"{'metrics' if len(columns) > 1 else 'metric'}"
        )
    elif folders:
        print_rows([*rows, mean_of(rows, columns)], columns)
    else:
        print_pair(rows[0], columns, original, distorted)
    end(failed, failed + len(rows))


def _row(
    name: str,
    first: Path,
    second: Path,
    usable: list[str],
    columns: list[str],
    gray: bool,
    model: str | None,
    device: str,
    strict: bool,
) -> Row:
    """The numbers of one pair; None for what cannot be computed."""
    from latentpress.assessment import check_match, read_graded
    from latentpress.metrics import METRICS
    from latentpress.metrics import assess as assess_arrays

    try:
        a = read_graded(first, model=model, device=device)
        b = read_graded(second, model=model, device=device)
        for told in check_match(a, b):
            notice(f"{second}: {told}")
        height, width = a.pixels.shape[:2]
        fitting = (
            usable
            if strict
            else [key for key in usable if min(height, width) >= METRICS[key].smallest]
        )
        with naming(second):
            values = assess_arrays(a.pixels, b.pixels, fitting, gray=gray)
        size = second.stat().st_size
    except (OSError, MemoryError, RuntimeError) as error:  # the last from ONNX Runtime and torch
        raise describe(second, error) from error
    return {
        "image": name,
        "width": width,
        "height": height,
        "bytes": size,
        "bpp": 8 * size / (width * height),
        "identical": bool((a.pixels == b.pixels).all()),
        **{key: values.get(key) for key in columns},
    }
