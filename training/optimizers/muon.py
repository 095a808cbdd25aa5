"""Muon (Jordan et al. 2024, https://kellerjordan.github.io/posts/muon): momentum made orthogonal.

Newton-Schulz runs on the Gram matrix, the smaller side squared, for all matrices of one shape at
once. The update is scaled to the root mean square of Adam's (Liu et al. 2025, arXiv:2502.16982),
so that both share one learning rate.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from training.optimizers.flat import Batch, FlatParameters

COEFFICIENTS = (3.4445, -4.7750, 2.0315)
STEPS, MOMENTUM, RMS = 5, 0.95, 0.2


def orthogonal(g: Tensor) -> Tensor:
    """(B, r, c) -> about the nearest matrices whose singular values are 1."""
    tall = g.shape[1] > g.shape[2]
    x = g.mT if tall else g
    x = x / (x.norm(dim=(1, 2), keepdim=True) + 1e-7)
    a, b, c = COEFFICIENTS
    eye = torch.eye(x.shape[1], device=x.device)
    gram = x @ x.mT
    q = eye
    for _ in range(STEPS):
        p = a * eye + b * gram + c * gram @ gram
        q = p @ q
        gram = p @ gram @ p
    x = q @ x
    return x.mT if tall else x


class Muon:
    """For the matrices of flat parameters; the rest is another optimizer's.

    Attributes:
        state: What a run that goes on takes over, by name.
        tensors: All that a step changes, by name.
    """

    def __init__(self, flat: FlatParameters) -> None:
        self.flat = flat
        self.momentum = torch.zeros_like(flat.values[: flat.rest])
        self.state = self.tensors = {"muon.momentum": self.momentum}

    @torch.no_grad()
    def step(self, gradients: Tensor, rate: Tensor) -> None:
        """One step. gradients: (P,), clipped. rate: () learning rate."""
        g = gradients[: self.flat.rest]
        self.momentum.lerp_(g, 1 - MOMENTUM)
        ahead = g.lerp(self.momentum, MOMENTUM)
        for batch in self.flat.batches:
            self._move(batch, ahead, rate)

    def _move(self, batch: Batch, ahead: Tensor, rate: Tensor) -> None:
        update = orthogonal(batch.of(ahead))
        scale = RMS * max(batch.shape[1:]) ** 0.5
        batch.of(self.flat.values).sub_(update * (rate * scale))

    def refresh(self, step: int) -> None:
        """Nothing is done between the steps."""

    def pace(self, step: float, timed: Callable[[Callable[[], None]], float]) -> None:
        """Nothing is done that could take too long."""
