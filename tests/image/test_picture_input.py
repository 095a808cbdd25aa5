"""Reading pictures: arrays, frames, sizes, bad files, and no side effects."""

import os
import pathlib
import struct
import threading
import traceback
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from helpers.pictures import GRAY_PROFILE, PROFILE, read, saved, whole
from latentpress.assessment import assess
from latentpress.errors import ConversionError, ImageError
from latentpress.image.limits import MAX_PIXELS, no_pillow_limit
from latentpress.image.picture import assemble, read_picture

RNG = np.random.default_rng(11)
RGB = RNG.integers(0, 256, (5, 7, 3), dtype=np.uint8)
ALPHA = RNG.integers(0, 256, (5, 7), dtype=np.uint8)


def png_header(width: Any, height: Any) -> Any:
    """A PNG file that promises this size and holds next to nothing."""

    def chunk(kind: Any, body: Any) -> Any:
        return (
            struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        )

    head = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", head)
        + chunk(b"IDAT", zlib.compress(b""))
        + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize("shape", [(5, 7), (5, 7, 1), (5, 7, 3), (5, 7, 4), (1, 1), (1, 7, 3)])
def test_arrays(shape: Any) -> None:
    array = RNG.integers(0, 256, shape, dtype=np.uint8)
    picture = read_picture(array, strict=True)
    assert picture.gray == (len(shape) == 2 or shape[2] == 1)
    colors = array if len(shape) == 3 else array[..., None]
    assert np.array_equal(whole(picture), np.broadcast_to(colors[..., :3], (*shape[:2], 3)))
    assert (picture.alpha is not None) == (shape[-1] == 4 and len(shape) == 3)
    assert picture.alpha is None or np.array_equal(picture.alpha, array[..., 3])


def test_arrays_need_not_be_contiguous() -> None:
    assert np.array_equal(whole(read_picture(RGB[::-1, ::2])), RGB[::-1, ::2])


TYPES = [RGB.astype(float), RGB.astype(np.uint16), RGB > 3]
SHAPES = [RGB[..., :2], RGB[None], RGB[0, 0], RGB[:0], RGB[:, :0], np.zeros((1, 65536), np.uint8)]


@pytest.mark.parametrize("array", TYPES + SHAPES)
def test_other_arrays_are_one_sentence(array: Any) -> None:
    with pytest.raises(ImageError, match=r"^the array[^\n]*$"):
        read_picture(array)


def test_a_pil_image_is_not_changed() -> None:
    image = Image.fromarray(np.dstack([RGB, ALPHA]))
    image.info["exif"] = b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0"
    info, pixels = dict(image.info), image.tobytes()
    picture = read_picture(image)
    assert (picture.width, picture.height) == (5, 7)
    assert picture.image.mode == "RGB"
    assert (image.info, image.tobytes(), image.mode) == (info, pixels, "RGBA")


def test_of_an_animation_the_first_frame_is_taken(tmp_path: Path) -> None:
    frames = [Image.fromarray(np.full((9, 9, 3), level, np.uint8)) for level in (10, 200, 90)]
    for form in ("GIF", "WEBP", "TIFF", "PNG"):
        (tmp_path / form).write_bytes(
            saved(frames[0], form, save_all=True, append_images=frames[1:])
        )
        picture = read_picture(tmp_path / form)
        assert np.abs(whole(picture).astype(int) - 10).max() <= 2
        assert "only one of 3 frames was kept" in picture.notices
        with pytest.raises(ConversionError, match="3 frames"):
            read_picture(tmp_path / form, strict=True)


@pytest.mark.parametrize("form", ["GIF", "TIFF"])
def test_a_loaded_image_is_taken_whose_file_is_closed(tmp_path: Path, form: str) -> None:
    frames = [Image.fromarray(np.full((9, 9), level, np.uint8)) for level in (10, 200)]
    (tmp_path / form).write_bytes(saved(frames[0], form, save_all=True, append_images=frames[1:]))
    with Image.open(tmp_path / form) as image:
        image.load()
    assert np.array_equal(whole(read_picture(image)), np.full((9, 9, 3), 10))


def test_a_preview_that_a_camera_puts_behind_a_jpeg_is_no_frame(tmp_path: Path) -> None:
    image = Image.fromarray(RGB)
    data = bytearray(saved(image, "MPO", save_all=True, append_images=[image, image]))
    kinds = data.index(struct.pack("<HHI", 0xB002, 7, 48)) + 16  # behind the last row and its link
    struct.pack_into("<I", data, kinds + 16, 0x010002)
    with pytest.raises(ConversionError, match="only one of 2 frames"):
        read(tmp_path, data, strict=True)
    struct.pack_into("<I", data, kinds + 32, 0x010001)
    assert read(tmp_path, data, strict=True).notices == ()
    assert assess(tmp_path / "a.img", tmp_path / "a.img", "mse") == {"mse": 0.0}


def test_what_is_no_image_is_one_sentence_without_a_chain(tmp_path: Path) -> None:
    (tmp_path / "text.jpg").write_text("no image at all")
    (tmp_path / "empty.png").write_bytes(b"")
    (tmp_path / "wide.png").write_bytes(png_header(65536, 2))
    (tmp_path / "bomb.png").write_bytes(png_header(65535, 65535))
    for name, reason in [
        ("text.jpg", "not an image"),
        ("empty.png", "not an image"),
        ("none.png", "no such file"),
        ("", "is a folder"),
        ("text.jpg/a.png", "cannot be decoded|no such file"),
        ("a\0b", "null"),
        ("wide.png", "each side must be 1 to 65535"),
        ("bomb.png", f"more than the limit of {MAX_PIXELS}"),
    ]:
        with pytest.raises(ImageError, match=reason) as info:
            read_picture(os.path.join(tmp_path, name))
        assert "\n" not in str(info.value)
        assert str(tmp_path) in str(info.value)
        assert (
            len(
                [
                    line
                    for line in traceback.format_exception(info.value)
                    if line.startswith("Traceback")
                ]
            )
            == 1
        )


def test_no_permission(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("builtins.open", refuse)
    with pytest.raises(ImageError, match=r"a\.png: no permission to read it"):
        read_picture(tmp_path / "a.png")


@pytest.mark.parametrize("form", ["PNG", "JPEG", "GIF", "WEBP", "TIFF", "BMP", "AVIF", "JPEG2000"])
def test_a_truncated_image_is_an_image_error_or_whole(tmp_path: Path, form: Any) -> None:
    data = saved(Image.fromarray(RNG.integers(0, 256, (40, 40, 3), dtype=np.uint8)), form)
    for length in [*range(0, 64, 7), len(data) // 3, len(data) // 2, len(data) * 3 // 4]:
        (tmp_path / "a.img").write_bytes(data[:length])
        with pytest.raises(ImageError, match=r"^[^\n]*a\.img[^\n]*$"):
            read_picture(tmp_path / "a.img")


@settings(max_examples=60, deadline=None)
@given(
    form=st.sampled_from(["PNG", "JPEG", "GIF", "WEBP", "TIFF", "BMP"]),
    seed=st.integers(0, 2**32 - 1),
)
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_a_damaged_image_raises_nothing_else(
    tmp_path_factory: pytest.TempPathFactory, form: Any, seed: Any
) -> None:
    rng = np.random.default_rng(seed)
    data = bytearray(saved(Image.fromarray(RGB), form))
    for _ in range(3):
        data[rng.integers(len(data))] = rng.integers(256)
    path = tmp_path_factory.mktemp("damaged") / "a.img"
    path.write_bytes(data)
    try:
        picture = read_picture(path)
    except ImageError:
        return
    assert whole(picture).shape == (picture.height, picture.width, 3)


def test_a_hundred_megapixels_open_without_a_warning_and_without_side_effects(
    tmp_path: Path,
) -> None:
    before = Image.MAX_IMAGE_PIXELS
    Image.new("1", (12000, 16000), 1).save(tmp_path / "large.png")
    picture = read_picture(tmp_path / "large.png")
    assert before == Image.MAX_IMAGE_PIXELS
    assert picture.pixels(15990, 16000, 11990, 12000).min() == 255
    assert before == 89478485


def test_the_limit_of_pillow_comes_back_after_threads_and_failures(tmp_path: Path) -> None:
    before, meet, inside = Image.MAX_IMAGE_PIXELS, threading.Barrier(4), []

    def use() -> None:
        with no_pillow_limit():
            meet.wait()
            inside.append(Image.MAX_IMAGE_PIXELS)

    threads = [threading.Thread(target=use) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert inside == [None] * 4
    with pytest.raises(ImageError):
        read_picture(tmp_path / "none")
    assert before == Image.MAX_IMAGE_PIXELS


@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes are not forked here")
@pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")
def test_a_process_forked_while_a_thread_reads_a_picture_has_the_limit_of_pillow() -> None:
    begun, go_on = threading.Event(), threading.Event()

    def read() -> None:
        with no_pillow_limit():
            begun.set()
            go_on.wait(30)

    before = Image.MAX_IMAGE_PIXELS
    thread = threading.Thread(target=read)
    thread.start()
    begun.wait(30)
    child = os.fork()
    if child == 0:
        with no_pillow_limit():
            is_lifted = Image.MAX_IMAGE_PIXELS is None
        os._exit(is_lifted and before is not None and before == Image.MAX_IMAGE_PIXELS)
    _, status = os.waitpid(child, 0)
    go_on.set()
    thread.join()
    assert os.waitstatus_to_exitcode(status) == 1
    assert before == Image.MAX_IMAGE_PIXELS


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="needs /proc")
def test_the_file_is_closed(tmp_path: Path) -> None:
    frames = [Image.fromarray(RGB), Image.fromarray(RGB[::-1])]
    kept = []
    for form in ("PNG", "JPEG", "GIF", "TIFF", "WEBP"):
        (tmp_path / form).write_bytes(
            saved(
                frames[0],
                form,
                **({"save_all": True, "append_images": frames[1:]} if form != "JPEG" else {}),
            )
        )
        kept.append(read_picture(tmp_path / form))
    links = [os.path.realpath(link) for link in pathlib.Path("/proc/self/fd").iterdir()]
    assert not [link for link in links if link.startswith(str(tmp_path))]


# ---- assemble


@pytest.mark.parametrize("gray", [False, True])
@pytest.mark.parametrize("with_alpha", [False, True])
def test_assemble_undoes_read_picture(gray: Any, with_alpha: Any) -> None:
    image = Image.fromarray(RGB[..., 0] if gray else RGB)
    if with_alpha:
        image.putalpha(Image.fromarray(ALPHA))
    image.info = {
        "icc_profile": GRAY_PROFILE if gray else PROFILE,
        "exif": b"Exif\0\0II*\0",
        "xmp": b"<x/>",
    }
    picture = read_picture(image)
    back = assemble(
        Image.fromarray(whole(picture)),
        alpha=picture.alpha,
        gray=picture.gray,
        icc=picture.icc,
        exif=picture.exif,
        xmp=picture.xmp,
    )
    assert back.mode == image.mode
    assert back.tobytes() == image.tobytes()
    assert back.info == image.info


def test_assemble_adds_no_empty_metadata_and_checks_the_alpha() -> None:
    back = assemble(Image.fromarray(RGB), alpha=None, gray=False, icc=None, exif=None, xmp=None)
    assert back.info == {}
    with pytest.raises(ImageError, match="alpha"):
        assemble(Image.fromarray(RGB), alpha=ALPHA[:2], gray=False, icc=None, exif=None, xmp=None)
