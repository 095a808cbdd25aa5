"""Muon (Jordan et al. 2024, https://kellerjordan.github.io/posts/muon): momentum whose matrix is made orthogonal.

Newton-Schulz runs on the Gram matrix (the smaller side squared), which costs a third of the usual form here. The update
is scaled to the root mean square of Adam's (Liu et al. 2025, arXiv:2502.16982), so both share one learning rate.
"""
import torch
from torch import Tensor

import workers

COEFFICIENTS = (3.4445, -4.7750, 2.0315)
STEPS, MOMENTUM, RMS = 5, 0.95, 0.2


def orthogonal(g: Tensor) -> Tensor:
    """(r, c) -> about the nearest matrix with singular values 1."""
    x = g.T if g.shape[0] > g.shape[1] else g
    x = x / (x.norm() + 1e-7)
    a, b, c = COEFFICIENTS
    eye = torch.eye(x.shape[0], device=x.device)
    gram, q = x @ x.T, eye
    for _ in range(STEPS):
        p = a * eye + b * gram + c * gram @ gram
        q, gram = p @ q, p @ gram @ p
    x = q @ x
    return x.T if g.shape[0] > g.shape[1] else x


class Muon(torch.optim.Optimizer):
    """For weights of two or more dimensions, flattened to (outputs, everything else)."""

    def __init__(self, params: list[dict[str, object]], lr: float) -> None:
        super().__init__(params, {"lr": lr})

    @torch.no_grad()
    def step(self) -> None:  # type: ignore[override]
        """Every process makes its share of the matrices orthogonal; the sum over the processes has them all."""
        for group in self.param_groups:
            params = [p for p in group["params"] if p.grad is not None]
            updates = []
            for i, p in enumerate(params):
                momentum = self.state[p].setdefault("momentum", torch.zeros_like(p))
                momentum.lerp_(p.grad, 1 - MOMENTUM)
                mine = i % workers.count() == workers.rank()
                g = p.grad.lerp(momentum, MOMENTUM).reshape(p.shape[0], -1)
                updates.append(orthogonal(g) * workers.count() if mine else torch.zeros_like(g))
            for p, update in zip(params, workers.average_tensors(updates) if updates else [], strict=True):
                p.add_(update.reshape(p.shape), alpha=-group["lr"] * RMS * max(update.shape) ** 0.5)
