"""`latentpress decompress`: .ltp files -> image files."""

import time
from pathlib import Path
from typing import Annotated, Any

import typer

from latentpress.cli import batch
from latentpress.cli.arguments import Files, Jobs, Quiet, Verbose, device_option
from latentpress.container import Header, read_header
from latentpress.errors import LatentpressError, UsageError
from latentpress.spaces import LP1
from latentpress.system.malloc import make_room


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
    jobs: Jobs = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON list.")] = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Decompress .ltp files into images.

    Examples:

    latentpress decompress photo.ltp

    latentpress decompress pressed/*.ltp -o pictures --format jpg
    """
    from latentpress.parts import parts_of

    headers = {source: _header(source) for source in files}
    # where a header cannot be read, that is told when the file is
    spaces = {header.latent_space if header else LP1 for header in headers.values()}
    if len(files) == 1:  # files in work together run graphs of fewer threads, which are others
        for space in spaces:
            parts_of(space).open_ahead(device, encoding=False)
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
        make_room(pixels(source))
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

    alone = any(parts_of(space).works_alone(device, encoding=False) for space in spaces)

    def pixels(source: Path) -> int:
        header = headers[source]
        return header.width * header.height if header else 0

    batch.run(files, targets, work, as_json, sharing=batch.shared(files, jobs, pixels, alone))


def _header(source: Path) -> Header | None:
    """The header of a file; None of a pipe, and where it cannot be read."""
    try:
        return read_header(source) if source.is_file() else None
    except (LatentpressError, OSError):
        return None
