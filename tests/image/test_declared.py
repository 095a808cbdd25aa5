"""Color that a file tells elsewhere than in an ICC profile: shown the same after reading."""

import io
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import latentpress
from helpers import deep_files
from helpers.paths import CASES
from helpers.pictures import (
    GRAY_PROFILE,
    PROFILE,
    read,
    saved,
    shown,
    whole,
    with_nclx,
    with_png_chunks,
)
from latentpress.errors import ConversionError
from latentpress.image.boxes import heif_properties
from latentpress.image.cicp import Cicp
from latentpress.image.picture import read_picture, write_image

RNG = np.random.default_rng(3)
RGB = np.kron(RNG.integers(0, 256, (6, 8, 3), dtype=np.uint8), np.ones((8, 8, 1), np.uint8))
PIXELS = saved(Image.fromarray(RGB), "PNG")
GRAY = saved(Image.fromarray(RGB[..., 0]), "PNG")

LINEAR = (b"gAMA", struct.pack(">I", 100000))
SRGB_GAMMA = (b"gAMA", struct.pack(">I", 45455))
SRGB_CHUNK = (b"sRGB", b"\0")
P3_NUMBERS = (b"cICP", bytes([12, 13, 0, 1]))
# white, red, green, blue, as PNG orders them
SRGB_XY = (0.3127, 0.3290, 0.64, 0.33, 0.30, 0.60, 0.15, 0.06)
P3_XY = (0.3127, 0.3290, 0.680, 0.320, 0.265, 0.690, 0.150, 0.060)
# CSS Color 4, 17
P3_TO_SRGB = np.array([[1.2249, -0.2247, 0.0], [-0.0420, 1.0419, 0.0], [-0.0197, -0.0786, 1.0979]])


def chromaticities(values: Any) -> Any:
    return b"cHRM", struct.pack(">8I", *(round(v * 1e5) for v in values))


def light(samples: Any) -> Any:
    """sRGB 0..255 -> linear 0..1 (IEC 61966-2-1)."""
    v = np.asarray(samples) / 255
    return np.where(v <= 0.04045, v / 12.92, ((v + 0.055) / 1.055) ** 2.4)


def samples(linear: Any) -> Any:
    """Linear -> sRGB 0..255, clipped."""
    v = np.clip(linear, 0, 1)
    return 255 * np.where(v <= 0.0031308, 12.92 * v, 1.055 * v ** (1 / 2.4) - 0.055)


def from_p3(pixels: Any) -> Any:
    return samples(light(pixels) @ P3_TO_SRGB.T)


@pytest.mark.parametrize("gamma", [1.0, 0.5, 0.4, 0.55])
def test_gamma_is_shown_as_the_png_specification_says(tmp_path: Path, gamma: float) -> None:
    chunk = (b"gAMA", struct.pack(">I", round(gamma * 1e5)))
    right = samples((RGB / 255) ** (1 / gamma))
    picture = read(tmp_path, with_png_chunks(PIXELS, chunk), strict=True)
    assert np.array_equal(whole(picture), RGB)
    assert np.abs(shown(RGB, picture.icc) - right).max() <= 1
    gray = read(tmp_path, with_png_chunks(GRAY, chunk), strict=True)
    assert gray.gray
    assert gray.icc[16:20] == b"GRAY"
    assert np.abs(shown(RGB[..., :1], gray.icc)[..., 0] - right[..., 0]).max() <= 1
    assert picture.notices == gray.notices == ()


def test_a_linear_picture_is_shown_the_same_after_compression(tmp_path: Path) -> None:
    gradient = np.linspace(20, 235, 96)[None, :, None] * np.ones((64, 1, 3)) + [0, -10, 10]
    pixels = gradient.round().astype(np.uint8)
    (tmp_path / "a.png").write_bytes(with_png_chunks(saved(Image.fromarray(pixels), "PNG"), LINEAR))
    right = samples(pixels / 255).mean((0, 1))
    assert np.abs(right - pixels.mean((0, 1))).min() > 20  # what is lost when gAMA is dropped
    image = latentpress.decompress(latentpress.compress(tmp_path / "a.png", quality=90))
    for suffix in (".png", ".jpg", ".webp", ".avif", ".tif"):
        assert write_image(image, tmp_path / f"b{suffix}") == ()
        back = read_picture(tmp_path / f"b{suffix}")
        assert np.abs(shown(whole(back), back.icc).mean((0, 1)) - right).max() < 2


@pytest.mark.parametrize(
    "chunks",
    [
        [SRGB_GAMMA],
        [(b"gAMA", struct.pack(">I", 45000))],
        [chromaticities(SRGB_XY)],
        [SRGB_GAMMA, chromaticities(SRGB_XY)],
        [SRGB_CHUNK],
        [SRGB_CHUNK, LINEAR, chromaticities(P3_XY)],
        [(b"cICP", bytes([1, 13, 0, 1])), LINEAR],
        [(b"cICP", bytes([2, 2, 0, 1]))],
        [(b"cICP", bytes([1, 1, 0, 1]))],
        [],
    ],
)
def test_what_is_srgb_gets_no_profile(tmp_path: Path, chunks: Any) -> None:
    for data in (PIXELS, GRAY):
        picture = read(tmp_path, with_png_chunks(data, *chunks), strict=True)
        assert (picture.icc, picture.notices) == (None, ())


@pytest.mark.parametrize(
    "chunks",
    [
        [P3_NUMBERS],
        [P3_NUMBERS, SRGB_CHUNK],
        [P3_NUMBERS, LINEAR, chromaticities(SRGB_XY)],
        [chromaticities(P3_XY)],
        # a matrix is not allowed in PNG: the chunk does not count
        [(b"cICP", bytes([12, 13, 1, 1])), chromaticities(P3_XY)],
    ],
)
def test_display_p3_in_png(tmp_path: Path, chunks: Any) -> None:
    picture = read(tmp_path, with_png_chunks(PIXELS, *chunks), strict=True)
    assert np.array_equal(whole(picture), RGB)
    assert np.abs(shown(RGB, picture.icc) - from_p3(RGB)).max() <= 2
    assert np.abs(from_p3(RGB) - RGB).max() > 20


def test_the_order_of_png(tmp_path: Path) -> None:
    with_icc = saved(Image.fromarray(RGB), "PNG", icc_profile=PROFILE)
    linear_p3 = read(tmp_path, with_png_chunks(PIXELS, (b"cICP", bytes([12, 8, 0, 1])))).icc
    for chunks, icc in [
        ([(b"cICP", bytes([12, 8, 0, 1])), SRGB_CHUNK], linear_p3),
        ([SRGB_CHUNK, LINEAR], PROFILE),
    ]:
        assert read(tmp_path, with_png_chunks(with_icc, *chunks), strict=True).icc == icc
    assert (
        read(tmp_path, with_png_chunks(with_icc, (b"cICP", bytes([1, 13, 0, 1]))), strict=True).icc
        is None
    )


@pytest.mark.parametrize("numbers", [(2, 2), (0, 0), (0, 2)])
def test_numbers_that_say_nothing_leave_the_profile(tmp_path: Path, numbers: Any) -> None:
    with_icc = saved(Image.fromarray(RGB), "PNG", icc_profile=PROFILE)
    for chunk, says_nothing in [
        ((b"cICP", bytes([*numbers, 0, 1])), True),
        ((b"cICP", bytes([9, numbers[1] or 2, 0, 1])), False),
        ((b"cICP", bytes([numbers[0] or 2, 8, 0, 1])), False),
    ]:
        found = read(tmp_path, with_png_chunks(with_icc, chunk), strict=True)
        assert (found.icc == PROFILE) == says_nothing


@pytest.mark.parametrize("version", [0, 1])
@pytest.mark.parametrize("wide", [0, 1])
def test_the_properties_of_the_first_item_are_told_from_those_of_others(
    version: int, wide: int
) -> None:
    """A HEIF file whose property 130 is the color of item 3; items of a thumbnail stand before and
    behind it.
    """

    def box(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I4s", 8 + len(body), kind) + body

    place = 130 if wide else 3
    properties = [box(b"colr", b"nclx" + struct.pack(">HHHB", 9, 16, 0, 128))]
    properties += [box(b"free", b"")] * (place - 2)
    properties += [box(b"colr", b"nclx" + struct.pack(">HHHB", 12, 13, 0, 128))]
    properties += [box(b"pixi", bytes([0, 0, 0, 0, 1, 12]))]
    rows = b""
    for item, found in ((1, (1, place + 1)), (3, (place,)), (4, (1, place + 1))):
        rows += struct.pack(">I" if version else ">H", item) + bytes([len(found)])
        rows += struct.pack(f">{len(found)}{'H' if wide else 'B'}", *found)
    ipma = bytes([version, 0, 0, wide]) + struct.pack(">I", 3) + rows
    iprp = box(b"iprp", box(b"ipco", b"".join(properties)) + box(b"ipma", ipma))
    pitm = box(b"pitm", bytes([version, 0, 0, 0]) + struct.pack(">I" if version else ">H", 3))
    wide_box = struct.pack(">I4sQ", 1, b"mdat", 21) + b"a pic"  # whose size has 64 bits
    data = box(b"ftyp", b"avif") + wide_box + box(b"meta", bytes(4) + pitm + iprp)
    found = heif_properties(io.BytesIO(data))
    assert (found.cicp, found.bits) == (Cicp(12, 13), 8)


def test_a_damaged_iccp_chunk_is_told_and_the_next_in_order_counts(tmp_path: Path) -> None:
    data = with_png_chunks(PIXELS, (b"iCCP", b"name\0\0not deflated"), LINEAR)
    picture = read(tmp_path, data)
    assert picture.notices == ("the ICC profile was left out: it is damaged",)
    assert picture.icc == read(tmp_path, with_png_chunks(PIXELS, LINEAR)).icc
    with pytest.raises(ConversionError, match="ICC profile"):
        read(tmp_path, data, strict=True)


def test_chunks_that_make_no_sense_are_told(tmp_path: Path) -> None:
    for chunk, words in [
        ((b"cICP", bytes([77, 13, 0, 1])), "numbers 77 and 13"),
        ((b"gAMA", bytes(4)), "the gamma 0 cannot"),
        (chromaticities([0] * 8), "the chromaticities were left out"),
        (
            chromaticities([0.3127, 0.329, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2]),
            "the chromaticities were left out",
        ),
        (chromaticities([0.9, 0.05, *SRGB_XY[2:]]), "the white lies outside"),
        ((b"cHRM", b"\xff" * 32), "the chromaticities were"),
        (chromaticities([0.3, 0.00001, *SRGB_XY[2:]]), "the chromaticities were"),
    ]:
        picture = read(tmp_path, with_png_chunks(PIXELS, chunk))
        assert picture.icc is None
        assert [words in notice for notice in picture.notices] == [True]
        with pytest.raises(ConversionError):
            read(tmp_path, with_png_chunks(PIXELS, chunk), strict=True)
    # Pillow takes some of these for damage
    for chunk in [(b"cICP", b"\x0c"), (b"gAMA", b""), (b"cHRM", b"short"), (b"sRGB", bytes(9))]:
        try:
            assert read(tmp_path, with_png_chunks(PIXELS, chunk)).icc is None
        except latentpress.ImageError as error:
            assert "cannot be decoded" in str(error) or "not an image" in str(error)  # noqa: PT017


def test_samples_of_narrow_range_are_expanded(tmp_path: Path) -> None:
    levels = np.array([[0, 16, 126, 235, 255]], np.uint8)
    for pixels in (levels, np.dstack([levels] * 3), np.dstack([levels] * 4)):
        data = with_png_chunks(
            saved(Image.fromarray(pixels), "PNG"), (b"cICP", bytes([1, 13, 0, 0]))
        )
        picture = read(tmp_path, data)
        assert whole(picture)[0, :, 0].tolist() == [0, 0, 128, 255, 255]
        assert picture.alpha is None or np.array_equal(picture.alpha, levels)


def test_images_in_memory_tell_what_pillow_keeps(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(with_png_chunks(PIXELS, LINEAR, P3_NUMBERS))
    with Image.open(tmp_path / "a.png") as image:
        assert read_picture(image).icc == read_picture(tmp_path / "a.png").icc
        assert np.array_equal(np.asarray(image), RGB)  # the place in the file was kept
        # loaded: read by its name
        assert read_picture(image).icc == read_picture(tmp_path / "a.png").icc
        resized = image.resize((20, 20))
        # gAMA is left
        assert np.abs(shown(RGB, read_picture(resized).icc) - samples(RGB / 255)).max() <= 1
    with Image.open(io.BytesIO((tmp_path / "a.png").read_bytes())) as image:
        assert read_picture(image).icc == read_picture(tmp_path / "a.png").icc
        image.load()
        assert np.abs(shown(RGB, read_picture(image).icc) - samples(RGB / 255)).max() <= 1


@pytest.mark.parametrize("form", ["PNG", "AVIF"])
@pytest.mark.parametrize("is_loaded", [False, True])
def test_a_profile_that_was_taken_out_of_info_stays_out(
    tmp_path: Path, form: str, is_loaded: bool
) -> None:
    data = saved(Image.fromarray(RGB), form, icc_profile=PROFILE)
    (tmp_path / "a.img").write_bytes(with_png_chunks(data, LINEAR) if form == "PNG" else data)
    with Image.open(tmp_path / "a.img") as image:
        if is_loaded:
            image.load()
        assert read_picture(image).icc == PROFILE
        del image.info["icc_profile"]
        picture = read_picture(image, strict=True)
    assert (picture.icc, picture.notices) == (None, ())


def test_a_loaded_avif_tells_its_colors_and_depth(tmp_path: Path) -> None:
    (tmp_path / "a.avif").write_bytes(with_nclx(deep_files.AVIF_10, 12, 13))
    with Image.open(tmp_path / "a.avif") as image:
        image.load()
        picture = read_picture(image)
    assert picture.icc == PROFILE
    assert picture.notices == ("10-bit samples were cut to 8 bits",)
    with Image.open(tmp_path / "a.avif") as image:
        image.load()
        (tmp_path / "a.avif").unlink()
        assert read_picture(image).icc is None


# ---- AVIF, HEIC, JPEG 2000


def test_display_p3_in_avif(tmp_path: Path) -> None:
    data = saved(Image.fromarray(RGB), "AVIF", quality=100, subsampling="4:4:4")
    assert read(tmp_path, data, strict=True).icc is None
    picture = read(tmp_path, with_nclx(data, 12, 13), strict=True)
    assert np.abs(shown(RGB, picture.icc) - from_p3(RGB)).max() <= 2
    linear = read(tmp_path, with_nclx(data, 1, 8), strict=True)
    assert np.abs(shown(RGB, linear.icc) - samples(RGB / 255)).max() <= 1
    wide = read(tmp_path, with_nclx(data, 9, 13), strict=True)
    assert wide.icc not in (None, picture.icc)
    # BT.709's curve is shown as sRGB
    assert read(tmp_path, with_nclx(data, 1, 1), strict=True).icc is None


def test_in_avif_a_profile_counts_before_the_numbers(tmp_path: Path) -> None:
    data = saved(Image.fromarray(RGB), "AVIF", icc_profile=PROFILE)
    if b"colrnclx" in data:
        data = with_nclx(data, 9, 8)
    assert read(tmp_path, data, strict=True).icc == PROFILE


@pytest.mark.parametrize("method", ["profile", "numbers"])
def test_the_colors_of_jpeg_2000(tmp_path: Path, method: Any) -> None:
    data = saved(Image.fromarray(RGB), "JPEG2000", no_jp2=False)
    at = data.index(b"\0\0\0\x0fcolr")
    body = (
        b"\2\0\0" + PROFILE
        if method == "profile"
        else b"\5\0\0" + struct.pack(">HHHB", 12, 13, 0, 128)
    )
    box = struct.pack(">I", 8 + len(body)) + b"colr" + body
    head = data.index(b"jp2h") - 4
    size = int.from_bytes(data[head : head + 4], "big") + len(box) - 15
    data = data[:head] + struct.pack(">I", size) + data[head + 4 : at] + box + data[at + 15 :]
    picture = read(tmp_path, data)
    assert np.array_equal(whole(picture), RGB)
    assert picture.icc is not None
    assert np.abs(shown(RGB, picture.icc) - from_p3(RGB)).max() <= 2


def test_the_profile_of_a_bmp_file(tmp_path: Path) -> None:
    """A BITMAPV5HEADER in the place of Pillow's BITMAPINFOHEADER of 40 bytes, the profile behind
    the pixels.
    """
    data = saved(Image.fromarray(RGB), "BMP")
    rest = data[54:]
    tail = struct.pack("<IIII", 4, 124 + len(rest), len(PROFILE), 0)
    header = struct.pack("<I", 124) + data[18:54] + bytes(16) + b"DEBM" + bytes(48) + tail
    data = (
        data[:2]
        + struct.pack("<III", 138 + len(rest) + len(PROFILE), 0, 138)
        + header
        + rest
        + PROFILE
    )
    picture = read(tmp_path, data, strict=True)
    assert np.array_equal(whole(picture), RGB)
    assert picture.icc == PROFILE
    assert read(tmp_path, saved(Image.fromarray(RGB), "BMP"), strict=True).icc is None


def test_hostile_boxes_are_no_errors(tmp_path: Path) -> None:
    for form in ("AVIF", "JPEG2000"):
        data = bytearray(saved(Image.fromarray(RGB), form))
        for _ in range(150):
            damaged = data.copy()
            for at in RNG.integers(0, 330, 3):
                damaged[at] = RNG.integers(256)
            try:
                read(tmp_path, damaged)
            except latentpress.ImageError as error:
                assert "\n" not in str(error)  # noqa: PT017


# ---- the files that people sent


@pytest.mark.skipif(not CASES.is_dir(), reason="the cases lie beside the data, which are not here")
def test_the_cases_are_shown_as_they_were(tmp_path: Path) -> None:
    linear = np.asarray(Image.open(CASES / "gama-linear.png").convert("RGB"))
    right = samples(linear / 255).mean((0, 1))
    assert (
        right - linear.mean((0, 1))
    ).min() > 40  # what was lost: it was shown as dark as it is stored
    decoded = latentpress.decompress(latentpress.compress(CASES / "gama-linear.png", quality=90))
    assert (
        np.abs(shown(np.asarray(decoded), decoded.info["icc_profile"]).mean((0, 1)) - right).max()
        < 4
    )
    pixels = np.asarray(Image.open(CASES / "cicp-p3.png").convert("RGB"))
    decoded = latentpress.decompress(latentpress.compress(CASES / "cicp-p3.png", quality=90))
    assert (
        np.abs(
            shown(np.asarray(decoded), decoded.info["icc_profile"]).mean((0, 1))
            - from_p3(pixels).mean((0, 1))
        ).max()
        < 2
    )
    assert "the picture is RGB" in read_picture(CASES / "icc-grey-on-rgb.jpg").notices[0]
    with pytest.raises(ConversionError):
        read_picture(CASES / "icc-grey-on-rgb.jpg", strict=True)


def test_a_gray_profile_stays_with_a_gray_picture(tmp_path: Path) -> None:
    assert (
        read(
            tmp_path,
            saved(Image.fromarray(RGB[..., 0]), "PNG", icc_profile=GRAY_PROFILE),
            strict=True,
        ).icc
        == GRAY_PROFILE
    )
