"""Files of every version of the format decode to what they always were. A missing one fails;
make.py alone rewrites them.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import latentpress
from golden.make import checksum
from latentpress import codec

FOLDER = Path(__file__).parent / "v1"
INDEX: dict[str, dict[str, Any]] = json.loads((FOLDER / "golden.json").read_text())
BUILTIN = sorted(n for n in INDEX if "latent" not in INDEX[n])
LATENTS = sorted(n for n in INDEX if "latent" in INDEX[n])


def test_all_golden_files_are_there() -> None:
    assert len(BUILTIN) == 13
    assert LATENTS == ["flux1", "sd15", "sd3", "sdxl"]
    assert {p.name for p in FOLDER.glob("*.ltp")} == {f"{n}.ltp" for n in INDEX}


@pytest.mark.usefixtures("engine")
@pytest.mark.parametrize("name", [*BUILTIN, *LATENTS])
def test_symbols(name: str) -> None:
    data = (FOLDER / f"{name}.ltp").read_bytes()
    assert len(data) == INDEX[name]["bytes"]
    assert checksum(data) == INDEX[name]["symbols_crc32c"]
    codec.decode_latent(data)  # raises where the decoded symbols have another checksum


@pytest.mark.parametrize("name", BUILTIN)
def test_pixels_within_a_level(name: str) -> None:
    decoded = latentpress.decompress((FOLDER / f"{name}.ltp").read_bytes())
    expected = Image.open(FOLDER / f"{name}.png")
    assert decoded.mode == expected.mode
    assert decoded.size == expected.size
    assert np.abs(np.asarray(decoded).astype(int) - np.asarray(expected)).max() <= 1


@pytest.mark.parametrize("name", LATENTS)
def test_latents(name: str) -> None:
    latent = codec.decode_latent((FOLDER / f"{name}.ltp").read_bytes())
    assert np.allclose(latent, INDEX[name]["latent"], atol=1e-3)


def test_metadata() -> None:
    info = latentpress.decompress((FOLDER / "metadata.ltp").read_bytes()).info
    assert info["xmp"] == b"<x/>"
    assert info["icc_profile"] == b"not a real profile"
    assert b"golden" in info["exif"]
