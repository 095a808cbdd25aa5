"""Files with a screen layer decode to what they always were; make_screen.py alone rewrites them."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import latentpress

FOLDER = Path(__file__).parent / "screen_v1"
NAMES = (
    "color-piece",
    "holes",
    "photo-and-text",
    "two-tiles",
    "whole-alpha",
    "whole-av1",
    "whole-color",
    "whole-gray",
    "whole-webp",
    "whole-webp-gray",
)


def test_all_golden_files_are_there() -> None:
    assert sorted(p.stem for p in FOLDER.glob("*.ltp")) == sorted(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_pixels_within_two_levels(name: str) -> None:
    decoded = latentpress.decompress((FOLDER / f"{name}.ltp").read_bytes())
    expected = Image.open(FOLDER / f"{name}.png")
    assert decoded.mode == expected.mode
    assert decoded.size == expected.size
    # libraries convert YCbCr by themselves
    assert np.abs(np.asarray(decoded).astype(int) - np.asarray(expected)).max() <= 2
