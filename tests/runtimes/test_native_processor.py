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
    kinds = [how for needed, how in steps if needed <= flags()]
    narrow = native.AVX2_AND_VNNI if AVX2 | {"avx_vnni"} <= flags() else native.NOTHING
    assert found.instructions() == (kinds[-1] if kinds else narrow)
    has_floats_alone = not kinds and not narrow and flags() >= AVX2
    expected = native.AVX2_ALONE if has_floats_alone else native.NOTHING
    assert found.float_instructions() == expected
