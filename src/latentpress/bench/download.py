"""Fetch a public data set into the cache, verified sample by sample."""

import io
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from latentpress._typing import Pixels
from latentpress.bench.checksums import sha256_of_pixels
from latentpress.errors import ImageError
from latentpress.system.cache import DATA_VARIABLE
from latentpress.system.files import atomic_write

KODAK_URL = "https://r0k.us/graphics/kodak/kodak/{file}"
# The study kept its resized photographs only as the left halves of these, "original | decoded"
# (1024 x 512), and they depend on the
# size of thumbnail that Wikimedia then served and on Pillow's resizing: so they are taken from
# there, at this commit.
STUDY_URL = (
    "https://raw.githubusercontent.com/qmmartin/Portfolio/463242895b0b3867a9a8ec4689b432e19106ac6d"
    "/img_compression_research_project/output/comparison_img{number:02}.png"
)
# five photographs x three codecs; each photograph is in three of them
STUDY_PICTURES = range(1, 16)
MAX_BYTES, TIMEOUT_SECONDS = 20_000_000, 30


def fetch(name: str, expected: dict[str, str], folder: Path) -> Path:
    """Download the pictures that `folder` lacks and return it; expected: file name -> SHA-256 of
    its samples.

    ImageError, in one sentence that says what to do instead, where the network or the address fails
    or a picture is another one.
    """
    missing = {sha256: file for file, sha256 in expected.items() if not (folder / file).is_file()}
    try:
        for data, pixels in (
            _study() if name == "science-fair" else _kodak(sorted(missing.values()))
        ):
            if file := missing.pop(sha256_of_pixels(pixels), None):
                folder.mkdir(parents=True, exist_ok=True)
                atomic_write(folder / file, data, overwrite=True)
            if not missing:
                return folder
    except (OSError, urllib.error.URLError, ValueError) as error:
        reason = str(getattr(error, "reason", error))
    else:
        reason = (
            f"{', '.join(sorted(missing.values()))} is not there, or is another picture than it was"
        )
    raise ImageError(
        f"the data set {name} is not on this machine and could not be fetched ({reason}): with a "
        "network, run the command again; or put "
        f"{next(iter(expected))} and the others into a folder {name} and set {DATA_VARIABLE} to "
        "what holds it; or name your own pictures"
    )


def _kodak(files: list[str]) -> Iterator[tuple[bytes, Pixels]]:
    for file in files:
        data = download(KODAK_URL.format(file=file))
        yield data, _decode(data)


def _study() -> Iterator[tuple[bytes, Pixels]]:
    for number in STUDY_PICTURES:
        pixels = _decode(download(STUDY_URL.format(number=number)))
        half = np.ascontiguousarray(pixels[:, : pixels.shape[1] // 2])
        stream = io.BytesIO()
        Image.fromarray(half).save(stream, "PNG", optimize=True)
        yield stream.getvalue(), half


def _decode(data: bytes) -> Pixels:
    with Image.open(io.BytesIO(data)) as image:
        return np.asarray(image.convert("RGB"))


def download(url: str) -> bytes:
    """The bytes at an address, at most MAX_BYTES; OSError where it fails."""
    request = urllib.request.Request(url, headers={"User-Agent": "latentpress"})
    with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as reply:
        data: bytes = reply.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise OSError(f"{url} is larger than {MAX_BYTES:,} bytes")
    return data
