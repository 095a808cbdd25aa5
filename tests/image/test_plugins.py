"""HEIC and JPEG XL: read where their packages are, and named where they are not. Of Pillow's own
formats those that come are loaded, and no others.
"""

import io
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from helpers import deep_files
from helpers.pictures import read, saved, shown, whole
from latentpress.errors import ConversionError, ImageError
from latentpress.image.formats import save_image
from latentpress.image.picture import read_picture
from latentpress.image.plugins import HEIC, JXL, OWN, own_format, plugin_for, register

RGB = np.kron(
    np.random.default_rng(4).integers(0, 256, (4, 6, 3), dtype=np.uint8),
    np.ones((8, 8, 1), np.uint8),
)
HEIC_HEAD = b"\0\0\0\x1cftypheic\0\0\0\0mif1heicmiaf"


def test_formats_are_told_by_their_first_bytes() -> None:
    assert plugin_for(HEIC_HEAD) is HEIC
    assert plugin_for(b"\0\0\0\x18ftypmif1\0\0\0\0mif1heix" + bytes(9)) is HEIC
    assert plugin_for(b"\xff\x0a\x87") is JXL
    assert plugin_for(deep_files.JXL_16) is JXL
    for other in (
        deep_files.AVIF_10,
        deep_files.JP2_12,
        b"",
        b"ftyp",
        b"\x89PNG\r\n\x1a\n",
        HEIC_HEAD[:8] + b"avif" + bytes(20),
    ):
        assert plugin_for(other[:64]) is None


def test_the_preview_in_a_raw_file_is_not_taken_for_its_picture(tmp_path: Path) -> None:
    """As most cameras write: a small picture, marked so, and a directory with the large one."""
    tags = {0x00FE: 1, 0x014A: 8}
    raw = saved(Image.fromarray(RGB), "TIFF", tiffinfo=tags)
    with pytest.raises(ImageError, match=r"a\.img: only a preview of 48 x 32 pixels .* develop"):
        read(tmp_path, raw)
    for tag in tags:  # one of several pages, and a picture with smaller ones
        whole_one = saved(Image.fromarray(RGB), "TIFF", tiffinfo={tag: tags[tag]})
        assert read(tmp_path, whole_one).width == 48


@pytest.mark.parametrize(
    ("head", "plugin"), [(HEIC_HEAD, HEIC), (b"\xff\x0a\x87" + bytes(40), JXL)]
)
def test_a_missing_package_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, head: bytes, plugin: Any
) -> None:
    Image.init()  # whatever is registered later is forgotten with the list that is put in its place
    monkeypatch.delitem(Image.OPEN, plugin.format, raising=False)
    monkeypatch.setattr(Image, "ID", [name for name in Image.ID if name != plugin.format])
    monkeypatch.setitem(sys.modules, plugin.module, None)
    with pytest.raises(
        ImageError,
        match=rf"a\.img: {plugin.name} .*{plugin.package}.*pip install 'latentpress\[formats\]'",
    ):
        read(tmp_path, head)


def test_jpeg_xl_is_read(tmp_path: Path) -> None:
    """In a process of its own: the plugin is registered by reading, not by an import of a test."""
    pytest.importorskip("pillow_jxl")
    code = (
        "import sys\nfrom latentpress.image.picture import read_picture\n"
        "assert 'pillow_jxl' not in sys.modules\n"
        "from PIL import Image\nprint(read_picture(sys.argv[1]).width, 'pillow_jxl' in sys.modules)"
    )
    (tmp_path / "a.jxl").write_bytes(deep_files.JXL_16)
    out = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "a.jxl")],
        capture_output=True,
        text=True,
        check=True,
    )
    assert out.stdout.split() == ["24", "True"]


def test_jpeg_xl_stays_as_it_is_shown(tmp_path: Path) -> None:
    pytest.importorskip("pillow_jxl")
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = 6, "Abc"
    data = saved(
        Image.fromarray(RGB), "JXL", lossless=True, exif=exif.tobytes(), use_container=True
    )
    picture = read(tmp_path, data)
    # ISO/IEC 18181-2: the orientation in EXIF does not count, the codestream's has been applied
    assert np.array_equal(whole(picture), RGB)
    assert picture.icc is not None
    assert np.abs(shown(RGB, picture.icc) - RGB).max() <= 1
    kept = Image.Exif()
    kept.load(picture.exif)
    assert (kept[0x010F], kept[0x0112]) == ("Abc", 1)
    xmp = b"<x:xmpmeta xmlns:x='adobe:ns:meta/'/>"
    assert read(tmp_path, data + (8 + len(xmp)).to_bytes(4, "big") + b"xml " + xmp).xmp == xmp


def test_compressed_metadata_of_jpeg_xl_are_told(tmp_path: Path) -> None:
    """As cjxl writes them: in Brotli, for which there is no decoder here."""
    pytest.importorskip("pillow_jxl")
    exif = Image.Exif()
    exif[0x010F] = "Abc"
    xmp = b"<x:xmpmeta xmlns:x='adobe:ns:meta/'/>"
    boxes = {"exif": exif.tobytes(), "xmp": xmp, "compress_metadata": True}
    data = saved(Image.fromarray(RGB), "JXL", use_container=True, **boxes)
    [notice] = read(tmp_path, data).notices
    assert notice == "EXIF compressed by Brotli and XMP compressed by Brotli were dropped"
    with pytest.raises(ConversionError, match="XMP compressed by Brotli was dropped"):
        read(tmp_path, data, strict=True, strip="exif")
    assert read(tmp_path, data, strict=True, strip="exif,xmp").notices == ()


def test_a_jpeg_inside_jpeg_xl_is_turned_by_its_exif(tmp_path: Path) -> None:
    pytest.importorskip("pillow_jxl")
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(RGB).save(tmp_path / "a.jpg", exif=exif.tobytes())
    with Image.open(tmp_path / "a.jpg") as image, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        image.save(tmp_path / "a.jxl", lossless_jpeg=True)
    assert (read_picture(tmp_path / "a.jxl").width, read_picture(tmp_path / "a.jxl").height) == (
        32,
        48,
    )


def test_the_frames_of_a_jpeg_xl_animation_are_told(tmp_path: Path) -> None:
    pytest.importorskip("pillow_jxl")
    assert "only the first frame was kept" in read(tmp_path, deep_files.JXL_ANIMATION).notices
    with pytest.raises(ConversionError, match="first frame"):
        read(tmp_path, deep_files.JXL_ANIMATION, strict=True)


@pytest.mark.parametrize(("primaries", "transfer"), [(12, 13), (9, 16), (9, 18), (1, 13)])
def test_heic_with_numbers_and_no_profile(tmp_path: Path, primaries: int, transfer: int) -> None:
    heif = pytest.importorskip("pillow_heif")
    assert register(HEIC)
    numbers = {
        "color_primaries": primaries,
        "transfer_characteristics": transfer,
        "matrix_coefficients": 1,
        "full_range_flag": 1,
    }
    data = io.BytesIO()
    heif.from_pillow(Image.fromarray(RGB)).save(
        data, quality=95, chroma=444, save_nclx_profile=True, **numbers
    )
    if struct_numbers(data.getvalue()) != (primaries, transfer):
        pytest.skip("this version of pillow-heif writes other numbers")
    picture = read(tmp_path, data.getvalue())
    assert bool(picture.icc) == (primaries != 1)
    assert [("PQ" in notice) or ("HLG" in notice) for notice in picture.notices] == (
        [True] if transfer > 13 else []
    )
    with Image.open(io.BytesIO(data.getvalue())) as image:
        image.load()
        assert read_picture(image).icc == picture.icc  # pillow-heif keeps the numbers in info


def struct_numbers(data: bytes) -> tuple[int, int]:
    at = data.index(b"colrnclx") + 8
    return int.from_bytes(data[at : at + 2], "big"), int.from_bytes(data[at + 2 : at + 4], "big")


@pytest.mark.parametrize("kind", OWN)
def test_one_format_of_pillows_loads_no_others(tmp_path: Path, kind: str) -> None:
    """In a process of its own: the others are loaded by other tests."""
    suffix = {"JPEG2000": ".jp2", "TIFF": ".tif"}.get(kind, f".{kind.lower()}")
    path = tmp_path / f"a{suffix}"
    code = """
import sys
from PIL import Image
from latentpress.image.formats import write_image
from latentpress.image.picture import read_picture
write_image(Image.new("RGB", (16, 16)), sys.argv[1])
if own_format(open(sys.argv[1], "rb").read(64)):
    assert read_picture(sys.argv[1]).width == 16
print("PIL.XpmImagePlugin" in sys.modules)
"""
    code = "from latentpress.image.plugins import own_format" + code
    done = subprocess.run(
        [sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "False"
    with Image.open(path) as image:
        assert image.format == kind


def test_pillows_own_formats_are_told_by_their_first_bytes() -> None:
    found = {"a.webp": "WEBP", "a.avif": "AVIF", "a.tif": "TIFF", "a.png": "", "a.jpg": ""}
    for name, kind in found.items():
        stream = io.BytesIO()
        save_image(Image.fromarray(RGB), stream, name)
        assert own_format(stream.getvalue()[:64]) == kind
