"""The folder of golden files that a script writes anew, and the switch that allows it."""

import os
import sys
from pathlib import Path

from latentpress.runtimes.choice import PRECISION_VARIABLE, RUNTIME_VARIABLE


def emptied(folder: Path, usage: str | None) -> None:
    """Make the folder, remove what it holds. Ends the script with its usage unless it was called
    with --replace. What it writes afterwards does not follow the machine's fastest runtime.
    """
    if sys.argv[1:] != ["--replace"]:
        sys.exit(usage)
    os.environ |= {RUNTIME_VARIABLE: "onnxruntime", PRECISION_VARIABLE: "float"}
    folder.mkdir(exist_ok=True)
    for old in folder.iterdir():
        old.unlink()
