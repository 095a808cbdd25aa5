"""Files of latents of every version of the format decode to the same bits for ever. make_latents.py
alone rewrites them.
"""

import json
from pathlib import Path
from typing import Any

import pytest

from golden.make_latents import CHANNELS, checksums
from latentpress.latents import Reader

FOLDER = Path(__file__).parent / "latents_v1"
INDEX: dict[str, dict[str, Any]] = json.loads((FOLDER / "golden.json").read_text())


def test_all_golden_files_are_there() -> None:
    expected = {f"{space}_{p}" for space in CHANNELS for p in ("rmse", "max_error", "lossless")}
    assert {p.stem for p in FOLDER.glob("*.ltps")} == set(INDEX) == expected


@pytest.mark.usefixtures("engine")
@pytest.mark.parametrize("name", sorted(INDEX))
def test_the_same_bits(name: str) -> None:
    file = FOLDER / f"{name}.ltps"
    assert file.stat().st_size == INDEX[name]["bytes"]
    assert checksums(file) == INDEX[name]["crc32c"]
    with Reader(file) as reader:
        assert reader.info(0).method == ("lossless" if "lossless" in name else "predictive")
        assert reader.info(0).name == "y"
        assert [reader.info(n).dtype for n in range(2)] == ["float32", "float16"]
