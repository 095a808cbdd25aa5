"""`latentpress latent`: the latent of a photograph or of a file, as a picture."""

from pathlib import Path
from typing import Annotated

from latentpress.cli import terminal
from latentpress.cli.arguments import (
    OverwriteOne,
    codec_option,
    device_option,
    model_option,
    output_option,
    path_argument,
)
from latentpress.cli.batch import output_for, read_bytes
from latentpress.collection.faults import naming
from latentpress.container import MAGIC
from latentpress.errors import OutputError


def read_ltp(path: Path) -> bytes | None:
    """The bytes of an .ltp file, None for any other file: told by its content, not its name.
    ImageError if unreadable.
    """
    data = read_bytes(path)
    return data if data.startswith(MAGIC) else None


def latent(
    source: Annotated[Path, path_argument("SOURCE", "A photograph, or a .ltp file.")],
    output: Annotated[
        Path | None,
        output_option("The picture to write.", show_default="SOURCE with .latent.png"),
    ] = None,
    codec: Annotated[str, codec_option("The latent space; a .ltp file knows its own.")] = "builtin",
    model: Annotated[
        str | None,
        model_option("Folder, file or hub id of the weights that encode."),
    ] = None,
    device: Annotated[str, device_option()] = "auto",
    overwrite: OverwriteOne = False,
) -> None:
    """Show a latent as a picture: one gray panel a channel, side by side, each stretched from its
    least value to its greatest.

    A photograph gives its latent before quantization, a .ltp file the quantized latent that it
    holds.

    Example: latentpress latent photo.jpg --codec sd15 -o latent.png
    """
    target = output_for(source, output, ".png", ".latent.png")
    if target.exists() and not overwrite:
        raise OutputError(f"{target} exists already: choose another name, or add --overwrite")
    data = read_ltp(source)

    from latentpress.codec import decode_latent, encode_latent
    from latentpress.image.formats import write_image
    from latentpress.image.panels import latent_panels

    if data is None:
        y = encode_latent(source, codec=codec, model=model, device=device)
    else:
        with naming(source):
            y = decode_latent(data)
    write_image(latent_panels(y), target, overwrite=overwrite, like=source)
    channels, h, w = y.shape
    terminal.line(
        f"{target}: {'quantized ' if data is not None else ''}latent with {channels} channels of "
        f"{w} x {h}, "
        f"values {float(y.min()):.2f} to {float(y.max()):.2f}"
    )
