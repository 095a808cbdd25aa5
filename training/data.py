"""Training crops: photographs held in memory, halved where JPEG blocks would be learned, flipped, plus synthetic pages."""
import random
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from synthetic import page

BLOCKY = ("clothing", "grocery")    # JPEG quality 70 to 75: always halved
SYNTHETIC_SHARE, SYNTHETIC_PAGES = 0.05, 80


def held_out(path: Path) -> bool:
    """Validation images by file name: every 25th of the good sources."""
    kind, number = path.stem.split("-")
    return kind not in BLOCKY and int(number) % 25 == 0


def halve(a: NDArray[np.float32]) -> NDArray[np.float32]:
    return (a[0::2, 0::2] + a[1::2, 0::2] + a[0::2, 1::2] + a[1::2, 1::2]) / 4


class Crops:
    """Random crops: `batch(n, size)` -> float tensor (n, 3, size, size) in [0, 1], channels last."""

    def __init__(self, folder: str, seed: int, least: int = 512) -> None:
        self.rng = random.Random(seed)
        files = [p for p in sorted(Path(folder).glob("*.jpg")) if not held_out(p)]
        loaded = [(p.stem.split("-")[0], np.asarray(Image.open(p).convert("RGB"))) for p in files]
        self.images = [(k, a) for k, a in loaded if min(a.shape[:2]) >= (least if k in BLOCKY else least // 2)]
        weights = np.cumsum([(a.size / 3e6) ** 0.75 * (1.5 if k == "cid22" else 1) for k, a in self.images])
        self.cdf = weights / weights[-1]
        self.pages = [page(self.rng) for _ in range(SYNTHETIC_PAGES)]

    def crop(self, size: int) -> NDArray[np.float32]:
        rng = self.rng
        if rng.random() < SYNTHETIC_SHARE:
            kind, a = "page", rng.choice(self.pages)
        else:
            kind, a = self.images[int(np.searchsorted(self.cdf, rng.random()))]
        halving = kind in BLOCKY or (kind == "wallpaper" and rng.random() < 0.5)
        side, (h, w, _) = size * (2 if halving else 1), a.shape
        y, x = rng.randrange(h - side + 1), rng.randrange(w - side + 1)
        c = a[y:y + side, x:x + side].astype(np.float32)
        c = halve(c) if halving else c
        return c[:, ::-1] if rng.random() < 0.5 else c

    def batch(self, n: int, size: int) -> Tensor:
        t = torch.from_numpy(np.stack([self.crop(size) for _ in range(n)]))
        return t.permute(0, 3, 1, 2).contiguous(memory_format=torch.channels_last) / 255


def validation(folder: str, side: int = 512) -> list[Tensor]:
    """The held-out images, centre crops of at most side x side, (1, 3, H, W) in [0, 1]."""
    out = []
    for p in sorted(Path(folder).glob("*.jpg")):
        if held_out(p):
            a = np.asarray(Image.open(p).convert("RGB"))
            a = a[(a.shape[0] - side) // 2:, (a.shape[1] - side) // 2:][:side, :side]
            out.append(torch.from_numpy(a.copy()).permute(2, 0, 1)[None].float() / 255)
    return out
