"""The Pillow plugin: open, look, decode once, save."""

import inspect
import io
import pickle
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, UnidentifiedImageError

import latentpress.pillow
from helpers.paths import ROOT
from helpers.pictures import OWN_PROFILE, saved, with_png_chunks
from latentpress import codec
from latentpress.errors import UsageError
from latentpress.models import manifest

RNG = np.random.default_rng(3)
SMOOTH = np.kron(RNG.integers(0, 256, (3, 4, 3), dtype=np.uint8), np.ones((16, 16, 1), np.uint8))[
    :43, :50
]
EXIF = b"Exif\0\0II*\0\x08\0\0\0\x01\0\x0f\x01\x02\0\x04\0\0\0Abc\0\0\0\0\0"

TOLD = {"quality": 50.0, "model": manifest("lp1")["model_hash"], "space": "lp1"}


def image_in(mode: Any) -> Any:
    image = Image.fromarray(SMOOTH).convert(mode)
    if "A" in mode:
        image.putalpha(
            Image.fromarray(np.arange(43 * 50, dtype=np.uint16).reshape(43, 50).astype(np.uint8))
        )
    return image


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "LA"])
def test_size_and_mode_stand_before_the_pixels_are_decoded(
    tmp_path: Path, mode: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, image = tmp_path / "photo.ltp", image_in(mode)
    image.save(path, quality=60)
    decoded = []
    decompress = codec.decompress
    monkeypatch.setattr(codec, "decompress", lambda data: decoded.append(1) or decompress(data))
    with Image.open(path) as opened:
        assert (opened.format, opened.size, opened.mode, decoded) == ("LTP", (50, 43), mode, [])
        opened.load()
        opened.load()
        assert decoded == [1]
        assert (opened.size, opened.mode) == ((50, 43), mode)
        assert opened.tobytes() == decompress(path.read_bytes()).tobytes()
        if "A" in mode:
            assert opened.getchannel("A").tobytes() == image.getchannel("A").tobytes()


def test_save_gives_the_bytes_of_compress() -> None:
    for options in ({}, {"quality": 20}, {"quality": 90}):
        file = io.BytesIO()
        image_in("RGB").save(file, "LTP", **options)
        assert file.getvalue() == codec.compress(image_in("RGB"), **options)


def test_metadata_travels(tmp_path: Path) -> None:
    image = image_in("RGB")
    image.info = {"xmp": b"<x/>", "exif": EXIF}
    image.save(tmp_path / "a.ltp")
    image.save(tmp_path / "b.ltp", xmp=b"<y/>", dpi=(300, 300))
    for name, xmp in (("a.ltp", b"<x/>"), ("b.ltp", b"<y/>")):
        with Image.open(tmp_path / name) as opened:
            opened.load()
            assert (opened.info["xmp"], opened.info["exif"]) == (xmp, EXIF)
            assert opened.getexif()[0x010F] == "Abc"
            assert opened.info.get("dpi") == (None if name == "a.ltp" else (300, 300))
    assert image.info["xmp"] == b"<x/>"


def test_metadata_that_are_given_leave_the_others_as_they_are(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x010F] = "Abc"
    image_in("RGB").save(tmp_path / "a.tif", exif=exif)
    chunks = (b"cICP", bytes([12, 13, 0, 1])), (b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0<x/>")
    (tmp_path / "a.png").write_bytes(with_png_chunks(saved(image_in("RGB"), "PNG"), *chunks))

    def kept(name: str, **given: Any) -> Any:
        with Image.open(tmp_path / name) as image:
            return codec.decompress(saved(image, "LTP", **given)).info

    assert kept("a.tif", dpi=(300, 300))["exif"] == kept("a.tif")["exif"]
    assert kept("a.png", dpi=(300, 300)) == kept("a.png") | {"dpi": (300, 300)}
    assert kept("a.png")["icc_profile"]
    assert kept("a.png", icc_profile=OWN_PROFILE)["icc_profile"] == OWN_PROFILE
    for name, key in (("a.tif", "exif"), ("a.png", "icc_profile"), ("a.png", "xmp")):
        for nothing in (b"", None):
            assert key not in kept(name, **{key: nothing})


def test_metadata_stands_before_the_pixels_are_decoded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = image_in("RGB")
    image.info = {"xmp": b"<x/>", "exif": EXIF, "icc_profile": OWN_PROFILE}
    image.save(tmp_path / "a.ltp")
    monkeypatch.setattr(codec, "decompress", lambda data: pytest.fail("decoded"))
    with Image.open(tmp_path / "a.ltp") as opened:
        assert opened.info == image.info | TOLD
        assert opened.getexif()[0x010F] == "Abc"


def test_damaged_metadata_is_not_given(tmp_path: Path) -> None:
    image = image_in("RGB")
    image.info = {"xmp": b"<x/>", "exif": EXIF}
    data = bytearray(codec.compress(image))
    data[data.index(b"<x/>")] ^= 0xFF
    with Image.open(io.BytesIO(data)) as opened:
        assert opened.info == {"exif": EXIF} | TOLD
        with pytest.raises(OSError, match="xmp chunk is damaged"):
            opened.load()


def test_the_file_is_closed_when_the_picture_is_there(tmp_path: Path) -> None:
    image_in("RGB").save(tmp_path / "a.ltp")
    opened = Image.open(tmp_path / "a.ltp")
    stream = opened.fp
    opened.load()
    assert stream.closed
    assert opened.copy().tobytes() == opened.tobytes()
    with (tmp_path / "a.ltp").open("rb") as mine:  # not Pillow's to close
        Image.open(mine).load()
        assert not mine.closed


def test_every_option_of_compress_is_an_option_of_save(monkeypatch: pytest.MonkeyPatch) -> None:
    given = {}
    monkeypatch.setattr(codec, "compress", lambda image, **options: given.update(options) or b"")
    wanted = {"quality": 20, "effort": 5, "optimize_for": "mse"}
    image_in("RGB").save(io.BytesIO(), "LTP", **wanted)
    assert given == wanted
    monkeypatch.undo()
    assert {*latentpress.pillow.SAVE_OPTIONS, "progress"} == {
        *inspect.signature(latentpress.EncodeOptions).parameters
    }
    with pytest.raises(UsageError, match="effort"):
        image_in("RGB").save(io.BytesIO(), "LTP", effort=99)
    guide = (ROOT / "docs" / "guide" / "pillow.md").read_text(encoding="utf-8")
    told = guide.partition("## Save")[2].partition("```")[0]
    assert {f"`{name}`" for name in latentpress.pillow.SAVE_OPTIONS} <= set(
        re.findall("`[a-z_]+`", told)
    )


def test_the_opened_image_can_be_worked_on(tmp_path: Path) -> None:
    image_in("RGB").save(tmp_path / "a.ltp")
    with Image.open(tmp_path / "a.ltp") as opened:
        assert opened.crop((0, 0, 10, 10)).size == (10, 10)
        assert opened.convert("L").mode == "L"
        opened.save(tmp_path / "a.png")
    with Image.open(tmp_path / "a.ltp") as opened:
        assert opened.resize((5, 5)).size == (5, 5)


def test_other_bytes_are_not_ours_and_damaged_ones_are_an_os_error() -> None:
    with pytest.raises(UnidentifiedImageError):
        Image.open(io.BytesIO(b"LTX\x01" + bytes(100)))
    with pytest.raises(SyntaxError):
        latentpress.pillow.LatentpressImageFile(io.BytesIO(b"PNG"))
    data = codec.compress(image_in("RGB"))
    for damaged in (data[:10], data[:3] + b"\x09" + data[4:], data[:-3], data + b"\0"):
        with pytest.raises(OSError, match=r"\w") as info:
            Image.open(io.BytesIO(damaged))
        assert not isinstance(info.value, UnidentifiedImageError)
    body = bytearray(data)
    body[-6] ^= 0xFF
    with Image.open(io.BytesIO(body)) as opened, pytest.raises(OSError, match="checksum"):
        opened.load()


def test_a_wrong_quality_is_a_usage_error_and_leaves_no_file(tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        image_in("RGB").save(tmp_path / "a.ltp", quality=101)
    assert list(tmp_path.iterdir()) == []


def test_the_plugin_is_registered() -> None:
    assert Image.registered_extensions()[".ltp"] == "LTP"
    assert Image.MIME["LTP"] == "image/x-latentpress"


def test_verify_checks_the_checksums(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    image = image_in("LA")
    image.info["xmp"] = b"<x/>"
    data = codec.compress(image, quality=30)
    monkeypatch.setattr(codec, "decompress", lambda data: pytest.fail("decoded"))
    (tmp_path / "a.ltp").write_bytes(data)
    Image.open(io.BytesIO(data)).verify()
    opened = Image.open(tmp_path / "a.ltp")
    stream = opened.fp
    opened.verify()
    assert stream is not None
    assert stream.closed
    for chunk in latentpress.read_header(data).chunks:
        for place in {chunk.offset, chunk.offset + chunk.size} - (
            {chunk.offset} if not chunk.size else set()
        ):
            damaged = bytearray(data)
            damaged[place] ^= 0xFF
            with pytest.raises(OSError, match=f"the {chunk.name} chunk is damaged"):
                Image.open(io.BytesIO(damaged)).verify()


def test_info_tells_quality_model_and_space_and_they_are_no_metadata(tmp_path: Path) -> None:
    image_in("RGB").save(tmp_path / "a.ltp", quality=12.5)
    with Image.open(tmp_path / "a.ltp") as opened:
        assert opened.info == TOLD | {"quality": 12.5}
        opened.save(tmp_path / "b.ltp")
        opened.save(tmp_path / "c.png")
        assert (tmp_path / "b.ltp").read_bytes() == codec.compress(np.asarray(opened))
    with Image.open(tmp_path / "c.png") as png:
        assert png.info == {}


def test_what_is_told_of_a_file_is_no_text_of_a_picture_made_of_it() -> None:
    with Image.open(io.BytesIO(codec.compress(image_in("RGB")))) as opened:
        for made in (opened.resize((20, 20)), pickle.loads(pickle.dumps(opened)), opened.copy()):
            assert made.info == TOLD
            assert "text" not in latentpress.read_header(codec.compress(made)).metadata


def test_texts_named_as_what_is_told_hide_nothing_and_stay() -> None:
    image = image_in("RGB")
    texts = {
        "model": "a diffusion model",
        "space": "outer",
        "quality": "masterpiece",
        "prompt": "p",
    }
    image.info.update(texts)
    file = io.BytesIO()
    with Image.open(io.BytesIO(codec.compress(image))) as opened:
        assert opened.info == TOLD | {"prompt": "p"}
        assert opened.text == texts
        opened.save(file, "LTP")
    assert codec.decompress(file.getvalue()).info == texts


def test_smaller_pictures_cost_one_decoding(monkeypatch: pytest.MonkeyPatch) -> None:
    data = codec.compress(image_in("RGBA"))
    whole = codec.decompress(data)
    decoded = []
    decompress = codec.decompress
    monkeypatch.setattr(codec, "decompress", lambda data: decoded.append(1) or decompress(data))
    with Image.open(io.BytesIO(data)) as opened:
        assert (opened.draft("L", (20, 20)), decoded) == (None, [])  # a quarter would be too small
        assert opened.reduce(4).tobytes() == whole.reduce(4).tobytes()
        opened.thumbnail((20, 20))
        small = whole.copy()
        small.thumbnail((20, 20))
        assert (opened.size, opened.tobytes(), decoded) == (small.size, small.tobytes(), [1])
        opened.thumbnail((9, 9))
        opened.load()
        assert (opened.size, decoded) == ((9, 8), [1])


def test_imageio_reads_and_writes_through_the_plugin(tmp_path: Path) -> None:
    iio = pytest.importorskip("imageio.v3", reason="imageio is not installed")
    path = tmp_path / "a.ltp"
    iio.imwrite(path, SMOOTH, quality=80)
    assert path.read_bytes() == codec.compress(SMOOTH, quality=80)
    expected = np.asarray(codec.decompress(path))
    for source in (path, path.read_bytes()):
        assert np.array_equal(iio.imread(source), expected)
    assert iio.immeta(path).items() >= {"quality": 80.0, "space": "lp1"}.items()
