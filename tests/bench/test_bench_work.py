"""Memory of a codec alone, in processes that do nothing else; threads of the workers, and signals
that are not for them.
"""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from latentpress.bench import work
from latentpress.bench.image_codecs import find_codec
from latentpress.errors import ImageError
from latentpress.metrics import assess, registry
from latentpress.runtimes.threads import threads


@pytest.mark.skipif(
    sys.platform == "win32", reason="Windows does not tell the peak of a process this way"
)
def test_peak_memory_grows_with_the_picture(tmp_path: Path, photo: NDArray[np.uint8]) -> None:
    small, large = tmp_path / "small.png", tmp_path / "large.png"
    Image.fromarray(photo).save(small)
    Image.fromarray(photo).resize((3000, 2000)).save(large)
    figures = [work.measure_memory(find_codec("jpeg"), path, 50) for path in (small, large)]
    for figure in figures:
        assert 10 < figure["idle_mb"] <= figure["peak_encode_mb"] < 1000
        assert figure["load_s"] >= 0
    # 18 MB of samples, against 0.4 MB
    assert figures[1]["peak_decode_mb"] - figures[0]["peak_decode_mb"] > 15


PARENT = """
import time
from latentpress.bench import work
if __name__ == "__main__":
    with work.pool(1) as workers:
        waiting = workers.submit(str, "done")
        print("started", flush=True)
        try:
            time.sleep(60)
        except KeyboardInterrupt:
            print(waiting.result())
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGINT to another process there")
def test_ctrl_c_does_not_reach_a_worker_that_is_still_starting(tmp_path: Path) -> None:
    script = tmp_path / "parent.py"
    script.write_text(PARENT)
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    # a job in the background starts with SIGINT ignored
    heard = lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)
    with subprocess.Popen(
        [sys.executable, str(script)], start_new_session=True, preexec_fn=heard, **pipes
    ) as process:
        assert process.stdout.readline() == "started\n"
        time.sleep(0.05)
        os.killpg(process.pid, signal.SIGINT)  # to the worker too, as a terminal does
        out, err = process.communicate(timeout=120)
    assert (out, err) == ("done\n", "")


METRICS = ["psnr", "ssimulacra2"]


def graded_cells(tmp_path: Path, photo: NDArray[np.uint8]) -> tuple[list[Any], list[Any]]:
    """Cells of two originals, and their values."""
    cells, values = [], []
    for name, original in (("a", photo[:64, :80]), ("b", photo[70:120, 30:99])):
        path = tmp_path / f"{name}.png"
        Image.fromarray(original).save(path)
        for step in (4, 16, 64):
            cells.append((path, original // step * step, METRICS))
            values.append(assess(original, cells[-1][1], METRICS))
    return cells, values


def test_what_is_found_in_an_original_is_found_once(
    tmp_path: Path, photo: NDArray[np.uint8], monkeypatch: pytest.MonkeyPatch
) -> None:
    cells, values = graded_cells(tmp_path, photo)
    made = []
    ssimulacra2 = registry.METRICS["ssimulacra2"]
    keeping = lambda original: made.append(original) or ssimulacra2.keeping(original)
    monkeypatch.setitem(registry.METRICS, "ssimulacra2", ssimulacra2._replace(keeping=keeping))
    assert list(work.grade(cells, False)) == values
    assert len(made) == 2


@pytest.mark.parametrize("workers", [1, 2, 4])
def test_processes_grade_alike_and_tell_which_cell_fails(
    tmp_path: Path, photo: NDArray[np.uint8], workers: int
) -> None:
    cells, values = graded_cells(tmp_path, photo)
    with work.pool(workers) as processes:
        assert list(work.grade_by(processes, cells, False)) == values
        cells[4] = (cells[4][0], cells[4][1][1:], METRICS)
        graded = work.grade_by(processes, cells, False)
        assert [next(graded) for _ in range(4)] == values[:4]
        with pytest.raises(ImageError, match="differ in size"):
            next(graded)


def test_grading_that_is_canceled_ends_with_the_picture_that_it_is_at(
    tmp_path: Path, photo: NDArray[np.uint8]
) -> None:
    cells, values = graded_cells(tmp_path, photo)
    processes = work.pool(1)
    assert list(work.grade_by(processes, cells, False)) == values  # the worker has started
    part = processes.submit(work._grade_part, cells[:1] * 5000, False)
    while not part.running():
        time.sleep(0.01)
    processes.shutdown(cancel_futures=True)
    graded, error = part.result()
    assert error is None
    assert 1 <= len(graded) < 5000


def test_workers_have_one_thread() -> None:
    with work.pool(1) as workers:
        assert workers.submit(_threads).result() == ("1", 1)


def _threads() -> Any:
    return os.environ["OMP_NUM_THREADS"], threads()
