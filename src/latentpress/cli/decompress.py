"""`latentpress decompress`: .ltp files -> image files."""

import time
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Annotated, Any

import typer

from latentpress.cli import batch
from latentpress.cli.arguments import Files, Jobs, Quiet, Verbose, device_option
from latentpress.container import Header, read_header
from latentpress.errors import LatentpressError, UsageError
from latentpress.spaces import LP1


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
    _open_ahead(files[0], device)
    from latentpress import codec as pipeline
    from latentpress.image.formats import FORMATS, output_format, write_image
    from latentpress.models import takes_bands
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

    alone = not all(map(_is_builtin, files))
    alone = alone or not takes_bands("lp1", "synthesis.onnx", device)  # another runtime
    sharing = batch.shared(files, jobs, _pixels, alone)
    batch.run(files, targets, work, as_json, sharing=sharing)


@cache
def _header(source: Path) -> Header | None:
    """The header of a file; None of a pipe, and where it cannot be read."""
    try:
        return read_header(source) if source.is_file() else None
    except (LatentpressError, OSError):
        return None


def _pixels(source: Path) -> int:
    header = _header(source)
    return header.width * header.height if header else 0


def _is_builtin(source: Path) -> bool:
    header = _header(source)
    return header is None or header.latent_space == LP1


def _open_ahead(source: Path, device: str) -> None:
    """Begin to load what the first file needs; what is wrong with it is told when it is read."""
    from latentpress.parts import parts_of

    with suppress(LatentpressError):
        if source.is_file():
            parts_of(read_header(source).latent_space).open_ahead(device, encoding=False)
