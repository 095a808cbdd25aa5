"""Programs for Node that are run beside Python."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from helpers.paths import ROOT

NODE = shutil.which("node")
WEB = ROOT / "web"
PROGRAMS = ROOT / "tests" / "web" / "programs"


def _is_new_enough() -> bool:
    if NODE is None:
        return False
    version = subprocess.run([NODE, "--version"], capture_output=True, text=True, check=True).stdout
    return int(version.lstrip("v").split(".")[0]) >= 20


needs_node = pytest.mark.skipif(
    not _is_new_enough(), reason="needs Node 20 or later (Debian: apt-get install nodejs)"
)


def run_node(program: str, *arguments: str | Path) -> Any:
    """What a program of tests/web/programs prints, parsed."""
    assert NODE is not None
    done = subprocess.run(
        [NODE, str(PROGRAMS / program), *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)
