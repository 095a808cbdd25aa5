"""Files of the lattice priors decode to the numbers they always had. A missing one fails;
make_priors.py alone rewrites them.
"""

import json
from pathlib import Path
from typing import Any

import pytest

from golden.make_priors import bits, checksum, fine

FOLDER = Path(__file__).parent / "priors_v1"
INDEX: dict[str, dict[str, Any]] = json.loads((FOLDER / "golden.json").read_text())
PICTURES = sorted(n for n in INDEX if "latent" in INDEX[n])
LATENTS = sorted(n.removesuffix("-latents") for n in INDEX if n not in PICTURES)


def test_all_golden_files_are_there() -> None:
    assert len(PICTURES) == 12
    assert [
        f"{space}{how}" for space in ("flux1", "sd15", "sd3", "sdxl") for how in ("", "-rmse")
    ] == LATENTS
    assert {p.name for p in FOLDER.glob("*.lt*")} == {f"{n}.ltp" for n in PICTURES} | {
        f"{n}.ltps" for n in LATENTS
    }


@pytest.mark.usefixtures("engine")
@pytest.mark.parametrize("name", LATENTS)
def test_ltps_files(name: str) -> None:
    assert (FOLDER / f"{name}.ltps").stat().st_size == INDEX[f"{name}-latents"]["bytes"]
    assert bits(FOLDER / f"{name}.ltps") == INDEX[f"{name}-latents"]["crc32c"]


@pytest.mark.usefixtures("engine")
@pytest.mark.parametrize("name", PICTURES)
def test_latents(name: str) -> None:
    data = (FOLDER / f"{name}.ltp").read_bytes()
    assert len(data) == INDEX[name]["bytes"]
    assert checksum(data) == INDEX[name]["symbols_crc32c"]
    assert fine(data) == INDEX[name]["latent"]
