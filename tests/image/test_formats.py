"""Writing image files: what goes in comes out, or the error names a format that can."""

import errno
import os
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageCms

from helpers.pictures import OWN_PROFILE
from latentpress.errors import OutputError
from latentpress.image.formats import FORMATS, write_image
from latentpress.image.picture import read_picture

RNG = np.random.default_rng(5)
SMOOTH = np.kron(RNG.integers(0, 256, (4, 5, 3), dtype=np.uint8), np.ones((16, 16, 1), np.uint8))
SHAPE = SMOOTH.shape[:2]
ALPHA = np.kron(RNG.integers(0, 256, (4, 5), dtype=np.uint8), np.ones((16, 16), np.uint8))
EXIF = b"Exif\0\0II*\0\x08\0\0\0\x01\0\x0f\x01\x02\0\x04\0\0\0Abc\0\0\0\0\0"
LOSSLESS = [".png", ".webp", ".tif", ".tiff", ".bmp", ".ppm", ".tga", ".jp2"]


def images() -> Any:
    rgb, alpha = Image.fromarray(SMOOTH), Image.fromarray(ALPHA)
    gray = rgb.convert("L")
    rgba, la = rgb.copy(), gray.copy()
    rgba.putalpha(alpha)
    la.putalpha(alpha)
    return {"RGB": rgb, "L": gray, "RGBA": rgba, "LA": la}


@pytest.mark.parametrize("mode", ["RGB", "L", "RGBA", "LA"])
@pytest.mark.parametrize("suffix", FORMATS)
def test_every_suffix_holds_the_picture_or_says_that_it_cannot(
    tmp_path: Path, suffix: Any, mode: Any
) -> None:
    image, path = images()[mode], tmp_path / f"a{suffix}"
    if "A" in mode and suffix in (".jpg", ".jpeg", ".bmp", ".ppm", ".pgm", ".pnm"):
        with pytest.raises(OutputError, match=r"cannot hold the alpha channel; \.png"):
            write_image(image, path)
        assert os.listdir(tmp_path) == []
        return
    write_image(image, path)
    picture = read_picture(path)
    error = np.abs(
        picture.pixels(0, SHAPE[0], 0, SHAPE[1]).astype(int) - np.asarray(image.convert("RGB"))
    )
    assert error.max() <= (0 if suffix in (*LOSSLESS, ".pgm", ".pnm") else 24)
    assert error.mean() < 2
    assert (picture.alpha is not None) == ("A" in mode)
    assert picture.alpha is None or np.array_equal(picture.alpha, ALPHA)
    assert os.listdir(tmp_path) == [path.name]


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp", ".avif", ".tif"])
def test_metadata_is_written(tmp_path: Path, suffix: Any) -> None:
    image = images()["RGB"]
    image.info = {
        "icc_profile": ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes(),
        "exif": EXIF,
        "xmp": '<x:xmpmeta xmlns:x="adobe:ns:meta/">ä</x:xmpmeta>'.encode(),
    }
    write_image(image, tmp_path / f"a{suffix}")
    picture = read_picture(tmp_path / f"a{suffix}", strict=True)
    assert picture.icc == image.info["icc_profile"]
    assert picture.xmp == image.info["xmp"]
    exif = Image.Exif()
    exif.load(picture.exif)
    assert exif[0x010F] == "Abc"


@pytest.mark.parametrize("suffix", [".bmp", ".ppm", ".tga", ".jp2"])
def test_metadata_that_a_format_has_no_place_for_are_told(tmp_path: Path, suffix: str) -> None:
    image = images()["RGB"]
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    image.info = {"icc_profile": srgb}
    assert write_image(image, tmp_path / f"a{suffix}") == ()
    image.info = {"icc_profile": OWN_PROFILE, "exif": EXIF, "xmp": b"<x/>", "dpi": (300.0, 300.0)}
    [notice] = write_image(image, tmp_path / f"b{suffix}")
    density = "" if suffix == ".bmp" else ", the density"
    assert notice.startswith(f"the ICC profile, EXIF, XMP{density} left out: no ")


def gray_profile() -> Any:
    """A profile for gray whose samples are linear light (ICC.1, monochrome input)."""
    white = b"XYZ " + bytes(4) + struct.pack(">3i", 63190, 65536, 54061)
    curve = b"curv" + bytes(4) + struct.pack(">IHxx", 1, 256)
    rows = struct.pack(
        ">I4sII4sII", 2, b"wtpt", 156, len(white), b"kTRC", 156 + len(white), len(curve)
    )
    head = struct.pack(
        ">I4xI4s4s4s12x4s",
        156 + len(white) + len(curve),
        0x02400000,
        b"mntr",
        b"GRAY",
        b"XYZ ",
        b"acsp",
    )
    return head.ljust(68, b"\0") + white[8:] + bytes(48) + rows + white + curve


@pytest.mark.parametrize("suffix", [".webp", ".avif"])
@pytest.mark.parametrize("mode", ["L", "LA"])
def test_a_gray_profile_is_used_up_where_gray_becomes_color(
    tmp_path: Path, mode: Any, suffix: Any
) -> None:
    image, path = Image.new("L", (16, 16), 64), tmp_path / f"a{suffix}"
    if mode == "LA":
        image.putalpha(128)
    image.info = {"icc_profile": gray_profile(), "exif": EXIF}
    [notice] = write_image(image, path)
    assert "through the gray ICC profile" in notice
    picture = read_picture(path)
    assert picture.icc is None
    assert picture.exif is not None
    assert (picture.alpha is None) == (mode == "L")
    light = 64 / 255
    assert (
        np.abs(picture.pixels(0, 16, 0, 16) - 255 * (1.055 * light ** (1 / 2.4) - 0.055)).max() < 2
    )
    assert image.info["icc_profile"] == gray_profile()

    image.info["icc_profile"] = gray_profile()[:128]
    [notice] = write_image(image, path, overwrite=True)
    assert "left out: it is damaged" in notice
    picture = read_picture(path)
    assert (picture.icc, int(picture.pixels(0, 1, 0, 1)[0, 0, 0])) == (None, 64)


def test_dark_gray_of_a_linear_profile_keeps_its_brightness(tmp_path: Path) -> None:
    levels = np.tile(np.arange(256, dtype=np.uint8), (16, 1))
    image = Image.fromarray(levels)
    image.info["icc_profile"] = gray_profile()
    write_image(image, tmp_path / "a.webp")
    light = levels[0] / 255
    right = 255 * np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
    assert (
        np.abs(read_picture(tmp_path / "a.webp").pixels(0, 1, 0, 256)[0, :, 0] - right).max() <= 1
    )


def test_a_gray_profile_stays_with_gray(tmp_path: Path) -> None:
    image = Image.new("L", (16, 16), 64)
    image.info["icc_profile"] = gray_profile()
    for suffix in (".png", ".jpg", ".tif"):
        assert write_image(image, tmp_path / f"a{suffix}") == ()
        assert read_picture(tmp_path / f"a{suffix}").icc == gray_profile()


def test_the_size_that_exif_holds_does_not_become_the_size_of_a_tiff_file(tmp_path: Path) -> None:
    image, exif = images()["RGB"], Image.Exif()
    exif.update(
        {
            0x0100: 9,
            0x0101: 9,
            0x010F: "Abc",
            0x8825: {1: "N", 2: (52.0, 30.0, 0.0)},
            0x8769: {0x927C: b"a maker's note"},
        }
    )
    image.info["exif"] = exif.tobytes()
    write_image(image, tmp_path / "a.tif")
    picture = read_picture(tmp_path / "a.tif")
    assert (picture.height, picture.width) == SHAPE
    kept = Image.Exif()
    kept.load(picture.exif)
    assert kept[0x010F] == "Abc"
    assert kept.get_ifd(0x8825)[1] == "N"
    assert kept.get_ifd(0x8769)[0x927C] == b"a maker's note"


def test_texts_beyond_ascii_pass_through_tiff(tmp_path: Path) -> None:
    texts = {0x013B: "Jürgen Groß".encode(), 0x8298: "© 2026 Zoë".encode("latin-1")}
    image, exif = images()["RGB"], Image.Exif()
    exif.update({**texts, 0x8769: {0xA005: {1: "R98"}}})
    image.info["exif"] = exif.tobytes()
    write_image(image, tmp_path / "a.tif")
    picture = read_picture(tmp_path / "a.tif")
    assert picture.exif is not None
    assert all(text + b"\0" in picture.exif for text in texts.values())
    kept = Image.Exif()
    kept.load(picture.exif)
    assert kept.get_ifd(0xA005)[1] == "R98"


def test_an_opaque_alpha_channel_may_go(tmp_path: Path) -> None:
    image = images()["RGBA"]
    image.putalpha(255)
    write_image(image, tmp_path / "a.jpg")
    assert read_picture(tmp_path / "a.jpg").alpha is None


def test_colors_under_full_transparency_stay(tmp_path: Path) -> None:
    image = images()["RGB"]
    image.putalpha(0)
    for suffix in (".png", ".webp", ".tif"):
        write_image(image, tmp_path / f"a{suffix}")
        with Image.open(tmp_path / f"a{suffix}") as back:
            assert np.array_equal(np.asarray(back), np.asarray(image))


def test_options_of_the_caller_replace_the_defaults(tmp_path: Path) -> None:
    noise = Image.fromarray(RNG.integers(0, 256, (64, 64, 3), dtype=np.uint8))
    for suffix in (".jpg", ".webp", ".avif"):
        write_image(noise, tmp_path / f"a{suffix}")
        write_image(noise, tmp_path / f"b{suffix}", quality=10)
        assert os.path.getsize(tmp_path / f"b{suffix}") < os.path.getsize(tmp_path / f"a{suffix}")


def test_an_unknown_suffix_names_the_known_ones(tmp_path: Path) -> None:
    for name in ("a.xyz", "a", "a.ltp", "a.pdf"):
        with pytest.raises(OutputError, match=r"known are \.png \.jpg"):
            write_image(images()["RGB"], tmp_path / name)


def test_an_existing_file_stays(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"old")
    with pytest.raises(OutputError, match="exists already"):
        write_image(images()["RGB"], tmp_path / "a.png")
    write_image(images()["RGB"], tmp_path / "a.png", overwrite=True)
    assert read_picture(tmp_path / "a.png").width == 80


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp", ".tif", ".avif", ".bmp"])
def test_a_full_disk_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: Any
) -> None:
    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    path = tmp_path / f"a{suffix}"
    path.write_bytes(b"old")
    monkeypatch.setattr("latentpress.system.files.OutputStream.write", full)
    with pytest.raises(OutputError, match="the disk is full"):
        write_image(images()["RGB"], path, overwrite=True)
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == [path.name]


def test_the_longest_avif_file_opens(tmp_path: Path) -> None:
    write_image(Image.new("RGB", (32768, 1)), tmp_path / "a.avif")
    assert read_picture(tmp_path / "a.avif").width == 32768


def test_what_an_encoder_refuses_is_one_sentence(tmp_path: Path) -> None:
    for case, suffix in [
        (Image.new("RGB", (16384, 1)), ".webp"),
        (Image.new("L", (65501, 1)), ".jpg"),
        (Image.new("RGB", (1, 32769)), ".avif"),
    ]:
        with pytest.raises(OutputError, match=r"^[^\n]*a\.\w+: [^\n]*$"):
            write_image(case, tmp_path / f"a{suffix}")
    with pytest.raises(OutputError, match="mode P"):
        write_image(images()["RGB"].quantize(4), tmp_path / "a.png")
    with pytest.raises(OutputError, match="encoder failed"):
        write_image(images()["RGB"], tmp_path / "a.jpg", quality="none")
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(
    ("suffix", "key", "value"),
    [
        (".jpg", "exif", b"Exif\0\0" + bytes(70000)),
        (".jpg", "xmp", bytes(70000)),
        (".avif", "exif", b"Exif\0\0" + b"no TIFF header"),
        (".avif", "exif", b"Exif\0\0MM\0*\0\0\0\x08\xff\xff" + bytes(range(256))),
    ],
)
def test_metadata_that_the_encoder_refuses_is_left_out_with_a_notice(
    tmp_path: Path, suffix: Any, key: Any, value: Any
) -> None:
    image = images()["RGB"]
    icc = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    image.info = given = {"icc_profile": icc, "exif": EXIF, "xmp": b"<x/>", key: value}
    [notice] = write_image(image, tmp_path / f"a{suffix}")
    assert notice.startswith(f"{key.upper()} left out: the ")
    picture = read_picture(tmp_path / f"a{suffix}")
    assert (picture.icc, picture.exif is None, picture.xmp is None) == (
        icc,
        key == "exif",
        key == "xmp",
    )
    assert given[key] == value  # the caller's image stays as it was
    assert write_image(images()["RGB"], tmp_path / f"b{suffix}") == ()
