"""Adam on a latent, through rounding that is annealed from soft to hard."""

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, TypeAlias, TypeVar

import torch

from latentpress._typing import Tensor
from latentpress.runtimes.threads import check_canceled
from latentpress.system.malloc import kept

Rounding: TypeAlias = Callable[[Tensor], Tensor]
RATE = 0.03  # learning rate, in steps of the quantizer; it ends at a tenth of that
# of Adam, in bits a step: a number that matters less than this moves less, else noise would drive
# it
EPSILON = 3.0
TEMPERATURES = (0.4, 0.05)  # first and last, geometric between them
EDGE = 1e-4  # the logit of a number this near an integer is that of this distance

Function = TypeVar("Function", bound=Callable[..., Any])


def with_gradients(function: Function) -> Function:
    """The function, with gradients within it whatever mode of torch its caller is in, such as
    `torch.no_grad`.
    """
    decorated: Function = torch.inference_mode(False)(function)
    return decorated


def anneal(
    variables: Sequence[Tensor],
    loss: Callable[[Rounding], Tensor],
    iterations: int,
    tick: Callable[[], None],
) -> None:
    """Move the variables (leaves with requires_grad, in steps of the quantizer) to where the loss,
    in bits, is small.

    loss: of the variables as rounded by its argument. The same variables and loss give the same
    result on one machine. Canceled before an iteration, as of `runtimes.threads`.
    """
    generator = torch.Generator().manual_seed(0)
    adam = torch.optim.Adam(variables, RATE, betas=(0.9, 0.99), eps=EPSILON)
    with kept():
        for i in range(iterations):
            check_canceled()
            share = i / iterations
            temperature = TEMPERATURES[0] * (TEMPERATURES[1] / TEMPERATURES[0]) ** share
            for group in adam.param_groups:
                group["lr"] = RATE * (0.1 + 0.9 * 0.5 * (1 + math.cos(math.pi * share)))
            rounding = partial(gumbel_rounding, temperature=temperature, generator=generator)
            adam.zero_grad()
            loss(rounding).backward()
            adam.step()
            tick()


def gumbel_rounding(t: Tensor, temperature: float, generator: torch.Generator) -> Tensor:
    """t drawn towards one of its two neighboring integers: softly where the temperature is high,
    nearly rounded where it is low.

    Yang, Bamler and Mandt 2020 (arXiv:2006.04240): p(floor), p(ceil) ~ exp(-atanh(distance) /
    temperature), and a Gumbel-softmax sample of the two at the same temperature, which for two
    classes is a logistic sample.
    """
    low = t.detach().floor()
    up = (t - low).clamp(EDGE, 1 - EDGE)
    logit = (torch.atanh(up) - torch.atanh(1 - up)) / temperature
    uniform = torch.rand(t.shape, generator=generator).clamp(1e-6, 1 - 1e-6)
    return low + torch.sigmoid((logit + torch.logit(uniform)) / temperature)
