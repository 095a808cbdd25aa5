"""Reading pictures: every orientation, every window, and the metadata."""

import io
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageCms, ImageOps

from helpers.pictures import read, saved, whole
from latentpress.image.picture import read_picture

RNG = np.random.default_rng(7)
RGB = RNG.integers(0, 256, (5, 7, 3), dtype=np.uint8)
GRAY, ALPHA = RGB[..., 0], RNG.integers(0, 256, (5, 7), dtype=np.uint8)
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


def exif_block(orientation: Any, order: Any = "<") -> Any:
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
    return (
        {"<": b"II", ">": b"MM"}[order]
        + struct.pack(order + "HI", 42, 8)
        + ifd0
        + exif
        + gps
        + note
    )


def with_exif(data: Any, exif: Any) -> Any:
    """A PNG with an eXIf chunk in front of its pixels."""
    at = data.index(b"IDAT") - 4
    return (
        data[:at]
        + struct.pack(">I", len(exif))
        + b"eXIf"
        + exif
        + struct.pack(">I", zlib.crc32(b"eXIf" + exif))
        + data[at:]
    )


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_orientation_is_applied_and_only_its_bytes_change(
    tmp_path: Path, orientation: Any, order: Any
) -> None:
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


@given(st.integers(1, 8), st.sampled_from([0, 1 << 21]), st.data())
def test_any_window_is_a_part_of_the_whole(orientation: Any, small: int, data: Any) -> None:
    expected = UPRIGHT[orientation](RGB)
    height, width = expected.shape[:2]
    top, left = data.draw(st.integers(0, height)), data.draw(st.integers(0, width))
    bottom, right = data.draw(st.integers(top, height)), data.draw(st.integers(left, width))
    image = Image.fromarray(RGB)
    image.info["exif"] = b"Exif\0\0" + exif_block(orientation)
    picture = read_picture(image)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("latentpress.image.picture.SMALL", small)
        found = picture.pixels(top, bottom, left, right)
        assert np.array_equal(found, expected[top:bottom, left:right])
        found[:] = 0  # which is the caller's own
        whole = picture.pixels(0, height, 0, width)
    assert np.array_equal(whole, expected)


def test_orientation_in_small_bands(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("latentpress.image.color.BAND_PIXELS", 8)
    for orientation, upright in UPRIGHT.items():
        picture = read(
            tmp_path, with_exif(saved(Image.fromarray(RGB), "PNG"), exif_block(orientation))
        )
        assert np.array_equal(whole(picture), upright(RGB))


def test_pillow_agrees_about_orientation(tmp_path: Path) -> None:
    for orientation in range(1, 9):
        data = with_exif(saved(Image.fromarray(RGB), "PNG"), exif_block(orientation))
        with Image.open(io.BytesIO(data)) as image:
            assert np.array_equal(
                whole(read(tmp_path, data)), np.asarray(ImageOps.exif_transpose(image))
            )


@pytest.mark.parametrize("form", ["JPEG", "WEBP", "AVIF", "TIFF", "PNG"])
def test_orientation_and_tags_in_every_format_that_has_exif(tmp_path: Path, form: Any) -> None:
    big = np.kron(RGB, np.ones((8, 8, 1), np.uint8))
    exif = Image.Exif()
    exif[0x010F], exif[0x0112] = "Maker", 6
    exif[0x8825] = {1: "N", 2: (52.0, 30.0, 0.0)}
    picture = read(tmp_path, saved(Image.fromarray(big), form, exif=exif.tobytes()))
    assert (picture.width, picture.height) == (40, 56)
    kept = Image.Exif()
    kept.load(picture.exif)
    assert kept[0x010F] == "Maker"
    assert kept.get(0x0112, 1) == 1
    assert kept.get_ifd(0x8825)[1] == "N"
    assert float(kept.get_ifd(0x8825)[2][1]) == 30
    assert 0x0111 not in kept  # StripOffsets of the TIFF file


def test_xmp_orientation_counts_when_exif_has_none_and_no_longer_says_so(tmp_path: Path) -> None:
    xmp = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><d tiff:Orientation="6" dc:a="b"/></x:xmpmeta>'
    picture = read(
        tmp_path,
        saved(Image.fromarray(np.kron(RGB, np.ones((8, 8, 1), np.uint8))), "JPEG", xmp=xmp),
    )
    assert (picture.width, picture.height) == (40, 56)
    assert picture.xmp == xmp.replace(b'Orientation="6"', b'Orientation="1"')
    assert picture.exif is None


def test_avif_is_turned_by_its_boxes_alone(tmp_path: Path) -> None:
    xmp = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><d tiff:Orientation="6" dc:a="b"/></x:xmpmeta>'
    exif = Image.Exif()
    exif[0x010F] = "Maker"
    image = Image.fromarray(np.kron(RGB, np.ones((8, 8, 1), np.uint8)))
    for options in ({}, {"exif": exif.tobytes()}):
        picture = read(tmp_path, saved(image, "AVIF", xmp=xmp, **options))
        assert (picture.width, picture.height) == image.size
        assert picture.xmp == xmp.replace(b'Orientation="6"', b'Orientation="1"')
    exif[0x0112] = 8
    picture = read(tmp_path, saved(image, "AVIF", xmp=xmp, exif=exif.tobytes()))
    assert picture.orientation == 8


@pytest.mark.parametrize("quote", [b'"', b"'"])
@pytest.mark.parametrize("orientation", [1, 6])
def test_tiff_is_turned_by_its_tag_before_its_xmp(
    tmp_path: Path, orientation: int, quote: bytes
) -> None:
    tags = Image.Exif()
    tags[0x0112] = orientation
    tags[700] = b"<x:xmpmeta xmlns:x='adobe:ns:meta/'><d tiff:Orientation=%s/></x:xmpmeta>" % (
        quote + b"6" + quote
    )
    image = Image.fromarray(RGB)
    picture = read(tmp_path, saved(image, "TIFF", tiffinfo=tags))
    turned = image if orientation == 1 else image.transpose(Image.Transpose.ROTATE_270)
    assert np.array_equal(whole(picture), np.asarray(turned))


@pytest.mark.parametrize(
    "exif",
    [b"", b"II", b"II*\0\xff\xff\xff\xff", b"MM\0*\0\0\0\x08\xff\xff", b"nonsense", exif_block(9)],
)
def test_damaged_exif_is_kept_and_means_upright(exif: Any) -> None:
    image = Image.fromarray(RGB)
    image.info["exif"] = b"Exif\0\0" + exif
    picture = read_picture(image)
    assert np.array_equal(whole(picture), RGB)
    assert picture.exif == (exif or None)


def test_icc_and_comments_are_kept(tmp_path: Path) -> None:
    icc = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    picture = read(tmp_path, saved(Image.fromarray(RGB), "JPEG", icc_profile=icc, comment=b"hello"))
    assert picture.icc == icc
    assert picture.text == (("Comment", "hello"),)
    assert picture.notices == ()
