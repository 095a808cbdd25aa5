"""A toy training set: packs of small pictures, and feature extractors with few channels."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

NAMES = ["cid22-001", "cid22-025", "wallpaper-001", "wallpaper-050", "clothing-001", "chart-001"]


def pytest_pycollect_makemodule() -> None:
    """Without what training needs, the folder is skipped, also where it is asked for by name."""
    torch = pytest.importorskip("torch", reason="training needs torch")
    pytest.importorskip("safetensors", reason="training needs safetensors")
    pytest.importorskip("tomllib", reason="training needs Python 3.11")
    torch.set_num_threads(1)  # small tensors: threads would only wait for each other


def picture(seed: int, side: int) -> np.ndarray:
    """A smooth picture with some detail, (side, side, 3) uint8."""
    random = np.random.default_rng(seed)
    coarse = Image.fromarray(random.integers(0, 256, (side // 16, side // 16, 3), np.uint8))
    smooth = np.asarray(coarse.resize((side, side), Image.Resampling.BICUBIC)).astype(float)
    return (smooth + random.normal(0, 8, smooth.shape)).clip(0, 255).astype(np.uint8)


@pytest.fixture(scope="session")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of six JPEG files of four kinds, two of them held out."""
    folder = tmp_path_factory.mktemp("photographs")
    for seed, name in enumerate(NAMES):
        side = 400 if name.startswith("clothing") else 224
        Image.fromarray(picture(seed, side)).save(folder / f"{name}.jpg", quality=92)
    return folder


@pytest.fixture(scope="session")
def packs(photographs: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Packs of them, in more than one file."""
    from safetensors.torch import save_file

    from training.data.packs import LPIPS, read_picture_file, write_manifest, write_photographs
    from training.losses.trunks import random_weights

    folder = tmp_path_factory.mktemp("packs")
    write_photographs(map(read_picture_file, sorted(photographs.glob("*.jpg"))), folder, 60_000)
    save_file(random_weights(16), folder / LPIPS)
    write_manifest(folder)
    return folder
