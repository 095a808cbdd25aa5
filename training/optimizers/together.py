"""Which optimizer moves which parameter, and how fast."""

import math
from collections.abc import Callable

from torch import Tensor

from training.optimizers.adam import Adam
from training.optimizers.flat import FlatParameters
from training.optimizers.muon import Muon
from training.optimizers.soap import Soap

OF_MATRICES = {"muon": Muon, "soap": Soap}
NAMES = ("adam", *OF_MATRICES)
FLAT_SHARE = 0.2  # of the budget at the highest learning rate
WARM_SHARE = 0.1  # of the budget that a warm-up takes at most
LEAST = 0.01  # of the highest learning rate, at the end


class Together:
    """Adam; with "muon" or "soap", that for the matrices inside the networks and Adam for the rest.

    Raises:
        ValueError: The name is not one of NAMES.
    """

    def __init__(self, name: str, flat: FlatParameters) -> None:
        if name not in NAMES:
            raise ValueError(f"{name!r} is not an optimizer: {', '.join(NAMES)}")
        self.all: list[Adam | Muon | Soap] = [Adam(flat, 0 if name == "adam" else flat.rest)]
        if name != "adam":
            self.all.append(OF_MATRICES[name](flat))

    def step(self, gradients: Tensor, rate: Tensor) -> None:
        """One step. gradients: (P,), clipped. rate: () learning rate, on the device."""
        for optimizer in self.all:
            optimizer.step(gradients, rate)

    def refresh(self, step: int) -> None:
        """What is done between the steps, outside a captured graph. step: counts from 1."""
        for optimizer in self.all:
            optimizer.refresh(step)

    def pace(self, step: float, timed: Callable[[Callable[[], None]], float]) -> None:
        """Choose how often what is done between the steps can be afforded.

        Args:
            step: Milliseconds of a step.
            timed: Tells what a job takes, in milliseconds.
        """
        for optimizer in self.all:
            optimizer.pace(step, timed)

    @property
    def tensors(self) -> dict[str, Tensor]:
        """All that a step changes, by name."""
        return {name: t for optimizer in self.all for name, t in optimizer.tensors.items()}

    @property
    def state(self) -> dict[str, Tensor]:
        """What a run that goes on takes over."""
        return {name: t for optimizer in self.all for name, t in optimizer.state.items()}


def learning_rate(step: int, share: float, warm_up: int) -> float:
    """Of the highest rate: warm-up, flat, then a cosine.

    The warm-up ends after `warm_up` steps, or at a share of the budget where steps are slow.

    Args:
        step: From 0.
        share: Of the budget that is spent, 0 to 1.
        warm_up: Steps.
    """
    warm = min(1.0, max((step + 1) / warm_up, share / WARM_SHARE))
    if share < FLAT_SHARE:
        return warm
    falling = (min(share, 1.0) - FLAT_SHARE) / (1 - FLAT_SHARE)
    return warm * (LEAST + (1 - LEAST) * 0.5 * (1 + math.cos(math.pi * falling)))


def averaging_weight(step: int, exponent: float) -> float:
    """Weight of the newest parameters in the average, after `step` steps (from 1).

    The average of Karras et al. 2024 (arXiv:2312.02696): an iterate's weight is a power of its
    step, so that the window grows with the run and is at any moment the right one for it.
    """
    return 1 - (1 - 1 / step) ** (exponent + 1)
