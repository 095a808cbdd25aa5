"""Stand-ins for rounding whose gradient leads a search: stochastic Gumbel annealing."""

from collections.abc import Callable
from typing import TypeAlias

import torch

Tensor: TypeAlias = torch.Tensor
Rounding: TypeAlias = Callable[[Tensor], Tensor]
EDGE = 1e-4  # the logit of a number this near an integer is that of this distance


def gumbel(t: Tensor, temperature: float, generator: torch.Generator) -> Tensor:
    """t drawn towards one of its two neighbouring integers: softly where the temperature is high, nearly rounded where it is low.

    Yang, Bamler and Mandt 2020 (arXiv:2006.04240): p(floor), p(ceil) ~ exp(-atanh(distance) / temperature), and a Gumbel-softmax
    sample of the two at the same temperature, which for two classes is a logistic sample.
    """
    low = t.detach().floor()
    up = (t - low).clamp(EDGE, 1 - EDGE)
    logit = (torch.atanh(up) - torch.atanh(1 - up)) / temperature
    uniform = torch.rand(t.shape, generator=generator).clamp(1e-6, 1 - 1e-6)
    return low + torch.sigmoid((logit + torch.logit(uniform)) / temperature)
