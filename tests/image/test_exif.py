"""EXIF made true: sizes, no thumbnail, no place where none is wanted; offsets stay true."""

import struct
import time
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from helpers.exif_blocks import NOTE, PLACE, THUMBNAIL, camera_block
from latentpress.image.deflated import deflate
from latentpress.image.exif import true_exif
from latentpress.image.picture import read_picture

ORDERS = pytest.mark.parametrize("order", ["<", ">"])
NOTE_LAST = pytest.mark.parametrize("note_last", [False, True])


def parsed(block: Any) -> Any:
    exif = Image.Exif()
    exif.load(b"Exif\0\0" + block)
    return exif


@ORDERS
@NOTE_LAST
def test_the_thumbnail_goes_and_the_rest_stays_at_its_place(order: Any, note_last: Any) -> None:
    block = camera_block(1, order, note_last)
    found = true_exif(block, 640, 427)
    assert found is not None
    assert THUMBNAIL[:50] not in found
    assert found.index(NOTE) == block.index(NOTE)
    assert found.index(PLACE) == block.index(PLACE)
    exif = parsed(found)
    assert (exif[0x0100], exif[0x0101]) == (640, 427)
    ifd = exif.get_ifd(0x8769)
    assert (ifd[0xA002], ifd[0xA003], ifd[0x927C]) == (640, 427, NOTE)
    assert exif.get_ifd(0x8825)[0x1B] == PLACE
    assert not exif.get_ifd(1)  # IFD1
    assert len(deflate(found)) < 300
    assert len(found) == len(block) if note_last else len(found) <= len(block) - len(THUMBNAIL)


@ORDERS
@NOTE_LAST
def test_the_place_goes_where_it_is_not_wanted(order: Any, note_last: Any) -> None:
    block = camera_block(1, order, note_last)
    found = true_exif(block, 640, 427, keeps_gps=False)
    assert found is not None
    assert PLACE not in found
    exif = parsed(found)
    assert 0x8825 not in exif
    assert (exif[0x010F], exif[0x0101], exif.get_ifd(0x8769)[0x927C]) == ("Abc", 427, NOTE)


def test_a_second_pass_changes_nothing() -> None:
    for keeps_gps in (False, True):
        once = true_exif(camera_block(6), 9, 7, keeps_gps=keeps_gps)
        assert once is not None
        assert true_exif(once, 9, 7, keeps_gps=keeps_gps) == once


@pytest.mark.parametrize("orientation", range(1, 9))
def test_sizes_are_those_of_the_upright_picture(orientation: Any) -> None:
    image = Image.fromarray(np.zeros((20, 30, 3), np.uint8))
    image.info["exif"] = b"Exif\0\0" + camera_block(orientation)
    picture = read_picture(image, strict=True)
    exif = parsed(picture.exif)
    assert (exif[0x0100], exif[0x0101], exif[0x0112]) == (picture.width, picture.height, 1)
    assert (exif.get_ifd(0x8769)[0xA002], exif.get_ifd(0x8769)[0xA003]) == (
        picture.width,
        picture.height,
    )
    assert THUMBNAIL[:50] not in (picture.exif or b"")


def test_a_thumbnail_that_lies_over_the_tags_takes_none_of_them_along() -> None:
    block = bytearray(camera_block(1))
    row = block.index(struct.pack("<HHI", 0x0201, 4, 1))
    struct.pack_into("<I", block, row + 8, 0)
    struct.pack_into("<I", block, row + 12 + 8, len(block))
    found = true_exif(bytes(block), 9, 7)
    assert found is not None
    assert parsed(found).get_ifd(0x8769)[0x927C] == NOTE
    assert THUMBNAIL[:50] not in found


def test_a_damaged_block_stays_but_where_a_place_may_hide_in_it() -> None:
    for block in (b"nonsense", b"II*\0\xff\xff\xff\xff", camera_block(1)[:30]):
        assert true_exif(block, 9, 7) == block
        assert true_exif(block, 9, 7, keeps_gps=False) is None
    block = camera_block(1)
    row = block.index(struct.pack("<HHI", 0x8825, 4, 1))  # of IFD0, to the GPS IFD
    start = struct.unpack_from("<I", block, row + 8)[0]
    for at, wrong in ((row + 4, 2), (row + 8, 10_000), (start, 60_000)):
        damaged = bytearray(block)
        struct.pack_into("<H", damaged, at, wrong)
        assert PLACE in (true_exif(bytes(damaged), 9, 7) or b"")
        assert true_exif(bytes(damaged), 9, 7, keeps_gps=False) is None


@given(st.integers(0, 700), st.binary(min_size=1, max_size=8), st.booleans())
def test_any_damage_is_borne(at: int, junk: bytes, keeps_gps: bool) -> None:
    block = camera_block(1)
    found = true_exif(block[:at] + junk + block[at + len(junk) :], 9, 7, keeps_gps=keeps_gps)
    assert found is None or len(found) <= len(block) + len(junk)


def test_a_hostile_block_costs_little() -> None:
    rows = b"".join(struct.pack("<HHII", 0x8769, 4, 1, 8 + 12 * i) for i in range(300))
    rows += b"".join(struct.pack("<HHII", 0x9286, 12, 0xFFFFFFFF, 8) for _ in range(60_000))
    block = b"II*\0\x08\0\0\0" + struct.pack("<H", 60_300) + rows + struct.pack("<I", 8)
    start = time.process_time()
    true_exif(block, 9, 7)
    assert time.process_time() - start < 20
