"""The makers of the runtimes are told nothing of who uses them."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from helpers.paths import SAMPLES

# where one of these is set, the runtimes tell nothing anyway
SILENCED_BY = ("ORT_DISABLE_TELEMETRY", "ORT_RUNNING_UNIT_TESTS", "CI", "GITHUB_ACTIONS")


def in_fresh_process(code: str, **environment: str) -> None:
    inherited = {name: value for name, value in os.environ.items() if name not in SILENCED_BY}
    subprocess.run([sys.executable, "-c", code], env=inherited | environment, check=True)


@pytest.mark.parametrize(
    "code",
    [
        f"import latentpress; latentpress.compress({str(SAMPLES / 'coffee.jpg')!r})",
        "import latentpress.metrics.features_onnx; import onnxruntime",
    ],
    ids=["codec", "metrics"],
)
def test_onnx_runtime_keeps_no_identifier_of_the_machine(code: str, tmp_path: Path) -> None:
    """With what it has to tell, it would lie in the cache."""
    if "features_onnx" in code:
        pytest.importorskip("onnx")
    in_fresh_process(code, XDG_CACHE_HOME=str(tmp_path), LATENTPRESS_RUNTIME="onnxruntime")
    assert not list(tmp_path.iterdir())


def test_openvino_does_not_tell_of_its_import() -> None:
    pytest.importorskip("openvino")
    in_fresh_process(
        "import sys; from latentpress.runtimes.on_openvino import core; core()\n"
        "assert not any(name.startswith('openvino_telemetry.') for name in sys.modules)"
    )
