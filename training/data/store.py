"""All training pictures as one tensor of pixels, in the memory of the device that trains."""

import io
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from training.data.kinds import Kind, kind_of
from training.data.packs import Packed, read_photographs
from training.data.painter import PAGE


def rgbx(pixels: NDArray[np.uint8]) -> NDArray[np.int32]:
    """(H, W, 3 or 4) uint8 -> (H, W) int32: red, green, blue and the text mask (or 0) as bytes."""
    four = np.zeros((*pixels.shape[:2], 4), np.uint8)
    four[:, :, : pixels.shape[2]] = pixels
    return four.view(np.int32)[:, :, 0]


def decode(file: bytes) -> NDArray[np.uint8]:
    """An image file -> (H, W, 3) uint8."""
    with Image.open(io.BytesIO(file)) as image:
        return np.asarray(image.convert("RGB"))


@dataclass(frozen=True)
class Store:
    """Pictures one after the other, then places for painted pages of PAGE x PAGE.

    Attributes:
        pixels: int32 (P,), each a pixel of four bytes (see `rgbx`), on the device.
        offset: int64 (N,), where each picture begins.
        height, width: int64 (N,).
        kinds: The kind of each picture, N.
        first_page: Where the painted pages begin.
        pages: How many there are.
    """

    pixels: Tensor
    offset: NDArray[np.int64]
    height: NDArray[np.int64]
    width: NDArray[np.int64]
    kinds: list[Kind]
    first_page: int
    pages: int

    def page(self, index: int) -> Tensor:
        """The place of a painted page, (PAGE * PAGE,) int32, to be written to."""
        start = self.first_page + index * PAGE * PAGE
        return self.pixels[start : start + PAGE * PAGE]


def load_store(folder: Path, device: str, pages: int, threads: int = 16, sides: int = 192) -> Store:
    """The pictures of the packs in a folder that are not held out.

    Args:
        folder: Packs, see `training.data.packs`.
        device: Of torch.
        pages: Places for painted pages.
        threads: Of the JPEG decoder, which works outside Python's lock.
        sides: Pictures whose shorter side is less are left out.

    Raises:
        ValueError: No picture is large enough.
    """
    taken = [packed for packed in read_photographs(folder) if not packed.held_out]
    with ThreadPoolExecutor(threads) as pool:
        decoded = list(pool.map(lambda packed: rgbx(decode(packed.file)), taken))
    pairs = [(p, a) for p, a in zip(taken, decoded, strict=True) if min(a.shape) >= sides]
    if not pairs:
        raise ValueError(f"no picture of {sides} pixels a side in {folder}")
    height = np.array([a.shape[0] for _, a in pairs], np.int64)
    width = np.array([a.shape[1] for _, a in pairs], np.int64)
    ends = np.cumsum(height * width)
    offset = ends - height * width
    pixels = torch.empty(int(ends[-1]) + pages * PAGE * PAGE, dtype=torch.int32, device=device)
    for start, (_, a) in zip(offset.tolist(), pairs, strict=True):
        pixels[start : start + a.size].copy_(torch.from_numpy(a.copy().ravel()))
    pixels[int(ends[-1]) :] = 0
    kinds = [kind_of(p.stem) for p, _ in pairs]
    return Store(pixels, offset, height, width, kinds, int(ends[-1]), pages)


def load_held_out(folder: Path, side: int = 512) -> list[Tensor]:
    """Center crops of at most side x side of the held-out pictures.

    Returns:
        A tensor (1, 3, H, W) in [0, 1] for each, in the order of their names, H and W multiples
        of 16.

    Raises:
        ValueError: There is none.
    """
    held: list[Packed] = [packed for packed in read_photographs(folder) if packed.held_out]
    if not held:
        raise ValueError(f"no held-out picture in {folder}: other packs have some")
    out = []
    for packed in sorted(held, key=lambda packed: packed.stem):
        a = decode(packed.file)
        h, w = (min(side, n // 16 * 16) for n in a.shape[:2])
        top, left = ((n - m) // 2 for n, m in zip(a.shape[:2], (h, w), strict=True))
        crop = torch.from_numpy(a[top : top + h, left : left + w].copy())
        out.append(crop.permute(2, 0, 1)[None].float() / 255)
    return out
