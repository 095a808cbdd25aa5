"""SOAP (Vyas et al. 2024, arXiv:2409.11321): Adam in the eigenbasis of Shampoo's preconditioner.

For all matrices of one shape at once. The bases are turned between the steps, every REFRESH of
them or less often where it takes long (`Soap.pace`), by one step of orthogonal iteration
(FIRST_TURNS of them after the first step, from the identity, where the paper decomposes). A side
longer than LONGEST keeps its own basis.
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from training.optimizers.flat import Batch, FlatParameters

BETAS, EPSILON = (0.95, 0.95), 1e-8
SHAMPOO_BETA = 0.95
REFRESH, SELDOM = 10, 100  # steps from one turn of the bases to the next: at least, at most
ORTHONORMAL = 1e-4  # largest scalar product of two vectors of a basis
TURNING = 0.25  # of the steps' time, for turning them
FIRST_TURNS = 4
LONGEST = 640
# Of a number's step, in learning rates. A mean of before is divided by deviations that begin anew.
LARGEST = 4.0


class _Side:
    """The basis of one side of a batch of matrices: its second moments and their eigenvectors."""

    def __init__(self, count: int, n: int, device: torch.device) -> None:
        self.moments = torch.zeros(count, n, n, device=device)
        self.basis = torch.eye(n, device=device).expand(count, n, n).clone()

    def turn(self, by_cholesky: bool = False) -> Tensor:
        """Better eigenvectors. Returns the order (B, n) of the old ones that the new ones have."""
        estimate = (self.basis * (self.moments @ self.basis)).sum(1)
        order = estimate.argsort(1, descending=True)
        n = self.basis.shape[1]
        basis = self.basis.gather(2, order[:, None].expand(-1, n, -1))
        if not by_cholesky:
            self.basis.copy_(torch.linalg.qr(self.moments @ basis)[0])
            return order
        turned, fine = orthonormal(self.moments @ basis)
        self.basis.copy_(torch.where(fine[:, None, None], turned, self.basis))
        return torch.where(fine[:, None], order, torch.arange(n, device=order.device))


def orthonormal(a: Tensor) -> tuple[Tensor, Tensor]:
    """The orthonormal factor of (B, n, n) by Cholesky decompositions in float64, all B at once.

    Torch decomposes by QR one matrix after the other on CUDA.

    Returns:
        The factor, float32, and (B,) whether it is one: not where columns depend on each other.
    """
    q = a.double()
    q = q / q.norm(dim=1, keepdim=True).clamp_min(1e-30)
    eye = torch.eye(q.shape[1], dtype=q.dtype, device=q.device)
    for _ in range(2):  # the second time corrects the first
        factor = torch.linalg.cholesky_ex(q.mT @ q)[0]
        q = torch.linalg.solve_triangular(factor, q.mT, upper=False).mT
    off = (q.mT @ q - eye).abs().amax((1, 2))
    return q.float(), off < ORTHONORMAL  # false for what is no number


class _Matrices:
    """The state of one batch."""

    def __init__(self, batch: Batch, device: torch.device) -> None:
        self.batch = batch
        count, rows, columns = batch.shape
        self.left = _Side(count, rows, device) if rows <= LONGEST else None
        self.right = _Side(count, columns, device) if columns <= LONGEST else None

    def rotate(self, t: Tensor) -> Tensor:
        """(B, r, c) into the eigenbasis."""
        if self.left is not None:
            t = self.left.basis.mT @ t
        return t @ self.right.basis if self.right is not None else t

    def rotate_back(self, t: Tensor) -> Tensor:
        """(B, r, c) out of the eigenbasis."""
        if self.left is not None:
            t = self.left.basis @ t
        return t @ self.right.basis.mT if self.right is not None else t

    def see(self, g: Tensor) -> None:
        """Put a gradient into the moments."""
        if self.left is not None:
            self.left.moments.lerp_(g @ g.mT, 1 - SHAMPOO_BETA)
        if self.right is not None:
            self.right.moments.lerp_(g.mT @ g, 1 - SHAMPOO_BETA)


class Soap:
    """For the matrices of flat parameters; the rest is another optimizer's.

    Attributes:
        state: What a run that goes on takes over, by name.
        tensors: All that a step changes, by name.
        every: Steps from one turn of the bases to the next.
        by_cholesky: Whether bases are turned so, but for the first time; else by QR.
    """

    def __init__(self, flat: FlatParameters) -> None:
        self.flat = flat
        device = flat.values.device
        self.matrices = [_Matrices(batch, device) for batch in flat.batches]
        self.mean = torch.zeros_like(flat.values[: flat.rest])
        self.square = torch.zeros_like(self.mean)
        self.steps = torch.zeros((), device=device)
        self.mean_steps = torch.zeros((), device=device)  # a run that goes on keeps its means
        self.state = {"soap.mean": self.mean, "soap.mean_steps": self.mean_steps}
        self.tensors = {**self.state, "soap.square": self.square, "soap.steps": self.steps}
        for number, one in enumerate(self.matrices):
            for name, side in (("left", one.left), ("right", one.right)):
                if side is not None:
                    self.tensors[f"soap.{number}.{name}.moments"] = side.moments
                    self.tensors[f"soap.{number}.{name}.basis"] = side.basis
        self.every = REFRESH
        self.by_cholesky = False

    @torch.no_grad()
    def step(self, gradients: Tensor, rate: Tensor) -> None:
        """One step. gradients: (P,), clipped. rate: () learning rate."""
        first, second = BETAS
        g = gradients[: self.flat.rest]
        self.steps += 1
        self.mean_steps += 1
        self.mean.lerp_(g, 1 - first)
        unbiased_mean = 1 - first**self.mean_steps
        unbiased = 1 - second**self.steps
        for one in self.matrices:
            gradient = one.batch.of(g)
            rotated = one.rotate(gradient)
            square = one.batch.of(self.square)
            square.mul_(second).addcmul_(rotated, rotated, value=1 - second)
            deviation = (square / unbiased).sqrt_().add_(EPSILON)
            update = one.rotate(one.batch.of(self.mean)) / (deviation * unbiased_mean)
            update = one.rotate_back(update.clamp_(-LARGEST, LARGEST))
            one.batch.of(self.flat.values).sub_(update * rate)
            one.see(gradient)

    @torch.no_grad()
    def refresh(self, step: int) -> None:
        """Turn the bases where it is time to. step: counts from 1."""
        if step != 1 and step % self.every:
            return
        if step != 1:
            self.between()
            return
        chosen, self.by_cholesky = self.by_cholesky, False  # the first moments are singular
        for _ in range(FIRST_TURNS):
            self.between()
        self.by_cholesky = chosen
        for one in self.matrices:
            rotated = one.rotate(one.batch.of(self.flat.gradients))
            one.batch.of(self.square).copy_(rotated.square() * (1 - BETAS[1]))

    @torch.no_grad()
    def between(self) -> None:
        """Turn all bases once. It decomposes matrices, which no graph can hold."""
        for one in self.matrices:
            square = one.batch.of(self.square)
            for side, axis in ((one.left, 1), (one.right, 2)):
                self._turn(side, axis, square)

    def pace(self, step: float, timed: Callable[[Callable[[], None]], float]) -> None:
        """Turn the bases the faster way, so rarely that it takes at most TURNING of the time.

        Args:
            step: Milliseconds of a step.
            timed: Tells what a job takes, in milliseconds.
        """
        times = {}
        for way in (False, True):
            self.by_cholesky = way
            times[way] = timed(self.between)
        self.by_cholesky = times[True] < times[False]
        between = min(times.values())
        self.every = min(SELDOM, max(REFRESH, math.ceil(between / (TURNING * step))))

    def _turn(self, side: _Side | None, axis: int, square: Tensor) -> None:
        """Turn one side's basis, and put the second moments into its new order."""
        if side is None:
            return
        order = side.turn(self.by_cholesky)
        index = order[:, :, None] if axis == 1 else order[:, None, :]
        square.copy_(square.gather(axis, index.expand_as(square)))
