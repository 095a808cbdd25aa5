"""Trees of small pictures, and what a run over them left."""

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

BAD = b"not a picture"


def make_tree(folder: Path, many: int, bad: int = 0, side: int = 16) -> Path:
    """`many` files in folders of 50, `bad` of them broken, all different."""
    rng = np.random.default_rng(0)
    step = many // bad if bad else many + 1
    for i in range(many):
        path = folder / f"{i // 50:02}" / "deep" / f"{i:04}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        if i % step == step - 1:
            path.write_bytes(BAD)
        else:
            Image.fromarray(rng.integers(0, 256, (side, side, 3), np.uint8)).save(path)
    return folder


def files_of(folder: Path) -> dict[str, bytes]:
    """Every file of an output folder but the manifest, hidden ones among them."""
    found = {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}
    found.pop("manifest.jsonl", None)
    return found


def rows_of(folder: Path) -> dict[str, dict[str, Any]]:
    """The last row of each source in the manifest."""
    lines = map(json.loads, (folder / "manifest.jsonl").read_text("ascii").splitlines())
    return {line["source"]: line for line in lines if "run" not in line}


def agrees(folder: Path) -> tuple[int, int]:
    """How many outputs and how many errors the manifest tells of; it agrees with the disk."""
    rows = rows_of(folder).values()
    good = {row["output"]: row for row in rows if not row["error"]}
    files = files_of(folder)
    assert files.keys() == good.keys()
    for name, data in files.items():
        assert good[name]["output_bytes"] == len(data)
        assert good[name]["output_sha256"] == hashlib.sha256(data).hexdigest()
    return len(good), sum(bool(row["error"]) for row in rows)
