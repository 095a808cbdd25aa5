"""The screen layer: masks, pieces, and whole files; what an attacker can put into it is refused."""

import contextlib
import io
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

import latentpress
from helpers.attacks import rebuilt
from helpers.paths import ROOT
from latentpress import codec, container
from latentpress.container import LATENT_MASKED, SCREEN, SCREEN_WHOLE, pack, unpack
from latentpress.errors import FormatError, UsageError
from latentpress.image import lossless_webp
from latentpress.image.deflated import deflate
from latentpress.image.picture import read_picture
from latentpress.options import EncodeOptions
from latentpress.runtimes.threads import Canceled, canceled_by
from latentpress.screen.av1 import boxed, check_av1, described, unboxed
from latentpress.screen.encoder import ScreenLayer, av1_quality
from latentpress.screen.layer import read_layer
from latentpress.screen.mask import TILE, boxes, grid, pack_mask, pixel_mask, unpack_mask
from latentpress.screen.pieces import (
    HASTY_EFFORT,
    HASTY_METHOD,
    WEBP_METHOD,
    decode_piece,
    encode_piece,
)
from latentpress.spaces import LP1
from latentpress.thumbnails import decompress_quarter
from latentpress.varint import write_varint

GOLDEN = ROOT / "tests" / "golden" / "screen_v1"
RNG = np.random.default_rng(0)


def drawing(width: int, height: int) -> np.ndarray:
    """A picture of rectangles in some colors."""
    rng = np.random.default_rng(width * height)
    image = np.full((height, width, 3), 240, np.uint8)
    for _ in range(30):
        y, x = rng.integers(0, height), rng.integers(0, width)
        image[y : y + 9, x : x + 14] = rng.integers(0, 256, 3)
    return image


def noise(width: int, height: int) -> np.ndarray:
    return np.random.default_rng(width).integers(0, 256, (height, width, 3), np.uint8)


@settings(deadline=None)
@given(st.integers(1, 9), st.integers(1, 9), st.data())
def test_masks_round_trip(rows: int, columns: int, data: Any) -> None:
    bits = data.draw(
        st.lists(st.booleans(), min_size=rows * columns, max_size=rows * columns).filter(any)
    )
    mask = np.array(bits).reshape(rows, columns)
    packed = pack_mask(mask)
    found, at = unpack_mask(packed + b"more", rows, columns)
    assert at == len(packed)
    np.testing.assert_array_equal(found, mask)


@pytest.mark.parametrize(
    "plain",
    [b"", b"\0", b"\x01", b"\x80\0", bytes(10**6)],
    ids=["nothing", "no cell", "behind the last", "too long", "bomb"],
)
def test_bad_masks_are_refused(plain: bytes) -> None:
    body = deflate(plain) if plain else b""
    with pytest.raises(FormatError):
        unpack_mask(write_varint(len(body)) + body, 1, 3)


def test_boxes_hold_the_mask_and_no_more() -> None:
    width, height = TILE + 100, TILE + 70
    mask = np.zeros(grid(width, height), bool)
    mask[3, 5] = mask[6, 4] = mask[-1, -1] = True
    first, last = boxes(mask, width, height)
    assert (first.left, first.top, first.right, first.bottom) == (128, 96, 192, 224)
    assert (last.right, last.bottom) == (width, height)
    assert pixel_mask(mask, first).mean() == pytest.approx(2 / 8)


@pytest.mark.parametrize("size", [(1, 1), (2, 67), (45, 34), (300, 200)])
def test_pieces_have_the_size_and_nearly_the_pixels(size: tuple[int, int]) -> None:
    pixels = drawing(*size)
    for quality, most in ((30, 40), (92, 3)):
        decoded = decode_piece(encode_piece(pixels, quality), *size)
        assert decoded.shape == pixels.shape
        assert np.abs(decoded.astype(int) - pixels).mean() < most


def test_a_single_color_is_three_bytes_and_exact() -> None:
    pixels = np.full((70, 90, 3), (1, 200, 77), np.uint8)
    piece = encode_piece(pixels, 0)
    assert len(piece) == 3
    np.testing.assert_array_equal(decode_piece(piece, 90, 70), pixels)


def test_few_colors_are_lossless_where_that_is_shorter() -> None:
    pixels = (
        np.kron(RNG.integers(0, 2, (30, 30, 1)), np.ones((4, 4, 3), int)).astype(np.uint8) * 255
    )
    piece = encode_piece(pixels, 95)
    assert piece.startswith(b"RIFF")
    np.testing.assert_array_equal(decode_piece(piece, 120, 120), pixels)


def test_a_layer_ends_between_two_pieces_where_its_work_is_canceled() -> None:
    piece, event = encode_piece(noise(45, 34), 50), threading.Event()
    event.set()
    with canceled_by(event):
        with pytest.raises(Canceled):
            encode_piece(noise(45, 34), 50)
        with pytest.raises(Canceled):
            decode_piece(piece, 45, 34)


def test_noise_is_not_coded_exactly_with_all_effort(monkeypatch: pytest.MonkeyPatch) -> None:
    """A scan in gray has few colors, and of its noise the lossless encoder takes seconds."""
    efforts = []
    coded = lossless_webp.encode_webp
    monkeypatch.setattr(lossless_webp, "encode_webp", lambda *a: efforts.append(a[1:]) or coded(*a))
    gray = np.clip(RNG.normal(240, 5, (64, 96, 1)), 0, 255).astype(np.uint8)
    assert encode_piece(np.repeat(gray, 3, 2), 50).startswith(b"\x12\x00")
    encode_piece(drawing(64, 96), 50)
    assert efforts == [(HASTY_METHOD, HASTY_EFFORT)] * 2 + [(WEBP_METHOD,)]


@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_the_boxes_of_avif_come_back(mode: str) -> None:
    stream = io.BytesIO()
    image = Image.fromarray(drawing(61, 47)).convert(mode)
    image.save(stream, "AVIF", quality=60)
    whole = stream.getvalue()
    body = described(unboxed(whole))
    assert len(body) < len(whole) - 250
    again = Image.open(io.BytesIO(boxed(body, check_av1(body, 61, 47))))
    np.testing.assert_array_equal(np.asarray(again), np.asarray(Image.open(io.BytesIO(whole))))


@pytest.mark.parametrize("gray", [False, True])
def test_the_colors_come_into_a_header_that_does_not_name_them(gray: bool) -> None:
    body = encode_piece(noise(45, 34), 50, gray=gray)
    size = body[3]
    bits = "".join(f"{byte:08b}" for byte in body[4 : 4 + size])
    place = bits.index(f"1{1:08b}{13:08b}{6:08b}")
    bits = bits[:place] + "0" + bits[place + 25 :]
    header = bytes(int(bits[i : i + 8], 2) for i in range(0, len(bits), 8))
    bare = body[:3] + bytes([size - 3]) + header + body[4 + size :]
    with pytest.raises(FormatError):
        check_av1(bare, 45, 34)
    assert described(bare) == described(body) == body


def avif(size: tuple[int, int], mode: str = "RGB", **options: Any) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(noise(*size)).convert(mode).save(
        stream, "AVIF", **({"quality": 50, "subsampling": "4:4:4"} | options)
    )
    return unboxed(stream.getvalue())


def animated() -> bytes:
    stream = io.BytesIO()
    Image.new("RGB", (45, 34)).save(
        stream, "AVIF", save_all=True, append_images=[Image.new("RGB", (45, 34), "red")]
    )
    return unboxed(stream.getvalue())


def webp(size: tuple[int, int], **options: Any) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(noise(*size)).save(stream, "WEBP", **({"lossless": True} | options))
    return stream.getvalue()


GOOD = described(avif((45, 34)))
BAD_PIECES: dict[str, Callable[[], bytes]] = {
    "empty": lambda: b"",
    "two bytes": lambda: b"\0\0",
    "four bytes": lambda: b"\0\0\0\0",
    "a whole AVIF": lambda: boxed(GOOD, check_av1(GOOD, 45, 34)),
    "another size": lambda: avif((46, 34)),
    "turned": lambda: avif((34, 45)),
    "a bomb": lambda: avif((4000, 3000), quality=0, speed=10),
    "animated": animated,
    "chroma of half the width": lambda: avif((45, 34), subsampling="4:2:2"),
    "limited range": lambda: avif((45, 34), range="limited"),
    "cut off": lambda: GOOD[:-1],
    "cut off early": lambda: GOOD[:9],
    "and more": lambda: GOOD + b"\0",
    "twice": lambda: GOOD + GOOD,
    "two frames": lambda: GOOD + GOOD[GOOD.index(b"\x32") :],
    "a damaged frame": lambda: GOOD[:14] + bytes(byte ^ 0xA5 for byte in GOOD[14:60]) + GOOD[60:],
    "a wide WebP": lambda: webp((46, 34)),
    "a lossy WebP": lambda: webp((45, 34), lossless=False),
    "a cut WebP": lambda: webp((45, 34))[:-2],
    "a PNG": lambda: b"\x89PNG\r\n\x1a\n" + bytes(60),
}


@pytest.mark.parametrize("kind", BAD_PIECES)
def test_bad_pieces_are_refused(kind: str) -> None:
    data = pack(LP1, bytes(4), 45, 34, 50, {SCREEN_WHOLE: BAD_PIECES[kind]()})
    with pytest.raises(FormatError, match="screen"):
        latentpress.decompress(data)


@settings(max_examples=200, deadline=None)
@given(st.integers(0, len(GOOD) - 1), st.integers(1, 255))
def test_a_changed_byte_is_refused_or_a_picture_of_the_size(at: int, change: int) -> None:
    piece = GOOD[:at] + bytes([GOOD[at] ^ change]) + GOOD[at + 1 :]
    with contextlib.suppress(FormatError):
        assert decode_piece(piece, 45, 34).shape == (34, 45, 3)


@pytest.mark.parametrize("file", sorted(GOLDEN.glob("*.ltp")), ids=lambda file: file.stem)
def test_cut_bodies_are_refused(file: Any) -> None:
    data = file.read_bytes()
    _header, chunks = unpack(data)
    [kind] = {SCREEN, SCREEN_WHOLE} & set(chunks)
    body = chunks[kind]
    for wrong in (b"", body[:1], body[: len(body) // 2], body[:-1], body + b"\0"):
        with pytest.raises(FormatError):
            latentpress.decompress(rebuilt(data, chunks=chunks | {kind: wrong}))


def test_a_file_has_a_latent_or_a_whole_layer() -> None:
    color = b"\1\2\3"
    masked = pack_mask(np.ones((2, 2), bool)) + color
    for chunks in (
        {SCREEN: masked},
        {LATENT_MASKED: b"", SCREEN_WHOLE: color},
        {SCREEN: masked, SCREEN_WHOLE: color},
        {LATENT_MASKED: b"", SCREEN: masked, SCREEN_WHOLE: color},
    ):
        with pytest.raises(FormatError, match="chunk table"):
            unpack(pack(LP1, bytes(4), 40, 40, 50, chunks))
    header, _ = unpack(pack(LP1, bytes(4), 40, 40, 50, {SCREEN_WHOLE: color}))
    assert not header.has_latent
    assert [chunk.name for chunk in header.chunks] == ["screen"]


def test_older_readers_refuse_the_chunks() -> None:
    assert not (SCREEN | SCREEN_WHOLE) & container.SKIPPABLE


def test_a_picture_beyond_the_limit_is_refused_before_it_is_made(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    data = pack(LP1, bytes(4), 65535, 65535, 50, {SCREEN_WHOLE: b"\1\2\3"})
    with pytest.raises(FormatError, match="65535 x 65535"):
        latentpress.decompress(data)
    with pytest.raises(FormatError):
        decompress_quarter(data)


def test_a_file_without_a_latent_says_so() -> None:
    data = latentpress.compress(drawing(45, 34), content="screen")
    with pytest.raises(FormatError, match="no latent"):
        codec.decode_latent(data)


def test_the_layer_stands_where_the_mask_says_and_the_latent_elsewhere() -> None:
    photo = Image.open(ROOT / "samples" / "coffee.jpg").convert("RGB").resize((230, 150))
    pixels = np.asarray(photo).copy()
    pixels[:, 128:] = drawing(102, 150)
    picture = read_picture(pixels)
    mask = np.zeros(grid(230, 150), bool)
    mask[:, 4:] = True
    layer = ScreenLayer(picture, mask)
    rest = layer.rest()
    assert rest is not None
    filled = rest.pixels(0, 150, 0, 230)
    np.testing.assert_array_equal(filled[:, :128], pixels[:, :128])
    # smooth where the layer stands
    assert np.abs(np.diff(filled[:, 128:].astype(int), axis=1)).mean() < 2
    read = read_layer(layer.chunks(90)[SCREEN], None, 230, 150)
    assert read is not None
    below = np.full((150, 230, 3), 7, np.uint8)
    pasted = np.concatenate(list(read.pasted([below[:40], below[40:41], below[41:]])))
    assert (pasted[:, :128] == 7).all()
    assert np.abs(pasted[:, 128:].astype(int) - pixels[:, 128:]).mean() < 3
    small = np.concatenate(list(read.pasted([np.full((38, 58, 3), 7, np.uint8)], reduction=4)))
    assert (small[:, :32] == 7).all()
    np.testing.assert_array_equal(
        small[:, 32:], np.asarray(Image.fromarray(pasted).reduce(4))[:, 32:]
    )


def test_efforts_from_4_on_search_av1_for_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    photo = Image.open(ROOT / "samples" / "coffee.jpg").convert("RGB").resize((230, 150))
    speeds = []

    def encode(pixels: Any, quality: int, *, speed: int, **options: Any) -> bytes:
        speeds.append(speed)
        return encode_piece(pixels, quality, speed=speed, **options)

    monkeypatch.setattr("latentpress.screen.encoder.encode_piece", encode)
    files = [
        latentpress.compress(photo, quality=60, content="screen", effort=effort)
        for effort in (0, 3, 4, 6)
    ]
    assert speeds == [6, 6, 4, 4]
    assert files[0] == files[1] != files[2] == files[3]
    errors = [
        np.square(np.asarray(latentpress.decompress(file)).astype(float) - photo).mean()
        for file in files[1:3]
    ]
    assert errors[1] < errors[0] or len(files[2]) < len(files[1])


def test_the_floor_stands_above_the_whole_latent_from_the_promised_quality_on() -> None:
    picture = read_picture(np.asarray(drawing(130, 70)))
    mask = np.zeros(grid(130, 70), bool)
    floor = mask.copy()
    floor[1, 2] = True
    layer = ScreenLayer(picture, mask, floor)
    assert layer.rest() is picture
    assert layer.chunks(89.99) == {}
    for quality in (90, 100):
        read = read_layer(layer.chunks(quality)[SCREEN], None, 130, 70)
        assert read is not None
        np.testing.assert_array_equal(read.mask, floor)
    both = ScreenLayer(picture, ~floor, floor)
    assert read_layer(both.chunks(50)[SCREEN], None, 130, 70).mask.sum() == floor.size - 1  # type: ignore[union-attr]
    assert not both.is_whole


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "LA"])
def test_modes_and_metadata_come_back(mode: str) -> None:
    image = Image.fromarray(drawing(61, 47)).convert(mode)
    if "A" in mode:
        image.putalpha(Image.linear_gradient("L").resize(image.size))
    image.info.update(xmp=b"<x/>", dpi=(300, 300))
    decoded = latentpress.decompress(latentpress.compress(image, quality=95, content="screen"))
    assert decoded.mode == mode
    assert decoded.info["xmp"] == b"<x/>"
    assert (
        np.abs(
            np.asarray(decoded.convert("RGB")).astype(int) - np.asarray(image.convert("RGB"))
        ).mean()
        < 4
    )
    if "A" in mode:
        np.testing.assert_array_equal(
            np.asarray(decoded.getchannel("A")), np.asarray(image.getchannel("A"))
        )


def test_the_quality_of_the_layer_rises_with_the_knob() -> None:
    values = [av1_quality(q / 4) for q in range(401)]
    assert values == sorted(values)
    assert values[0] >= 15
    assert values[-1] >= 90
    pixels = drawing(200, 150)
    sizes = [
        len(latentpress.compress(pixels, quality=q, content="screen")) for q in range(0, 101, 10)
    ]
    assert sizes == sorted(sizes)


def test_other_spaces_code_photographs_only() -> None:
    with pytest.raises(UsageError, match="built-in codec"):
        EncodeOptions(codec="sd15", content="screen")
    assert EncodeOptions(codec="sd15", content="auto").content == "auto"
    with pytest.raises(UsageError, match="auto, photo, screen"):
        EncodeOptions(content="drawing")


def test_a_large_layer_is_cut_into_tiles() -> None:
    pixels = np.zeros((40, TILE + 33, 3), np.uint8)
    pixels[:, : TILE + 1] = (9, 90, 200)
    pixels[5:9, ::7] = 255
    data = latentpress.compress(pixels, quality=100, content="screen")
    layer = read_layer(None, unpack(data)[1][SCREEN_WHOLE], TILE + 33, 40)
    assert layer is not None
    assert [box.size for box in layer.boxes] == [(TILE, 40), (33, 40)]
    assert np.abs(np.asarray(latentpress.decompress(data)).astype(int) - pixels).mean() < 2
