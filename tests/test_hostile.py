"""Attacks on whole files, for a reader who knows the format: the attacker can put every checksum
right again.
"""

import io
import json
import struct
import subprocess
import sys
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

import latentpress
from helpers.attacks import (
    FILES,
    FLUX,
    SD15,
    H,
    W,
    head_end,
    lp1_file,
    picture,
    read,
    rebuilt,
    reseal,
    static_file,
)
from latentpress import container
from latentpress.codec import decode_latent
from latentpress.container import (
    ALPHA,
    EXIF,
    ICC,
    LATENT_CONTINUED,
    LATENT_FACTORIZED,
    LATENT_HYPERPRIOR,
    LATENT_MASKED,
    LATENT_MULTISTAGE,
    LATENT_TRELLIS,
    XMP,
    pack,
    unpack,
)
from latentpress.errors import FormatError, SpaceError, VersionError, WeightsError
from latentpress.spaces import LP1
from latentpress.varint import read_varint, write_varint

FILE_OF = pytest.mark.parametrize("name", FILES)


@FILE_OF
def test_truncation_is_refused(name: str) -> None:
    data = FILES[name]()
    ends = {*range(40), *range(40, len(data), 7), *range(len(data) - 6, len(data))}
    for end in sorted(e for e in ends if e < len(data)):
        with pytest.raises(FormatError):
            read(data[:end])


@FILE_OF
def test_every_flipped_header_byte_is_refused(name: str) -> None:
    data = FILES[name]()
    for i in range(head_end(data) + 4):
        for mask in (0x01, 0x80, 0xFF):
            with pytest.raises(FormatError):
                read(data[:i] + bytes([data[i] ^ mask]) + data[i + 1 :])


@FILE_OF
def test_sealed_header_fields_raise_errors_of_the_tree_or_decode(name: str) -> None:
    data = FILES[name]()
    for i in range(3, head_end(data)):
        for value in {0, 1, 0x7F, 0xFF, data[i] ^ 1, data[i] ^ 0x10} - {data[i]}:
            altered = reseal(data[:i] + bytes([value]) + data[i + 1 :])
            try:
                read(altered)
            except WeightsError:
                assert 5 <= i < 9
            except FormatError:
                pass


@FILE_OF
@pytest.mark.usefixtures("engine")
def test_a_sealed_altered_latent_is_never_a_picture(name: str) -> None:
    data = FILES[name]()
    kind, body = next((k, b) for k, b in unpack(data)[1].items() if k in container.LATENT_TYPES)
    rng = np.random.default_rng(0)
    for i in sorted(
        {*range(20), *rng.integers(0, len(body), 20).tolist(), len(body) - 1} & {*range(len(body))}
    ):
        altered = body[:i] + bytes([body[i] ^ int(rng.integers(1, 256))]) + body[i + 1 :]
        if name == "sd15" and 4 + 2 * 4 <= i < 4 + 3 * 4:
            continue  # the means: another picture, sealed by the chunk's checksum alone
        with pytest.raises(FormatError):
            read(rebuilt(data, chunks=unpack(data)[1] | {kind: altered}))
    for altered in (
        b"",
        body[:3],
        body[:4],
        body[:5],
        body[:-1],
        body + b"\1",
        body + body,
        bytes(rng.integers(0, 256, 1000, np.uint8)),
    ):
        with pytest.raises(FormatError):
            read(rebuilt(data, chunks=unpack(data)[1] | {kind: altered}))


@FILE_OF
def test_trailing_bytes_versions_and_spaces(name: str) -> None:
    data = FILES[name]()
    for tail in (b"\0", b"LTP", data):
        with pytest.raises(FormatError, match="follow"):
            read(data + tail)
    with pytest.raises(VersionError, match="version 2"):
        read(reseal(data[:3] + b"\2" + data[4:]))
    with pytest.raises(SpaceError, match="77"):
        read(reseal(data[:4] + bytes([77]) + data[5:]))
    other = SD15 if name == "lp1" else LP1
    with pytest.raises(FormatError, match="not coded this way"):
        container.read_header(reseal(data[:4] + bytes([other.id]) + data[5:]))


def test_other_weights_are_named() -> None:
    with pytest.raises(WeightsError, match="deadbeef"):
        read(rebuilt(lp1_file(), model_hash=bytes.fromhex("deadbeef")))
    assert decode_latent(rebuilt(static_file(), model_hash=bytes.fromhex("deadbeef"))).shape == (
        4,
        5,
        6,
    )


def test_lengths_of_segments() -> None:
    data = latentpress.compress(picture(3, 16 * 65, 16), quality=20, content="photo")
    body = unpack(data)[1][LATENT_CONTINUED]
    size, start = read_varint(body, 0)
    read(rebuilt(data))
    for length in (
        0,
        3,
        4,
        size - 1,
        size + 1,
        len(body) - start - 3,
        len(body) - start,
        len(body),
        1 << 31,
    ):
        with pytest.raises(FormatError):
            read(rebuilt(data, chunks={LATENT_CONTINUED: write_varint(length) + body[start:]}))
    for length_bytes in (b"\x80\0", b"\xff" * 5, bytes([size & 0x7F | 0x80, size >> 7 | 0x80, 0])):
        with pytest.raises(FormatError):
            read(rebuilt(data, chunks={LATENT_CONTINUED: length_bytes + body[start:]}))


def png(width: int, height: int, mode: str = "L") -> bytes:
    out = io.BytesIO()
    Image.new(mode, (width, height)).save(out, "PNG")
    return out.getvalue()


def webp(size: tuple[int, int], mode: str = "RGB", **options: Any) -> bytes:
    out = io.BytesIO()
    image = Image.effect_noise(size, 90).convert(mode)
    if mode == "RGBA":
        image.putalpha(Image.linear_gradient("L").resize(size))
    image.save(out, "WEBP", **({"lossless": True} | options))
    return out.getvalue()


def png_chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


PLAIN = png(W, H)
HUGE = png_chunk(b"IHDR", struct.pack(">IIBBBBB", 65535, 65535, 8, 0, 0, 0, 0))
BOMB = PLAIN[:8] + HUGE + png_chunk(b"IDAT", zlib.compress(bytes(10**6)))
TEXT_BOMB = PLAIN[:33] + png_chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(10**8))) + PLAIN[33:]
APNG = PLAIN[:33] + png_chunk(b"acTL", struct.pack(">II", 1 << 31, 0)) + PLAIN[33:]
BAD_ALPHA = {
    "empty": b"",
    "two bytes": b"\xff\xff",
    "garbage": bytes(range(256)),
    "not a png": b"GIF89a" + bytes(50),
    "cut off": PLAIN[:50],
    "cut off early": PLAIN[:20],
    "too wide": png(W + 1, H),
    "turned": png(H, W),
    "colors": png(W, H, "RGB"),
    "palette": png(W, H, "P"),
    "16 bits": png(W, H, "I;16"),
    "huge": BOMB,
    "text bomb": TEXT_BOMB,
    "bad data": PLAIN[:45] + b"\xff\xff" + PLAIN[47:],
    "animation": APNG,
    "lossy webp": webp((W, H), lossless=False),
    "wide webp": webp((W + 1, H)),
    "webp with alpha": webp((W, H), "RGBA"),
    "webp and more": webp((W, H)) + b"\0",
    "cut webp": webp((W, H))[:-2],
    "webp of no length": webp((W, H))[:18],
    "huge webp": webp((W, H))[:21] + b"\xff\xff\xff\x0f" + webp((W, H))[25:],
    "noise webp": webp((W, H))[:25] + bytes(len(webp((W, H))) - 25),
    "extended webp": webp((W, H), exif=b"Exif\0\0II*\0\x08\0\0\0\0\0\0\0\0\0"),
}


READABLE = ("animation", "text bomb")  # what is not the plane is left out


@pytest.mark.parametrize("kind", BAD_ALPHA)
def test_a_bad_alpha_chunk_is_a_format_error(kind: str) -> None:
    data = rebuilt(lp1_file(), chunks=unpack(lp1_file())[1] | {ALPHA: BAD_ALPHA[kind]})
    if kind in READABLE:
        assert latentpress.decompress(data).mode == "RGBA"
    else:
        with pytest.raises(FormatError, match="alpha"):
            latentpress.decompress(data)


JUNK = (
    b"\0",
    b"Exif\0\0" * 3,
    b"II*\0\xff\xff\xff\xff",
    b"MM\0*\0\0\0\x08\xff\xff" + bytes(range(256)),
    b"\xff" * 70_000,
)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("junk", JUNK)
@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp", ".tif", ".avif"])
def test_junk_as_metadata_costs_no_picture(junk: bytes, suffix: str, tmp_path: Path) -> None:
    from latentpress.image.formats import write_image

    data = rebuilt(
        lp1_file(False), chunks=unpack(lp1_file(False))[1] | {ICC: junk, EXIF: junk, XMP: junk}
    )
    decoded = latentpress.decompress(data)
    assert np.array_equal(np.asarray(decoded), np.asarray(latentpress.decompress(lp1_file(False))))
    write_image(decoded, tmp_path / f"out{suffix}")
    with Image.open(tmp_path / f"out{suffix}") as image:
        assert image.size == decoded.size


@pytest.mark.parametrize("kind", sorted(set(container.METADATA_TYPES.values()) - {ICC, EXIF, XMP}))
def test_junk_in_a_coded_metadata_chunk_is_a_format_error(kind: int) -> None:
    chunks = unpack(lp1_file(False))[1]
    bomb = b"\xff" * 3 + b"\x1f" + zlib.compress(bytes(10**7))[2:-4]  # without zlib's header
    for junk in (b"", b"\0", b"\xff" * 100, b"\x05\0\0\0", bomb):
        with pytest.raises(FormatError):
            latentpress.decompress(rebuilt(lp1_file(False), chunks=chunks | {kind: junk}))


BOMB_READER = """
import json, resource, sys, time
from pathlib import Path
from typing import Any
from latentpress import FormatError, decompress
from latentpress.codec import decode_latent
resource.setrlimit(resource.RLIMIT_AS, (3 * 2**30, 3 * 2**30))
result = {}
for file in sorted(Path(sys.argv[1]).iterdir()):
    start = time.process_time()
    try:
        (decompress if file.name.startswith("lp1") else decode_latent)(file.read_bytes())
    except FormatError as error:
        result[file.name] = time.process_time() - start
# not ru_maxrss, which begins with what the process had before exec, the size of the tests'
status = Path("/proc/self/status")
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
if status.exists():
    lines = status.read_text().splitlines()
    [peak] = [int(line.split()[1]) for line in lines if line.startswith("VmHWM")]
print(json.dumps([result, peak / 1000]))
"""


def test_size_bombs_cost_little_time_and_memory(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    model_hash = bytes.fromhex(container.read_header(lp1_file()).model_hash)
    kinds = (
        (LP1, LATENT_HYPERPRIOR),
        (LP1, LATENT_TRELLIS),
        (LP1, LATENT_MASKED),
        (LP1, LATENT_CONTINUED),
        (SD15, LATENT_FACTORIZED),
        (FLUX, LATENT_FACTORIZED),
        (SD15, LATENT_MULTISTAGE),
        (FLUX, LATENT_MULTISTAGE),
    )
    for space, kind in kinds:
        for size in (100, 10_000):
            payload = rng.integers(1, 256, size, np.uint8).tobytes()
            static = payload[:4] + bytes(3 * space.channels) + payload[4:]
            for width, height in ((65535, 65535), (31_600, 31_600), (65535, 1), (1, 65535)):
                body = {LATENT_FACTORIZED: static, LATENT_MULTISTAGE: b"\1\0\x08" + payload}.get(
                    kind, payload
                )
                if size == 10_000 and space is not LP1 and width == height == 31_600:
                    continue  # a picture that could be: a gigapixel may cost what a gigapixel costs
                data = pack(space, model_hash, width, height, 50, {kind: body})
                (tmp_path / f"{space.name}-{kind}-{size}-{width}-{height}.ltp").write_bytes(data)
    run = subprocess.run(
        [sys.executable, "-c", BOMB_READER, str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=300,
        check=True,
    )
    seconds, megabytes = json.loads(run.stdout)
    assert seconds.keys() == {p.name for p in tmp_path.iterdir()}
    assert max(seconds.values()) < 20
    assert megabytes < 1500


KINDS = st.sampled_from(["set", "drop", "insert", "swap"])
MUTATION = st.lists(
    st.tuples(st.integers(0, 1 << 16), KINDS, st.integers(0, 255)), min_size=1, max_size=6
)


def mutated(data: bytes, mutations: list[tuple[int, str, int]]) -> bytes:
    out = bytearray(data)
    for where, what, value in mutations:
        # half of them within the header
        i = where % max(1, len(out)) if where & 1 else where % min(40, max(1, len(out)))
        if what == "set":
            out[i : i + 1] = bytes([value])
        elif what == "drop":
            del out[i : i + 1 + value % 4]
        elif what == "insert":
            out[i:i] = bytes([value] * (1 + value % 3))
        else:
            j = (i + value) % max(1, len(out))
            out[i : i + 1], out[j : j + 1] = out[j : j + 1], out[i : i + 1]
    return bytes(out)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.usefixtures("engine")
@pytest.mark.parametrize(("name", "examples"), [("lp1", 80), ("sd15", 150), ("flux1", 100)])
def test_fuzz(name: str, examples: int) -> None:
    data = FILES[name]()

    @settings(
        deadline=None, max_examples=examples, suppress_health_check=list(HealthCheck), database=None
    )
    @given(MUTATION, st.booleans())
    def check(mutations: list[tuple[int, str, int]], sealed: bool) -> None:
        altered = mutated(data, mutations)
        altered = reseal(altered) if sealed else altered
        try:
            read(altered)
        except FormatError:
            pass
        except WeightsError:
            assert altered[5:9] != data[5:9]

    check()
