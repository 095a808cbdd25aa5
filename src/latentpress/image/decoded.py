"""A decoded picture on its way out: its pixels come in strips, top to bottom, and need not be held
together.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np
from PIL import Image

from latentpress._typing import Pixels
from latentpress.errors import FormatError
from latentpress.image.metadata_chunks import Metadata
from latentpress.image.on_disk import LARGE, PASTE_ROWS
from latentpress.image.picture import assemble, check_alpha, info_entries, paste


@dataclass(frozen=True)
class Decoded:
    """A picture that is being decoded. Its pixels can be asked for once: by `image` or by `bands`.

    Attributes:
        width: columns.
        height: rows.
        strips: of pixels (rows, width, 3), top to bottom; what damage they find they raise.
        gray: whether the luma of the pixels is wanted.
        metadata: of the picture.
        read_alpha: gives the alpha, (height, width); None where there is none.
    """

    width: int
    height: int
    strips: Iterable[Pixels]
    gray: bool = False
    metadata: Metadata = field(default_factory=Metadata)
    read_alpha: Callable[[], Pixels] | None = None

    @property
    def is_large(self) -> bool:
        """Whether the whole picture takes much memory."""
        return self.width * self.height > LARGE

    @property
    def mode(self) -> str:
        """Of the image: L, LA, RGB or RGBA."""
        return ("L" if self.gray else "RGB") + ("A" if self.read_alpha is not None else "")

    def image(self) -> Image.Image:
        """The whole image, with its metadata in `info`."""
        image = paste(self.strips, self.width, self.height)
        found = self.metadata
        return assemble(
            image,
            alpha=self.read_alpha() if self.read_alpha is not None else None,
            gray=self.gray,
            icc=found.icc,
            exif=found.exif,
            xmp=found.xmp,
            text=found.text,
            density=found.density,
        )

    def bands(self) -> Iterator[Image.Image]:
        """The image in bands of few rows, top to bottom, without metadata. FormatError where there
        is none.
        """
        alpha = self.read_alpha() if self.read_alpha is not None else None
        if alpha is not None:
            check_alpha(alpha, self.width, self.height)
        top = 0
        for strip in self.strips:
            for first in range(0, len(strip), PASTE_ROWS):
                band = Image.fromarray(np.ascontiguousarray(strip[first : first + PASTE_ROWS]))
                if self.gray:
                    band = band.convert("L")
                if alpha is not None:
                    band.putalpha(Image.fromarray(alpha[top : top + band.height]))
                top += band.height
                yield band
                del band
            del strip  # before the next one is made
        if top != self.height:
            raise FormatError("the file does not hold all pixels of its picture")

    def pixel(self) -> Image.Image:
        """One pixel of the image's mode, with the metadata of the whole."""
        image = Image.new(self.mode, (1, 1))
        found = self.metadata
        image.info.update(info_entries(found.icc, found.exif, found.xmp, found.text, found.density))
        return image
