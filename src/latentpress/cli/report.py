"""`latentpress report`: a benchmark run as a page, a workbook, or Markdown."""

import os
from pathlib import Path
from typing import Annotated

import typer

from latentpress.cli import terminal
from latentpress.cli.arguments import Overwrite, output_option, path_argument
from latentpress.cli.batch import progress
from latentpress.collection.find import MANIFEST


def report(
    run: Annotated[
        Path,
        path_argument(
            "RUN", "The folder that `latentpress bench -o` or `latentpress compress -o` wrote."
        ),
    ],
    output: Annotated[
        Path | None,
        output_option(
            "A .html, .xlsx or .md file.", show_default="report.html in the run's folder"
        ),
    ] = None,
    images: Annotated[
        int,
        typer.Option(
            "--gallery", min=0, metavar="N", help="Images in the page's gallery; 0 for none."
        ),
    ] = 6,
    overwrite: Overwrite = False,
) -> None:
    """Show a run: R-D curves, bytes at equal quality, BD-rates, speeds, and a gallery to compare
    the pictures by eye.

    Of a folder that `compress` wrote: how many pictures, how much smaller, and the worst ten.

    A .html report is one file that needs no network; .xlsx holds the same numbers, one sheet a
    metric; .md writes its curves beside it.

    Example: latentpress report results/run1 -o report.html
    """
    from latentpress.bench.report import write_report
    from latentpress.bench.rows import read_run
    from latentpress.collection.sizes import size_words

    target = output or run / "report.html"
    if (run / MANIFEST).is_file():
        from latentpress.collection.report import write_report as write_pictures

        write_pictures(os.fspath(run), target, overwrite)
        terminal.line(f"{target}: {size_words(target.stat().st_size)}")
        return
    found = read_run(run)
    with progress(
        min(images, len(found.images)) if target.suffix.lower() == ".html" else 0
    ) as advance:
        written = write_report(found, target, images=images, overwrite=overwrite, advance=advance)
    for path in written:
        terminal.line(f"{path}: {size_words(path.stat().st_size)}")
