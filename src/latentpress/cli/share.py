"""`latentpress share`: .ltp files and their decoder as one HTML file."""

from pathlib import Path
from typing import Annotated

import typer

from latentpress.cli import pipes, terminal
from latentpress.cli.arguments import Files, OverwriteOne, output_option
from latentpress.cli.batch import output_for, read_bytes
from latentpress.collection.faults import naming
from latentpress.errors import UsageError


def share(
    files: Files,
    output: Annotated[
        Path | None,
        output_option("The page to write.", show_default="the first file with .html"),
    ] = None,
    title: Annotated[
        str | None,
        typer.Option(
            metavar="TEXT", help="Title of the page.", show_default="the name of the first file"
        ),
    ] = None,
    overwrite: OverwriteOne = False,
) -> None:
    """Write pictures and what decodes them into one HTML file, which every browser opens by a
    double click, without a network.

    Example: latentpress share photo.ltp -o photo.html
    """
    from latentpress.system.files import atomic_write, check_output
    from latentpress.web.shown import check_shown
    from latentpress.web.single import single_page

    pipes.once(*files)
    target = output_for(files[0], output, ".html", others=files[1:])
    if target.suffix.lower() not in (".html", ".htm"):
        raise UsageError(f"{target}: the name of a page ends in .html")
    check_output(target, overwrite=overwrite)
    pictures = []
    for file in files:
        data = read_bytes(file)
        with naming(file):
            check_shown(data)
        pictures.append((file.name, data))
    page = single_page(encoder=False, pictures=pictures, title=title or files[0].name).encode()
    atomic_write(target, page, overwrite=overwrite, like=tuple(files))
    terminal.line(f"{target}: {len(page):,} bytes, opens in a browser")
