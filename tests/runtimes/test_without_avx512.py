"""A processor with AVX2 alone, where CPUID can be made to fault: its choice, and what it gives."""

import subprocess
import sys

import pytest

from benchmarks.without_avx512 import environment
from latentpress.runtimes import native
from latentpress.runtimes.choice import PRECISION_VARIABLE, RUNTIME_VARIABLE

ASKED = (PRECISION_VARIABLE, RUNTIME_VARIABLE)
CODE = """
import numpy as np
from latentpress import models
from latentpress.runtimes import native, processor
from latentpress.runtimes.choice import EXACT
from latentpress.runtimes.running import open_graph
assert native.library() is None
assert not any(flag.startswith(("avx512", "amx", "avx_vnni")) for flag in processor.flags())
assert "avx2" in processor.flags()
choice = models.choice_of("lp1", "synthesis.onnx", "cpu")
data = models.read_file("lp1", "synthesis.onnx")
y = np.random.default_rng(0).normal(size=(1, 320, 3, 5)).astype(np.float32)
found, exact = (open_graph(data, c, 1, {}).run({"y": y})[0] for c in (choice, EXACT))
assert np.abs(found.astype(int) - exact).max() <= 1
print(choice.runtime, choice.precision)
"""


@pytest.mark.skipif(native.built() is None, reason="no C library")
def test_a_process_without_avx512_takes_floats() -> None:
    try:
        with environment() as variables:
            command = [sys.executable, "-c", CODE]
            unasked = {k: v for k, v in variables.items() if k not in ASKED}
            done = subprocess.run(command, env=unasked, capture_output=True, text=True)
    except (RuntimeError, OSError) as error:
        pytest.skip(f"instructions cannot be hidden here: {error}")
    assert (done.returncode, done.stdout.split()) == (0, ["native", "float32"]), done.stderr
