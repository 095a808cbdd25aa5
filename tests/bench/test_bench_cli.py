"""`latentpress bench` in a process of its own: what it prints, what it refuses, that Ctrl-C leaves
a run to go on with.
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

from latentpress.bench.rows import read_run

BENCH = [sys.executable, "-m", "latentpress", "bench"]


def bench(*words: Any, cwd: Any) -> Any:
    return subprocess.run(
        [*BENCH, *map(str, words)], cwd=cwd, capture_output=True, text=True, timeout=300
    )


def test_a_run_ends_with_its_tables_and_goes_on_when_asked_again(
    originals: Path, tmp_path: Path
) -> None:
    words = (
        "in",
        "--codecs",
        "jpeg,webp,png",
        "--points",
        3,
        "--metrics",
        "psnr,ssim",
        "--repeats",
        1,
        "--jobs",
        2,
        "-o",
        "run",
    )
    done = bench(*words, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "14 files to compress and grade" in done.stderr
    for text in (
        "libjpeg",
        "means of 2 pictures",
        "BD-rate against WebP",
        "latentpress report run",
        "∞",
        "At the PSNR of WebP q",
    ):
        assert text in done.stdout
    run = read_run(tmp_path / "run")
    assert len(run.rows) == 14
    assert run.info["command"].startswith("latentpress bench in --codecs jpeg,webp,png")
    assert str(tmp_path) not in json.dumps(run.info)
    assert run.codec("jpeg")["load_s"] >= 0
    again = bench(*words, cwd=tmp_path)
    assert "0 files to compress and grade, 14 are there already" in again.stderr
    assert again.stdout == done.stdout
    held = bench(
        *("in", "--codecs", "png", "--metrics", "psnr,ssim", "--anchor", "jpeg", "-o", "run"),
        cwd=tmp_path,
    )
    assert "BD-rate against JPEG" in held.stdout, held.stderr


@pytest.mark.parametrize(
    ("words", "match"),
    [
        ((), "name image files or folders, or --dataset (kodak, science-fair)"),
        (("in", "--codecs", "gif"), "unknown codec 'gif'"),
        (("in", "--codecs", "jpeg", "--metrics", "beauty"), "unknown metric 'beauty'"),
        (
            ("in", "--codecs", "jpeg", "--anchor", "avif"),
            "--anchor avif is not among the lossy codecs of this run",
        ),
        (
            ("in", "--external", "x"),
            "--external 'x' is not of the form 'name:enc {in} {out} {q}:dec {out} {png}'",
        ),
        (("missing.png", "--codecs", "jpeg"), "missing.png: no such file"),
    ],
)
def test_what_it_cannot_do_is_one_sentence(
    originals: Path, tmp_path: Path, words: Any, match: Any
) -> None:
    done = bench(*words, cwd=tmp_path)
    assert done.returncode in (1, 2)
    assert "Traceback" not in done.stderr
    assert match in done.stderr.splitlines()[-1]
    assert not (tmp_path / "run").exists()


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGINT to another process there")
def test_ctrl_c_leaves_finished_rows(originals: Path, tmp_path: Path) -> None:
    command = [
        *BENCH,
        "in",
        "--codecs",
        "jpeg",
        "--points",
        "80",
        "--metrics",
        "psnr,ssim",
        "--jobs",
        "2",
        "-o",
        "run",
    ]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    # a job in the background starts with SIGINT ignored
    heard = lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)
    with subprocess.Popen(
        command, cwd=tmp_path, start_new_session=True, preexec_fn=heard, **pipes
    ) as process:
        rows = tmp_path / "run" / "rows.csv"
        while process.poll() is None and not (rows.is_file() and rows.read_text().count("\n") > 4):
            time.sleep(0.05)
        os.killpg(process.pid, signal.SIGINT)  # to its workers too, as a terminal does
        _, err = process.communicate(timeout=120)
    assert process.returncode == 130, err
    assert err.splitlines()[-1] == "latentpress: interrupted; finished files are kept"
    assert "Traceback" not in err
    assert 3 < len(read_run(tmp_path / "run").rows) < 160
