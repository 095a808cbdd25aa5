"""LPIPS v0.1 on AlexNet as a torch function with gradients.

Constants, weights and trunk are those of `latentpress.metrics.lpips`. The formula stands there and
here: there on NumPy, in place, for pictures of any size; here with a square root whose gradient is
finite where a feature vector is 0.
"""

from functools import cache

import torch

from latentpress._typing import Tensor
from latentpress.metrics.features_torch import build_differentiable
from latentpress.metrics.lpips import EPSILON, SCALE, SHIFT
from latentpress.metrics.trunks import TRUNKS
from latentpress.metrics.weights import load_network


class Lpips:
    """LPIPS against one reference, (1, 3, H, W) in [0, 255], whose feature maps are kept. At least
    31 pixels a side and a few more.

    The first convolution of AlexNet looks every fourth pixel; an optimization would learn to please
    just those places. So each call with a new `shift` leaves out other rows and columns at the top
    and left. WeightsError where the weights are missing.
    """

    SHIFTS = ((0, 0), (1, 2), (2, 3), (3, 1))  # rows and columns

    def __init__(self, reference: Tensor) -> None:
        self._trunk = _trunk()
        self._linear = [torch.tensor(w).reshape(1, -1, 1, 1) for w in load_network("alex").linear]
        self._reference = reference
        self._maps = dict[int, list[Tensor]]()

    def __call__(self, x: Tensor, shift: int = 0) -> Tensor:
        """The distance of x, a tensor like the reference: a scalar. shift: number of one of
        SHIFTS.
        """
        if shift not in self._maps:
            with torch.no_grad():
                self._maps[shift] = self._unit_maps(self._reference, shift)
        pairs = zip(self._unit_maps(x, shift), self._maps[shift], self._linear, strict=True)
        return torch.stack([((f - g).square() * w).sum(1).mean() for f, g, w in pairs]).sum()

    def _unit_maps(self, x: Tensor, shift: int) -> list[Tensor]:
        rows, columns = self.SHIFTS[shift]
        mean, deviation = (torch.tensor(t).reshape(1, 3, 1, 1) for t in (SHIFT, SCALE))
        maps = [
            f.float()
            for f in self._trunk((x[:, :, rows:, columns:] / 127.5 - 1 - mean) / deviation)
        ]
        return [
            f / (f.square().sum(1, keepdim=True).clamp_min(EPSILON**2).sqrt() + EPSILON)
            for f in maps
        ]


@cache
def _trunk():  # type: ignore[no-untyped-def]  # torch's types
    return build_differentiable(TRUNKS["alex"])
