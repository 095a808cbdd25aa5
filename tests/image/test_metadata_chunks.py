"""Metadata as chunks: what goes in comes out, small; well-known profiles by their colors; hostile
bodies are refused.
"""

import contextlib
import hashlib
import io
import struct
import time
import zlib
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageCms

from latentpress.container import METADATA_TYPES
from latentpress.errors import FormatError, VersionError
from latentpress.image import known_profiles, profiles
from latentpress.image.deflated import MAX_PLAIN, deflate, inflate
from latentpress.image.known_profiles import (
    ADOBE_RGB,
    COLORANTS,
    DISPLAY_P3,
    NAMES,
    SRGB,
    known_number,
    known_profile,
)
from latentpress.image.metadata_chunks import Metadata, decode_metadata, encode_metadata
from latentpress.image.pixel_density import pack_density, read_density, unpack_density
from latentpress.image.text import MAX_TEXT, pack_text, unpack_text
from latentpress.varint import write_varint

KEYWORDS = st.sampled_from(["parameters", "prompt", "workflow", "Title", "Künstler", "a b"])
METADATA = st.builds(
    Metadata,
    icc=st.none()
    | st.binary(min_size=1, max_size=300)
    | st.sampled_from([known_profile(n) for n in NAMES]),
    exif=st.none() | st.binary(min_size=1, max_size=300),
    xmp=st.none() | st.binary(min_size=1, max_size=300) | st.just(b"<x/>" * 99),
    text=st.dictionaries(
        KEYWORDS, st.text(st.characters(codec="utf-8", exclude_characters="\0"))
    ).map(lambda d: tuple(d.items())),
    density=st.none()
    | st.tuples(st.integers(1, 10**9), st.integers(1, 10**9)).map(
        lambda d: (d[0] / 1000, d[1] / 1000)
    ),
)


@given(METADATA)
def test_decode_inverts_encode(metadata: Metadata) -> None:
    chunks = encode_metadata(metadata)
    assert decode_metadata(chunks) == metadata
    assert chunks.keys() <= METADATA_TYPES.keys()
    for name in ("icc", "exif", "xmp"):
        assert len(chunks.get(name + " deflated", b"")) <= len(getattr(metadata, name) or b"")


def test_a_chunk_without_bytes_counts_as_none() -> None:
    assert decode_metadata({"icc": b"", "exif": b"", "xmp": b""}) == Metadata()


# ---- deflate


def test_what_does_not_shrink_is_stored_as_it_is() -> None:
    noise = np.random.default_rng(0).integers(0, 256, 500, np.uint8).tobytes()
    assert encode_metadata(Metadata(exif=noise)) == {"exif": noise}
    assert len(encode_metadata(Metadata(exif=noise + bytes(5000)))["exif deflated"]) < 600


DEFLATED = deflate(b"metadata " * 50)
EMPTY_BLOCKS = b"\0\0\0\xff\xff" * 1000
BAD = {
    "nothing": b"",
    "a length alone": b"\5",
    "nothing promised": write_varint(0) + deflate(b"a")[1:],
    "cut off": DEFLATED[:-1],
    "bytes behind": DEFLATED + b"\0",
    "one less": write_varint(449) + DEFLATED[2:],
    "one more": write_varint(451) + DEFLATED[2:],
    "no stream": b"\5" + b"\xff" * 9,
    "too much promised": write_varint(MAX_PLAIN + 1) + DEFLATED[2:],
    "a padded length": b"\x85\0" + deflate(b"12345")[1:],
    "no end": b"\1\0\1\0\xfe\xffa" + EMPTY_BLOCKS,
    "zlib's header": write_varint(450) + zlib.compress(b"metadata " * 50),
}


@pytest.mark.parametrize("kind", BAD)
def test_hostile_deflated_bodies_are_refused(kind: str) -> None:
    assert inflate(DEFLATED, "exif") == b"metadata " * 50
    assert inflate(deflate(b"a"), "exif") == b"a"
    for name in ("icc deflated", "exif deflated", "xmp deflated", "text"):
        with pytest.raises(FormatError):
            decode_metadata({name: BAD[kind]})


def test_a_bomb_makes_no_more_than_it_promises() -> None:
    bomb = deflate(bytes(MAX_PLAIN))
    assert len(inflate(bomb, "xmp")) == MAX_PLAIN
    start = time.process_time()
    for size in (1, 1000, MAX_PLAIN - 1):
        with pytest.raises(FormatError, match="another length"):
            inflate(write_varint(size) + bomb[4:], "xmp")
    with pytest.raises(FormatError, match=f"{MAX_TEXT:,} are allowed"):
        decode_metadata({"text": bomb})
    assert time.process_time() - start < 10


# ---- text


def text_body(*parts: bytes) -> bytes:
    return deflate(b"".join(write_varint(len(p)) + p for p in parts))


BAD_TEXT = {
    "a key alone": text_body(b"Title"),
    "no key": text_body(b"", b"a"),
    "twice": text_body(b"a", b"1", b"a", b"2"),
    "not UTF-8": text_body(b"a", b"\xff"),
    "a long key": text_body(b"a" * 80, b"1"),
    "a space at the end": text_body(b"a ", b"1"),
    "a line": text_body(b"a\nb", b"1"),
    "no Latin-1": text_body("名".encode(), b"1"),
    "a zero": text_body(b"a", b"b\0c"),
    "cut off": deflate(b"\1a\5abc"),
}


@pytest.mark.parametrize("kind", BAD_TEXT)
def test_hostile_texts_are_refused(kind: str) -> None:
    with pytest.raises(FormatError, match="text chunk"):
        decode_metadata({"text": BAD_TEXT[kind]})


@given(st.binary(max_size=40))
def test_random_texts_raise_only_format_errors(data: bytes) -> None:
    with contextlib.suppress(FormatError):
        assert pack_text(unpack_text(data)) == data


# ---- density


@pytest.mark.parametrize(
    "body", [b"", b"\0", b"\x80", b"\1\1", b"\1\2\3", b"\1\0", b"\xff\xff\xff\xff\x07", b"\x80\0"]
)
def test_hostile_densities_are_refused(body: bytes) -> None:
    with pytest.raises(FormatError):
        unpack_density(body)


def test_a_density_of_png_comes_back_to_the_dot() -> None:
    for dots in (1, 2834, 3779, 11811, 39370, 10**7):  # a meter
        dpi = dots * 0.0254
        found = unpack_density(pack_density((dpi, dpi * 2)))
        assert [int(d / 0.0254 + 0.5) for d in found] == [dots, dots * 2]
    assert unpack_density(pack_density((300, 300))) == (300, 300)


NO_DENSITY = [
    (72, 72),
    (72.009, 72.009),
    (1, 1),
    (0, 0),
    (float("nan"), 9),
    (float("inf"), 9),
    (-3, 3),
    "ab",
    None,
    (1,),
    (1e9, 1),
]


@pytest.mark.parametrize("dpi", NO_DENSITY)
def test_senseless_densities_and_the_usual_one_are_not_kept(dpi: Any) -> None:
    assert read_density({"dpi": dpi}) is None
    assert read_density({}) is None
    assert read_density({"dpi": (300, 150)}) == (300, 150)


# ---- well-known profiles


def matrix_profile(
    colorants: Any,
    gamma: float | None = None,
    *,
    description: str = "sRGB IEC61966-2.1",
    table: bytes = b"",
    damaged: bool = False,
) -> bytes:
    """A profile of version 2 whose curves are tables, as scanners and cameras have them: of sRGB,
    or a gamma.
    """
    x = np.linspace(0, 1, 1024)
    curve = (
        np.where(x <= 0.04045, x / 12.92, ((x + 0.055) / 1.055) ** 2.4)
        if gamma is None
        else x**gamma
    )
    trc = (
        b"curv"
        + bytes(4)
        + struct.pack(">I", len(x))
        + np.rint(curve * 65535).astype(">u2").tobytes()
    )
    text = description.encode()
    desc = b"desc" + bytes(4) + struct.pack(">I", len(text) + 1) + text + bytes(79)
    tags = [
        (b"desc", desc),
        (b"cprt", b"text\0\0\0\0None\0"),
        (b"wtpt", b"XYZ " + bytes(4) + struct.pack(">3i", 63190, 65536, 54061)),
    ]
    tags += [
        (n, b"XYZ " + bytes(4) + struct.pack(">3i", *c))
        for n, c in zip((b"rXYZ", b"gXYZ", b"bXYZ"), colorants, strict=True)
    ]
    tags += [(n, trc) for n in (b"rTRC", b"gTRC", b"bTRC")]
    if table:
        tags.append((table, b"mft2" + bytes(100)))
    profile = bytearray(profiles.pack_profile(b"RGB ", tags))
    profile[8:12] = bytes([2, 0x10, 0, 0])
    return bytes(profile[:-900]) if damaged else bytes(profile)


def test_the_well_known_profiles_are_well_formed_and_told_from_each_other() -> None:
    for number in NAMES:
        profile = known_profile(number)
        assert (known_number(profile), int.from_bytes(profile[:4], "big")) == (number, len(profile))
        assert (
            ImageCms.getProfileDescription(ImageCms.ImageCmsProfile(io.BytesIO(profile))).strip()
            == NAMES[number]
        )
        assert known_number(profile + bytes(4)) == number  # by its colors
        assert encode_metadata(Metadata(icc=profile)) == {"icc number": bytes([number])}
    assert [sum(column) for column in zip(*COLORANTS[SRGB], strict=True)] == list(
        known_profiles.D50
    )


def test_a_profile_counts_by_its_colors_and_never_by_its_name() -> None:
    assert known_number(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()) == SRGB
    assert known_number(matrix_profile(COLORANTS[SRGB], description="My monitor")) == SRGB
    assert known_number(matrix_profile(COLORANTS[DISPLAY_P3])) == DISPLAY_P3  # though it says sRGB
    assert known_number(matrix_profile(COLORANTS[ADOBE_RGB], 563 / 256)) == ADOBE_RGB
    red, green, blue = COLORANTS[SRGB]
    others = {
        "gamma 2.2": matrix_profile(COLORANTS[SRGB], 2.2),
        "linear": matrix_profile(COLORANTS[SRGB], 1.0),
        "swapped": matrix_profile((green, red, blue)),
        "another red": matrix_profile(((red[0] - 1500, *red[1:]), green, blue)),
        "a table": matrix_profile(COLORANTS[SRGB], table=b"A2B0"),
        "a table of the other way": matrix_profile(COLORANTS[SRGB], table=b"B2A1"),
        "cut off": matrix_profile(COLORANTS[SRGB], damaged=True),
        "no profile": b"not a real profile" * 20,
        "nothing": b"",
    }
    for name, icc in others.items():
        assert known_number(icc) is None, name
        assert decode_metadata(encode_metadata(Metadata(icc=icc or None))).icc == (icc or None)


@pytest.mark.parametrize("number", NAMES)
def test_pixels_mean_what_they_meant_under_the_profile_that_comes_back(number: Any) -> None:
    if number not in COLORANTS:
        return
    given_profile = matrix_profile(COLORANTS[number], 563 / 256 if number == ADOBE_RGB else None)
    back = decode_metadata(encode_metadata(Metadata(icc=given_profile))).icc
    assert back == known_profile(number)
    pixels = Image.fromarray(np.random.default_rng(1).integers(0, 256, (40, 40, 3), np.uint8))
    seen = [
        np.asarray(
            ImageCms.profileToProfile(
                pixels, ImageCms.ImageCmsProfile(io.BytesIO(p)), ImageCms.createProfile("sRGB")
            )
        ).astype(int)
        for p in (given_profile, back)
    ]
    assert np.abs(seen[0] - seen[1]).max() <= 1


def test_hostile_profile_numbers_are_refused() -> None:
    for body in (b"", b"\1\1"):
        with pytest.raises(FormatError, match="one byte"):
            decode_metadata({"icc number": body})
    for number in (0, 6, 255):
        with pytest.raises(VersionError, match=f"number {number}"):
            decode_metadata({"icc number": bytes([number])})


# ---- what the numbers of the format meant when they were made


PROFILES = {
    1: "1fc1b6974a6603ca",
    2: "5723b9b9d004f591",
    3: "9a32b11cc5c66b15",
    4: "0b4336c5f22cec92",
    5: "f223ab54e35c6587",
}
BODIES = {
    "icc number": "01",
    "exif deflated": "44f3f4d462e060a00c0000",
    "xmp deflated": "50b3a9d0b7b3a1220600",
    "text": "1fe32a482c4acc4d2d492d2a664d54484e2ce1f43ebc27afb82427b588f9e9845e00",
    "dpi": "e0a712f09309",
}


def test_the_bytes_of_a_number_s_profile_never_change() -> None:
    assert {n: hashlib.sha256(known_profile(n)).hexdigest()[:16] for n in NAMES} == PROFILES


def test_bodies_of_old_decode_to_what_they_always_were() -> None:
    assert decode_metadata(
        {name: bytes.fromhex(body) for name, body in BODIES.items()}
    ) == Metadata(
        icc=known_profile(SRGB),
        exif=b"II*\0\x08\0\0\0" + bytes(60),
        xmp=b"<x/>" * 20,
        text=(("parameters", "a cat"), ("Künstler", "名")),
        density=(300, 150),
    )
