"""PNG and WebP files with opacity, whose samples JavaScript reads: the same as Pillow's."""

import base64
import io
import json
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from helpers.node import needs_node, run_node

pytestmark = needs_node
ADAM7 = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2))
COLOR_TYPES = {1: 0, 2: 4, 3: 2, 4: 6}
Samples = NDArray[np.uint8] | NDArray[np.uint16]


def chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def png(samples: Samples, *extra: bytes, interlaced: bool = False) -> bytes:
    """A PNG of samples (rows, columns, channels), without filters."""
    height, width, channels = samples.shape
    depth = 8 * samples.itemsize
    passes = [(0, 0, 1, 1)]
    if interlaced:
        passes = [*ADAM7, (0, 1, 1, 2)]
    lines = b""
    for x, y, across, down in passes:
        for row in samples[y::down, x::across]:
            if row.size:
                lines += b"\0" + row.astype(row.dtype.newbyteorder(">")).tobytes()
    header = struct.pack(
        ">IIBBBBB", width, height, depth, COLOR_TYPES[channels], 0, 0, int(interlaced)
    )
    body = chunk(b"IHDR", header) + b"".join(extra) + chunk(b"IDAT", zlib.compress(lines))
    return b"\x89PNG\r\n\x1a\n" + body + chunk(b"IEND", b"")


def saved(image: Image.Image, form: str = "PNG", **options: object) -> bytes:
    out = io.BytesIO()
    image.save(out, form, **options)
    return out.getvalue()


def read(files: list[bytes], folder: Path) -> list[bytes | None]:
    path = folder / "files.json"
    path.write_text(json.dumps([base64.b64encode(file).decode() for file in files]))
    answers = run_node("straight.js", path)
    return [None if each is None else base64.b64decode(each) for each in answers]


def with_opacity(photo: NDArray[np.uint8]) -> dict[str, bytes]:
    rng = np.random.default_rng(0)
    small = photo[:45, :61]
    alpha = rng.integers(0, 256, small.shape[:2], np.uint8)
    rgba = np.dstack([small, alpha])
    image = Image.fromarray(rgba)
    deep = rng.integers(0, 65536, (13, 11, 4)).astype(np.uint16)
    palette = image.convert("RGB").quantize(16)
    levels = image.convert("L").point(lambda v: v & 0xF0)
    color = tuple(small[3, 4].tolist())
    return {
        "rgba": saved(image),
        "gray and alpha": saved(image.convert("LA")),
        "palette": saved(palette, transparency=bytes(range(0, 160, 10))),
        "palette of 2 colors": saved(palette.quantize(2), transparency=3),
        "gray with a clear level": saved(levels, transparency=0x80),
        "two levels": saved(levels.convert("1"), transparency=0),
        "rgb with a clear color": saved(image.convert("RGB"), transparency=color),
        "interlaced": png(rgba, interlaced=True),
        "interlaced, one pixel": png(rgba[:1, :1], interlaced=True),
        "16 bits": png(deep),
        "16 bits, interlaced": png(deep, interlaced=True),
        "lossless webp": saved(image, "WEBP", lossless=True, exact=True),
        "lossless webp with exif": saved(image, "WEBP", lossless=True, exact=True, exif=b"II*\0"),
        "of sRGB": png(rgba, chunk(b"sRGB", b"\0"), chunk(b"gAMA", struct.pack(">I", 45455))),
    }


def test_samples_are_those_of_pillow(tmp_path: Path, photo: NDArray[np.uint8]) -> None:
    files = with_opacity(photo)
    for name, got in zip(files, read(list(files.values()), tmp_path), strict=True):
        expected = Image.open(io.BytesIO(files[name])).convert("RGBA").tobytes()
        assert got == expected, name


def test_others_are_left_to_the_browser(tmp_path: Path, photo: NDArray[np.uint8]) -> None:
    rgba = np.dstack([photo[:9, :7], photo[:9, :7, 0]])
    whole = png(rgba)
    others = {
        "opaque": saved(Image.fromarray(rgba).convert("RGB")),
        "of another gamma": png(rgba, chunk(b"gAMA", struct.pack(">I", 100000))),
        "of sRGB and of other numbers": png(
            rgba, chunk(b"cICP", b"\x0c\x0d\0\1"), chunk(b"sRGB", b"\0")
        ),
        "animated": png(rgba, chunk(b"acTL", struct.pack(">II", 2, 0))),
        "cut off": whole[:-20],
        "damaged": whole.replace(b"IDAT", b"IDAT", 1)[:70] + b"\0" + whole[71:],
        "opaque webp": saved(Image.fromarray(rgba).convert("RGB"), "WEBP", lossless=True),
        "lossy webp": saved(Image.fromarray(rgba), "WEBP"),
        "webp, cut off": saved(Image.fromarray(rgba), "WEBP", lossless=True)[:40],
        "no PNG": b"GIF89a" + bytes(40),
        "empty": b"",
    }
    for name, got in zip(others, read(list(others.values()), tmp_path), strict=True):
        assert got is None, name


@pytest.mark.parametrize("color_type", [1, 5, 7])
def test_an_unknown_kind_is_left_to_the_browser(tmp_path: Path, color_type: int) -> None:
    file = bytearray(png(np.zeros((4, 4, 4), np.uint8)))
    file[25] = color_type
    assert read([bytes(file)], tmp_path) == [None]
