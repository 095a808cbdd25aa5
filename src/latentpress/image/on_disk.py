"""The pixels of a large picture in a temporary file, so that memory is left for the work on them.

Pillow holds a picture in mode RGB with four bytes a pixel, 0.4 GB at 100 megapixels. While a
picture is transformed, a band of it is enough.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from latentpress._typing import Pixels
from latentpress.system.scratch import Unnamed

LARGE = 32_000_000  # pixels; from here on a picture's pixels wait on disk
# rows that are copied at a time: between arrays and Pillow's images, which have four bytes a pixel,
# there are copies
PASTE_ROWS = 64


class OnDisk:
    """An upright picture in mode L or RGB, written row by row; what Picture asks of Pillow's
    images. OSError where the disk is full.

    Args:
        bands: (rows, width) or (rows, width, 3) each, top to bottom.
    """

    def __init__(self, bands: Iterable[NDArray[np.uint8]], width: int, height: int) -> None:
        self.size = self.width, self.height = width, height
        self._file = Unnamed()
        self.mode = "RGB"
        end = 0
        for band in bands:
            self.mode = "RGB" if band.ndim == 3 else "L"
            self._file.write(np.ascontiguousarray(band), end)
            end += band.nbytes
            del band

    def rows(self, top: int, bottom: int) -> Pixels:
        """Rows top to bottom as they were written."""
        shape = (bottom - top, self.width, *((3,) if self.mode == "RGB" else ()))
        row_bytes = int(np.prod(shape[1:]))
        data = self._file.read((bottom - top) * row_bytes, top * row_bytes)
        return np.frombuffer(data, np.uint8).reshape(shape)

    def crop(self, box: tuple[int, int, int, int]) -> Image.Image:
        """As of Pillow's Image: columns and rows of left, top, right, bottom."""
        left, top, right, bottom = box
        return Image.fromarray(self.rows(top, bottom)[:, left:right])

    def image(self) -> Image.Image:
        """The whole picture in memory."""
        return pasted(self._bands(), self.mode, self.size)

    def _bands(self) -> Iterator[Pixels]:
        for top in range(0, self.height, PASTE_ROWS):
            yield self.rows(top, min(top + PASTE_ROWS, self.height))


def pasted(bands: Iterable[NDArray[np.uint8]], mode: str, size: tuple[int, int]) -> Image.Image:
    """Bands of pixels, top to bottom -> one image, made when the first band has come."""
    image = None
    top = 0
    for band in bands:
        image = image or Image.new(mode, size)
        for i in range(0, len(band), PASTE_ROWS):
            image.paste(Image.fromarray(band[i : i + PASTE_ROWS]), (0, top + i))
        top += len(band)
        del band  # before the next one is made
    if image is None:
        raise ValueError("there are no pixels")
    return image
