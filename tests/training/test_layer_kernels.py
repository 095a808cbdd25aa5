"""Triton's kernels of the layers' distances give what torch gives: played by its interpreter."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("triton", reason="kernels of one's own need Triton")

ROOT = Path(__file__).parents[2]


def test_kernels_give_torchs_distances_and_are_taken_where_they_are_right_and_faster() -> None:
    paths = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    ran = subprocess.run(
        [sys.executable, "tests/training/play_kernels.py"],
        cwd=ROOT,
        env=os.environ | {"TRITON_INTERPRET": "1", "PYTHONPATH": paths},
        capture_output=True,
        text=True,
    )
    assert not ran.returncode, ran.stderr
    found = json.loads(ran.stdout)
    for case in found["compared"]:
        assert case["distances"] < 1e-6
    floats, more_floats, halves = (case["gradients"] for case in found["compared"])
    assert max(floats, more_floats) < 1e-6
    assert halves < 1e-2
    assert found["slow"] == ["layer distances: kernels 2.00 ms, torch 0.50: torch", False]
    assert found["fast"] == ["layer distances: kernels 0.10 ms, torch 0.50: kernels", True]
    told, taken = found["wrong"]
    assert "torch (FloatingPointError: off by" in told
    assert not taken


def test_kernels_compile_for_an_accelerator(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import triton
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource

    from training.losses import layer_kernels

    monkeypatch.setenv("TRITON_CACHE_DIR", str(tmp_path))
    numbers = {"positions": "i32", "pictures": "i32", "channels": "i32", "least": "fp32"}
    maps = dict.fromkeys(("f_map", "g_map"), "*bf16")
    constants = {"padded": 64, "tile_rows": 32, "tiles": layer_kernels.TILES}
    for kernel, out in (("_sum", "*fp32"), ("_finish", "*fp32"), ("_differentiate", "*bf16")):
        function = getattr(layer_kernels, kernel)
        known = numbers | maps | {"out": out} | dict.fromkeys(constants, "constexpr")
        types = {name: known.get(name, "*fp32") for name in function.arg_names}
        values = {name: value for name, value in constants.items() if name in types}
        source = ASTSource(function, types, values)
        assert ".entry" in triton.compile(source, GPUTarget("cuda", 90, 32)).asm["ptx"]
