"""The files of the shipped models: what model.json tells of them, and their verified bytes. Needs
no NumPy, so that `info` starts at once.
"""

import hashlib
import json
from functools import cache
from pathlib import Path
from typing import Any

from latentpress.errors import WeightsError

FOLDER = Path(__file__).parent / "models"


@cache
def manifest(space: str) -> dict[str, Any]:
    """model.json of the space: model_hash (8 hex digits), halo (latent positions), sha256 (file ->
    hex).
    """
    try:
        loaded: dict[str, Any] = json.loads(
            (FOLDER / space / "model.json").read_text(encoding="utf-8")
        )
    except (OSError, ValueError) as error:
        if not FOLDER.is_dir():
            raise WeightsError(
                "latentpress cannot run out of a zip archive, where its models are no files: "
                "install it"
            ) from error
        raise WeightsError(
            f"the {space} model of this installation is missing or damaged: reinstall latentpress"
        ) from error
    return loaded


def read_file(space: str, name: str) -> bytes:
    """A model file's bytes; WeightsError unless its SHA-256 is the manifest's."""
    try:
        data = (FOLDER / space / name).read_bytes()
    except OSError as error:
        raise WeightsError(
            f"the model file {space}/{name} is missing: reinstall latentpress"
        ) from error
    if hashlib.sha256(data).hexdigest() != manifest(space)["sha256"][name]:
        raise WeightsError(
            f"the model file {space}/{name} is altered: its SHA-256 does not match; reinstall "
            "latentpress"
        )
    return data
