"""The batch of the command line: its progress bar."""

import os
import subprocess
import sys

import pytest

BAR = """
import sys, time
from pathlib import Path
from latentpress.cli import batch
batch.PROGRESS_AFTER_SECONDS = 0.1
def work(source, target):
    time.sleep(0.5)
    return {"line": "done"}
batch.run([Path("a"), Path("b")], [Path("c"), Path("d")], work, False)
"""


def test_the_bar_is_for_terminals_and_takes_nothing_from_standard_output() -> None:
    pty = pytest.importorskip("pty")
    ours, theirs = pty.openpty()
    environment = os.environ | {"TERM": "xterm"}
    done = subprocess.run([sys.executable, "-c", BAR], stdout=subprocess.PIPE, stderr=theirs, text=True, timeout=60, env=environment)
    os.close(theirs)
    shown = os.read(ours, 65536).decode()
    os.close(ours)
    assert "2 files" in shown
    assert done.stdout == "done\ndone\n"
    plain = subprocess.run([sys.executable, "-c", BAR], capture_output=True, text=True, timeout=60)
    assert (plain.stdout, plain.stderr) == ("done\ndone\n", "")
