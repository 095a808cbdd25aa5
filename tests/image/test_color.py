"""Every color mode: which conversions are exact, which are told, and which strict forbids."""

import io
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from helpers.pictures import read, saved, whole
from latentpress.errors import ConversionError
from latentpress.image.picture import Picture, read_picture

RNG = np.random.default_rng(7)
RGB = RNG.integers(0, 256, (5, 7, 3), dtype=np.uint8)
GRAY, ALPHA = RGB[..., 0], RNG.integers(0, 256, (5, 7), dtype=np.uint8)


def test_lossless_modes_give_the_same_pixels_and_pass_strict(tmp_path: Path) -> None:
    rgb, alpha = Image.fromarray(RGB), Image.fromarray(ALPHA)
    rgba, la = rgb.copy(), Image.fromarray(GRAY)
    rgba.putalpha(alpha)
    la.putalpha(alpha)
    for image, gray, has_alpha in [
        (rgb, False, False),
        (rgba, False, True),
        (la, True, True),
        (Image.fromarray(GRAY), True, False),
        (Image.fromarray(GRAY > 127), True, False),
        (rgb.convert("RGBX"), False, False),
        (rgb.quantize(16), False, False),
    ]:
        picture = read_picture(image, strict=True)
        assert (picture.gray, picture.alpha is not None) == (gray, has_alpha)
        assert np.array_equal(whole(picture), np.asarray(image.convert("RGB")))
        assert picture.alpha is None or np.array_equal(picture.alpha, ALPHA)
        assert bool(picture.notices) == (image.mode in ("1", "P", "RGBX"))


def test_premultiplied_alpha_survives() -> None:
    rgba = Image.fromarray(np.dstack([RGB, np.maximum(ALPHA, 1)]))
    assert np.array_equal(read_picture(rgba.convert("RGBa")).alpha, np.maximum(ALPHA, 1))
    assert read_picture(rgba.convert("LA").convert("La")).gray


@pytest.mark.parametrize("transparency", [3, bytes(range(0, 160, 10))])
def test_a_palette_with_transparency_becomes_alpha_and_stays_unchanged(
    tmp_path: Path, transparency: Any
) -> None:
    image = Image.fromarray(RGB).quantize(16)
    data = saved(image, "PNG", transparency=transparency)
    with Image.open(io.BytesIO(data)) as reference:
        expected = np.asarray(reference.convert("RGBA"))
    picture = read(tmp_path, data, strict=True)
    assert np.array_equal(picture.alpha, expected[..., 3])
    assert np.array_equal(whole(picture), expected[..., :3])
    given_image = Image.open(io.BytesIO(data))
    read_picture(given_image)
    assert given_image.mode == "P"
    assert given_image.palette.mode == "RGB"


def test_one_transparent_color_becomes_alpha(tmp_path: Path) -> None:
    picture = read(
        tmp_path,
        saved(Image.fromarray(RGB), "PNG", transparency=tuple(int(v) for v in RGB[2, 3])),
        strict=True,
    )
    assert np.array_equal(picture.alpha == 0, (RGB[2, 3] == RGB).all(axis=2))
    picture = read(
        tmp_path, saved(Image.fromarray(GRAY), "PNG", transparency=int(GRAY[1, 1])), strict=True
    )
    assert picture.gray
    assert np.array_equal(picture.alpha == 0, GRAY[1, 1] == GRAY)


def png(depth: Any, rows: Any, transparent: Any = None, color_type: Any = 0) -> Any:
    """A PNG file of these rows of bytes, for the depths that Pillow does not write."""

    def chunk(kind: Any, body: Any) -> Any:
        return (
            struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        )

    width = len(rows[0]) * 8 // depth // {0: 1, 2: 3, 4: 2, 6: 4}[color_type]
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, len(rows), depth, color_type, 0, 0, 0))
    colors = [] if transparent is None else np.ravel(transparent)
    trns = chunk(b"tRNS", struct.pack(f">{len(colors)}H", *colors)) if len(colors) else b""
    return (
        b"\x89PNG\r\n\x1a\n"
        + head
        + trns
        + chunk(b"IDAT", zlib.compress(b"".join(b"\0" + r for r in rows)))
        + chunk(b"IEND", b"")
    )


LOW_DEPTHS = [
    (2, b"\x1b", [0, 85, 170, 255]),
    (4, b"\x0f", [0, 255]),
    (1, b"\x0f", [0] * 4 + [255] * 4),
]


@pytest.mark.parametrize(("depth", "row", "levels"), LOW_DEPTHS)
def test_the_transparent_color_of_a_low_depth_is_scaled_with_its_samples(
    tmp_path: Path, depth: Any, row: Any, levels: Any
) -> None:
    data = png(depth, [row], transparent=(1 << depth) - 1)
    for picture in read_in_all_ways(tmp_path, data, strict=True):
        assert whole(picture)[0, :, 0].tolist() == levels
        assert (picture.alpha[0] == 0).tolist() == [level == 255 for level in levels]


def read_in_all_ways(tmp_path: Path, data: bytes, **options: Any) -> Iterator[Picture]:
    """As a file, as an image that is open, and as one that Pillow has loaded, which stays so."""
    yield read(tmp_path, data, **options)
    with Image.open(io.BytesIO(data)) as image:
        yield read_picture(image, **options)
    with Image.open(tmp_path / "a.img") as image:
        image.load()
        info = dict(image.info)
        yield read_picture(image, **options)
        assert image.info == info


def test_the_transparent_color_of_16_bits_is_cut_with_its_samples(tmp_path: Path) -> None:
    samples = np.array([[257, 20000, 65535], [20000, 257, 65535]], ">u2")
    data = png(16, [samples.tobytes()], (257, 20000, 65535), color_type=2)
    for picture in read_in_all_ways(tmp_path, data):
        assert whole(picture)[0].tolist() == [[1, 78, 255], [78, 1, 255]]
        assert picture.alpha.tolist() == [[0, 255]]


# ---- lossy conversions


def test_sixteen_bits_are_rounded_not_cut(tmp_path: Path) -> None:
    values = np.arange(0, 65536, dtype=np.uint16).reshape(256, 256)
    expected = np.round(values / 257).astype(np.uint8)
    for form in ("PNG", "TIFF", "PPM"):
        picture = read(tmp_path, saved(Image.fromarray(values), form))
        assert picture.gray
        assert np.array_equal(whole(picture)[..., 0], expected)
        assert picture.notices == ("16-bit samples were scaled to 8 bits",)
        with pytest.raises(ConversionError, match="16-bit"):
            read_picture(tmp_path / "a.img", strict=True)
    picture = read(tmp_path, png(16, [values[1].astype(">u2").tobytes()], transparent=300))
    assert np.flatnonzero(picture.alpha[0] == 0).tolist() == [44]


@pytest.mark.parametrize(("color_type", "channels"), [(2, 3), (4, 2), (6, 4)])
def test_sixteen_bits_a_color_are_told_and_less_than_a_level_off(
    tmp_path: Path, color_type: Any, channels: Any
) -> None:
    values = RNG.integers(0, 65536, (9, 4, channels), dtype=np.uint16)
    picture = read(
        tmp_path, png(16, [row.astype(">u2").tobytes() for row in values], color_type=color_type)
    )
    colors = values[..., : 3 if channels > 2 else 1] / 257
    assert np.abs(whole(picture) - colors).max() < 1
    assert (picture.alpha is None) == (channels == 3)
    assert picture.alpha is None or np.abs(picture.alpha - values[..., -1] / 257).max() < 1
    assert picture.gray == (channels == 2)
    assert picture.notices == ("16-bit samples were cut to 8 bits",)
    with pytest.raises(ConversionError, match="16-bit"):
        read_picture(tmp_path / "a.img", strict=True)


RANGES = [
    (0, 1, (0, 1)),
    (0, 200, (0, 255)),
    (-3, 5, (-3, 5)),
    (0, 60000, (0, 65535)),
    (7, 7, (0, 255)),
    (-2, -2, (-2, -1)),
]


@pytest.mark.parametrize(("low", "high", "to"), RANGES)
def test_floats_are_scaled_from_a_range_that_the_notice_names(low: Any, high: Any, to: Any) -> None:
    values = np.linspace(low, high, 35, dtype=np.float32).reshape(5, 7)
    picture = read_picture(Image.fromarray(values))
    expected = np.rint((values.astype(float) - to[0]) * 255 / (to[1] - to[0]))
    assert np.abs(whole(picture)[..., 0] - expected).max() == 0
    assert len(picture.notices) == 1
    with pytest.raises(ConversionError):
        read_picture(Image.fromarray(values), strict=True)


def test_not_a_number_is_no_error() -> None:
    values = np.array([[np.nan, np.inf, -np.inf, 0.5, 1.0]], np.float32)
    assert whole(read_picture(Image.fromarray(values)))[0, :, 0].tolist() == [0, 255, 0, 128, 255]
    assert whole(read_picture(Image.fromarray(np.full((2, 2), np.nan, np.float32)))).max() == 0


def cmyk_profile() -> Any:
    """A CMYK to Lab profile: the lightness falls from 100 to 0 with the sum of the inks, colors
    stay neutral (ICC.1, lut8Type).
    """
    grid = bytearray()
    for corner in range(16):
        grid += bytes([max(0, 255 - 64 * bin(corner).count("1")), 128, 128])
    table = bytes(range(256))
    lut = (
        b"mft1"
        + bytes(4)
        + bytes([4, 3, 2, 0])
        + struct.pack(">9i", *[65536 if i % 4 == 0 else 0 for i in range(9)])
    )
    lut += table * 4 + bytes(grid) + table * 3
    white = b"XYZ " + bytes(4) + struct.pack(">3i", 63190, 65536, 54061)
    tags = [(b"A2B0", lut), (b"A2B1", lut), (b"wtpt", white)]
    offset, rows, body = 128 + 4 + 12 * len(tags), b"", b""
    for name, data in tags:
        data += bytes(-len(data) % 4)
        rows += name + struct.pack(">II", offset + len(body), len(data))
        body += data
    head = struct.pack(
        ">I4sI4s4s4s12x4s",
        offset + len(body),
        b"none",
        0x02400000,
        b"prtr",
        b"CMYK",
        b"Lab ",
        b"acsp",
    )
    head += bytes(68 - len(head)) + struct.pack(">3i", 63190, 65536, 54061)
    return head + bytes(128 - len(head)) + struct.pack(">I", len(tags)) + rows + body


def test_cmyk_goes_through_its_profile_which_is_then_dropped(tmp_path: Path) -> None:
    image = Image.new("CMYK", (16, 16), (255, 0, 0, 0))
    by_profile = read(tmp_path, saved(image, "TIFF", icc_profile=cmyk_profile()))
    # neutral by this profile, cyan by the formula
    assert np.ptp(whole(by_profile)[0, 0].astype(int)) <= 3
    assert "through their ICC profile" in by_profile.notices[0]
    for icc in (None, b"damaged"):
        image.info["icc_profile"] = icc
        by_formula = read_picture(image)
        assert whole(by_formula)[0, 0].tolist() == [0, 255, 255]
        assert by_formula.icc is None
    assert by_profile.icc is None
    with pytest.raises(ConversionError, match="CMYK"):
        read_picture(tmp_path / "a.img", strict=True)


@pytest.mark.parametrize("mode", ["LAB", "HSV", "YCbCr"])
def test_other_color_spaces_are_converted_with_a_notice(mode: Any) -> None:
    image = Image.fromarray(np.full((4, 4, 3), 90, np.uint8)).convert(mode)
    picture = read_picture(image)
    assert np.abs(whole(picture).astype(int) - 90).max() <= 2
    assert mode in picture.notices[0]
    with pytest.raises(ConversionError):
        read_picture(image, strict=True)
