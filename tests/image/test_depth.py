"""Samples deeper than 8 bits are told for every format, and refused where strict is asked for."""

import io
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from helpers import deep_files
from helpers.pictures import read, saved, whole
from latentpress.assessment import assess
from latentpress.bench.datasets import read_pixels
from latentpress.data import Decoder
from latentpress.errors import ConversionError, ImageError
from latentpress.image.picture import read_picture

FLAT = np.full((16, 24, 3), (75, 175, 128), np.uint8)


def ppm(largest: int) -> bytes:
    size = ">u2" if largest > 255 else "u1"
    return (
        b"P6 24 16 %d\n" % largest
        + (FLAT.astype(float) * largest / 255).round().astype(size).tobytes()
    )


CASES = [
    ("10-bit", deep_files.AVIF_10, None),
    ("12-bit", deep_files.AVIF_12, None),
    ("16-bit", deep_files.J2K_16, None),
    ("12-bit", deep_files.JP2_12, None),
    ("10-bit", ppm(1023), None),
    ("16-bit", ppm(65535), None),
    ("16-bit", deep_files.JXL_16, "pillow_jxl"),
    ("16-bit", saved(Image.fromarray(FLAT), "SGI", bpc=2), None),
]


@pytest.mark.parametrize(("bits", "data", "needs"), CASES)
def test_deep_samples_are_told(tmp_path: Path, bits: Any, data: Any, needs: Any) -> None:
    if needs:
        pytest.importorskip(needs)
    picture = read(tmp_path, data)
    assert f"{bits} samples were cut to 8 bits" in picture.notices
    assert np.abs(whole(picture).astype(int) - FLAT).max() <= 3
    with pytest.raises(ConversionError, match=bits):
        read(tmp_path, data, strict=True)
    Image.fromarray(FLAT).save(tmp_path / "flat.png")
    with pytest.raises(ImageError, match="more than 8 bits"):
        assess(tmp_path / "a.img", tmp_path / "flat.png", metrics="psnr")
    with pytest.raises(ImageError, match="more than 8 bits"):
        read_pixels(tmp_path / "a.img")


def test_heic_of_ten_bits(tmp_path: Path) -> None:
    heif = pytest.importorskip("pillow_heif")
    deep = heif.from_bytes("RGB;16", (24, 16), (FLAT.astype("<u2") * 257).tobytes())
    deep.save(tmp_path / "a.heic", quality=-1, chroma=444)
    assert (
        "10-bit samples were cut to 8 bits"
        in read(tmp_path, (tmp_path / "a.heic").read_bytes()).notices
    )


def test_half_floats_in_dds_are_told(tmp_path: Path) -> None:
    """Two blocks of 4 x 4 in BC6H, whose bits are any."""
    size = struct.pack("<7I44x", 124, 0x1007, 4, 8, 32, 0, 0)
    kind = struct.pack("<2I4s20x20x", 32, 4, b"DX10") + struct.pack("<5I", 95, 3, 0, 1, 0)
    data = b"DDS " + size + kind + bytes(32)
    assert "16-bit samples were cut to 8 bits" in read(tmp_path, data).notices


def tiff(width: int, data: bytes, tags: dict[int, tuple[int, ...]], order: str = "<") -> bytes:
    """A TIFF file of one row, which stands behind the tags (SHORT); without 259 uncompressed."""
    count = len(tags[258])
    each = len(data) // count if tags.get(284) == (2,) else len(data)
    places = tuple(400 + i for i in range(0, len(data), each))
    rows = {256: (width,), 257: (1,), 259: (1,), 277: (count,), 278: (1,), **tags}
    rows |= {273: places, 279: (each,) * len(places)}
    table, values = b"", b""
    for tag, value in sorted(rows.items()):
        body = struct.pack(f"{order}{len(value)}H", *value)
        if len(body) > 4:
            values += body
            body = struct.pack(order + "I", 300 + len(values) - len(body))
        table += struct.pack(order + "HHI", tag, 3, len(value)) + body.ljust(4, b"\0")
    head = struct.pack(order + "2sHIH", {"<": b"II", ">": b"MM"}[order], 42, 8, len(rows))
    return ((head + table).ljust(300, b"\0") + values).ljust(400, b"\0") + data


def test_twelve_bits_of_gray_in_tiff_are_as_bright_as_they_are(tmp_path: Path) -> None:
    """One strip of 0, 2048, 4095, 1024 in 12 bits each; Pillow gives them unscaled."""
    data = tiff(4, bytes.fromhex("000800fff400"), {258: (12,), 262: (1,)})
    picture = read(tmp_path, data)
    assert whole(picture)[0, :, 0].tolist() == [0, 128, 255, 64]
    assert picture.notices == ("12-bit samples were scaled to 8 bits",)
    image = Image.open(io.BytesIO(data))
    image.load()
    assert whole(read_picture(image))[0, :, 0].tolist() == [0, 128, 255, 64]
    assert Decoder("l8").decode(data).tolist() == [[0, 128, 255, 64]]


def test_deep_gray_in_tiff_whose_zero_is_white_is_no_negative(tmp_path: Path) -> None:
    samples = np.array([0, 257, 65535], "<u2")
    data = tiff(3, samples.tobytes(), {258: (16,), 262: (0,)})
    assert whole(read(tmp_path, data))[0, :, 0].tolist() == [255, 254, 0]
    assert Decoder("l8").decode(data).tolist() == [[255, 254, 0]]


@pytest.mark.parametrize("order", ["<", ">"])
def test_planes_of_sixteen_bits_in_tiff_are_read_as_such(tmp_path: Path, order: str) -> None:
    row = np.arange(12, dtype=np.uint8).reshape(3, 4) * 21 + 2
    tags = {258: (16,) * 3, 262: (2,), 284: (2,)}
    samples = (256 * row.astype(np.uint16) + 9).astype(order + "u2")
    data = tiff(4, samples.tobytes(), tags, order)
    picture = read(tmp_path, data)
    assert whole(picture)[0].T.tolist() == row.tolist()
    assert Decoder("rgb8").decode(data)[0].T.tolist() == row.tolist()
    assert picture.notices == ("16-bit samples were cut to 8 bits",)
    with pytest.raises(ImageError, match="more than 8 bits"):
        read_pixels(tmp_path / "a.img")
    cmyk = tiff(4, bytes(32), {258: (16,) * 4, 262: (5,), 284: (2,)}, order)
    with pytest.raises(ImageError, match="CMYK of 16 bits in planes"):
        read(tmp_path, cmyk)


def test_compressed_floats_in_big_endian_tiff_are_read_as_such(tmp_path: Path) -> None:
    deflated = zlib.compress(np.array([0, 0.2, 1], ">f4").tobytes())
    tags = {258: (32,), 259: (8,), 262: (1,), 339: (3,)}
    data = tiff(3, deflated, tags, ">")
    assert whole(read(tmp_path, data))[0, :, 0].tolist() == [0, 51, 255]
    assert Decoder("l8").decode(data).tolist() == [[0, 51, 255]]


def test_numbers_of_32_bits_without_a_sign_have_none(tmp_path: Path) -> None:
    samples = np.array([0, 1 << 31, (1 << 32) - 1], "<u4")
    picture = read(tmp_path, tiff(3, samples.tobytes(), {258: (32,), 262: (1,)}))
    assert whole(picture)[0, :, 0].tolist() == [0, 128, 255]


@pytest.mark.parametrize("alpha", [1, 2])  # which the gray is multiplied by, or is not
def test_gray_with_alpha_in_planes_is_refused(tmp_path: Path, alpha: int) -> None:
    tags = {258: (8, 8), 259: (8,), 262: (1,), 284: (2,), 338: (alpha,)}
    data = tiff(8, 2 * zlib.compress(bytes([7] * 8)), tags)
    with pytest.raises(ImageError, match="gray or a palette with alpha in planes is not known"):
        read(tmp_path, data)


def test_the_depth_behind_a_large_profile_in_jpeg_2000(tmp_path: Path) -> None:
    data = deep_files.JP2_12
    at = data.index(b"jp2c") - 4
    data = data[:at] + struct.pack(">I4s", 9000, b"uuid") + bytes(8992) + data[at:]
    assert "12-bit samples were cut to 8 bits" in read(tmp_path, data).notices


@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP", "AVIF", "JPEG2000", "PPM", "TIFF", "BMP"])
def test_eight_bits_are_no_loss(tmp_path: Path, form: Any) -> None:
    assert not [
        notice
        for notice in read(tmp_path, saved(Image.fromarray(FLAT), form)).notices
        if "bit" in notice
    ]


def test_a_codestream_of_jpeg_2000_with_a_deep_second_component(tmp_path: Path) -> None:
    data = bytearray(saved(Image.fromarray(FLAT), "JPEG2000", no_jp2=True))
    assert struct.unpack_from(">H", data, 40) == (3,)
    data[45] = 9  # Ssiz of the second: 10 bits
    try:
        assert "10-bit samples were cut to 8 bits" in read(tmp_path, data).notices
    except ImageError as error:
        assert "cannot be decoded" in str(error)  # noqa: PT017
