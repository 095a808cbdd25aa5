"""Adam (Kingma and Ba 2015, arXiv:1412.6980) on a range of flat parameters."""

from collections.abc import Callable

import torch
from torch import Tensor

from training.optimizers.flat import FlatParameters

BETAS, EPSILON = (0.9, 0.99), 1e-8


class Adam:
    """For flat parameters from `start` on.

    The number of steps lives on the device, so that a step can be captured and replayed.

    Attributes:
        state: What a run that goes on takes over, by name.
        tensors: All that a step changes, by name.
    """

    def __init__(
        self,
        flat: FlatParameters,
        start: int = 0,
        betas: tuple[float, float] = BETAS,
    ) -> None:
        self.flat = flat
        self.betas = betas
        self.start = start
        part = flat.values[start:]
        ones = torch.ones(flat.rest - start, device=part.device) if start < flat.rest else part[:0]
        self.share = torch.cat([ones, flat.share])
        self.mean = torch.zeros_like(part)
        self.square = torch.zeros_like(part)
        self.steps = torch.zeros((), device=part.device)
        self.state = self.tensors = {
            "adam.mean": self.mean,
            "adam.square": self.square,
            "adam.steps": self.steps,
        }

    @torch.no_grad()
    def step(self, gradients: Tensor, rate: Tensor) -> None:
        """One step. gradients: (P,), clipped. rate: () learning rate."""
        g = gradients[self.start :]
        first, second = self.betas
        self.steps += 1
        self.mean.lerp_(g, 1 - first)
        self.square.mul_(second).addcmul_(g, g, value=1 - second)
        deviation = (self.square / (1 - second**self.steps)).sqrt_().add_(EPSILON)
        scale = self.share * (rate / (1 - first**self.steps))
        self.flat.values[self.start :].sub_(self.mean / deviation * scale)

    def refresh(self, step: int) -> None:
        """Nothing is done between the steps."""

    def pace(self, step: float, timed: Callable[[Callable[[], None]], float]) -> None:
        """Nothing is done that could take too long."""
