"""`latentpress study`: the study this project grew from, done again with real files and right
numbers.
"""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from latentpress.cli.arguments import codec_option, local_path, model_option
from latentpress.cli.terminal import console, line, notice

if TYPE_CHECKING:
    from latentpress.bench.rows import Run
    from latentpress.bench.study_preset import Column

SET = "science-fair"


def study(
    output: Annotated[
        Path,
        typer.Option(
            "-o",
            "--output",
            metavar="FOLDER",
            help="Folder of the results; a run that is there is gone on with.",
            parser=local_path,
        ),
    ] = Path("study"),
    codec: Annotated[str, codec_option("The VAE.")] = "builtin",
    model: Annotated[
        str | None,
        model_option("Folder, file or hub id of the VAE's weights."),
    ] = None,
    quality: Annotated[
        float,
        typer.Option(
            "-q",
            "--quality",
            min=0,
            max=100,
            metavar="0..100",
            help="Of the VAE; its other qualities draw its curve.",
        ),
    ] = 50,
    images: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            help="A folder of other photographs.",
            show_default="the study's five, fetched once",
        ),
    ] = None,
) -> None:
    """Press the study's five photographs with a VAE, PNG, JPEG and WebP; grade them in gray by
    SSIM, MSE and PSNR, in color by LPIPS.

    JPEG and WebP stand at the study's qualities (100 and 80), and at those whose files are as large
    as the VAE's. Writes a workbook with one sheet a metric, latents, comparisons, differences, and
    a report.

    Example: latentpress study -o study --codec sd15 --model madebyollin/taesd
    """
    from latentpress.bench import cli_arguments
    from latentpress.bench.datasets import find_sources
    from latentpress.bench.image_codecs import OURS
    from latentpress.bench.report import write_report
    from latentpress.bench.run import Plan, run
    from latentpress.bench.study_preset import METRICS, columns, plan_codecs, write_study
    from latentpress.cli.bench import run_progress
    from latentpress.errors import UsageError
    from latentpress.metrics import available
    from latentpress.options import check_quality
    from latentpress.system.spreadsheet import check_openpyxl

    if codec not in OURS:
        raise UsageError(f"unknown codec {codec!r}: the VAE is one of {', '.join(OURS)}")
    check_openpyxl()
    quality = check_quality(quality)  # as the rows of the run tell it
    codecs = plan_codecs(codec, model, quality)
    usable, reasons = available(METRICS)
    for name, reason in reasons.items():
        notice(f"{name} stays empty: {reason}")
    label, sources = find_sources([images] if images else [], None if images else SET, output)
    with run_progress() as (on_start, on_cell):
        plan = Plan(
            label,
            sources,
            codecs,
            usable,
            True,
            1,
            cli_arguments.cores(),
            cli_arguments.command(sys.argv[1:]),
            on_cell,
            on_start,
        )
        result = run(plan, output)
    written = write_study(result, codec, quality)
    written += write_report(result, output / "report.html", images=len(sources), overwrite=True)
    _show(result, columns(result, codec, quality))
    pictures = ", ".join(sorted({path.parent.name for path in written[1:-1]}))
    line(f"{written[0]}, {written[-1]}, and in {output}: {pictures}")


def _show(run: "Run", table: "list[Column]") -> None:
    from rich.table import Table

    from latentpress.bench.report.number_format import metric_name, number, plain
    from latentpress.bench.study_preset import means

    shown = Table(
        "mean over the images",
        *(column.title for column in table),
        title=f"{run.info['dataset']}; SSIM, MSE and PSNR in gray",
    )
    shown.add_row("bytes", *(plain(value, 0) for value in means(table, "bytes")))
    shown.add_row("bits per pixel", *(plain(value, 3) for value in means(table, "bpp")))
    for metric in run.metrics:
        shown.add_row(
            metric_name(metric), *(number(metric, value) for value in means(table, metric))
        )
    console(140).print(shown)
