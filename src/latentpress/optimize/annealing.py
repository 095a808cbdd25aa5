"""The search itself: Adam on a latent, through rounding that is annealed from soft to hard."""

import math
from collections.abc import Callable, Sequence
from typing import TypeAlias

import torch

from latentpress.refine.heap import kept
from latentpress.refine.rounding import Rounding, gumbel

Tensor: TypeAlias = torch.Tensor
RATE = 0.03              # learning rate, in steps of the quantiser; it ends at a tenth of that
EPSILON = 3.0            # of Adam, in bits a step: a number that matters less than this moves less, else noise would drive it
TEMPERATURES = (0.4, 0.05)  # first and last, geometric between them


def descend(variables: Sequence[Tensor], loss: Callable[[Rounding], Tensor], iterations: int, tick: Callable[[], None]) -> None:
    """Move the variables (leaves with requires_grad, in steps of the quantiser) to where the loss, in bits, is small.

    loss: of the variables as rounded by its argument. The same variables and loss give the same result on one machine.
    """
    generator = torch.Generator().manual_seed(0)
    adam = torch.optim.Adam(variables, RATE, betas=(0.9, 0.99), eps=EPSILON)
    with kept():
        for i in range(iterations):
            share = i / iterations
            temperature = TEMPERATURES[0] * (TEMPERATURES[1] / TEMPERATURES[0]) ** share
            for group in adam.param_groups:
                group["lr"] = RATE * (0.1 + 0.9 * 0.5 * (1 + math.cos(math.pi * share)))
            adam.zero_grad()
            loss(lambda t, temperature=temperature: gumbel(t, temperature, generator)).backward()  # type: ignore[misc]
            adam.step()
            tick()
