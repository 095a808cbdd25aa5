"""The header of a JPEG XL codestream, field by field (ISO/IEC 18181-1, annex D)."""

import io

import pytest

from latentpress.image.jxl import CONTAINER, SIGNATURE, read_jxl_header

Field = tuple[int, int]  # (value, bits)

SMALL = [(1, 1), (3, 5), (0, 3), (5, 5)]  # 32 x 48
SMALL_BY_RATIO = [(1, 1), (3, 5), (1, 3)]
LARGE = [(0, 1), (1, 2), (999, 13), (0, 3), (2, 2), (70_000, 18)]
LARGE_BY_RATIO = [(0, 1), (3, 2), (1 << 29, 30), (5, 3)]
NO_EXTRAS = [(0, 1), (0, 1)]  # not all fields at their defaults, no extra ones
PREVIEW = [(0, 1), (1, 2), (17, 8), (0, 3), (3, 2), (99, 12)]
PREVIEW_DIV8 = [(1, 1), (2, 2), (3, 5), (2, 3)]
ANIMATION = [(1, 2), (3, 2), (9, 10), (2, 2), (4, 16), (1, 1)]
TWELVE = [(0, 1), (2, 2)]  # whole numbers of 12 bits
SEVENTEEN = [(0, 1), (3, 2), (16, 6)]
HALF = [(1, 1), (1, 2)]  # floats of 16 bits


def codestream(*parts: list[Field]) -> bytes:
    """Fields from the least significant bit of each byte on, behind the signature."""
    value = at = 0
    for part in parts:
        for number, bits in part:
            assert number < 1 << bits
            value |= number << at
            at += bits
    return SIGNATURE + value.to_bytes(-(-at // 8), "little")


def extras(*, intrinsic: list[Field], preview: list[Field], animation: list[Field]) -> list[Field]:
    """Extra fields: an orientation, and each of these where it holds some."""
    found = [(0, 1), (1, 1), (7, 3)]
    for part in (intrinsic, preview, animation):
        found += [(int(bool(part)), 1), *part]
    return found


@pytest.mark.parametrize("size", [SMALL, SMALL_BY_RATIO, LARGE, LARGE_BY_RATIO])
@pytest.mark.parametrize(("depth", "bits"), [(TWELVE, 12), (SEVENTEEN, 17), (HALF, 16)])
def test_bits_behind_any_size(size: list[Field], depth: list[Field], bits: int) -> None:
    data = codestream(size, NO_EXTRAS, depth)
    assert read_jxl_header(io.BytesIO(data)) == (bits, False)
    box = (8 + len(data)).to_bytes(4, "big") + b"jxlc" + data
    assert read_jxl_header(io.BytesIO(CONTAINER + box)) == (bits, False)
    assert read_jxl_header(io.BytesIO(codestream(size, [(1, 1)], depth))) == (8, False)


@pytest.mark.parametrize("intrinsic", [[], SMALL, LARGE])
@pytest.mark.parametrize("preview", [[], PREVIEW, PREVIEW_DIV8])
@pytest.mark.parametrize("animation", [[], ANIMATION])
def test_bits_and_frames_behind_extra_fields(
    intrinsic: list[Field], preview: list[Field], animation: list[Field]
) -> None:
    fields = extras(intrinsic=intrinsic, preview=preview, animation=animation)
    data = codestream(SMALL, fields, TWELVE)
    assert read_jxl_header(io.BytesIO(data)) == (12, bool(animation))


def test_a_header_that_is_cut_off_or_none_says_nothing() -> None:
    data = codestream(LARGE, NO_EXTRAS, TWELVE)
    for length in range(len(data) - 1):
        assert read_jxl_header(io.BytesIO(data[:length])) == (8, False)
    assert read_jxl_header(io.BytesIO(b"no JPEG XL")) == (8, False)
