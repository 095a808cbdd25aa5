"""`--engine ray`: the same outputs and records as without it; the command killed, interrupted,
wrong.
"""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from helpers.object_store import Proxy
from helpers.processes import HAS_PROC, processes_with, ray_workers
from helpers.s3_fixtures import BUCKET
from helpers.trees import agrees, files_of, make_tree, rows_of
from latentpress.system.stores import open_store

MANY, BAD = 400, 8
SECONDS = 120


def command(*words: object) -> list[str]:
    return [sys.executable, "-m", "latentpress", *map(str, words)]


def lines(out: Path) -> int:
    try:
        return (out / "manifest.jsonl").read_bytes().count(b"\n")
    except OSError:
        return 0


def told(out: Path) -> dict[str, Any]:
    """What the manifest says of each picture, but for what may differ."""
    return {
        source: {k: v for k, v in row.items() if k != "seconds"}
        for source, row in rows_of(out).items()
    }


def test_a_killed_command_is_resumed_and_ends_as_on_one_machine(
    tmp_path: Path, cluster: str, environment: dict[str, str]
) -> None:
    make_tree(tmp_path / "tree", MANY, BAD)
    environment["RAY_ADDRESS"] = cluster
    run: dict[str, Any] = {"cwd": tmp_path, "env": environment, "timeout": SECONDS}
    ray = command(
        "compress", "tree", "-o", "out", "-q", "30", "--engine", "ray", "--address", "auto"
    )
    process = subprocess.Popen(
        ray, cwd=tmp_path, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
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


@pytest.mark.skipif(not HAS_PROC, reason="processes are told by /proc")
def test_from_and_to_an_object_store_with_a_killed_worker(
    tmp_path: Path, s3: Proxy, environment: dict[str, str], ray_folder: str
) -> None:
    pytest.importorskip("ray")
    tree = make_tree(tmp_path / "tree", 60, 2)
    source, target = (open_store(f"s3://{BUCKET}/ray/{name}") for name in ("in", "out"))
    for name, data in files_of(tree).items():
        source.write(name, data)
    words = command("compress", source.url, "-o", target.url, "-q", "30", "--engine", "ray")
    with s3.failing(lambda method, path, number: "500" if number % 10 == 0 else "slow 0.05"):
        process = subprocess.Popen(
            words, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        end = time.monotonic() + SECONDS
        written = lambda: sum(
            method == "PUT" and path.endswith(".ltp") for method, path in list(s3.seen)
        )
        while (
            not ((working := ray_workers(ray_folder)) and written() >= 4)
            and process.poll() is None
            and time.monotonic() < end
        ):
            time.sleep(0.01)
        assert working, "the run was over before a worker could be killed"
        os.kill(working[0], signal.SIGKILL)
        printed, said = process.communicate(timeout=SECONDS)
    assert process.returncode == 1, said
    assert printed.startswith(f"{target.url}: 58 files written, ")
    assert said.count("not an image") == 2
    alone = command("compress", "tree", "-o", "alone", "-q", "30")
    assert (
        subprocess.run(
            alone, capture_output=True, cwd=tmp_path, env=environment, timeout=SECONDS
        ).returncode
        == 1
    )
    assert {
        e.key: target.read(e.key) for e in target.entries() if e.key.endswith(".ltp")
    } == files_of(tmp_path / "alone")
    lines = [json.loads(line) for line in target.read("manifest.jsonl").splitlines()]
    assert len([line for line in lines if "run" not in line]) == 60


@pytest.mark.skipif(not HAS_PROC, reason="processes are told by /proc")
def test_an_interrupted_command_with_a_cluster_of_its_own_leaves_nothing(
    tmp_path: Path, environment: dict[str, str], ray_folder: str
) -> None:
    pytest.importorskip("ray")
    make_tree(tmp_path / "tree", 2 * MANY)  # more than are done before the signal comes
    words = command("compress", "tree", "-o", "out", "-q", "30", "--engine", "ray")
    pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    # a job in the background starts with SIGINT ignored
    heard = lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)
    process = subprocess.Popen(
        words, cwd=tmp_path, env=environment, start_new_session=True, preexec_fn=heard, **pipes
    )
    end = time.monotonic() + SECONDS
    while lines(tmp_path / "out") < 20 and process.poll() is None and time.monotonic() < end:
        time.sleep(0.01)
    assert processes_with(ray_folder)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does
    out, err = process.communicate(timeout=SECONDS)
    assert (process.returncode, err) == (
        130,
        "latentpress: interrupted; finished files are kept\n",
    ), out + err
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
def test_wrong_usage_is_told(
    tmp_path: Path, environment: dict[str, str], words: tuple[str, ...], said: str
) -> None:
    if "ray" in words:
        pytest.importorskip("ray")
    make_tree(tmp_path / "tree", 1)
    done = subprocess.run(
        command("compress", "tree", "-o", "out", *words),
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=SECONDS,
    )
    assert done.returncode == 2
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == 1
