"""The command line in fresh processes."""

import os
import subprocess
import sys
from pathlib import Path

Run = subprocess.CompletedProcess[str]


def run(*arguments: object, cwd: Path | None = None, **environment: str) -> Run:
    """One command in a fresh process; a traceback is never an answer."""
    command = [sys.executable, "-m", "latentpress", *map(str, arguments)]
    done = subprocess.run(
        command, cwd=cwd, capture_output=True, text=True, timeout=120, env=os.environ | environment
    )
    assert "Traceback" not in done.stderr, done.stderr
    return done


def fails(code: int, *arguments: object, cwd: Path | None = None) -> str:
    """Run a command that must fail with this exit code; one failure is one sentence."""
    done = run(*arguments, cwd=cwd)
    assert done.returncode == code, done.stderr
    [line] = done.stderr.splitlines()
    assert line.startswith("latentpress: ")
    return line
