"""A Ray cluster of two workers on this machine, which is gone when the tests are over."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

import latentpress
from helpers.paths import ROOT
from helpers.s3_fixtures import s3, served  # noqa: F401  (fixtures)


@pytest.fixture(scope="package")
def cluster() -> Iterator[str]:
    """The address of a cluster to which this process is connected; its workers can import the
    helpers of the tests.
    """
    ray = pytest.importorskip("ray")
    folder = tempfile.mkdtemp(prefix="lp")  # the names of sockets are short
    paths = [str(Path(latentpress.__file__).parents[1]), str(ROOT / "tests")]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", os.pathsep.join(paths))
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        patch.setenv("OMP_NUM_THREADS", "1")
        try:
            ray.init(
                address="local",
                num_cpus=2,
                include_dashboard=False,
                object_store_memory=80_000_000,
                log_to_driver=False,
                logging_level="error",
                _temp_dir=folder,
            )
            yield ray.get_runtime_context().gcs_address
        finally:
            ray.shutdown()
            shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def environment() -> dict[str, str]:
    """Of a command: this package, wherever it is called, and two workers of one thread."""
    source = str(Path(latentpress.__file__).parents[1])
    return dict(os.environ, PYTHONPATH=source, OMP_NUM_THREADS="1", LATENTPRESS_THREADS="2")


@pytest.fixture
def ray_folder(environment: dict[str, str]) -> Iterator[str]:
    """Where a command's own cluster keeps its files, which tells its processes; the names of
    sockets are short.
    """
    folder = tempfile.mkdtemp(prefix="lp")
    environment["RAY_TMPDIR"] = folder
    yield folder
    shutil.rmtree(folder, ignore_errors=True)
