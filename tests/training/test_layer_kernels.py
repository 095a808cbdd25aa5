"""The losses' own kernels give what torch gives: played by Triton's interpreter."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("triton", reason="the losses' own kernels need Triton")

ROOT = Path(__file__).parents[2]
KERNELS = {"_sum": "*fp32", "_finish": "*fp32", "_differentiate": "*bf16", "_rectify": ""}


def test_kernels_give_what_torch_gives_and_are_taken_where_they_are_right_and_faster() -> None:
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
    assert found["features"] < 1e-5
    assert found["slow"] == ["losses: own kernels 2.00 ms, torch's 0.50: torch's", False]
    assert found["fast"] == ["losses: own kernels 0.10 ms, torch's 0.50: their own", True]
    told, taken = found["wrong"]
    assert "torch's kernels (FloatingPointError: off by" in told
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
    maps = dict.fromkeys(("f_map", "g_map", "t", "bias"), "*bf16")
    constants = {"padded": 64, "tile_rows": 32, "tiles": layer_kernels.TILES}
    for kernel, out in KERNELS.items():
        function = getattr(layer_kernels, kernel)
        known = numbers | maps | {"out": out} | dict.fromkeys(constants, "constexpr")
        types = {name: known.get(name, "*fp32") for name in function.arg_names}
        values = {name: value for name, value in constants.items() if name in types}
        source = ASTSource(function, types, values)
        assert ".entry" in triton.compile(source, GPUTarget("cuda", 90, 32)).asm["ptx"]
