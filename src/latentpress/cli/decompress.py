"""`latentpress decompress`: .ltp files -> image files."""

import time
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any

import typer

from latentpress.cli import batch
from latentpress.cli.arguments import Files, Quiet, Verbose, device_option
from latentpress.errors import LatentpressError, UsageError


def decompress(
    files: Files,
    output: Annotated[
        str | None,
        typer.Option(
            "-o",
            "--output",
            metavar="PATH",
            help="A file (.png, .jpg, .webp, ...) or a folder.",
            show_default="beside each file, .png",
        ),
    ] = None,
    suffix: Annotated[
        str,
        typer.Option(
            "--format",
            metavar="SUFFIX",
            help="Format of the outputs where -o names no file: png, jpg, webp, avif, tif, ...",
        ),
    ] = "png",
    model: Annotated[
        str | None,
        typer.Option(
            help="Folder, .safetensors file or hub id of a Stable Diffusion autoencoder.",
            show_default=False,
        ),
    ] = None,
    device: Annotated[str, device_option()] = "auto",
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace existing outputs.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON list.")] = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Decompress .ltp files into images.

    Examples:

    latentpress decompress photo.ltp

    latentpress decompress pressed/*.ltp -o pictures --format jpg
    """
    _open_ahead(files[0], device)
    from latentpress import codec as pipeline
    from latentpress.image.formats import FORMATS, output_format, write_image
    from latentpress.system.files import check_output

    suffix = "." + suffix.lstrip(".")
    if suffix.lower() not in FORMATS:
        raise UsageError(f"unknown format {suffix}; known are {' '.join(FORMATS)}")
    targets = batch.outputs(files, output, suffix)

    def work(source: Path, target: Path) -> dict[str, Any]:
        output_format(target)
        check_output(target, overwrite=overwrite)
        start = time.perf_counter()
        data = batch.read_bytes(source)
        with batch.naming(source):
            image = pipeline.decompress(data, model=model, device=device)
        notices = list(write_image(image, target, overwrite=overwrite, like=source))
        return {
            "width": image.width,
            "height": image.height,
            "seconds": round(time.perf_counter() - start, 3),
            "notices": notices,
            "detail": f"{image.mode}, {time.perf_counter() - start:.1f} s",
            "line": f"{target}: {image.width} x {image.height} pixels",
        }

    batch.run(files, targets, work, as_json)


def _open_ahead(source: Path, device: str) -> None:
    """Begin to load what the first file needs; what is wrong with it is told when it is read."""
    from latentpress.container import read_header
    from latentpress.parts import parts_of

    with suppress(LatentpressError):
        if source.is_file():
            parts_of(read_header(source).latent_space).open_ahead(device, encoding=False)
