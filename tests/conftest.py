"""Shared pictures and folders."""

import os
from pathlib import Path

# side by side: a process a core, each with one thread, set before NumPy and torch load
if "PYTEST_XDIST_WORKER" in os.environ:
    for variable in (
        "OMP_NUM_THREADS",
        "OPENBLAS_NUM_THREADS",
        "MKL_NUM_THREADS",
        "LATENTPRESS_THREADS",
    ):
        os.environ.setdefault(variable, "1")

# pixels are compared to a level, which float32 keeps; tests/runtimes sets the other precisions
# itself
os.environ.setdefault("LATENTPRESS_RUNTIME", "onnxruntime")
os.environ.setdefault("LATENTPRESS_PRECISION", "float")
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # some tests import it before the package

import numpy as np
import pytest
from hypothesis import HealthCheck, settings
from numpy.typing import NDArray
from PIL import Image

from helpers.paths import SAMPLES
from helpers.s3_fixtures import s3, served  # noqa: F401  fixtures
from latentpress.entropy import native

# a machine that other work shares may take any time
settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")


@pytest.fixture(params=["native", "python"])
def engine(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """The test runs twice: symbols are coded by the C library, and without it."""
    if request.param == "python":
        monkeypatch.setattr(native, "library", lambda: None)
    elif not native.library():
        pytest.skip("the C library was not built: python -m latentpress.system.c_libraries")
    return request.param


@pytest.fixture(scope="session")
def photo() -> NDArray[np.uint8]:
    """A photograph, (300, 400, 3) uint8."""
    files = sorted(p for p in SAMPLES.iterdir() if p.suffix in (".jpg", ".png"))
    return np.asarray(
        Image.open(files[0]).convert("RGB").resize((400, 300), Image.Resampling.LANCZOS)
    )


@pytest.fixture
def small(photo: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A corner of the photograph with odd sides, (75, 109, 3) uint8."""
    return photo[100:175, 150:259].copy()


@pytest.fixture
def originals(tmp_path: Path, photo: NDArray[np.uint8]) -> Path:
    """A folder of two pictures of different sizes, a.png and b.png."""
    (tmp_path / "in").mkdir()
    for name, pixels in (("a", photo[:64, :80]), ("b", photo[70:147, 30:133])):
        Image.fromarray(pixels).save(tmp_path / "in" / f"{name}.png")
    return tmp_path / "in"
