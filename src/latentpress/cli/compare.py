"""`latentpress compare`: how far a file is from its original, in numbers and side by side."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from latentpress.cli import content_words, pipes
from latentpress.cli.arguments import (
    OverwriteOne,
    device_option,
    model_option,
    output_option,
    path_argument,
)
from latentpress.cli.batch import output_for
from latentpress.cli.json_output import to_json
from latentpress.cli.latent import read_ltp
from latentpress.cli.terminal import console, line, notice, plain
from latentpress.collection.faults import naming
from latentpress.container import unpack
from latentpress.errors import ImageError, OutputError
from latentpress.system.files import check_output
from latentpress.system.places import elsewhere

if TYPE_CHECKING:
    from PIL import Image

GAIN = 4  # of the difference panel


def compare(
    original: Annotated[Path, path_argument("ORIGINAL", "The original photograph.")],
    other: Annotated[
        Path,
        path_argument("OTHER", "A .ltp file, or any image, of the same size."),
    ],
    output: Annotated[
        Path | None,
        output_option(
            "Write original, decoded image and difference side by side; the parts of a screen "
            "layer are marked beside them.",
            show_default=False,
        ),
    ] = None,
    overwrite: OverwriteOne = False,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    model: Annotated[
        str | None,
        model_option("Folder, file or hub id of the weights that decode."),
    ] = None,
    device: Annotated[str, device_option()] = "auto",
) -> None:
    """Compare a file with its original: MSE, PSNR, SSIM, bytes, and bits per pixel (bpp = 8 x file
    bytes / pixels).

    The metrics are of the colors (RGB, 8 bits); alpha is left out, and so are colors under full
    transparency. Nothing is resized: two sizes
    are an error.

    Example: latentpress compare photo.jpg photo.ltp -o compare.png
    """
    pipes.once(original, other)
    output = output and output_for(other, output, ".png", others=[original])
    if output is not None and output.exists() and not overwrite:
        raise OutputError(f"{output} exists already: choose another name, or add --overwrite")
    if output is not None and elsewhere(output) is not None:
        check_output(output, overwrite=overwrite)
    original, other = pipes.kept(original), pipes.kept(other)
    data = read_ltp(other)
    layer = None

    from latentpress.image.formats import write_image
    from latentpress.image.hidden import fill_hidden
    from latentpress.image.picture import read_picture

    first = fill_hidden(read_picture(original))
    if data is None:
        second = fill_hidden(read_picture(other))
    else:
        from latentpress.codec import decompress

        with naming(other):
            layer = content_words.layer_of(*unpack(data))
            second = fill_hidden(read_picture(decompress(data, model=model, device=device)))
    for name, picture in ((original, first), (other, second)):
        for told in picture.notices:
            notice(f"{name}: {told}")
    a, b = first.image, second.image
    if a.size != b.size:
        raise ImageError(
            f"{original} is {a.width} x {a.height} pixels and {other} is {b.width} x {b.height}: "
            "only equal sizes compare"
        )
    result = _measure(a, b, other.stat().st_size)
    if output is not None:
        captions = _captions(result, original, other)
        from latentpress.image.panels import difference, marked, side_by_side

        panels = [a, b, difference(a, b, GAIN)]
        if layer is not None:
            panels.append(marked(b, layer.shown()))
            captions.append(f"screen layer, marked\n{100 * layer.share:.1f} % of the picture")
        shown = side_by_side(panels, captions)
        write_image(shown, output, overwrite=overwrite, like=(original, other))
    if json:
        files = {
            "original": str(original),
            "other": str(other),
            "output": str(output) if output else None,
        }
        typer.echo(to_json(files | result, None))
    else:
        _print_table(result, original, other)
        if output is not None:
            line(f"side by side: {output}")


def _measure(a: "Image.Image", b: "Image.Image", size: int) -> dict[str, Any]:
    """The numbers: ssim is None for images below its 7 x 7 window."""
    import numpy as np

    from latentpress.metrics import mse, ssim
    from latentpress.metrics.psnr import psnr_of_mse

    x = np.asarray(a)
    y = np.asarray(b)
    error = mse(x, y)
    return {
        "width": a.width,
        "height": a.height,
        "identical": error == 0,
        "mse": error,
        "psnr": psnr_of_mse(error),
        "ssim": ssim(x, y) if min(a.size) >= 7 else None,
        "bytes": size,
        "bpp": 8 * size / (a.width * a.height),
    }


def _captions(result: dict[str, Any], original: Path, other: Path) -> list[str]:
    """Captions of the three panels, in letters that Pillow's own font has."""
    structure = "" if result["ssim"] is None else f" · SSIM {result['ssim']:.4f}"
    psnr = "identical" if result["identical"] else f"PSNR {result['psnr']:.2f} dB"
    return [
        f"original: {original.name}\n{result['width']} x {result['height']} · "
        f"{_kilobytes(original.stat().st_size)}",
        f"{other.name}\n{_kilobytes(result['bytes'])} · {result['bpp']:.3f} bpp",
        f"difference x {GAIN}\n{psnr}{structure}",
    ]


def _print_table(result: dict[str, Any], original: Path, other: Path) -> None:
    from rich.table import Table

    typer.echo(plain(f"{other} against {original}"))
    table = Table(show_header=False)
    table.add_column(style="bold")
    table.add_column(justify="right")
    table.add_column(style="dim")
    table.add_row("MSE", f"{result['mse']:.3f}", "squared levels, lower is better")
    table.add_row(
        "PSNR",
        "infinite" if result["identical"] else f"{result['psnr']:.2f} dB",
        "higher is better; infinite if identical",
    )
    table.add_row(
        "SSIM",
        "-" if result["ssim"] is None else f"{result['ssim']:.4f}",
        "7 x 7 window, at most 1, higher is better",
    )
    table.add_row(
        "size", f"{result['bytes']:,} bytes", f"original {original.stat().st_size:,} bytes"
    )
    table.add_row(
        "rate",
        f"{result['bpp']:.4f} bpp",
        f"8 x bytes / ({result['width']} x {result['height']} pixels)",
    )
    console().print(table)


def _kilobytes(size: int) -> str:
    return f"{size} bytes" if size < 1000 else f"{size / 1000:.1f} kB"
