"""Large decoded pictures are written row by row: the same files as Pillow's of the whole image, and
an error of the decoder or of the disk leaves none.
"""

import errno
import io
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from typer.testing import CliRunner

import latentpress
from latentpress import codec
from latentpress.cli.app import app
from latentpress.codec import decoding
from latentpress.collection.tasks import Decompress
from latentpress.collection.unit import Unit
from latentpress.errors import FormatError, ImageError, OutputError
from latentpress.image import decoded as decoded_module
from latentpress.image import picture as picture_module
from latentpress.image.decoded import Decoded
from latentpress.image.formats import save_image
from latentpress.image.known_profiles import DISPLAY_P3, known_profile
from latentpress.image.metadata_chunks import Metadata
from latentpress.image.on_disk import PASTE_ROWS
from latentpress.image.png_rows import chunks_of
from latentpress.image.streamed import save_decoded, write_decoded
from latentpress.parts import load_transform, parts_of
from latentpress.screen.encoder import ScreenLayer
from latentpress.screen.mask import grid

HEIGHT, WIDTH = 2 * PASTE_ROWS + 9, 83
RNG = np.random.default_rng(4)
SMOOTH = np.cumsum(RNG.integers(-3, 4, (HEIGHT, WIDTH, 3)), axis=0).astype(np.uint8)
ALPHA = np.broadcast_to(np.arange(WIDTH, dtype=np.uint8), (HEIGHT, WIDTH))
MODES = ["L", "LA", "RGB", "RGBA"]
EXIF = b"II*\0\x08\0\0\0\x01\0\x0f\x01\x02\0\x04\0\0\0Abc\0\0\0\0\0"
FULL = Metadata(
    icc=known_profile(DISPLAY_P3),
    exif=EXIF,
    xmp=b"<x:xmpmeta xmlns:x='adobe:ns:meta/'/>",
    text=(("Title", "rows"), ("prompt", "日")),
    density=(300.0, 150.0),
)


def strips(pixels: NDArray[np.uint8], *edges: int) -> Iterator[NDArray[np.uint8]]:
    yield from np.split(pixels, edges)


def picture(mode: str, metadata: Metadata | None = None, *edges: int) -> Decoded:
    return Decoded(
        WIDTH,
        HEIGHT,
        strips(SMOOTH, *(edges or (1, 70, 71))),
        gray=mode.startswith("L"),
        metadata=metadata or Metadata(),
        read_alpha=(lambda: ALPHA) if mode.endswith("A") else None,
    )


def saved(decoded: Decoded, name: str) -> tuple[bytes, tuple[str, ...]]:
    stream = io.BytesIO()
    notices = save_decoded(decoded, stream, name)
    return stream.getvalue(), notices


@pytest.fixture
def large(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every picture is a large one, and none is held whole."""
    monkeypatch.setattr(decoded_module, "LARGE", 100)


@pytest.fixture
def streamed(large: None, monkeypatch: pytest.MonkeyPatch) -> None:
    def held(*_: Any) -> None:
        raise AssertionError("the whole image was asked for")

    monkeypatch.setattr(decoded_module, "paste", held)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("metadata", [Metadata(), FULL], ids=["bare", "metadata"])
def test_a_png_file_has_the_chunks_and_the_rows_of_pillows(
    streamed: None, mode: str, metadata: Metadata, monkeypatch: pytest.MonkeyPatch
) -> None:
    data, notices = saved(picture(mode, metadata), "a.png")
    monkeypatch.undo()
    whole = io.BytesIO()
    image = picture(mode, metadata).image()
    assert notices == save_image(image, whole, "a.png")
    found, expected = (list(chunks_of(png)) for png in (data, whole.getvalue()))
    assert [c for c in found if c[0] != b"IDAT"] == [c for c in expected if c[0] != b"IDAT"]
    rows, expected_rows = (
        zlib.decompress(b"".join(body for kind, body in chunks if kind == b"IDAT"))
        for chunks in (found, expected)
    )
    assert rows == expected_rows  # the filters, too
    with Image.open(io.BytesIO(data)) as back:
        assert back.mode == mode
        np.testing.assert_array_equal(np.asarray(back), np.asarray(image))
        with Image.open(io.BytesIO(whole.getvalue())) as other:
            other.load()
            assert back.info == other.info
    with Image.open(io.BytesIO(data)) as back:
        back.verify()  # the checksums


@pytest.mark.parametrize("edges", [(), (1,), (PASTE_ROWS,), (PASTE_ROWS + 1, HEIGHT - 1)])
def test_how_the_rows_come_does_not_change_the_file(streamed: None, edges: Any) -> None:
    assert saved(picture("RGB", None, *edges), "a.png") == saved(picture("RGB"), "a.png")


@pytest.mark.parametrize("mode", ["L", "RGB"])
@pytest.mark.parametrize("name", ["a.bmp", "a.ppm"])
@pytest.mark.parametrize("metadata", [Metadata(), FULL], ids=["bare", "metadata"])
def test_plain_files_are_those_of_pillow(
    streamed: None, mode: str, name: str, metadata: Metadata, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = saved(picture(mode, metadata), name)
    monkeypatch.undo()
    whole = io.BytesIO()
    notices = save_image(picture(mode, metadata).image(), whole, name)
    assert found == (whole.getvalue(), notices)


@pytest.mark.parametrize(
    ("mode", "name"), [("RGB", "a.webp"), ("RGBA", "a.tif"), ("L", "a.jpg"), ("L", "a.webp")]
)
def test_other_formats_take_the_whole_image(
    large: None, mode: str, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = saved(picture(mode, FULL), name)
    monkeypatch.undo()
    assert found == saved(picture(mode, FULL), name)


def test_alpha_that_a_format_does_not_hold_is_an_error_as_of_small_pictures(large: None) -> None:
    with pytest.raises(OutputError, match="cannot hold the alpha channel"):
        saved(picture("RGBA"), "a.bmp")


def test_alpha_of_another_size_is_an_error(streamed: None) -> None:
    wrong = Decoded(WIDTH, HEIGHT, strips(SMOOTH), read_alpha=lambda: ALPHA[1:])
    with pytest.raises(ImageError, match="the alpha channel is 83 x 136, the picture 83 x 137"):
        saved(wrong, "a.png")


@pytest.mark.parametrize("name", ["a.png", "a.ppm", "a.bmp"])
def test_damage_that_is_found_while_rows_are_written_leaves_no_file(
    streamed: None, tmp_path: Path, name: str
) -> None:
    def damaged() -> Iterator[NDArray[np.uint8]]:
        yield SMOOTH[:70]
        raise FormatError("the coded latent is damaged")

    with pytest.raises(FormatError, match="damaged"):
        write_decoded(Decoded(WIDTH, HEIGHT, damaged()), tmp_path / name)
    with pytest.raises(FormatError, match="does not hold all pixels"):
        write_decoded(Decoded(WIDTH, HEIGHT, strips(SMOOTH[:99])), tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_leaves_no_file(
    streamed: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("latentpress.system.files.OutputStream.write", full)
    with pytest.raises(OutputError, match=r"a\.png: the disk is full"):
        write_decoded(picture("RGB"), tmp_path / "a.png")
    assert list(tmp_path.iterdir()) == []


def compressed(mode: str) -> bytes:
    return latentpress.compress(picture(mode, FULL).image(), quality=20, exact=True)


@pytest.mark.parametrize("mode", MODES)
def test_files_of_the_codec_are_written_as_they_are_decoded(large: None, mode: str) -> None:
    check_streamed(compressed(mode))


def test_a_screen_layer_is_pasted_into_the_rows(large: None) -> None:
    image = Image.fromarray(np.tile(SMOOTH, (2, 3, 1)))
    check_streamed(latentpress.compress(image, quality=20, content="screen"))
    layer = np.zeros((256, 512, 3), np.uint8)
    layer[:, 256:] = 255
    options = latentpress.EncodeOptions(quality=20)
    read = picture_module.read_picture(layer)
    mask = np.zeros(grid(512, 256), bool)
    mask[:, mask.shape[1] // 2 :] = True
    found = ScreenLayer(read, mask)
    transform = load_transform(options.space)
    shape = options.space.grid(512, 256)
    encoder = parts_of(options.space).encoder(options, shape)
    y = transform.analyze(found.rest() or read)
    side = found.chunks(options.quality)
    check_streamed(codec.write(read.outline, transform, y, options.quality, side, encoder))


def check_streamed(data: bytes) -> None:
    """The PNG file that is written of it row by row has the pixels of the whole image."""
    whole = latentpress.decompress(data)
    with decoding(data) as decoded:
        png, _ = saved(decoded, "a.png")
    with Image.open(io.BytesIO(png)) as back:
        assert back.mode == whole.mode
        np.testing.assert_array_equal(np.asarray(back), np.asarray(whole))


def test_the_command_and_a_run_over_folders_write_the_same(large: None, tmp_path: Path) -> None:
    source, target = tmp_path / "a.ltp", tmp_path / "a.png"
    source.write_bytes(compressed("RGB"))
    assert CliRunner().invoke(app, ["decompress", str(source), "-o", str(target)]).exit_code == 0
    task = Decompress(str(tmp_path / "out"))
    unit = Unit(str(tmp_path), "a.ltp", "a.png", "", source.stat().st_size)
    assert task.make(unit, source.read_bytes()).data == target.read_bytes()


def test_the_command_names_a_damaged_file_and_an_output_that_is_there(
    large: None, tmp_path: Path
) -> None:
    source, target = tmp_path / "a.ltp", tmp_path / "a.png"
    data = bytearray(compressed("L"))
    target.write_bytes(b"old")
    source.write_bytes(data)
    result = CliRunner().invoke(app, ["decompress", str(source), "-o", str(target)])
    assert result.stderr.startswith(f"latentpress: {target}: exists already"), result.stderr
    data[len(data) // 2] ^= 255
    source.write_bytes(data)
    arguments = ["decompress", str(source), "-o", str(target), "--overwrite"]
    result = CliRunner().invoke(app, arguments)
    assert result.stderr.startswith(f"latentpress: {source}: "), result.stderr
    assert target.read_bytes() == b"old"
