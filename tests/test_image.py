"""Reading pictures: every mode, every orientation, metadata, and what cannot be read."""

import contextlib
import errno
import io
import os
import struct
import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageCms

from latentpress.errors import ConversionError, ImageError
from latentpress.image import assemble, read_picture
from latentpress.pillow_limit import MAX_PIXELS, no_pillow_limit

RNG = np.random.default_rng(7)
RGB = RNG.integers(0, 256, (5, 7, 3), dtype=np.uint8)
GREY, ALPHA = RGB[..., 0], RNG.integers(0, 256, (5, 7), dtype=np.uint8)
UPRIGHT = {  # Exif 2.32, tag Orientation: where row 0 and column 0 of the stored pixels belong
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.swapaxes(0, 1),
    6: lambda a: a[::-1].swapaxes(0, 1),
    7: lambda a: a[::-1, ::-1].swapaxes(0, 1),
    8: lambda a: a[:, ::-1].swapaxes(0, 1),
}


def whole(picture):
    return picture.pixels(0, picture.height, 0, picture.width)


def saved(image, form, **options):
    data = io.BytesIO()
    image.save(data, form, **options)
    return data.getvalue()


def read(tmp_path, data, name="a.img", **options):
    (tmp_path / name).write_bytes(data)
    return read_picture(tmp_path / name, **options)


def exif_block(orientation, order="<"):
    """Make, orientation, a GPS IFD and a maker note whose absolute offset must stay true."""
    note = b"note at its place"
    ifd0 = struct.pack(order + "H", 4)
    ifd0 += struct.pack(order + "HHI4s", 0x010F, 2, 4, b"Abc\0")
    ifd0 += struct.pack(order + "HHIHH", 0x0112, 3, 1, orientation, 0)
    ifd0 += struct.pack(order + "HHII", 0x8769, 4, 1, 62)
    ifd0 += struct.pack(order + "HHII", 0x8825, 4, 1, 80)
    ifd0 += struct.pack(order + "I", 0)
    exif = struct.pack(order + "HHHIII", 1, 0x927C, 7, len(note), 98, 0)
    gps = struct.pack(order + "HHHI4sI", 1, 1, 2, 2, b"N\0\0\0", 0)
    return {"<": b"II", ">": b"MM"}[order] + struct.pack(order + "HI", 42, 8) + ifd0 + exif + gps + note


def with_exif(data, exif):
    """A PNG with an eXIf chunk in front of its pixels."""
    import zlib

    at = data.index(b"IDAT") - 4
    return data[:at] + struct.pack(">I", len(exif)) + b"eXIf" + exif + struct.pack(">I", zlib.crc32(b"eXIf" + exif)) + data[at:]


# ---- orientation and metadata


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_orientation_is_applied_and_only_its_bytes_change(tmp_path, orientation, order):
    block = exif_block(orientation, order)
    rgba = np.dstack([RGB, ALPHA])
    picture = read(tmp_path, with_exif(saved(Image.fromarray(rgba), "PNG"), block))
    expected = UPRIGHT[orientation](rgba)
    assert (picture.height, picture.width) == expected.shape[:2]
    assert np.array_equal(whole(picture), expected[..., :3])
    assert np.array_equal(picture.alpha, expected[..., 3])
    assert np.array_equal(np.asarray(picture.image), expected[..., :3])
    assert picture.image.mode == "RGB"
    assert picture.exif == exif_block(1, order)
    assert picture.exif.endswith(b"note at its place")


@given(st.integers(1, 8), st.data())
def test_any_window_is_a_part_of_the_whole(orientation, data):
    expected = UPRIGHT[orientation](RGB)
    height, width = expected.shape[:2]
    top, left = data.draw(st.integers(0, height)), data.draw(st.integers(0, width))
    bottom, right = data.draw(st.integers(top, height)), data.draw(st.integers(left, width))
    image = Image.fromarray(RGB)
    image.info["exif"] = b"Exif\0\0" + exif_block(orientation)
    picture = read_picture(image)
    assert np.array_equal(picture.pixels(top, bottom, left, right), expected[top:bottom, left:right])


def test_orientation_in_small_bands(monkeypatch, tmp_path):
    monkeypatch.setattr("latentpress.colour.BAND_PIXELS", 8)
    for orientation, upright in UPRIGHT.items():
        picture = read(tmp_path, with_exif(saved(Image.fromarray(RGB), "PNG"), exif_block(orientation)))
        assert np.array_equal(whole(picture), upright(RGB))


def test_pillow_agrees_about_orientation(tmp_path):
    from PIL import ImageOps

    for orientation in range(1, 9):
        data = with_exif(saved(Image.fromarray(RGB), "PNG"), exif_block(orientation))
        with Image.open(io.BytesIO(data)) as image:
            assert np.array_equal(whole(read(tmp_path, data)), np.asarray(ImageOps.exif_transpose(image)))


@pytest.mark.parametrize("form", ["JPEG", "WEBP", "AVIF", "TIFF", "PNG"])
def test_orientation_and_tags_in_every_format_that_has_exif(tmp_path, form):
    big = np.kron(RGB, np.ones((8, 8, 1), np.uint8))
    exif = Image.Exif()
    exif[0x010F], exif[0x0112] = "Maker", 6
    exif[0x8825] = {1: "N", 2: (52.0, 30.0, 0.0)}
    picture = read(tmp_path, saved(Image.fromarray(big), form, exif=exif))
    assert (picture.width, picture.height) == (40, 56)
    kept = Image.Exif()
    kept.load(picture.exif)
    assert kept[0x010F] == "Maker"
    assert kept.get(0x0112, 1) == 1
    assert kept.get_ifd(0x8825)[1] == "N"
    assert float(kept.get_ifd(0x8825)[2][1]) == 30
    assert 0x0111 not in kept  # StripOffsets of the TIFF file


def test_xmp_orientation_counts_when_exif_has_none_and_no_longer_says_so(tmp_path):
    xmp = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><d tiff:Orientation="6" dc:a="b"/></x:xmpmeta>'
    picture = read(tmp_path, saved(Image.fromarray(np.kron(RGB, np.ones((8, 8, 1), np.uint8))), "JPEG", xmp=xmp))
    assert (picture.width, picture.height) == (40, 56)
    assert picture.xmp == xmp.replace(b'Orientation="6"', b'Orientation="1"')


@pytest.mark.parametrize("exif", [b"", b"II", b"II*\0\xff\xff\xff\xff", b"MM\0*\0\0\0\x08\xff\xff", b"nonsense", exif_block(9)])
def test_damaged_exif_is_kept_and_means_upright(exif):
    image = Image.fromarray(RGB)
    image.info["exif"] = b"Exif\0\0" + exif
    picture = read_picture(image)
    assert np.array_equal(whole(picture), RGB)
    assert picture.exif == (exif or None)


def test_icc_is_kept_and_comments_are_told(tmp_path):
    icc = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    picture = read(tmp_path, saved(Image.fromarray(RGB), "JPEG", icc_profile=icc, comment=b"hello"))
    assert picture.icc == icc
    assert picture.notices == ("text comments were dropped",)
    with pytest.raises(ConversionError, match="comments"):
        read_picture(tmp_path / "a.img", strict=True)


# ---- modes


def test_lossless_modes_give_the_same_pixels_and_pass_strict(tmp_path):
    rgb, alpha = Image.fromarray(RGB), Image.fromarray(ALPHA)
    rgba, la = rgb.copy(), Image.fromarray(GREY)
    rgba.putalpha(alpha)
    la.putalpha(alpha)
    for image, grey, has_alpha in [
        (rgb, False, False), (rgba, False, True), (la, True, True), (Image.fromarray(GREY), True, False),
        (Image.fromarray(GREY > 127), True, False), (rgb.convert("RGBX"), False, False), (rgb.quantize(16), False, False),
    ]:  # fmt: skip
        picture = read_picture(image, strict=True)
        assert (picture.grey, picture.alpha is not None) == (grey, has_alpha)
        assert np.array_equal(whole(picture), np.asarray(image.convert("RGB")))
        assert picture.alpha is None or np.array_equal(picture.alpha, ALPHA)
        assert bool(picture.notices) == (image.mode in ("1", "P", "RGBX"))


def test_premultiplied_alpha_survives():
    rgba = Image.fromarray(np.dstack([RGB, np.maximum(ALPHA, 1)]))
    assert np.array_equal(read_picture(rgba.convert("RGBa")).alpha, np.maximum(ALPHA, 1))
    assert read_picture(rgba.convert("LA").convert("La")).grey


@pytest.mark.parametrize("transparency", [3, bytes(range(0, 160, 10))])
def test_a_palette_with_transparency_becomes_alpha_and_stays_unchanged(tmp_path, transparency):
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


def test_one_transparent_colour_becomes_alpha(tmp_path):
    picture = read(tmp_path, saved(Image.fromarray(RGB), "PNG", transparency=tuple(int(v) for v in RGB[2, 3])), strict=True)
    assert np.array_equal(picture.alpha == 0, (RGB == RGB[2, 3]).all(axis=2))
    picture = read(tmp_path, saved(Image.fromarray(GREY), "PNG", transparency=int(GREY[1, 1])), strict=True)
    assert picture.grey
    assert np.array_equal(picture.alpha == 0, GREY == GREY[1, 1])


def grey_png(depth, rows, transparent=None):
    import zlib

    def chunk(kind, body):
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    width = len(rows[0]) * 8 // depth
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, len(rows), depth, 0, 0, 0, 0))
    trns = b"" if transparent is None else chunk(b"tRNS", struct.pack(">H", transparent))
    return b"\x89PNG\r\n\x1a\n" + head + trns + chunk(b"IDAT", zlib.compress(b"".join(b"\0" + r for r in rows))) + chunk(b"IEND", b"")


@pytest.mark.parametrize(("depth", "row", "levels"), [(2, b"\x1b", [0, 85, 170, 255]), (4, b"\x0f", [0, 255]), (1, b"\x0f", [0] * 4 + [255] * 4)])
def test_the_transparent_colour_of_a_low_depth_is_scaled_with_its_samples(tmp_path, depth, row, levels):
    picture = read(tmp_path, grey_png(depth, [row], transparent=(1 << depth) - 1), strict=True)
    assert whole(picture)[0, :, 0].tolist() == levels
    assert (picture.alpha[0] == 0).tolist() == [level == 255 for level in levels]


# ---- lossy conversions


def test_sixteen_bits_are_rounded_not_cut(tmp_path):
    values = np.arange(0, 65536, dtype=np.uint16).reshape(256, 256)
    expected = np.round(values / 257).astype(np.uint8)
    for form in ("PNG", "TIFF", "PPM"):
        picture = read(tmp_path, saved(Image.fromarray(values), form))
        assert picture.grey
        assert np.array_equal(whole(picture)[..., 0], expected)
        assert picture.notices == ("16-bit samples were scaled to 8 bits",)
        with pytest.raises(ConversionError, match="16-bit"):
            read_picture(tmp_path / "a.img", strict=True)
    picture = read(tmp_path, grey_png(16, [values[1].astype(">u2").tobytes()], transparent=300))
    assert np.flatnonzero(picture.alpha[0] == 0).tolist() == [44]


@pytest.mark.parametrize(("low", "high", "to"), [(0, 1, (0, 1)), (0, 200, (0, 255)), (-3, 5, (-3, 5)), (0, 60000, (0, 65535)), (7, 7, (0, 255))])
def test_floats_are_scaled_from_a_range_that_the_notice_names(low, high, to):
    values = np.linspace(low, high, 35, dtype=np.float32).reshape(5, 7)
    picture = read_picture(Image.fromarray(values))
    expected = np.rint((values.astype(float) - to[0]) * 255 / (to[1] - to[0]))
    assert np.abs(whole(picture)[..., 0] - expected).max() == 0
    assert len(picture.notices) == 1
    with pytest.raises(ConversionError):
        read_picture(Image.fromarray(values), strict=True)


def test_not_a_number_is_no_error():
    values = np.array([[np.nan, np.inf, -np.inf, 0.5, 1.0]], np.float32)
    assert whole(read_picture(Image.fromarray(values)))[0, 3:, 0].tolist() == [128, 255]
    assert whole(read_picture(Image.fromarray(np.full((2, 2), np.nan, np.float32)))).max() == 0


def cmyk_profile():
    """A CMYK to Lab profile: the lightness falls from 100 to 0 with the sum of the inks, colours stay neutral (ICC.1, lut8Type)."""
    grid = bytearray()
    for corner in range(16):
        grid += bytes([max(0, 255 - 64 * bin(corner).count("1")), 128, 128])
    table = bytes(range(256))
    lut = b"mft1" + bytes(4) + bytes([4, 3, 2, 0]) + struct.pack(">9i", *[65536 if i % 4 == 0 else 0 for i in range(9)])
    lut += table * 4 + bytes(grid) + table * 3
    white = b"XYZ " + bytes(4) + struct.pack(">3i", 63190, 65536, 54061)
    tags = [(b"A2B0", lut), (b"A2B1", lut), (b"wtpt", white)]
    offset, rows, body = 128 + 4 + 12 * len(tags), b"", b""
    for name, data in tags:
        data += bytes(-len(data) % 4)
        rows += name + struct.pack(">II", offset + len(body), len(data))
        body += data
    head = struct.pack(">I4sI4s4s4s12x4s", offset + len(body), b"none", 0x02400000, b"prtr", b"CMYK", b"Lab ", b"acsp")
    head += bytes(68 - len(head)) + struct.pack(">3i", 63190, 65536, 54061)
    return head + bytes(128 - len(head)) + struct.pack(">I", len(tags)) + rows + body


def test_cmyk_goes_through_its_profile_which_is_then_dropped(tmp_path):
    image = Image.new("CMYK", (16, 16), (255, 0, 0, 0))
    by_profile = read(tmp_path, saved(image, "TIFF", icc_profile=cmyk_profile()))
    assert np.ptp(whole(by_profile)[0, 0].astype(int)) <= 3  # neutral by this profile, cyan by the formula
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
def test_other_colour_spaces_are_converted_with_a_notice(mode):
    image = Image.fromarray(np.full((4, 4, 3), 90, np.uint8)).convert(mode)
    picture = read_picture(image)
    assert np.abs(whole(picture).astype(int) - 90).max() <= 2
    assert mode in picture.notices[0]
    with pytest.raises(ConversionError):
        read_picture(image, strict=True)
