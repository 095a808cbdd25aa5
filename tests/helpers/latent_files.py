"""Latents to save, and .ltps files whose checksums an attacker has put right."""

import io

import google_crc32c
import numpy as np
from numpy.typing import NDArray

from latentpress.latents import index

CHANNELS = {"sd15": 4, "sdxl": 4, "sd3": 16, "flux1": 16, "raw": 3}


def smooth(channels: int, h: int, w: int, seed: int = 0) -> NDArray[np.float32]:
    """A latent with neighbors alike, about unit deviation, float32."""
    noise = np.random.default_rng(seed).normal(0, 1, (channels, h + 4, w + 4))
    blurred = sum(noise[:, y : y + h, x : x + w] for y in range(4) for x in range(4))
    return (blurred / 4 + 0.4 * noise[:, :h, :w]).astype(np.float32)


def record_of(data: bytes, number: int) -> tuple[int, int]:
    """(first byte, bytes) of a record in the bytes of a .ltps file."""
    return index.read_index(io.BytesIO(data), len(data)).span(number)


def ltps(records: list[bytes], space: int = 0, *, behind: bytes = b"") -> bytes:
    """A well-formed file around any records. behind: bytes between the last one and the index."""
    header, ends = (
        index.HEADER.pack(index.MAGIC, index.VERSION, space),
        index.HEADER.size + np.cumsum([len(r) for r in records]),
    )
    rows = np.array(
        [(end, google_crc32c.value(r)) for end, r in zip(ends, records, strict=True)], index.ROW
    ).tobytes()
    start = (int(ends[-1]) if records else index.HEADER.size) + len(behind)
    crc = google_crc32c.value(header + rows + index.NUMBERS.pack(start, len(records)))
    footer = index.FOOTER.pack(start, len(records), crc, index.END)
    return header + b"".join(records) + behind + rows + footer
