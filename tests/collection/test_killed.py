"""A run that is killed with SIGKILL and started again ends as one that was not."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from helpers.trees import agrees, files_of, make_tree, rows_of

MANY, BAD = 2000, 20


def command(tree: Path, out: Path) -> list[str]:
    return [sys.executable, "-m", "latentpress", "compress", str(tree), "-o", str(out), "-q", "30"]


def lines(out: Path) -> int:
    try:
        return (out / "manifest.jsonl").read_bytes().count(b"\n")
    except OSError:
        return 0


def killed_after(process: "subprocess.Popen[bytes]", out: Path, rows: int) -> None:
    """SIGKILL once the manifest has so many lines."""
    end = time.monotonic() + 300
    while lines(out) < rows and process.poll() is None and time.monotonic() < end:
        time.sleep(0.002)
    assert process.poll() is None, "the run was over before it could be killed"
    process.kill()
    assert process.wait() == -signal.SIGKILL


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
def test_a_run_killed_twice_ends_as_one_that_was_not(tmp_path: Path) -> None:
    tree = make_tree(tmp_path / "tree", MANY, BAD)
    out, whole = tmp_path / "out", tmp_path / "whole"
    for share in (0.3, 0.7):
        process = subprocess.Popen(
            command(tree, out), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        killed_after(process, out, int(share * MANY))
    before = lines(out)
    assert before < MANY
    done = subprocess.run(command(tree, out), capture_output=True, text=True)
    assert done.returncode == 1
    assert "done before" in done.stdout
    told = [line for line in done.stderr.splitlines() if "not an image" in line]
    assert len(told) == BAD
    assert agrees(out) == (MANY - BAD, BAD)
    # what was recorded was not done again, but for the failures
    assert lines(out) < 3 + MANY + 3 * BAD

    assert subprocess.run(command(tree, whole), capture_output=True).returncode == 1
    assert files_of(out) == files_of(whole)
    assert agrees(whole) == (MANY - BAD, BAD)
    checksums = [
        {k: (r["source_sha256"], r["output_sha256"], r["error"]) for k, r in rows_of(f).items()}
        for f in (out, whole)
    ]
    assert checksums[0] == checksums[1]
