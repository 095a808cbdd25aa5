"""The format's pages are true: their code decodes what the package writes and refuses what it
refuses, their tables are the code's.
"""

import io
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from helpers import gray_pngs
from helpers.format_pages import decoder, dumps, files_of, load, table
from helpers.paths import ROOT
from latentpress import compress, container, decompress, latents, read_header
from latentpress.entropy import masking
from latentpress.entropy.cdf_tables import SCALE_RATIO
from latentpress.entropy.hyperprior import HyperpriorCoder
from latentpress.errors import LatentpressError
from latentpress.image import alpha, deflated, known_profiles, pixel_density, text
from latentpress.image.colorimetry import adaptation, to_xyz, white_of
from latentpress.image.lossless_webp import check_webp
from latentpress.latents.record import unpack
from latentpress.models import manifest, read_file
from latentpress.parts import open_decoder
from latentpress.screen import av1
from latentpress.screen.layer import Layer, read_layer
from latentpress.spaces import SPACES
from latentpress.transforms import restoration
from latentpress.varint import write_varint

GOLDEN = ROOT / "tests" / "golden"
FILES = [
    *sorted((GOLDEN / "v1").glob("*.ltp")),
    *(
        GOLDEN / "priors_v1" / f"{name}.ltp"
        for name in ("flux1-q37.5", "sd15-q0", "sd15-q100", "sd3-q100", "sdxl-q0")
    ),
    GOLDEN / "restoration_v1" / "sd15-q20.ltp",
]
SETS = sorted(GOLDEN.glob("*/*.ltps"))


def refuses(work: Callable[..., Any], *arguments: object) -> bool:
    """Whether a function of the pages refuses; any other exception is a mistake of the page."""
    try:
        work(*arguments)
    except decoder()["Refused"]:
        return True
    return False


def is_refused(work: Callable[..., Any], *arguments: object) -> bool:
    """Whether a function of the package refuses."""
    try:
        work(*arguments)
    except LatentpressError:
        return True
    return False


# the code


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_the_code_decodes_the_golden_files(file: Path) -> None:
    page, data = decoder(), file.read_bytes()
    fields, bodies = page["read_file"](data)
    header, chunks = container.unpack(data)
    assert bodies == chunks
    assert fields == {
        "space": header.space_id,
        "model hash": bytes.fromhex(header.model_hash),
        "width": header.width,
        "height": header.height,
        "quality": round(100 * header.quality),
    }
    coder, body = open_decoder(header, chunks)
    expected = np.concatenate(list(coder.decode(body, *header.grid)), axis=1)
    [kind] = [kind for kind in bodies if kind in page["LATENTS"]]
    space, grid = header.latent_space, header.grid
    # each of these holds the decoded symbols to their checksum
    if kind == container.LATENT_MULTISTAGE:
        _, fine = page["decode_multistage"](body, space.name, space.channels, *grid)
        np.testing.assert_array_equal(fine / 8192, expected)
    elif kind == container.LATENT_FACTORIZED:
        _, y_hat = page["decode_factorized"](body, space.channels, *grid, fields["quality"])
        np.testing.assert_allclose(y_hat, expected, atol=1e-3)
    else:
        y_hat = page["decode_hyperprior"](body, kind, *grid, fields["quality"])
        np.testing.assert_allclose(y_hat, expected, atol=1e-3)


@pytest.mark.parametrize("grid", [(66, 3), (65, 65)])
def test_the_code_decodes_segments_that_go_on(grid: tuple[int, int]) -> None:
    rows, columns = grid
    y = np.zeros((320, rows, columns), np.float32)
    y[::8, rows - 5 :, columns - 2 :] = 3
    coder = HyperpriorCoder("lp1", 5, None, container.LATENT_CONTINUED, rows)
    body = coder.encode([y[:, :64], y[:, 64:]])
    expected = np.concatenate(list(coder.decode(body, *grid)), axis=1)
    y_hat = decoder()["decode_hyperprior"](body, container.LATENT_CONTINUED, *grid, 500)
    np.testing.assert_allclose(y_hat, expected, atol=1e-3)


@pytest.mark.parametrize("file", SETS, ids=lambda file: file.stem)
def test_the_code_decodes_the_golden_sets_to_the_bit(file: Path) -> None:
    page = decoder()
    space, records = page["read_ltps"](file.read_bytes())
    with latents.Reader(file) as reader:
        assert len(records) == len(reader)
        for i, record in enumerate(records):
            expected, info = reader.read(i)
            name, metadata, y = page["read_record"](record, space)
            assert (name, metadata, y.dtype, y.shape) == (
                info.name,
                info.metadata,
                expected.dtype,
                expected.shape,
            )
            assert y.tobytes() == expected.tobytes()


def test_a_bfloat16_is_rounded_twice(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    y = torch.randn(1, 3, 5, 6, generator=torch.Generator().manual_seed(0)).to(torch.bfloat16)
    for precision in ({"lossless": True}, {"max_error": 0.1}):
        latents.save(y, tmp_path / "set.ltps", overwrite=True, **precision)
        _, [record] = decoder()["read_ltps"]((tmp_path / "set.ltps").read_bytes())
        [expected] = latents.load(tmp_path / "set.ltps", torch=True)
        np.testing.assert_array_equal(
            decoder()["read_record"](record, 0)[2], expected.float().numpy()
        )


def test_the_code_refuses_the_headers_that_the_package_refuses() -> None:
    page, ([data, _], *_) = decoder(), dumps("overview.md")
    end = 21  # of what the header's checksum covers
    for at in range(end):
        for value in {
            0,
            1,
            2,
            8,
            9,
            0x0B,
            0x10,
            0x3F,
            0x41,
            0x44,
            0x45,
            0x4A,
            0x4B,
            0x7F,
            0x80,
            0xFF,
            data[at] ^ 1,
            data[at] ^ 0x80,
        }:
            head = data[:at] + bytes([value]) + data[at + 1 : end]
            file = head + container.crc(head) + data[end + 4 :]
            assert refuses(page["read_file"], file) == is_refused(container.unpack, file), (
                at,
                value,
            )
    for length in range(len(data)):
        assert refuses(page["read_file"], data[:length])
    for at in range(len(data)):
        assert refuses(page["read_file"], data[:at] + bytes([data[at] ^ 4]) + data[at + 1 :])
    assert refuses(page["read_file"], data + b"\0")


def damaged(data: bytes, kept: int, rng: np.random.Generator) -> bytes:
    """The bytes with a bit flipped, cut off, or with more behind them, but for the first ones."""
    at = int(rng.integers(kept, len(data)))
    return [
        data[:at] + bytes([data[at] ^ (1 << int(rng.integers(8)))]) + data[at + 1 :],
        data[:at],
        data + rng.bytes(2),
    ][int(rng.integers(3))]


@pytest.mark.parametrize("name", ["v1/pixel", "v1/alone", "v1/sd15", "priors_v1/sd15-q0"])
def test_the_code_refuses_the_latents_that_the_package_refuses(name: str) -> None:
    page, rng = decoder(), np.random.default_rng(0)
    header, chunks = container.unpack((GOLDEN / f"{name}.ltp").read_bytes())
    coder, body = open_decoder(header, chunks)
    [kind] = [kind for kind in chunks if kind in page["LATENTS"]]
    space, grid = header.latent_space, header.grid
    for i in range(8):
        wrong = damaged(body, 4 * (i % 2), rng)
        if kind == container.LATENT_MULTISTAGE:
            verdict = refuses(page["decode_multistage"], wrong, space.name, space.channels, *grid)
        elif kind == container.LATENT_FACTORIZED:
            verdict = refuses(
                page["decode_factorized"], wrong, space.channels, *grid, round(100 * header.quality)
            )
        else:
            verdict = refuses(
                page["decode_hyperprior"], wrong, kind, *grid, round(100 * header.quality)
            )
        assert verdict == is_refused(lambda wrong=wrong: list(coder.decode(wrong, *grid)))


@pytest.mark.parametrize(
    "name", ["latents_v1/raw_lossless", "latents_v1/sd15_rmse", "priors_v1/sd15"]
)
def test_the_code_refuses_the_records_that_the_package_refuses(name: str) -> None:
    page, rng = decoder(), np.random.default_rng(0)
    space, [record, _] = page["read_ltps"]((GOLDEN / f"{name}.ltps").read_bytes())
    for _ in range(8):
        head = damaged(record[:32], 0, rng)
        for wrong in (damaged(record, 32, rng), head + record[32:]):
            assert refuses(page["read_record"], wrong, space) == is_refused(unpack, wrong, space)


LABELS = {
    "empty": "{}",
    "nan": '{"a":NaN}',
    "infinity": '{"a":-Infinity}',
    "list": "[]",
    "deep": '{"a":' + "[" * 200_000 + "]" * 200_000 + "}",
}


@pytest.mark.parametrize("label", LABELS.values(), ids=LABELS)
@pytest.mark.parametrize("charset", ["utf-8", "utf-8-sig", "utf-16-le"])
def test_metadata_of_a_latent(label: str, charset: str) -> None:
    data = label.encode(charset)
    record = bytes([1, 0, 1, 1, 1, 0]) + write_varint(len(data)) + data + bytes(8)
    verdict = (label, charset) != ("{}", "utf-8")
    assert refuses(decoder()["read_record"], record, 0) == verdict
    assert is_refused(unpack, record, 0) == verdict


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\x01",
        b"\x80",
        b"\x80\x00",
        b"\x05\x05",
        b"\x05\x06",
        b"\x05\x06\x07",
        b"\x00",
        b"\x80\x80\x80\x80\x08",
        b"\xff" * 6,
    ],
    ids=bytes.hex,
)
def test_densities(body: bytes) -> None:
    page = decoder()
    assert refuses(page["read_density"], body) == is_refused(pixel_density.unpack_density, body)
    if not refuses(page["read_density"], body):
        assert tuple(v / 1000 for v in page["read_density"](body)) == pixel_density.unpack_density(
            body
        )


@pytest.mark.parametrize(
    "pairs",
    [
        [],
        [("Title", "a\u20ac")],
        [("a", ""), ("b", "c")],
        [("a", "1"), ("a", "2")],
        [("", "x")],
        [(" a", "x")],
        [("a  b", "x")],
        [("\x7f", "x")],
        [("\xa0", "x")],
        [("\xe9", "x")],
        [("\u20ac", "x")],
        [("k" * 79, "x")],
        [("k" * 80, "x")],
        [("a", "\0")],
    ],
)
def test_texts(pairs: list[tuple[str, str]]) -> None:
    page, plain = decoder(), text.pack_text(tuple(pairs))
    assert refuses(page["read_texts"], plain) == is_refused(text.unpack_text, plain)
    if not is_refused(text.unpack_text, plain):
        assert page["read_texts"](plain) == pairs
        if plain:
            body = deflated.deflate(plain)
            assert page["inflate"](body) == plain
            for broken in (
                body[:-1],
                body + b"x",
                bytes([body[0] ^ 1]) + body[1:],
                b"\0" + body[1:],
            ):
                assert refuses(page["inflate"], broken) == is_refused(
                    deflated.inflate, broken, "text"
                )


def test_luma() -> None:
    rgb = np.random.default_rng(0).integers(0, 256, (200, 300, 3), dtype=np.uint8)
    expected = np.asarray(Image.fromarray(rgb).convert("L"))
    np.testing.assert_array_equal(decoder()["luma"](*rgb.astype(int).transpose(2, 0, 1)), expected)


def png(depth: int, color: int, extra: bytes = b"", adam7: bool = False) -> bytes:
    """A PNG of 9 x 1 pixels, bits 1011 0110 ..., in the given kind; `extra` stands before its
    pixels.
    """

    def chunk(name: bytes, body: bytes) -> bytes:
        return (
            struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
        )

    columns = [9] if not adam7 else [2, 1, 2, 4]  # of the passes of one row of nine pixels
    samples = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[color]
    rows = b"".join(b"\0" + b"\xb6" * -(-n * depth * samples // 8) for n in columns)
    head = struct.pack(">IIBBBBB", 9, 1, depth, color, 0, 0, adam7)
    palette = chunk(b"PLTE", bytes(768)) if color == 3 else b""
    extra = (
        chunk(b"tRNS", b"\0\1") if extra == b"tRNS" else chunk(b"gAMA", bytes(4)) if extra else b""
    )
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", head)
        + palette
        + extra
        + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize("depth", [1, 2, 4, 8])
@pytest.mark.parametrize("extra", [b"", b"tRNS", b"gAMA"])
def test_an_alpha_png_is_gray_of_at_most_eight_bits(depth: int, extra: bytes) -> None:
    bits = np.unpackbits(np.full(9, 0xB6, np.uint8))[: 9 * depth].reshape(9, depth)
    expected = 255 * (bits @ (1 << np.arange(depth)[::-1])) // ((1 << depth) - 1)
    np.testing.assert_array_equal(alpha.decode_alpha(png(depth, 0, extra), 9, 1)[0], expected)
    np.testing.assert_array_equal(
        alpha.decode_alpha(png(depth, 0, extra) + b"more", 9, 1)[0], expected
    )
    assert alpha.decode_alpha(png(depth, 0, extra, adam7=True), 9, 1).shape == (1, 9)


@pytest.mark.parametrize(("depth", "color"), [(16, 0), (8, 2), (8, 3), (1, 3), (8, 4), (8, 6)])
def test_any_other_alpha_png_is_refused(depth: int, color: int) -> None:
    assert is_refused(alpha.decode_alpha, png(depth, color), 9, 1)


@pytest.mark.parametrize("kind", [*gray_pngs.TAKEN, *gray_pngs.REFUSED])
def test_the_code_refuses_the_pngs_that_the_package_refuses(kind: str) -> None:
    body = (gray_pngs.TAKEN | gray_pngs.REFUSED)[kind]
    verdict = kind in gray_pngs.REFUSED
    assert refuses(decoder()["read_png"], body, *gray_pngs.SIZE) == verdict
    assert is_refused(alpha.decode_alpha, body, *gray_pngs.SIZE) == verdict


def test_the_code_finds_the_lines_of_a_png() -> None:
    lines = b"".join(decoder()["read_png"](gray_pngs.PLAIN, *gray_pngs.SIZE)[2])
    assert lines == gray_pngs.LINES
    interlaced = decoder()["read_png"](gray_pngs.TAKEN["interlaced"], *gray_pngs.SIZE)
    assert (interlaced[1], b"".join(interlaced[2])) == (True, gray_pngs.ADAM7)


def test_an_alpha_png_is_written_in_one_or_eight_bits() -> None:
    binary = np.array([[0, 255, 255], [255, 0, 0]], np.uint8)
    for plane, depth in ((binary, 1), (binary // 2, 8)):
        body = alpha._png(plane)
        assert (body[24], body[25], body[28]) == (depth, 0, 0)  # depth, color type, interlacing
        assert b"tRNS" not in body


def test_an_alpha_webp() -> None:
    pytest.importorskip("PIL._webp")
    stream = io.BytesIO()
    Image.fromarray(np.arange(63, dtype=np.uint8).reshape(7, 9)).convert("RGB").save(
        stream, "WEBP", lossless=True
    )
    body = stream.getvalue()
    bodies = [
        body,
        body[:24],
        body + b"\0",
        *(
            body[:i] + bytes([body[i] ^ (1 << b)]) + body[i + 1 :]
            for i in range(4, 25)
            for b in range(8)
        ),
    ]
    verdicts = [refuses(decoder()["check_webp"], each, 9, 7) for each in bodies]
    assert verdicts == [is_refused(check_webp, each, 9, 7, "alpha") for each in bodies]
    assert verdicts.count(False) == 1  # as it is


# the tables


def test_the_table_of_the_header_is_the_code_s() -> None:
    rows = [
        (int(o), int(n)) for o, n, *_ in table("ltp.md", "offset") if o.isdigit() and n.isdigit()
    ]
    sizes = [struct.calcsize(c) for c in ("3s", "B", "B", "4s", "H", "H", "H")]
    assert rows == [(sum(sizes[:i]), n) for i, n in enumerate(sizes)]
    assert sum(sizes) == container.FIXED.size


def test_the_tables_of_the_chunks_are_the_code_s() -> None:
    for page in ("ltp.md", "overview.md"):
        types = []
        for cell, *_ in table(page, "type"):
            words = cell.replace("`", "").replace(" to ", "-").replace(",", " ").split()
            for word in words:
                first, _, last = word.partition("-")
                types += range(int(first, 16), int(last or first, 16) + 1)
        assert len(types) == len(set(types))
        assert set(types) == set(container.CHUNK_NAMES)
    page = decoder()
    assert set(page["KNOWN"]) == set(container.CHUNK_NAMES)
    assert page["LATENTS"] == container.LATENT_TYPES
    assert {t for t in page["KNOWN"] if t & 0x40} == {
        *container.METADATA_TYPES.values(),
        container.RESTORATION,
    }


def test_the_table_of_the_spaces_is_the_code_s() -> None:
    rows = table("ltp.md", "id")
    assert [(int(i), name, int(c), int(f)) for i, name, c, f, _ in rows] == [
        (s.id, s.name, s.channels, s.factor) for s in SPACES
    ]
    for row, space in zip(rows[1:], SPACES[1:], strict=True):
        assert row[4] == f"(raw - {space.shift:g}) x {space.scaling:g}"
    assert decoder()["SPACES"] == tuple(s.id for s in SPACES)


def test_the_number_of_the_restorations_is_the_code_s() -> None:
    text = (ROOT / "docs/formats/ltp.md").read_text(encoding="utf-8")
    assert f"the shipped ones have number {restoration.NUMBER}." in text


def test_the_constants_are_the_code_s() -> None:
    page = decoder()
    np.testing.assert_array_equal(page["REFERENCE"], masking.REFERENCE)
    np.testing.assert_array_equal(page["STRENGTH"], masking.STRENGTH)
    assert page["RATIO"] == pytest.approx(float(SCALE_RATIO), rel=1e-6)
    files = [
        read_file("lp1", name)
        for name in ("features.onnx", "context.onnx", "synthesis.onnx", "levels.npz")
    ]
    assert page["model_hash"](files).hex() == manifest("lp1")["model_hash"]
    assert page["crc32c"](b"123456789") == 0xE3069283
    assert f"at most {manifest('lp1')['halo']} latent positions" in (
        ROOT / "docs/formats/ltp.md"
    ).read_text(encoding="utf-8")
    assert int(load("entropy/tables.npz")["whitener"].max()) == 595_782


def test_the_table_of_the_profiles_is_the_code_s() -> None:
    white = (0.3127, 0.3290)
    rows = table("ltp.md", "number")
    assert [int(row[0].split(",")[0]) for row in rows] == list(known_profiles.NAMES)
    for (name, primaries, _), number in zip(rows, known_profiles.NAMES, strict=True):
        if number in known_profiles.COLORANTS:
            xy = [
                float(v)
                for v in primaries.replace("(", " ").replace(")", " ").replace(",", " ").split()
            ]
            colorants = adaptation(white_of([*xy, *white])) @ to_xyz([*xy, *white])
            shipped = np.array(known_profiles.COLORANTS[number]).T / known_profiles.ONE
            np.testing.assert_allclose(shipped, colorants, atol=2e-4, err_msg=name)
        else:
            assert primaries == "none"


# the dumps


def test_the_bytes_of_the_dumps_are_taken_apart_without_a_gap() -> None:
    assert len(dumps("overview.md")) == 2
    for data, rows in dumps("overview.md"):
        at = 0
        for offset, cell, *_ in rows:
            part = bytes.fromhex(cell.strip("`"))
            assert (int(offset), data[at : at + len(part)]) == (at, part)
            at += len(part)
        assert at == len(data)


def test_the_dumped_files_are_what_the_shown_commands_write(tmp_path: Path) -> None:
    files_of("overview.md", tmp_path)
    (picture, rows), (tiny, _) = dumps("overview.md")
    assert (tmp_path / "tiny.ltps").read_bytes() == tiny
    written = (tmp_path / "gray.ltp").read_bytes()
    assert written[:15] == picture[:15], "made with another model or options: make the dump anew"
    here, there = read_header(written), read_header(picture)
    assert [c.type for c in here.chunks] == [c.type for c in there.chunks]
    # the coded bytes may differ between machines; what they decode to is the picture
    shown = decompress(picture)
    assert (shown.mode, shown.size) == ("L", (24, 16))
    assert (
        np.abs(np.asarray(shown).astype(int) - np.asarray(Image.open(tmp_path / "gray.png"))).max()
        <= 10
    )
    assert shown.info["dpi"] == (299.999, 299.999)
    offsets = {int(row[0]): row[2] for row in rows}
    assert [offsets[c.offset] for c in there.chunks if c.size] == ["the latent", "pixel density"]


# the screen layer

SCREENS = sorted((GOLDEN / "screen_v1").glob("*.ltp"))


def layer_chunks(file: Path) -> tuple[container.Header, dict[int, bytes], int]:
    """Header and chunks of a file, and the type of its screen chunk."""
    header, chunks = container.unpack(file.read_bytes())
    [kind] = {container.SCREEN, container.SCREEN_WHOLE} & set(chunks)
    return header, chunks, kind


def package_layer(chunks: dict[int, bytes], width: int, height: int) -> Layer:
    layer = read_layer(
        chunks.get(container.SCREEN), chunks.get(container.SCREEN_WHOLE), width, height
    )
    assert layer is not None
    return layer


@pytest.mark.parametrize("file", SCREENS, ids=lambda file: file.stem)
def test_the_code_reads_screen_layers(file: Path) -> None:
    page, (header, chunks, _) = decoder(), layer_chunks(file)
    fields, bodies = page["read_file"](file.read_bytes())
    assert bodies == chunks
    mask, pieces = page["read_layer"](bodies, fields["width"], fields["height"])
    layer = package_layer(chunks, header.width, header.height)
    np.testing.assert_array_equal(mask, layer.mask)
    assert pieces == [
        (b.left, b.top, b.right, b.bottom, p)
        for b, p in zip(layer.boxes, layer.pieces, strict=True)
    ]
    for left, top, right, bottom, piece in pieces:
        if piece.startswith(av1.START):
            sequence = av1.check_av1(piece, right - left, bottom - top)
            assert page["check_av1"](piece, right - left, bottom - top) == (
                sequence.profile,
                sequence.level,
                sequence.chroma,
            )


@pytest.mark.parametrize("color", [(18, 0, 10), (0, 0, 0)], ids=["begins as AV1", "black"])
def test_the_code_reads_a_single_color(color: tuple[int, int, int]) -> None:
    _, bodies = decoder()["read_file"](compress(Image.new("RGB", (40, 24), color)))
    _, [piece] = decoder()["read_layer"](bodies, 40, 24)
    assert piece == (0, 0, 40, 24, bytes(color))


@pytest.mark.parametrize("file", SCREENS, ids=lambda file: file.stem)
def test_the_code_refuses_the_layers_that_the_package_refuses(file: Path) -> None:
    page, (header, chunks, kind), rng = decoder(), layer_chunks(file), np.random.default_rng(0)
    size = (header.width, header.height)
    for i in range(60):
        body = chunks[kind]
        at = int(rng.integers(0, min(len(body), 40)))  # where masks, lengths and headers stand
        wrong = (
            damaged(body, 0, rng)
            if i % 4 == 0
            else body[:at] + bytes([body[at] ^ (1 << int(rng.integers(8)))]) + body[at + 1 :]
        )
        verdict = is_refused(package_layer, {kind: wrong}, *size)
        assert refuses(page["read_layer"], {kind: wrong}, *size) == verdict, (i, at)
