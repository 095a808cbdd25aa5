"""What the tests of stage 1 do with pictures: save, read back, take all pixels."""

import io
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms

from latentpress.image.cicp import BT2020, DISPLAY_P3, PRIMARIES, SRGB_CURVE
from latentpress.image.picture import read_picture
from latentpress.image.profiles import make_gray_profile, make_profile

PROFILE = make_profile("Display P3", PRIMARIES[DISPLAY_P3], SRGB_CURVE)
# No number stands for it in a file: its bytes come back.
OWN_PROFILE = make_profile("BT.2020", PRIMARIES[BT2020], SRGB_CURVE)
GRAY_PROFILE = make_gray_profile("linear", (1.0, 1.0, 0.0, 0.0, 0.0))


def whole(picture: Any) -> Any:
    return picture.pixels(0, picture.height, 0, picture.width)


def saved(image: Any, form: Any, **options: Any) -> Any:
    data = io.BytesIO()
    image.save(data, form, **options)
    return data.getvalue()


def read(tmp_path: Path, data: Any, name: Any = "a.img", **options: Any) -> Any:
    (tmp_path / name).write_bytes(data)
    return read_picture(tmp_path / name, **options)


def with_png_chunks(data: bytes, *chunks: tuple[bytes, bytes]) -> bytes:
    """A PNG file with chunks (kind, body) more, right behind its header."""
    made = b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        for kind, body in chunks
    )
    return data[:33] + made + data[33:]


def with_nclx(data: bytes, primaries: int, transfer: int) -> bytes:
    """An AVIF file of Pillow's with other numbers in its color box."""
    at = data.index(b"colrnclx") + 8
    return data[:at] + struct.pack(">HH", primaries, transfer) + data[at + 4 :]


def shown(pixels: NDArray[np.uint8], icc: bytes | None) -> NDArray[np.float64]:
    """(H, W, 3) uint8 as a color-managed viewer shows it on an sRGB display, 0 to 255."""
    if icc is None:
        return pixels.astype(float)
    image = Image.fromarray(pixels[..., 0] if icc[16:20] == b"GRAY" else pixels)
    profile = ImageCms.ImageCmsProfile(io.BytesIO(icc))
    seen = ImageCms.profileToProfile(
        image,
        profile,
        ImageCms.createProfile("sRGB"),
        outputMode="RGB",
        flags=ImageCms.Flags.NOOPTIMIZE,
    )
    return np.asarray(seen).astype(float)
