"""The held-out pictures under a model: what each level costs and how far its pictures are."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from training.losses.parts import Distances, LossShape
from training.losses.trunks import Trunk
from training.lp1.codec import Codec
from training.precision import bfloat16

LEVELS_SHOWN = (0, 2, 4, 6)
BATCH = 9
EVERYTHING = LossShape(lpips_alex=1, lpips_vgg=1, texture=1, wasserstein=1)


class Point(NamedTuple):
    """Means over the pictures at a level: bits a pixel by the model, PSNR in dB, distances."""

    level: int
    bpp: float
    psnr: float
    lpips: float
    lpips_vgg: float
    texture: float
    wasserstein: float


class Panel:
    """Judges models by held-out pictures.

    Args:
        pictures: (1, 3, H, W) in [0, 1] each, sides multiples of 16. What one has beyond the
            smallest is cut off, so that all are batches of one shape.
        alex, vgg: Feature extractors.
        device: Of torch.
    """

    def __init__(self, pictures: Sequence[Tensor], alex: Trunk, vgg: Trunk, device: str) -> None:
        h, w = (min(x.shape[axis] for x in pictures) for axis in (2, 3))
        alike = [x[:, :, :h, :w] for x in pictures]
        self.batches = [
            torch.cat(alike[i : i + BATCH]).to(device, memory_format=torch.channels_last)
            for i in range(0, len(alike), BATCH)
        ]
        self.count = len(pictures)
        self.device = device
        self.distances = Distances(EVERYTHING, alex, vgg, [x.to(device) for x in pictures[:4]])
        self.distances.phase = False

    @torch.inference_mode()
    def judge(self, net: Codec) -> list[Point]:
        """A row a level, with true rounding. The host waits for the device once."""
        rows = []
        # So few calls are not worth a search. Without `enabled` the flags would turn cuDNN off.
        with torch.backends.cudnn.flags(enabled=True, benchmark=False):
            for level in LEVELS_SHOWN:
                sums = [self._sums(net, x, float(level)) for x in self.batches]
                rows.append(torch.stack(sums).sum(0) / self.count)
        table = torch.stack(rows).cpu().tolist()
        return [Point(level, *row) for level, row in zip(LEVELS_SHOWN, table, strict=True)]

    def _sums(self, net: Codec, x: Tensor, level: float) -> Tensor:
        levels = torch.full((len(x),), level, device=self.device)
        with bfloat16(self.device):
            coded = net(x * 2 - 1, levels, hard=True)
        x_hat = ((coded.x_hat / 2 + 0.5).clamp(0, 1) * 255).round() / 255
        parts = self.distances(x, x_hat, x[:, :1] * 0)
        psnr = -10 * torch.log10(parts.mse.clamp_min(1e-10))
        bpp = coded.bits / x[0, 0].numel()
        columns = [bpp, psnr, parts.lpips_alex, parts.lpips_vgg, parts.texture, parts.wasserstein]
        return torch.stack(columns).sum(1)


def as_line(points: Sequence[Point]) -> str:
    """A line a reader of the log can compare with the one before."""
    rows = [
        f"q{p.level} {p.bpp:.3f} {p.psnr:.2f} {p.lpips:.3f} {p.lpips_vgg:.3f} {p.texture:.3f} "
        f"{p.wasserstein:.3f}"
        for p in points
    ]
    return "level bpp PSNR LPIPS LPIPS-VGG texture Wasserstein | " + " | ".join(rows)
