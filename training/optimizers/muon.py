"""Muon (Jordan et al. 2024, https://kellerjordan.github.io/posts/muon): momentum made orthogonal.

Newton-Schulz runs on the Gram matrix, the smaller side squared, for all matrices of one smaller
side at once, whatever their other side: of its many small products a step's time is made. The
update is scaled to the root mean square of Adam's (Liu et al. 2025, arXiv:2502.16982), so that
both share one learning rate.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from training.optimizers.flat import Batch, FlatParameters

COEFFICIENTS = (3.4445, -4.7750, 2.0315)
STEPS, MOMENTUM, RMS = 5, 0.95, 0.2
PADDED = 64  # Gram matrices are filled with zeros up to a multiple, so that more sides are alike


def wide(g: Tensor) -> Tensor:
    """(B, r, c) with its smaller side first."""
    return g.mT if g.shape[1] > g.shape[2] else g


def norms(grams: Tensor) -> Tensor:
    """The norms (B, 1, 1) of matrices whose Gram matrices these are, a little above 0."""
    return (grams.diagonal(dim1=1, dim2=2).sum(1).sqrt() + 1e-7)[:, None, None]


def factors(grams: Tensor) -> Tensor:
    """What makes matrices of norm 1 about orthogonal when multiplied from the left.

    Args:
        grams: Their Gram matrices (B, r, r).

    Returns:
        (B, r, r), symmetric but for rounding.
    """
    a, b, c = COEFFICIENTS
    q = grams
    for step in range(STEPS):
        p = torch.baddbmm(grams, grams, grams, beta=b, alpha=c)
        p.diagonal(dim1=1, dim2=2).add_(a)
        q = p @ q if step else p
        if step < STEPS - 1:
            grams = p @ grams @ p
    return q


def orthogonal(g: Tensor) -> Tensor:
    """(B, r, c) -> about the nearest matrices whose singular values are 1."""
    x = wide(g)
    grams = x @ x.mT
    norm = norms(grams)
    x = factors(grams / norm**2) / norm @ x
    return x.mT if g.shape[1] > g.shape[2] else x


class _Group:
    """Batches of matrices whose smaller sides are padded to one.

    Args:
        side: That one.
        batches: Of the matrices.
        device: Of torch.
    """

    def __init__(self, side: int, batches: list[Batch], device: torch.device) -> None:
        scales = [RMS * max(b.shape[1:]) ** 0.5 for b in batches for _ in range(b.shape[0])]
        self.scales = torch.tensor(scales, device=device)[:, None, None]
        self.grams = torch.zeros(len(scales), side, side, device=device)
        self.places: list[tuple[Batch, slice, int]] = []
        start = 0
        for batch in batches:
            stop = start + batch.shape[0]
            self.places.append((batch, slice(start, stop), min(batch.shape[1:])))
            start = stop

    def move(self, values: Tensor, ahead: Tensor, rate: Tensor) -> None:
        """Move the matrices of flat values by their flat momentum made orthogonal."""
        for batch, place, side in self.places:
            x = wide(batch.of(ahead))
            self.grams[place, :side, :side] = x @ x.mT
        norm = norms(self.grams)
        # Rows and columns that are padded stay apart from the others in all the products.
        q = factors(self.grams / norm**2) * (rate * self.scales / norm)
        for batch, place, side in self.places:
            x = wide(batch.of(ahead))
            wide(batch.of(values)).baddbmm_(q[place, :side, :side], x, alpha=-1)


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
        alike: dict[int, list[Batch]] = {}
        for batch in flat.batches:
            side = -(-min(batch.shape[1:]) // PADDED) * PADDED
            alike.setdefault(side, []).append(batch)
        device = flat.values.device
        self.groups = [_Group(side, batches, device) for side, batches in alike.items()]

    @torch.no_grad()
    def step(self, gradients: Tensor, rate: Tensor) -> None:
        """One step. gradients: (P,), clipped. rate: () learning rate."""
        g = gradients[: self.flat.rest]
        self.momentum.lerp_(g, 1 - MOMENTUM)
        ahead = g.lerp(self.momentum, MOMENTUM)
        for group in self.groups:
            group.move(self.flat.values, ahead, rate)

    def refresh(self, step: int) -> None:
        """Nothing is done between the steps."""

    def pace(self, step: float, timed: Callable[[Callable[[], None]], float]) -> None:
        """Nothing is done that could take too long."""
