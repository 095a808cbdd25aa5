"""Write decoded pictures, the large ones row by row where their format can be written so."""

from __future__ import annotations

import io
import os
from typing import BinaryIO

from latentpress.image.decoded import Decoded
from latentpress.image.formats import BMP, PNG, PPM, output_format, save_image
from latentpress.image.plain_rows import write_bmp, write_ppm
from latentpress.image.png_rows import write_png
from latentpress.system.ahead import ahead
from latentpress.system.files import replacing


def write_decoded(
    decoded: Decoded,
    path: str | os.PathLike[str],
    *,
    overwrite: bool = False,
    like: str | os.PathLike[str] | None = None,
) -> tuple[str, ...]:
    """Write a decoded picture, whole or not at all; as `formats.write_image`, but a large one goes
    into a PNG, PPM or BMP file as it is decoded. What its decoding raises is passed on.
    """
    output_format(path)  # before anything is made there
    with replacing(path, overwrite=overwrite, like=like) as stream:
        return save_decoded(decoded, stream, path)


def save_decoded(
    decoded: Decoded, stream: BinaryIO, path: str | os.PathLike[str]
) -> tuple[str, ...]:
    """Write a decoded picture to an empty open file that can be sought, as `write_decoded` does to
    a path.
    """
    form = output_format(path)
    size = decoded.width, decoded.height
    is_held = not decoded.is_large or decoded.mode not in form.modes or max(size) > form.side
    if is_held or form not in (PNG, PPM, BMP):
        return save_image(decoded.image(), stream, path)
    like = io.BytesIO()  # all but the pixels, as Pillow writes it
    notices = save_image(decoded.pixel(), like, path)
    pixel = like.getvalue()
    with ahead(decoded.bands()) as bands:
        if form is PNG:
            options = form.options
            write_png(
                stream, pixel, size, bands, options["compress_level"], options["compress_type"]
            )
        else:
            (write_ppm if form is PPM else write_bmp)(stream, pixel, size, bands)
    return notices
