"""`--engine ray`: the same outputs and records as without it; the command killed, interrupted, wrong."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import latentpress
from helpers.trees import agrees, files_of, make_tree, rows_of

MANY, BAD = 400, 8
SECONDS = 120


@pytest.fixture
def environment() -> dict[str, str]:
    """Of a command: this package, wherever it is called."""
    source = str(Path(latentpress.__file__).parents[1])
    return dict(os.environ, PYTHONPATH=source, OMP_NUM_THREADS="1", LATENTPRESS_THREADS="2")


def command(*words: object) -> list[str]:
    return [sys.executable, "-m", "latentpress", *map(str, words)]


def lines(out: Path) -> int:
    try:
        return (out / "manifest.jsonl").read_bytes().count(b"\n")
    except OSError:
        return 0


def told(out: Path) -> dict[str, Any]:
    """What the manifest says of each picture, but for what may differ."""
    return {source: {k: v for k, v in row.items() if k != "seconds"} for source, row in rows_of(out).items()}


def test_a_killed_command_is_resumed_and_ends_as_on_one_machine(tmp_path: Path, cluster: str, environment: dict[str, str]) -> None:
    make_tree(tmp_path / "tree", MANY, BAD)
    run: dict[str, Any] = {"cwd": tmp_path, "env": environment, "timeout": SECONDS}
    ray = command("compress", "tree", "-o", "out", "-q", "30", "--engine", "ray", "--address", cluster)
    process = subprocess.Popen(ray, cwd=tmp_path, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    end = time.monotonic() + SECONDS
    while lines(tmp_path / "out") < MANY // 4 and process.poll() is None and time.monotonic() < end:
        time.sleep(0.002)
    assert process.poll() is None, "the run was over before it could be killed"
    process.kill()
    process.wait()
    before = lines(tmp_path / "out")
    assert before < MANY

    done = subprocess.run(ray, capture_output=True, text=True, **run)
    assert done.returncode == 1, done.stderr
    assert "done before" in done.stdout
    assert done.stderr.count("not an image") == BAD
    assert "ray" not in done.stderr.lower()
    assert agrees(tmp_path / "out") == (MANY - BAD, BAD)
    assert lines(tmp_path / "out") <= 2 + MANY + 2 * BAD

    alone = command("compress", "tree", "-o", "alone", "-q", "30")
    assert subprocess.run(alone, capture_output=True, **run).returncode == 1
    assert files_of(tmp_path / "out") == files_of(tmp_path / "alone")
    assert told(tmp_path / "out") == told(tmp_path / "alone")


def processes_with(word: str) -> list[str]:
    """Command lines of running processes that hold a word."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            line = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if word in line:
            found.append(line)
    return found


@pytest.fixture
def ray_folder(environment: dict[str, str]) -> Iterator[str]:
    """Where a command's own cluster keeps its files, which tells its processes; the names of sockets are short."""
    folder = tempfile.mkdtemp(prefix="lp")
    environment["RAY_TMPDIR"] = folder
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.mark.skipif(not Path("/proc/self/cmdline").exists(), reason="processes are told by /proc")
def test_an_interrupted_command_with_a_cluster_of_its_own_leaves_nothing(
    tmp_path: Path, environment: dict[str, str], ray_folder: str
) -> None:
    pytest.importorskip("ray")
    make_tree(tmp_path / "tree", MANY)
    words = command("compress", "tree", "-o", "out", "-q", "30", "--engine", "ray")
    process = subprocess.Popen(
        words, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    end = time.monotonic() + SECONDS
    while lines(tmp_path / "out") < 20 and process.poll() is None and time.monotonic() < end:
        time.sleep(0.01)
    assert processes_with(ray_folder)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does
    out, err = process.communicate(timeout=SECONDS)
    assert (process.returncode, err) == (130, "latentpress: interrupted; finished files are kept\n"), out + err
    end = time.monotonic() + 20
    while (left := processes_with(ray_folder)) and time.monotonic() < end:
        time.sleep(0.1)
    assert not left
    assert not [name for name in files_of(tmp_path / "out") if not name.endswith(".ltp")]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--engine", "spark"), "--engine: one of local, ray, not 'spark'"),
        (("--address", "auto"), "--address is of a Ray cluster: add --engine ray"),
        (("--engine", "ray", "--address", "127.0.0.1:9"), "no Ray cluster at 127.0.0.1:9"),
    ],
)
def test_wrong_usage_is_told(tmp_path: Path, environment: dict[str, str], words: tuple[str, ...], said: str) -> None:
    if "ray" in words:
        pytest.importorskip("ray")
    make_tree(tmp_path / "tree", 1)
    done = subprocess.run(
        command("compress", "tree", "-o", "out", *words), cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=SECONDS
    )
    assert done.returncode == 2
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == 1
