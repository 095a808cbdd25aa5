"""How programs use the package, for `mypy --strict` alone: what is right passes, and what is
ignored below must be an error.
"""

import gzip
import tempfile
from typing import IO, BinaryIO
from zipfile import ZipFile

from PIL import Image

import latentpress
from latentpress import data, latents, targets, thumbnails


def open_files(upload: IO[bytes], shard: ZipFile, stream: BinaryIO) -> list[bytes]:
    """Every open binary file is a picture or an .ltp file, whatever class it is of."""
    with shard.open("photo.jpg") as member, gzip.open("photo.ppm.gz") as unpacked:
        files = [latentpress.compress(member), latentpress.compress(unpacked)]
    with tempfile.SpooledTemporaryFile() as spooled:
        files.append(targets.to_size(spooled, 20_000))
    image: Image.Image = latentpress.decompress(upload)
    small: Image.Image = thumbnails.thumbnail(stream)
    return [*files, latentpress.compress(image), latentpress.compress(small, quality=30)]


def names_that_are_not_there(file: IO[str]) -> None:
    """Misspelled names and files of text are found."""
    latentpress.comprss("photo.jpg")  # type: ignore[attr-defined]
    latents.laod("set.ltps")  # type: ignore[attr-defined]
    data.PictureDatset("shards")  # type: ignore[attr-defined]
    latentpress.compress(file)  # type: ignore[arg-type]
