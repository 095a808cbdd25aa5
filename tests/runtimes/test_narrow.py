"""The whole codec on processors without AVX-512, which those with it can stand in for."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from latentpress import codec
from latentpress.runtimes import native
from latentpress.runtimes.choice import PRECISION_VARIABLE, RUNTIME_VARIABLE

pytestmark = pytest.mark.skipif(native.library() is None, reason="no library, or nothing for bytes")
ASKED = (PRECISION_VARIABLE, RUNTIME_VARIABLE)
CODE = """
import sys
from pathlib import Path
import numpy as np
from latentpress.runtimes import native
how, folder = int(sys.argv[1]), Path(sys.argv[2])

class Library:
    def __getattr__(self, name):
        return getattr(native.built(), name)
    def instructions(self):
        return how if how == native.AVX2_AND_VNNI else native.NOTHING
    def float_instructions(self):
        return how if how == native.AVX2_ALONE else native.NOTHING

library = Library()
native.library = lambda: library if library.instructions() else None
native.float_library = lambda: library if library.float_instructions() else None
from latentpress import codec
pixels = np.load(folder / "pixels.npy")
(folder / "theirs.ltp").write_bytes(codec.compress(pixels, content="photo"))
np.save(folder / "decoded.npy", codec.decompress((folder / "ours.ltp").read_bytes()))
assert "onnxruntime" not in sys.modules
"""


@pytest.mark.parametrize("how", [native.AVX2_ALONE, native.AVX2_AND_VNNI])
def test_files_go_from_one_to_the_other(how: int, photo: NDArray[np.uint8], tmp_path: Path) -> None:
    pixels = photo[:200, :300]
    ours = codec.compress(pixels, content="photo")
    (tmp_path / "ours.ltp").write_bytes(ours)
    np.save(tmp_path / "pixels.npy", pixels)
    unasked = {k: v for k, v in os.environ.items() if k not in ASKED}
    command = [sys.executable, "-c", CODE, str(how), str(tmp_path)]
    done = subprocess.run(command, env=unasked, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    theirs = (tmp_path / "theirs.ltp").read_bytes()
    assert abs(len(theirs) / len(ours) - 1) < 0.02
    there = np.load(tmp_path / "decoded.npy")
    here, again = codec.decompress(ours), codec.decompress(theirs)

    def error(image: object, other: NDArray[np.uint8]) -> float:
        return float(np.square(np.asarray(image).astype(int) - other).mean())

    assert error(here, there) < 4
    assert error(again, pixels) == pytest.approx(error(here, pixels), rel=0.05)
