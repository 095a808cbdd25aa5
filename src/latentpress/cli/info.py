"""`latentpress info`: what a file says of itself; needs no weights."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from latentpress.cli import content_words, pipes, terminal
from latentpress.cli.arguments import Files
from latentpress.cli.batch import end, read_bytes
from latentpress.cli.json_output import to_json
from latentpress.cli.shares import metadata_words
from latentpress.collection.faults import naming
from latentpress.container import Header, unpack
from latentpress.errors import LatentpressError
from latentpress.shipped import manifest
from latentpress.spaces import LP1

if TYPE_CHECKING:
    from latentpress.screen.layer import Layer


def encoder_model(header: Header) -> str | None:
    """The known model that the hash in a header belongs to, None where it is none; needs neither
    NumPy nor weights.
    """
    if header.latent_space == LP1:
        return "builtin" if header.model_hash == manifest(LP1.name)["model_hash"] else None
    from latentpress.transforms.hub import known_by_prefix

    known = known_by_prefix(header.model_hash, header.latent_space)
    return known.name if known else None


def _model_words(header: Header) -> str:
    """What the hash in a header means, and how to get that model."""
    known = encoder_model(header)
    if known == "builtin":
        return "of the built-in model"
    if header.latent_space == LP1:
        if not header.has_latent:
            return "of another lp1 model, which a screen layer does not need"
        ours = manifest(LP1.name)["model_hash"]
        return f"of another lp1 model: this latentpress has {ours}, and cannot decode the file"
    if known is None:
        return f"no published one: any model of space {header.space} decodes the file"
    return f"{known}: `latentpress models fetch {known}`"


def info(
    files: Files,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object, of several files a list.")
    ] = False,
) -> None:
    """Show size, rate, codec, space, model, quality and chunks of files, their checksums verified;
    needs no weights.

    Example: latentpress info photo.ltp --json
    """
    shown: list[dict[str, Any]] = []
    failed = 0
    pipes.once(*files)
    for file in files:
        try:
            data = read_bytes(file)  # its errors name the file themselves
            with naming(file):
                header, chunks = unpack(data)
                layer = content_words.layer_of(header, chunks)
        except LatentpressError as error:
            if len(files) == 1:
                raise
            failed += 1
            terminal.error(str(error))
            shown.append({"file": str(file), "error": str(error)})
            continue
        shown.append(_entry(file, header, layer))
        if not as_json:
            _print(file if len(files) > 1 else None, header, layer)
    if as_json:
        print(to_json(shown if len(files) > 1 else shown[0]))
    end(failed, len(files))


def _entry(file: Path, header: Header, layer: Layer | None) -> dict[str, Any]:
    """A file as JSON has it."""
    told = {"file": str(file), "codec": header.codec, "model": encoder_model(header)}
    told |= asdict(header) | {"metadata": header.metadata}
    return told | (content_words.told(layer) if layer else {"screen_share": 0.0})


def _print(file: Path | None, header: Header, layer: Layer | None) -> None:
    """A file as people read it, under its name where there are several."""
    rows = {
        "size": f"{header.width} x {header.height} pixels, {header.size:,} bytes, "
        f"{header.bpp:.4f} bpp",
        "codec": f"{header.codec} (latent space {header.space}, id {header.space_id})",
        "model": f"{header.model_hash} ({_model_words(header)})",
        "quality": f"{header.quality:g}",
        "content": content_words.words(header, layer),
        "format": f"version {header.version}",
        "metadata": metadata_words(header),
        "chunks": ", ".join(f"{c.name} {c.size:,} bytes" for c in header.chunks),
    }
    if file is not None:
        print(terminal.plain(str(file)))
    for name, value in rows.items():
        print(f"{'' if file is None else '  '}{name:8} {value}")
