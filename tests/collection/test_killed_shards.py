"""A run over shards that is killed with SIGKILL and started again ends as one that was not."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from helpers.shards import picture, shard
from helpers.trees import agrees, files_of

SHARDS, PICTURES = 8, 12


def lines(out: Path) -> int:
    try:
        return (out / "manifest.jsonl").read_bytes().count(b"\n")
    except OSError:
        return 0


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
def test_a_killed_run_over_shards_leaves_whole_shards_and_goes_on(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    for number in range(SHARDS):
        members = []
        for i in range(PICTURES):
            members += [(f"{i}.jpg", picture(number * PICTURES + i)), (f"{i}.txt", b"a")]
        (tmp_path / "in" / f"{number}.tar").write_bytes(
            shard([*members, ("broken.jpg", b"broken")])
        )

    def command(out: Path) -> list[str]:
        return [
            sys.executable,
            "-m",
            "latentpress",
            "compress",
            str(tmp_path / "in"),
            "-o",
            str(out),
            "-q",
            "30",
            "--jobs",
            "2",
        ]

    out, whole = tmp_path / "out", tmp_path / "whole"
    process = subprocess.Popen(command(out), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    end = time.monotonic() + 120
    while lines(out) < 2 + PICTURES and process.poll() is None and time.monotonic() < end:
        time.sleep(0.001)
    assert process.poll() is None, "the run was over before it could be killed"
    process.kill()
    assert process.wait() == -signal.SIGKILL
    before = lines(out)
    kept = {name: data for name, data in files_of(out).items() if name.endswith(".tar")}
    assert 0 < len(kept) < SHARDS

    done = subprocess.run(command(out), capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr.count("not an image") == SHARDS - (before - 1) // (PICTURES + 2)
    assert agrees(out) == (SHARDS, 0)
    assert subprocess.run(command(whole), capture_output=True).returncode == 1
    assert files_of(out) == files_of(whole)
    assert kept.items() <= files_of(whole).items()
