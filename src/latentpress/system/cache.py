"""Where fetched files are kept, where a user's own data lie, and how a file's bytes are told to be
the right ones.
"""

import hashlib
import os
from pathlib import Path

DATA_VARIABLE = "LATENTPRESS_DATA"  # a folder of data sets, looked through before the cache
BLOCK_BYTES = 1 << 20


def cache_folder(name: str) -> Path:
    """The folder latentpress/`name` in the user's cache; it may not be there yet."""
    home = os.environ.get("LOCALAPPDATA") if os.name == "nt" else os.environ.get("XDG_CACHE_HOME")
    return (Path(home) if home else home_folder() / ".cache") / "latentpress" / name


def home_folder() -> Path:
    """The user's home; where they have none, as one whom a container gives a number alone, a folder
    that is not there.
    """
    try:
        return Path.home()
    except RuntimeError:
        return Path("/nonexistent")


def sha256_of_file(path: Path) -> str:
    """SHA-256 of a file's bytes, 64 hex digits, read a megabyte at a time. OSError where it cannot
    be read.
    """
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while block := stream.read(BLOCK_BYTES):
            digest.update(block)
    return digest.hexdigest()
