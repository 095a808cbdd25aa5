"""What the C library finds of the processor, against what Linux tells of it."""

import pytest

from latentpress.runtimes import native
from latentpress.runtimes.processor import flags

AVX2 = {"avx", "avx2", "fma", "f16c"}
AVX512 = AVX2 | {"avx512f", "avx512bw", "avx512vl", "avx512_vnni"}
HALVES = AVX512 | {"avx512_bf16"}
AMX = HALVES | {"amx_tile", "amx_int8", "amx_bf16"}


@pytest.mark.skipif(native.built() is None or not flags(), reason="no library, or no Linux")
def test_the_library_finds_what_the_system_tells() -> None:
    found = native.built()
    steps = [(AVX512, native.VNNI), (HALVES, native.VNNI_AND_HALVES), (AMX, native.VNNI_AND_AMX)]
    expected = max((how for needed, how in steps if needed <= flags()), default=native.NOTHING)
    assert found.instructions() == expected
    narrow = native.AVX2_AND_VNNI if "avx_vnni" in flags() else native.AVX2_ALONE
    has_narrow_alone = expected == native.NOTHING and flags() >= AVX2
    assert found.narrow_instructions() == (narrow if has_narrow_alone else native.NOTHING)
