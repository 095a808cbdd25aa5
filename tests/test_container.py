"""Laws of the container, and attacks on it (docs/formats/ltp.md)."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from latentpress import container
from latentpress.container import (
    ALPHA,
    EXIF,
    GRAY,
    ICC,
    LATENT_FACTORIZED,
    LATENT_HYPERPRIOR,
    RESTORATION,
    SCREEN_WHOLE,
    SKIPPABLE,
    pack,
    read_header,
    unpack,
)
from latentpress.errors import FormatError, SpaceError, VersionError
from latentpress.spaces import LP1, SPACES, Space

HASH = bytes.fromhex("01020304")
FILE = pack(LP1, HASH, 768, 512, 50, {LATENT_HYPERPRIOR: bytes(range(200)), ICC: b"profile"})


def reseal(head: bytes) -> bytes:
    """A header whose checksum is right again, in front of the bodies of FILE."""
    end = len(head)
    return head + container.crc(head) + FILE[end + 4 :]


@given(
    st.sampled_from(SPACES),
    st.binary(min_size=4, max_size=4),
    st.integers(1, 65535),
    st.integers(1, 65535),
    st.integers(0, 10000),
    st.dictionaries(st.sampled_from([ALPHA, ICC, EXIF, SKIPPABLE | 0x3F]), st.binary(max_size=300)),
)
def test_unpack_inverts_pack(
    space: Space, model_hash: bytes, width: int, height: int, quality: int, extra: dict[int, bytes]
) -> None:
    chunks = {LATENT_HYPERPRIOR if space == LP1 else LATENT_FACTORIZED: b"latent", **extra}
    data = pack(space, model_hash, width, height, quality / 100, chunks)
    header, bodies = unpack(data)
    assert bodies == chunks
    assert (header.space, header.model_hash, header.width, header.height) == (
        space.name,
        model_hash.hex(),
        width,
        height,
    )
    assert header.quality == quality / 100
    assert header.bpp == 8 * len(data) / (width * height)


@pytest.mark.parametrize("size", [1, 127, 128, 16383, 16384, 2_000_000, 3_000_000])
def test_overhead_is_at_most_32_bytes(size: int) -> None:
    overhead = len(pack(LP1, HASH, 4000, 3000, 50, {LATENT_HYPERPRIOR: bytes(size)})) - size
    assert overhead + 4 <= 32  # and the symbols' CRC-32C at the start of the latent chunk


def test_every_prefix_is_refused() -> None:
    for end in range(len(FILE)):
        with pytest.raises(FormatError):
            unpack(FILE[:end])


def test_every_flipped_bit_is_refused() -> None:
    for i in range(len(FILE)):
        for bit in range(8):
            altered = FILE[:i] + bytes([FILE[i] ^ 1 << bit]) + FILE[i + 1 :]
            with pytest.raises(FormatError):
                unpack(altered)


def test_trailing_bytes_are_refused() -> None:
    with pytest.raises(FormatError, match="follow the end"):
        unpack(FILE + b"\0")


def test_a_newer_version_is_named() -> None:
    with pytest.raises(VersionError, match="version 2"):
        read_header(FILE[:3] + b"\2" + FILE[4:])


def test_an_unknown_space_is_named() -> None:
    head = bytearray(FILE[: container.FIXED.size + 6])
    position = container.FIXED.size
    while FILE[position : position + 4] != container.crc(FILE[:position]):
        position += 1
    head = bytearray(FILE[:position])
    head[4] = 200
    with pytest.raises(SpaceError, match="200"):
        read_header(reseal(bytes(head)))


@pytest.mark.parametrize(("offset", "value"), [(9, 0), (11, 0), (13, 10001)])
def test_impossible_sizes_and_qualities_are_refused(offset: int, value: int) -> None:
    position = container.FIXED.size
    while FILE[position : position + 4] != container.crc(FILE[:position]):
        position += 1
    head = bytearray(FILE[:position])
    struct.pack_into("<H", head, offset, value)
    with pytest.raises(FormatError, match="impossible"):
        read_header(reseal(bytes(head)))


def test_unknown_chunks_are_skipped_only_when_they_say_so() -> None:
    assert (
        unpack(pack(LP1, HASH, 1, 1, 50, {LATENT_HYPERPRIOR: b"", SKIPPABLE | 0x30: b"future"}))[0]
        .chunks[1]
        .name
        == "unknown"
    )
    with pytest.raises(FormatError, match="does not know"):
        unpack(pack(LP1, HASH, 1, 1, 50, {LATENT_HYPERPRIOR: b"", 0x30: b"future"}))


def test_one_latent_is_required() -> None:
    for chunks in ({ICC: b"x"}, {LATENT_FACTORIZED: b"", LATENT_HYPERPRIOR: b""}):
        with pytest.raises(FormatError, match="one latent"):
            unpack(pack(LP1, HASH, 1, 1, 50, chunks))


def test_a_gray_chunk_is_empty() -> None:
    assert GRAY in unpack(pack(LP1, HASH, 1, 1, 50, {LATENT_HYPERPRIOR: b"", GRAY: b""}))[1]
    with pytest.raises(FormatError, match="gray chunk"):
        unpack(pack(LP1, HASH, 1, 1, 50, {LATENT_HYPERPRIOR: b"", GRAY: b"x"}))


@pytest.mark.parametrize("picture", [{LATENT_HYPERPRIOR: b""}, {SCREEN_WHOLE: b"rgb"}])
def test_a_restoration_chunk_is_one_byte(picture: dict[int, bytes]) -> None:
    assert RESTORATION in unpack(pack(LP1, HASH, 1, 1, 50, {**picture, RESTORATION: b"\7"}))[1]
    for body in (b"", b"\1\1"):
        with pytest.raises(FormatError, match="restoration chunk"):
            unpack(pack(LP1, HASH, 1, 1, 50, {**picture, RESTORATION: body}))


@given(st.binary(max_size=100))
def test_random_bytes_raise_only_format_errors(data: bytes) -> None:
    for attempt in (data, container.MAGIC + b"\1" + data):
        with pytest.raises(FormatError):
            unpack(attempt)


@given(st.integers(0, 1 << 31))
def test_varints_round_trip(value: int) -> None:
    data = container.write_varint(value)
    assert container.read_varint(b"x" + data, 1) == (value, 1 + len(data))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x80",
        b"\x80\0",
        b"\xff\xff\xff\xff\xff",
        b"\xff\xff\xff\xff\x0f",
        b"\x80\x80\x80\x80\x80\x01",
    ],
)
def test_bad_varints_are_refused(data: bytes) -> None:
    with pytest.raises(FormatError):
        container.read_varint(data, 0)


def test_one_kind_of_metadata_stands_in_one_chunk() -> None:
    kinds = [
        (container.ICC, container.ICC_KNOWN, container.ICC_DEFLATED),
        (container.EXIF, container.EXIF_DEFLATED),
        (container.XMP, container.XMP_DEFLATED),
    ]
    for ways in kinds:
        for first in ways:
            assert read_header(
                pack(LP1, HASH, 1, 1, 50, {LATENT_HYPERPRIOR: b"", first: b"x"})
            ).metadata
            for second in set(ways) - {first}:
                with pytest.raises(FormatError, match="two ways of coding"):
                    read_header(
                        pack(
                            LP1, HASH, 1, 1, 50, {LATENT_HYPERPRIOR: b"", first: b"x", second: b"y"}
                        )
                    )


def test_the_share_of_metadata_stands_in_the_header() -> None:
    chunks = {LATENT_HYPERPRIOR: b"latent", ALPHA: b"a"}
    chunks |= {container.ICC_KNOWN: b"\1", container.EXIF_DEFLATED: b"exif", container.TEXT: b"te"}
    assert read_header(pack(LP1, HASH, 1, 1, 50, chunks)).metadata == {
        "icc": 1,
        "exif": 4,
        "text": 2,
    }
