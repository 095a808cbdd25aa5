"""Crops and held-out pictures on the host, for trainings that need no store on a device."""

from pathlib import Path

import torch
from torch import Tensor

from training.data.crops import cut
from training.data.packs import FONTS
from training.data.pages import Pages
from training.data.plan import Planner
from training.data.store import load_store

PAGES = 80
PAINTED = 0.05


class Crops:
    """Random crops of the photographs in packs, and of some painted pages.

    Args:
        folder: Packs.
        seed: The same seed gives the same crops.
    """

    def __init__(self, folder: Path, seed: int) -> None:
        self.store = load_store(folder, "cpu", PAGES)
        fonts = folder / FONTS
        Pages(self.store, fonts if fonts.exists() else None, 0, seed).close()
        self.planner = Planner(self.store, 2, PAINTED, seed)

    def batch(self, n: int, size: int) -> Tensor:
        """(n, 3, size, size) in [0, 1], channels last."""
        plan = self.planner.draw(n, size)
        integers, floats = (torch.from_numpy(a) for a in (plan.integers, plan.floats))
        return cut(self.store.pixels, integers, floats, size)[0]
