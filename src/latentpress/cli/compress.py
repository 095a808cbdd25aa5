"""`latentpress compress`: image files -> .ltp files."""

import time
from pathlib import Path
from typing import Annotated, Any

import typer

from latentpress.cli import batch


def compress(
    images: Annotated[list[Path], typer.Argument(help="Photographs: anything Pillow reads.", show_default=False)],
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="A file (one image) or a folder.", show_default="beside each image, .ltp")
    ] = None,
    quality: Annotated[float, typer.Option("-q", "--quality", help="0 (smallest file) to 100 (best picture).")] = 50,
    codec: Annotated[str, typer.Option(help="builtin, sd15, sdxl, sd3 or flux1.")] = "builtin",
    model: Annotated[
        str | None, typer.Option(help="Folder, .safetensors file or hub id of a Stable Diffusion autoencoder.", show_default=False)
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or mps.")] = "auto",
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace existing outputs.")] = False,
    strict: Annotated[bool, typer.Option("--strict", help="Make a lossy conversion (16 bits, CMYK, frames) an error.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON list.")] = False,
) -> None:
    """Compress photographs into .ltp files.

    Examples:

    latentpress compress photo.jpg

    latentpress compress *.jpg -o pressed -q 30

    latentpress compress photo.png --codec sd15 --model madebyollin/taesd
    """
    from latentpress import codec as pipeline
    from latentpress.files import atomic_write, check_output
    from latentpress.image import read_picture
    from latentpress.quantizer import check_quality
    from latentpress.transforms.spaces import space_of_codec

    check_quality(quality)
    space_of_codec(codec)
    targets = batch.outputs(images, output, ".ltp")

    def work(source: Path, target: Path) -> dict[str, Any]:
        check_output(target, overwrite=overwrite)
        start = time.perf_counter()
        picture = read_picture(source, strict=strict)
        data = pipeline.compress(picture, quality=quality, codec=codec, model=model, device=device)
        atomic_write(target, data, overwrite=overwrite)
        bpp, before = 8 * len(data) / (picture.width * picture.height), source.stat().st_size
        change = f"{before / len(data):.1f} times smaller" if before >= len(data) else f"{len(data) / before:.1f} times larger"
        return {
            "width": picture.width,
            "height": picture.height,
            "bytes": len(data),
            "source_bytes": before,
            "bpp": round(bpp, 5),
            "seconds": round(time.perf_counter() - start, 3),
            "notices": list(picture.notices),
            "line": f"{target}: {len(data):,} bytes, {bpp:.3f} bpp, {change} than {source.name}",
        }

    batch.run(images, targets, work, as_json)
