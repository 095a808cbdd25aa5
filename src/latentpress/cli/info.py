"""`latentpress info`: what a file says of itself; needs no weights."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from latentpress.cli.batch import naming, read_bytes
from latentpress.cli.shares import metadata_words
from latentpress.container import unpack


def info(
    file: Annotated[Path, typer.Argument(help="A .ltp file.", show_default=False)],
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Show size, rate, codec, space, model, quality and chunks of a file, its checksums verified;
    needs no weights.

    Example: latentpress info photo.ltp --json
    """
    data = read_bytes(file)
    with naming(file):
        header, _ = unpack(data)
    if as_json:
        found = {"file": str(file), "codec": header.codec, **asdict(header)}
        print(json.dumps(found | {"metadata": header.metadata}, indent=1))
        return
    rows = {
        "size": f"{header.width} x {header.height} pixels, {header.size:,} bytes, "
        f"{header.bpp:.4f} bpp",
        "codec": f"{header.codec} (latent space {header.space}, id {header.space_id})",
        "model": f"{header.model_hash} (of the encoder)",
        "quality": f"{header.quality:g}",
        "format": f"version {header.version}",
        "metadata": metadata_words(header),
        "chunks": ", ".join(f"{c.name} {c.size:,} bytes" for c in header.chunks),
    }
    for name, value in rows.items():
        print(f"{name:8} {value}")
