"""Runs a script of this folder in Node: jobs in, results out, both JSON lists."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent
NODE = shutil.which("node")
TIMEOUT = 600  # seconds

needs_node = pytest.mark.skipif(NODE is None, reason="Node is not installed")


def run_jobs(script: str, jobs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What the script of this folder answers, a result a job."""
    assert NODE is not None
    done = subprocess.run(
        [NODE, str(HERE / script)],
        input=json.dumps(jobs),
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
    )
    assert done.returncode == 0, done.stderr
    found: list[dict[str, Any]] = json.loads(done.stdout)
    assert len(found) == len(jobs)
    return found
