"""Decoder: bytes of a picture into what a model takes, and in forked processes."""

import io
import multiprocessing
import os
import pickle
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

import latentpress
from helpers.shards import picture
from latentpress.data import Decoder
from latentpress.data.decoder import FORMS
from latentpress.errors import FormatError, UsageError
from latentpress.image.picture import read_picture


@pytest.fixture(scope="module")
def pressed(photo: NDArray[np.uint8]) -> bytes:
    return latentpress.compress(photo[:61, :94], quality=40)


@pytest.fixture(scope="module")
def pixels(pressed: bytes) -> NDArray[np.uint8]:
    return np.asarray(latentpress.decompress(pressed))


def test_every_form_holds_the_same_pixels(pressed: bytes, pixels: NDArray[np.uint8]) -> None:
    gray = np.asarray(Image.fromarray(pixels).convert("L"))
    for form, (kind, mode, is_float) in FORMS.items():
        if kind == "torch":
            pytest.importorskip("torch")
        value: Any = Decoder(form).decode(pressed)
        if kind == "pil":
            assert value.mode == mode
        else:
            assert str(value.dtype).removeprefix("torch.") == ("float32" if is_float else "uint8")
        array = np.asarray(value) * (255.0 if is_float else 1)
        if kind == "torch":
            assert array.shape == ({"L": 1, "RGB": 3, "RGBA": 4}[mode], 61, 94)
            array = array.transpose(1, 2, 0)[..., 0] if mode == "L" else array.transpose(1, 2, 0)
        found, expected = (array, gray) if mode == "L" else (array[..., :3], pixels)
        assert np.array_equal(np.round(found), expected)


def test_a_quarter_of_the_sides(pressed: bytes) -> None:
    assert Decoder("rgb8", reduced=True).decode(pressed).shape == (16, 24, 3)


@pytest.mark.parametrize("mode", ["RGB", "P", "I;16"])
def test_a_kept_picture_is_reduced_as_its_pressed_one(
    photo: NDArray[np.uint8], pressed: bytes, mode: str
) -> None:
    whole = Image.fromarray(photo[:61, :94])
    kept = whole.convert("L").convert(mode) if mode == "I;16" else whole.convert(mode)
    stream = io.BytesIO()
    kept.save(stream, "PNG")
    decoder = Decoder("rgb8", reduced=True)
    for value in (decoder.decode(stream.getvalue()), decoder.convert(kept)):
        assert value.shape == decoder.decode(pressed).shape
    if mode == "RGB":
        assert np.array_equal(value, np.asarray(whole.reduce(4)))


def test_other_fields_are_for_the_next_handler(pressed: bytes) -> None:
    decoder = Decoder("rgb8")
    assert decoder(".jpg", pressed) is None
    assert decoder(".seg.ltp", pressed).shape == (61, 94, 3)
    assert decoder(".LTP", pressed).shape == (61, 94, 3)


def test_pictures_that_were_kept_are_decoded_too() -> None:
    assert Decoder("rgb8").decode(picture(1, "PNG")).shape == (16, 16, 3)


@pytest.mark.parametrize("form", ["JPEG", "PNG"])
def test_a_kept_picture_stands_as_its_pressed_one(form: str) -> None:
    turned = Image.Exif()
    turned[0x112] = 6  # a quarter to the right
    stream = io.BytesIO()
    Image.open(io.BytesIO(picture(1))).resize((24, 16)).save(stream, form, exif=turned)
    kept = Decoder("rgb8").decode(stream.getvalue())
    expected = read_picture(stream.getvalue()).image
    assert expected.size == (16, 24)
    assert np.array_equal(kept, np.asarray(expected))


@pytest.mark.parametrize("exif", [b"no TIFF stream", b"II*\0"])
def test_damaged_exif_turns_no_kept_picture(exif: bytes) -> None:
    stream = io.BytesIO()
    Image.open(io.BytesIO(picture(1))).save(stream, "PNG", exif=exif)
    assert Decoder("rgb8").decode(stream.getvalue()).shape == (16, 16, 3)


def test_a_kept_jpeg_xl_that_its_reader_has_turned_is_not_turned_again() -> None:
    pytest.importorskip("pillow_jxl")
    turned = Image.Exif()
    turned[0x112] = 6
    stream = io.BytesIO()
    Image.open(io.BytesIO(picture(1))).resize((24, 16)).save(stream, "JXL", exif=turned.tobytes())
    kept = Decoder("rgb8").decode(stream.getvalue())
    assert np.array_equal(kept, np.asarray(read_picture(stream.getvalue()).image))


def test_sixteen_bits_are_scaled_and_not_clipped() -> None:
    samples = np.arange(0, 65536, 257, dtype=np.uint16).reshape(16, 16)
    stream = io.BytesIO()
    Image.fromarray(samples).save(stream, "PNG")
    assert np.array_equal(Decoder("l8").decode(stream.getvalue()), samples // 257)
    shown = Decoder("rgb8").convert(Image.open(stream))
    assert np.array_equal(shown, np.repeat(samples[..., None] // 257, 3, axis=2))


def test_what_is_wrong_is_told(pressed: bytes) -> None:
    with pytest.raises(UsageError, match=r"to one of pil, .* not 'bgr'"):
        Decoder("bgr")
    with pytest.raises(FormatError):
        Decoder().decode(pressed[:100])


def decoded_elsewhere(decoder: Decoder, data: bytes, answers: Any) -> None:
    answers.put(decoder.decode(data))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes are not forked here")
@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("runtime", ["onnxruntime", "openvino", "torch"])
def test_a_process_forked_after_the_models_were_opened_decodes(
    pressed: bytes, runtime: str, threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip(runtime)
    monkeypatch.setenv("LATENTPRESS_RUNTIME", runtime)
    # with the runtime's threads, which a fork lacks
    here = Decoder("rgb8", threads=2).decode(pressed)
    context = multiprocessing.get_context("fork")
    answers = context.Queue()
    decoder = pickle.loads(pickle.dumps(Decoder("rgb8", threads=threads)))
    process = context.Process(target=decoded_elsewhere, args=(decoder, pressed, answers))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("warnings.warn", lambda *a, **k: None)  # of forking beside threads
        process.start()
    try:
        assert np.array_equal(answers.get(timeout=60), here)
    finally:
        process.kill()
        process.join()
