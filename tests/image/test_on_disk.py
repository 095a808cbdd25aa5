"""Pixels on disk: the same picture as in memory, from several threads, and gone with its object."""

import errno
import io
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

import latentpress
from latentpress.errors import OutputError
from latentpress.image import on_disk, picture
from latentpress.image.on_disk import PASTE_ROWS, OnDisk, pasted
from latentpress.image.picture import read_picture
from latentpress.system import scratch

HEIGHT, WIDTH = 2 * PASTE_ROWS + 7, 45
SHAPES = {"RGB": (HEIGHT, WIDTH, 3), "L": (HEIGHT, WIDTH)}
modes = pytest.mark.parametrize("mode", SHAPES)


def pixels(mode: str) -> NDArray[np.uint8]:
    return np.random.default_rng(3).integers(0, 256, SHAPES[mode]).astype(np.uint8)


def bands(array: NDArray[np.uint8], *edges: int) -> list[NDArray[np.uint8]]:
    return np.split(array, edges)


@modes
def test_rows_crops_and_the_whole_are_what_was_written(mode: str) -> None:
    array = pixels(mode)
    found = OnDisk(bands(array, 1, 70, 71), WIDTH, HEIGHT)
    assert (found.mode, found.size, found.width, found.height) == (
        mode,
        (WIDTH, HEIGHT),
        WIDTH,
        HEIGHT,
    )
    for top, bottom in ((0, HEIGHT), (0, 1), (HEIGHT - 1, HEIGHT), (60, 75), (9, 9)):
        np.testing.assert_array_equal(found.rows(top, bottom), array[top:bottom])
    box = (3, 60, 40, 75)
    np.testing.assert_array_equal(
        np.asarray(found.crop(box)), np.asarray(Image.fromarray(array).crop(box))
    )
    np.testing.assert_array_equal(np.asarray(found.image()), array)


@modes
def test_bands_that_are_no_block_of_memory_are_written_as_they_look(mode: str) -> None:
    turned = pixels(mode)[::-1, ::-1]
    np.testing.assert_array_equal(OnDisk([turned], WIDTH, HEIGHT).rows(0, HEIGHT), turned)


def test_threads_read_side_by_side() -> None:
    array = pixels("RGB")
    found = OnDisk([array], WIDTH, HEIGHT)
    tops = [i % (HEIGHT - 5) for i in range(0, 4000, 7)]
    with ThreadPoolExecutor(4) as pool:
        for top, rows in zip(
            tops, pool.map(lambda top: found.rows(top, top + 5), tops), strict=True
        ):
            np.testing.assert_array_equal(rows, array[top : top + 5])


def test_the_file_goes_with_the_object() -> None:
    found = OnDisk([pixels("L")], WIDTH, HEIGHT)
    file = found._file._file
    assert not file.closed
    del found
    assert file.closed


@modes
def test_bands_are_pasted_in_order_whatever_their_heights(mode: str) -> None:
    array = pixels(mode)
    for edges in ((), (1, 2), (PASTE_ROWS,), (PASTE_ROWS + 1, 2 * PASTE_ROWS + 3)):
        image = pasted(bands(array, *edges), mode, (WIDTH, HEIGHT))
        assert image.mode == mode
        np.testing.assert_array_equal(np.asarray(image), array)


def test_no_bands_are_no_picture() -> None:
    with pytest.raises(ValueError, match="no pixels"):
        pasted([], "RGB", (4, 4))


@modes
@pytest.mark.parametrize("orientation", [1, 3, 6, 7])
def test_a_large_picture_is_read_to_disk_upright(
    monkeypatch: pytest.MonkeyPatch, mode: str, orientation: int
) -> None:
    stream = io.BytesIO()
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(pixels(mode)).save(stream, "PNG", exif=exif)
    held = read_picture(stream.getvalue())
    monkeypatch.setattr(picture, "LARGE", 100)
    found = read_picture(stream.getvalue())
    assert isinstance(found.stored, OnDisk)
    assert not isinstance(held.stored, OnDisk)
    assert (found.width, found.height, found.gray) == (held.width, held.height, held.gray)
    window = (5, found.height - 3, 2, found.width - 9)
    np.testing.assert_array_equal(found.pixels(*window), held.pixels(*window))
    np.testing.assert_array_equal(np.asarray(found.image), np.asarray(held.image))
    assert latentpress.compress(found) == latentpress.compress(held)


def full(*_: object) -> int:
    """Write to a disk without room."""
    raise OSError(errno.ENOSPC, "No space left on device")


def test_where_the_disk_is_full_a_read_picture_stays_in_memory_and_a_decoded_one_is_an_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stream = io.BytesIO()
    Image.fromarray(pixels("RGB")).save(stream, "PNG")
    monkeypatch.setattr(scratch.Unnamed, "_write_some", full)
    monkeypatch.setattr(picture, "LARGE", 100)
    found = read_picture(stream.getvalue())
    assert not isinstance(found.stored, OnDisk)
    np.testing.assert_array_equal(found.pixels(0, HEIGHT, 0, WIDTH), pixels("RGB"))
    with pytest.raises(OSError, match="No space"):
        on_disk.OnDisk([pixels("RGB")], WIDTH, HEIGHT)
    with pytest.raises(OutputError, match="the disk is full"):
        picture.paste([pixels("RGB")], WIDTH, HEIGHT)


def test_a_picture_is_put_on_disk_in_bands_of_few_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.BytesIO()
    Image.fromarray(pixels("RGB")).save(stream, "PNG")
    monkeypatch.setattr(picture, "LARGE", 100)
    heights = []

    class Seen(OnDisk):
        def __init__(self, bands: Any, width: int, height: int) -> None:
            def noted() -> Any:
                for band in bands:
                    heights.append(len(band))
                    yield band

            super().__init__(noted(), width, height)

    monkeypatch.setattr(picture, "OnDisk", Seen)
    found = read_picture(stream.getvalue())
    assert heights == [PASTE_ROWS, PASTE_ROWS, 7]
    np.testing.assert_array_equal(found.pixels(0, HEIGHT, 0, WIDTH), pixels("RGB"))
