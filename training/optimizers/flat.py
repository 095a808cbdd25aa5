"""All parameters of a network as one tensor, their gradients as another.

Clipping, averaging, Adam and what data-parallel processes exchange are then a few operations on
two tensors, and matrices of one shape lie beside each other, as a batch.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

ALIGNED = 32  # numbers: where a parameter or a batch of matrices may begin
LINEAR_SHARE = 0.05  # of the learning rate, for the linear paths: 768 inputs move their output


@dataclass(frozen=True)
class Batch:
    """Matrices of one shape that lie beside each other.

    Attributes:
        start, stop: Their place in the flat tensor.
        shape: (B, rows, columns): matrices, outputs, everything else.
    """

    start: int
    stop: int
    shape: tuple[int, int, int]

    def of(self, flat: Tensor) -> Tensor:
        """The matrices (B, rows, columns) of a flat tensor, a view."""
        return flat[self.start : self.stop].view(self.shape)


def is_linear(name: str) -> bool:
    """Whether a parameter is of a linear path."""
    return "linear" in name.split(".")


def is_matrix(name: str, parameter: Tensor) -> bool:
    """Whether a parameter is a convolution inside a network: not its first, last, linear ones."""
    if parameter.ndim != 4 or is_linear(name):
        return False
    return min(parameter.shape[:2]) > 3


class FlatParameters:
    """Moves the parameters of a network into one tensor; they stay its parameters, as views.

    Args:
        net: On its device. Parameters that ask for no gradient are left as they are.

    Attributes:
        values, gradients: float32 (P,).
        loss: (1,), beside the gradients in `exchanged` (P + 1,), what processes average.
        batches: The matrices, see `is_matrix`.
        rest: Where the other parameters begin.
        share: (P - rest,), share of the learning rate of the others.
        names: Of the parameters, in order.
        places: (start, stop) of each. Numbers between them belong to no parameter and stay 0.
    """

    def __init__(self, net: nn.Module) -> None:
        learning = [(n, p) for n, p in net.named_parameters() if p.requires_grad]
        matrices = [(n, p) for n, p in learning if is_matrix(n, p)]
        others = [(n, p) for n, p in learning if not is_matrix(n, p)]
        flattened = lambda p: (p.shape[0], p[0].numel())
        matrices.sort(key=lambda pair: flattened(pair[1]))
        ordered = matrices + others
        self.places, self.batches, self.rest, count = _plan(
            [flattened(p) for _, p in matrices], [p.numel() for _, p in others]
        )
        device = ordered[0][1].device
        self.values = torch.zeros(count, device=device)
        self.exchanged = torch.zeros(count + 1, device=device)
        self.gradients, self.loss = self.exchanged[:count], self.exchanged[count:]
        self.names = [name for name, _ in ordered]
        for (_, p), (start, _) in zip(ordered, self.places, strict=True):
            with torch.no_grad():
                _view(self.values, p, start).copy_(p)
            p.data = _view(self.values, p, start)
            p.grad = _view(self.gradients, p, start)
        self.share = torch.ones(count - self.rest, device=device)
        for (name, _), (start, stop) in zip(ordered, self.places, strict=True):
            if is_linear(name):
                self.share[start - self.rest : stop - self.rest] = LINEAR_SHARE


def _plan(
    matrices: list[tuple[int, int]], others: list[int]
) -> tuple[list[tuple[int, int]], list[Batch], int, int]:
    """Where parameters lie: places, batches of matrices, where the others begin, and the end.

    Matrices of one shape are neighbors without a gap. Everything else begins at a multiple of
    ALIGNED, since convolutions of float32 are slow on weights that begin anywhere.
    """
    places: list[tuple[int, int]] = []
    batches: list[Batch] = []
    stop = 0
    for rows, columns in matrices:
        alike = bool(batches) and batches[-1].shape[1:] == (rows, columns)
        start = stop if alike else _aligned(stop)
        stop = start + rows * columns
        first = batches.pop() if alike else Batch(start, start, (0, rows, columns))
        batches.append(Batch(first.start, stop, (first.shape[0] + 1, rows, columns)))
        places.append((start, stop))
    rest = stop = _aligned(stop)
    for size in others:
        start = _aligned(stop)
        stop = start + size
        places.append((start, stop))
    return places, batches, rest, _aligned(stop)


def _aligned(start: int) -> int:
    """The next multiple of ALIGNED."""
    return -(-start // ALIGNED) * ALIGNED


def _view(flat: Tensor, parameter: Tensor, start: int) -> Tensor:
    """The place of a parameter in a flat tensor, in its shape; convolutions with channels last."""
    part = flat[start : start + parameter.numel()]
    if parameter.ndim != 4:
        return part.view(parameter.shape)
    out, inputs, height, width = parameter.shape
    return part.view(out, height, width, inputs).permute(0, 3, 1, 2)
