"""Which cells of a picture the screen layer shows: a bit each, deflated."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from latentpress.errors import FormatError
from latentpress.image.deflated import deflate, inflate
from latentpress.varint import read_varint, write_varint

CELL = 32  # pixels a side
TILE = 2048  # pixels a side: a piece lies within one tile

Mask = NDArray[np.bool_]  # (rows, columns) of cells


@dataclass(frozen=True)
class Box:
    """A rectangle of pixels, ends excluded."""

    left: int
    top: int
    right: int
    bottom: int

    @property
    def size(self) -> tuple[int, int]:
        """Width and height."""
        return self.right - self.left, self.bottom - self.top


def grid(width: int, height: int) -> tuple[int, int]:
    """Rows and columns of the cells of a picture."""
    return -(-height // CELL), -(-width // CELL)


def boxes(mask: Mask, width: int, height: int) -> list[Box]:
    """Of each tile that has a cell of the mask, row by row: the least rectangle of cells around
    those cells, cut at the picture's edge.
    """
    cells = TILE // CELL
    found = []
    for top in range(0, mask.shape[0], cells):
        for left in range(0, mask.shape[1], cells):
            part = mask[top : top + cells, left : left + cells]
            rows = np.flatnonzero(part.any(1))
            columns = np.flatnonzero(part.any(0))
            if rows.size:
                found.append(
                    Box(
                        CELL * (left + int(columns[0])),
                        CELL * (top + int(rows[0])),
                        min(CELL * (left + int(columns[-1]) + 1), width),
                        min(CELL * (top + int(rows[-1]) + 1), height),
                    )
                )
    return found


def pixel_mask(mask: Mask, box: Box) -> Mask:
    """The mask of the pixels of a box whose left and top are those of cells."""
    width, height = box.size
    part = mask[box.top // CELL : -(-box.bottom // CELL), box.left // CELL : -(-box.right // CELL)]
    return part.repeat(CELL, 0).repeat(CELL, 1)[:height, :width]


def pack_mask(mask: Mask) -> bytes:
    """The mask -> bytes."""
    deflated = deflate(np.packbits(mask).tobytes())
    return write_varint(len(deflated)) + deflated


def unpack_mask(body: bytes, rows: int, columns: int) -> tuple[Mask, int]:
    """The mask at the start of a body, and the position behind it. FormatError where it is not
    whole, or shows nothing.
    """
    length, at = read_varint(body, 0)
    if at + length > len(body):
        raise FormatError("the mask of the screen chunk is cut off")
    size = -(-rows * columns // 8)
    plain = inflate(body[at : at + length], "screen", most=size)
    if len(plain) != size:
        raise FormatError("the mask of the screen chunk has another size than the picture")
    bits = np.unpackbits(np.frombuffer(plain, np.uint8)).astype(bool)
    if bits[rows * columns :].any() or not bits.any():
        raise FormatError("the mask of the screen chunk shows nothing, or cells that are not there")
    return bits[: rows * columns].reshape(rows, columns), at + length
