"""Files of Python's encoder at its other efforts decode in Node to the same pixels."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

import latentpress
from web.node_jobs import needs_node, run_jobs

pytestmark = needs_node

CASES: dict[str, dict[str, object]] = {
    "effort 0": {"effort": 0, "quality": 50},
    "effort 0, mse": {"effort": 0, "quality": 20, "optimize_for": "mse"},
    "effort 6, mse": {"effort": 6, "quality": 70, "optimize_for": "mse"},
    "effort 6": {"effort": 6, "quality": 100},
    "effort 3": {"effort": 3, "quality": 0},
}


@pytest.fixture(scope="module")
def decoded(
    tmp_path_factory: pytest.TempPathFactory, photo: NDArray[np.uint8]
) -> dict[str, tuple[bytes, NDArray[np.uint8]]]:
    """The file and Node's pixels of each case."""
    folder: Path = tmp_path_factory.mktemp("decoded")
    array = photo[:150, :203]
    jobs = []
    for i, fields in enumerate(CASES.values()):
        (folder / f"{i}.ltp").write_bytes(latentpress.compress(array, **fields))
        jobs.append({"file": str(folder / f"{i}.ltp"), "out": str(folder / f"{i}.rgba")})
    answers = run_jobs("decode_jobs.mjs", jobs)
    assert all((a["width"], a["height"]) == (203, 150) for a in answers)
    return {
        name: (
            Path(job["file"]).read_bytes(),
            np.frombuffer(Path(job["out"]).read_bytes(), np.uint8).reshape(150, 203, 4),
        )
        for name, job in zip(CASES, jobs, strict=True)
    }


@pytest.mark.parametrize("name", list(CASES))
def test_node_decodes_pythons_files(
    decoded: dict[str, tuple[bytes, NDArray[np.uint8]]], name: str
) -> None:
    data, pixels = decoded[name]
    expected = np.asarray(latentpress.decompress(data).convert("RGBA"))
    difference = np.abs(pixels.astype(int) - expected)
    assert difference.max() <= 1
    assert np.count_nonzero(difference) <= 0.001 * difference.size


def test_node_decodes_what_node_encoded(tmp_path: Path, photo: NDArray[np.uint8]) -> None:
    alpha = np.tile(np.arange(80, dtype=np.uint8), (60, 1))
    array = np.dstack([photo[:60, :80], alpha])
    (tmp_path / "pixels").write_bytes(array.tobytes())
    job = {"pixels": str(tmp_path / "pixels"), "width": 80, "height": 60, "quality": 80}
    run_jobs("encode_jobs.mjs", [job | {"out": str(tmp_path / "o.ltp")}])
    run_jobs("decode_jobs.mjs", [{"file": str(tmp_path / "o.ltp"), "out": str(tmp_path / "o")}])
    pixels = np.frombuffer((tmp_path / "o").read_bytes(), np.uint8).reshape(60, 80, 4)
    assert np.array_equal(pixels[..., 3], alpha)
    expected = np.asarray(latentpress.decompress((tmp_path / "o.ltp").read_bytes()))
    assert np.abs(pixels.astype(int) - expected).max() <= 1
