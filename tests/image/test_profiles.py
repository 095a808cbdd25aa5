"""ICC profiles: those made here mean what they say, those that do not fit are left out."""

import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageCms

from helpers.pictures import GRAY_PROFILE, PROFILE, read, saved, shown, with_png_chunks
from latentpress.errors import ConversionError
from latentpress.image.cicp import PRIMARIES, SRGB_CURVE, TRANSFERS
from latentpress.image.formats import write_image
from latentpress.image.picture import read_picture
from latentpress.image.profiles import (
    code_points,
    fitting,
    is_srgb,
    make_gray_profile,
    make_profile,
)

SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
RGB = np.random.default_rng(2).integers(0, 256, (24, 32, 3), dtype=np.uint8)
# rXYZ, gXYZ, bXYZ of the profiles of Apple (Display P3) and HP (sRGB), as ICC.1 stores them
COLORANTS = {
    12: [(0.51512, 0.24120, -0.00105), (0.29198, 0.69225, 0.04189), (0.15710, 0.06657, 0.78407)],
    1: [(0.43607, 0.22249, 0.01392), (0.38515, 0.71687, 0.09708), (0.14307, 0.06061, 0.71410)],
}


def tags(icc: bytes) -> dict[bytes, bytes]:
    rows = [
        struct.unpack_from(">4sII", icc, 132 + 12 * i)
        for i in range(struct.unpack_from(">I", icc, 128)[0])
    ]
    return {tag: icc[start : start + size] for tag, start, size in rows}


@pytest.mark.parametrize("primaries", COLORANTS)
def test_colorants_are_those_of_the_known_profiles(primaries: Any) -> None:
    made = tags(make_profile("x", PRIMARIES[primaries], SRGB_CURVE))
    for tag, right in zip((b"rXYZ", b"gXYZ", b"bXYZ"), COLORANTS[primaries], strict=True):
        assert np.abs(np.array(struct.unpack(">3i", made[tag][8:])) / 65536 - right).max() < 2e-4
    curve = np.array(struct.unpack(">5i", made[b"gTRC"][12:])) / 65536
    assert np.abs(curve - [2.4, 0.94787, 0.05213, 0.07740, 0.04045]).max() < 2e-5


def test_a_made_profile_is_well_formed_and_the_same_every_time() -> None:
    for icc in (PROFILE, GRAY_PROFILE, make_profile("a", PRIMARIES[9], TRANSFERS[4])):
        assert struct.unpack_from(">I", icc) == (len(icc),)
        assert len(icc) % 4 == 0
        assert icc[36:40] == b"acsp"
        assert ImageCms.getProfileDescription(
            ImageCms.ImageCmsProfile(__import__("io").BytesIO(icc))
        ).strip()
        assert len(icc) < 600
    assert make_profile("Display P3", PRIMARIES[12], SRGB_CURVE) == PROFILE


@pytest.mark.parametrize("transfer", TRANSFERS)
def test_every_curve_is_shown_as_its_formula(transfer: int) -> None:
    ramp = np.repeat(np.arange(256, dtype=np.uint8)[None, :, None], 3, axis=2)
    g, a, b, c, d = TRANSFERS[transfer]
    x = np.arange(256) / 255
    linear = np.where(x >= d, (a * x + b) ** g, c * x)
    right = 255 * np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    for icc in (
        make_profile("x", PRIMARIES[1], TRANSFERS[transfer]),
        make_gray_profile("x", TRANSFERS[transfer]),
    ):
        assert np.abs(shown(ramp, icc)[0] - right[:, None]).max() <= 1


def test_every_set_of_primaries_has_white_as_white() -> None:
    white = np.full((2, 2, 3), 255, np.uint8)
    for primaries in PRIMARIES.values():
        assert shown(white, make_profile("x", primaries, SRGB_CURVE)).min() >= 254


def test_what_counts_as_srgb() -> None:
    assert is_srgb(PRIMARIES[1], SRGB_CURVE)
    assert is_srgb(
        (0.6401, 0.3300, 0.3, 0.6001, 0.15, 0.06, 0.3127, 0.329), (1 / 0.45455, 1.0, 0.0, 0.0, 0.0)
    )
    assert not is_srgb(PRIMARIES[12], SRGB_CURVE)
    assert not is_srgb(PRIMARIES[6], SRGB_CURVE)
    assert not is_srgb(PRIMARIES[1], TRANSFERS[8])


DAMAGED = [
    (PROFILE[:200], "cut off, 200 bytes of"),
    (PROFILE[:100], "damaged"),
    (b"icc", "damaged"),
    (bytes(600), "damaged"),
    (GRAY_PROFILE, "gray colors, and the picture is RGB"),
    (PROFILE[:16] + b"CMYK" + PROFILE[20:], "CMYK"),
    (PROFILE[:132] + b"\xff" * 24 + PROFILE[156:], "damaged"),
    (PROFILE.replace(b"rTRC", b"xxxx"), "damaged"),
]


@pytest.mark.parametrize(("icc", "words"), DAMAGED)
@pytest.mark.parametrize("form", ["JPEG", "WEBP", "TIFF", "PNG", "AVIF"])
def test_a_profile_that_does_not_fit_is_left_out_when_read(
    tmp_path: Path, icc: bytes, words: str, form: str
) -> None:
    try:
        data = saved(Image.fromarray(RGB), form, icc_profile=icc)
    except (ValueError, OSError, SystemError):  # the encoder refuses it itself
        return
    picture = read(tmp_path, data)
    if picture.icc is None and not picture.notices:
        assert icc not in data  # the encoder dropped it
        return
    assert picture.icc is None
    assert words in picture.notices[0]
    assert "the ICC profile was left out" in picture.notices[0]
    with pytest.raises(ConversionError, match="ICC profile"):
        read(tmp_path, data, strict=True)


def test_a_profile_in_jpeg_that_lacks_a_segment_is_told(tmp_path: Path) -> None:
    data = saved(Image.fromarray(RGB), "JPEG", icc_profile=PROFILE + bytes(70_000))
    start = data.index(b"\xff\xe2")
    end = start + 2 + int.from_bytes(data[start + 2 : start + 4], "big")
    data = data[:start] + data[end:]
    assert read(tmp_path, data).notices == ("the ICC profile was left out: it is damaged",)
    with pytest.raises(ConversionError, match="ICC profile"):
        read(tmp_path, data, strict=True)
    assert read(tmp_path, data, strict=True, strip="icc").notices == ()


@pytest.mark.parametrize(("icc", "words"), DAMAGED)
@pytest.mark.parametrize("suffix", [".avif", ".png", ".jpg", ".webp", ".tif"])
def test_a_profile_that_does_not_fit_is_left_out_when_written(
    tmp_path: Path, icc: bytes, words: str, suffix: str
) -> None:
    image = Image.fromarray(RGB)
    image.info = {"icc_profile": icc}
    [notice] = write_image(image, tmp_path / f"a{suffix}")
    assert words in notice
    with Image.open(tmp_path / f"a{suffix}") as back:
        assert "icc_profile" not in back.info
    assert image.info == {"icc_profile": icc}


def test_a_profile_for_color_on_a_gray_picture_becomes_one_for_gray(tmp_path: Path) -> None:
    ramp = np.tile(np.arange(256, dtype=np.uint8), (4, 1))
    linear = make_profile("linear", PRIMARIES[12], TRANSFERS[8])
    picture = read(tmp_path, saved(Image.fromarray(ramp), "JPEG", icc_profile=linear), strict=True)
    assert picture.icc[16:20] == b"GRAY"
    gray = np.repeat(ramp[..., None], 3, axis=2)
    assert np.abs(shown(gray, picture.icc) - shown(gray, linear)).max() <= 1
    image = Image.fromarray(ramp)
    image.info["icc_profile"] = linear
    assert write_image(image, tmp_path / "a.png") == ()
    assert read_picture(tmp_path / "a.png", strict=True).icc == picture.icc
    assert write_image(image, tmp_path / "a.webp") == ()  # gray as RGB: the profile fits as it is
    assert read_picture(tmp_path / "a.webp").icc == linear
    assert (
        fitting(make_profile("x", PRIMARIES[1], SRGB_CURVE).replace(b"gTRC", b"xxxx"), "L")[0]
        is None
    )


def test_bytes_behind_a_profile_are_cut_off() -> None:
    assert fitting(SRGB + b"\0\0\0", "RGB") == (SRGB, None)
    assert fitting(SRGB, "RGBA") == (SRGB, None)
    assert fitting(GRAY_PROFILE, "LA") == (GRAY_PROFILE, None)


def with_code_points(primaries: int, transfer: int) -> bytes:
    """A profile with a tag of H.273's numbers in the place of its first one."""
    numbers = b"cicp" + bytes(4) + bytes([primaries, transfer, 0, 1])
    row = b"cicp" + struct.pack(">II", len(PROFILE), 12)
    return PROFILE[:132] + row + PROFILE[144:] + numbers


def test_a_profile_that_names_pq_is_converted_as_the_numbers_are(tmp_path: Path) -> None:
    image = Image.fromarray(RGB)
    by_profile = read(tmp_path, saved(image, "PNG", icc_profile=with_code_points(9, 16)))
    chunk = (b"cICP", bytes([9, 16, 0, 1]))
    by_numbers = read(tmp_path, with_png_chunks(saved(image, "PNG"), chunk))
    assert np.array_equal(by_profile.image, by_numbers.image)
    assert not np.array_equal(by_profile.image, RGB)
    assert (by_profile.icc, by_profile.notices) == (by_numbers.icc, by_numbers.notices)


def test_code_points_in_a_profile() -> None:
    assert code_points(PROFILE) is None
    found = code_points(with_code_points(9, 16))
    assert found is not None
    assert (found.primaries, found.transfer) == (9, 16)
