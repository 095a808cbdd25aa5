"""The screen chunks of a file: decoded piece by piece as strips of pixels pass, and pasted over
them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from PIL import Image

from latentpress._typing import Pixels
from latentpress.container import SCREEN, SCREEN_WHOLE, Header, unpack
from latentpress.errors import FormatError
from latentpress.screen.mask import CELL, Box, Mask, boxes, grid, pixel_mask, unpack_mask
from latentpress.screen.pieces import check_piece, decode_piece
from latentpress.varint import read_varint, write_varint

STRIP = 1024  # rows of a strip where there is no latent that gives some


@dataclass(frozen=True)
class Layer:
    """The layer of a picture.

    Attributes:
        width: of the picture.
        height: of the picture.
        mask: (rows, columns) of cells; what it shows.
        boxes: of the pieces, row by row.
        pieces: their bytes.
    """

    width: int
    height: int
    mask: Mask
    boxes: tuple[Box, ...]
    pieces: tuple[bytes, ...]

    @property
    def share(self) -> float:
        """Of the picture's pixels those that it shows."""
        rows = np.minimum(CELL, self.height - CELL * np.arange(self.mask.shape[0]))
        columns = np.minimum(CELL, self.width - CELL * np.arange(self.mask.shape[1]))
        return float(rows @ self.mask @ columns / (self.width * self.height))

    def shown(self) -> Mask:
        """The mask of its pixels, (height, width)."""
        return pixel_mask(self.mask, Box(0, 0, self.width, self.height))

    def black(self, reduction: int = 1) -> Iterator[Pixels]:
        """Black strips of the picture's size, to be pasted over. reduction: as of `pasted`."""
        width = -(-self.width // reduction)
        height = -(-self.height // reduction)
        rows = STRIP // reduction
        for top in range(0, height, rows):
            yield np.zeros((min(rows, height - top), width, 3), np.uint8)

    def pasted(self, strips: Iterable[Pixels], reduction: int = 1) -> Iterator[Pixels]:
        """Strips of pixels (rows, width, 3), top to bottom, with the layer where it shows.
        reduction: pixels of the picture, each way, a pixel of the strips; a divisor of a cell.
        """
        top = 0
        held: dict[Box, tuple[Pixels, Mask]] = {}
        for strip in strips:
            bottom = top + len(strip)
            strip = np.array(strip)  # its own, to be written
            for box, piece in zip(self.boxes, self.pieces, strict=True):
                first, end = box.top // reduction, -(-box.bottom // reduction)
                if first >= bottom or end <= top:
                    held.pop(box, None)
                    continue
                if box not in held:
                    held[box] = self._decoded(box, piece, reduction)
                pixels, shown = held[box]
                a, b = max(first, top), min(end, bottom)
                left = box.left // reduction
                part = strip[a - top : b - top, left : left + pixels.shape[1]]
                where = shown[a - first : b - first, :, None]
                np.copyto(part, pixels[a - first : b - first], where=where)
            yield strip
            top = bottom
            del strip

    def _decoded(self, box: Box, piece: bytes, reduction: int) -> tuple[Pixels, Mask]:
        pixels = decode_piece(piece, *box.size)
        shown = pixel_mask(self.mask, box)
        if reduction == 1:
            return pixels, shown
        small = np.asarray(Image.fromarray(pixels).reduce(reduction))
        return small, shown[::reduction, ::reduction]


def pack_pieces(pieces: Iterable[bytes]) -> bytes:
    """Pieces one behind the other, each but the last behind its length."""
    every = list(pieces)
    return b"".join(write_varint(len(p)) + p for p in every[:-1]) + every[-1]


def read_layer(blocks: bytes | None, whole: bytes | None, width: int, height: int) -> Layer | None:
    """The layer of a file's screen chunks; None where it has none.

    blocks: the body of the chunk with a mask. whole: of the one without. FormatError where one is
    damaged, as far as that is known before pixels are decoded.
    """
    rows, columns = grid(width, height)
    if blocks is not None:
        mask, at = unpack_mask(blocks, rows, columns)
        body = blocks[at:]
    elif whole is not None:
        mask, body = np.ones((rows, columns), bool), whole
    else:
        return None
    found = boxes(mask, width, height)
    pieces = []
    at = 0
    for i, box in enumerate(found):
        length = len(body) - at
        if i < len(found) - 1:
            length, at = read_varint(body, at)
        if at + length > len(body):
            raise FormatError("the screen chunk is cut off")
        pieces.append(body[at : at + length])
        check_piece(pieces[-1], *box.size)
        at += length
    return Layer(width, height, mask, tuple(found), tuple(pieces))


def layer_of(header: Header, chunks: Mapping[int, bytes]) -> Layer | None:
    """The layer of an unpacked file; None where all of it is a latent. FormatError as of
    `read_layer`.
    """
    return read_layer(chunks.get(SCREEN), chunks.get(SCREEN_WHOLE), header.width, header.height)


def share_of(header: Header, file: bytes) -> float:
    """The share of a file's picture that its layer shows. header: of these bytes."""
    if not any(chunk.type in (SCREEN, SCREEN_WHOLE) for chunk in header.chunks):
        return 0.0
    layer = layer_of(*unpack(file))
    return layer.share if layer else 0.0
