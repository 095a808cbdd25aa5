"""`latentpress thumbnail`: a small picture of an .ltp file, without decoding all of it."""

import io
from pathlib import Path
from typing import Annotated

import typer

from latentpress.cli import terminal
from latentpress.cli.arguments import (
    OverwriteOne,
    device_option,
    model_option,
    output_option,
    path_argument,
)
from latentpress.cli.batch import output_for, read_bytes
from latentpress.collection.faults import naming


def thumbnail(
    source: Annotated[Path, path_argument("FILE", "A .ltp file.")],
    output: Annotated[
        Path | None,
        output_option(
            "The picture to write, a PNG unless its suffix says otherwise.",
            show_default="FILE with .thumbnail.png",
        ),
    ] = None,
    size: Annotated[
        int, typer.Option("-s", "--size", metavar="N", help="Pixels of its longer side, at most.")
    ] = 256,
    overwrite: OverwriteOne = False,
    model: Annotated[
        str | None,
        model_option("Folder, file or hub id of the weights that decode."),
    ] = None,
    device: Annotated[str, device_option()] = "auto",
) -> None:
    """Write a small picture of a .ltp file, in sRGB and without metadata.

    Where a quarter of the picture's width and height is enough, it is made by a linear map from the
    latent, in less time than `decompress` takes.

    Example: latentpress thumbnail photo.ltp -s 256 -o small.png
    """
    from latentpress import thumbnails
    from latentpress.image.formats import FORMATS, write_image
    from latentpress.system.files import atomic_write, check_output

    target = output_for(source, output, ".png", ".thumbnail.png")
    check_output(target, overwrite=overwrite)
    data = read_bytes(source)
    with naming(source):
        image = thumbnails.thumbnail(data, size, model=model, device=device)
    if target.suffix.lower() in FORMATS:
        write_image(image, target, overwrite=overwrite, like=source)
    else:  # file managers ask for a PNG under a name of their own
        png = io.BytesIO()
        image.save(png, "PNG")
        atomic_write(target, png.getvalue(), overwrite=overwrite, like=source)
    terminal.line(f"{target}: {image.width} x {image.height} pixels")
