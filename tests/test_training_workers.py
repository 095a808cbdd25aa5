"""Training's processes average what they hold, and end with the one that started them."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="training needs torch")
TRAINING = Path(__file__).parents[1] / "training"

JOBS = """
import os, signal, sys, time
from pathlib import Path
import workers

def average(folder):
    Path(folder, str(workers.rank())).write_text(repr(workers.mean([1.0 + workers.rank(), 4.0])))

def wait(folder):
    Path(folder, str(os.getpid())).touch()
    time.sleep(300)

if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)    # as a shell does for `nohup ... &`
    import jobs
    workers.run(getattr(jobs, sys.argv[1]), 2, sys.argv[2])
"""


def start(job: str, tmp_path: Path) -> tuple[subprocess.Popen[bytes], Path]:
    """Two processes of a job, started by a third, and the folder they write to."""
    (tmp_path / "jobs.py").write_text(JOBS)
    (folder := tmp_path / "found").mkdir()
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(tmp_path), str(TRAINING)]), "OMP_NUM_THREADS": "1"}
    return subprocess.Popen([sys.executable, str(tmp_path / "jobs.py"), job, str(folder)], env=environment), folder


def alive(pid: str) -> bool:
    """Whether a process runs; one that ended and that nobody has asked about does not."""
    try:
        return Path("/proc", pid, "stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def test_every_process_gets_the_same_mean(tmp_path: Path) -> None:
    parent, folder = start("average", tmp_path)
    assert parent.wait(120) == 0
    assert {path.name: path.read_text() for path in folder.iterdir()} == {"0": "[1.5, 4.0]", "1": "[1.5, 4.0]"}


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a process that its parent has ended")
def test_processes_end_with_a_parent_that_is_killed_even_in_the_background(tmp_path: Path) -> None:
    parent, folder = start("wait", tmp_path)
    try:
        deadline = time.monotonic() + 120
        while len(children := [path.name for path in folder.iterdir()]) < 2:
            assert parent.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.05)
    finally:
        parent.kill()
        parent.wait()
    deadline = time.monotonic() + 30
    try:
        while any(map(alive, children)):
            assert time.monotonic() < deadline, "still running"
            time.sleep(0.05)
    finally:
        for pid in filter(alive, children):
            os.kill(int(pid), signal.SIGKILL)
