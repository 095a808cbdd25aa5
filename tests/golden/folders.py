"""The folder of golden files that a script writes anew, and the switch that allows it."""

import sys
from pathlib import Path


def emptied(folder: Path, usage: str | None) -> None:
    """Make the folder, remove what it holds. Ends the script with its usage unless it was called
    with --replace.
    """
    if sys.argv[1:] != ["--replace"]:
        sys.exit(usage)
    folder.mkdir(exist_ok=True)
    for old in folder.iterdir():
        old.unlink()
