"""The networks of the multistage prior: one small network a pass, in integers held by float32,
whose sums stay below 2^24 in any order.

A layer is round(2^-shift (x w + bias)), halves to even, a shift an output. Hidden values are
clipped to 0..255; the head takes the second hidden layer and, beside it, the inputs. The last row
of `first` and `linear` belongs to the step, which is the same everywhere.
"""

from functools import cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from latentpress import models
from latentpress._typing import Floats
from latentpress.entropy.multistage_passes import passes
from latentpress.system.blas import unwarned

ACT_MAX, CONDITION_MAX = 255, 255
FILE = "prior.npz"


class Network(NamedTuple):
    """The network of one pass. Weights are (inputs, outputs), integers in float32; *_bias and
    *_unit (2^-shift) are (outputs,); *_step is the row of weights of the step, int64.
    """

    first: Floats
    first_step: NDArray[np.int64]
    first_bias: NDArray[np.int64]
    first_unit: Floats
    second: Floats
    second_bias: Floats
    second_unit: Floats
    head: Floats
    linear: Floats
    linear_step: NDArray[np.int64]
    head_bias: NDArray[np.int64]
    head_unit: Floats

    def __call__(self, x: Floats, condition: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """(mu in 1/1024 of the latent's unit, log sigma in eighths of a scale), (n,) int64 each.

        x: (n, inputs), integers in float32. condition: the input of the step, the same for all
        positions.
        """
        bias = (self.first_bias + condition * self.first_step).astype(np.float32)
        head_bias = (self.head_bias + condition * self.linear_step).astype(np.float32)
        with unwarned():
            h = (x @ self.first + bias) * self.first_unit
            h = np.clip(np.rint(h), 0, ACT_MAX)
            h = (h @ self.second + self.second_bias) * self.second_unit
            h = np.clip(np.rint(h), 0, ACT_MAX)
            out = (h @ self.head + x @ self.linear + head_bias) * self.head_unit
        rounded = np.rint(out).astype(np.int64)
        return rounded[:, 0], rounded[:, 1]


@cache
def networks(space: str, channels: int) -> tuple[Network, ...]:
    """The networks of all passes of a space."""
    a: dict[str, Any] = models.arrays(space, FILE)
    all_passes, row = [], 0
    for i, p in enumerate(passes(channels)):
        end = row + p.inputs
        all_passes.append(
            Network(
                floats(a["first"][row:end]),
                ints(a["first"][end]),
                ints(a["first_bias"][i]),
                unit(a["first_shift"][i]),
                floats(a["second"][i]),
                floats(a["second_bias"][i]),
                unit(a["second_shift"][i]),
                floats(a["head"][i]),
                floats(a["linear"][row:end]),
                ints(a["linear"][end]),
                ints(a["head_bias"][i]),
                unit(a["head_shift"][i]),
            )
        )
        row = end + 1
    return tuple(all_passes)


def floats(a: NDArray[Any]) -> Floats:
    """Integers as float32."""
    return np.ascontiguousarray(a, np.float32)


def ints(a: NDArray[Any]) -> NDArray[np.int64]:
    """Integers as int64."""
    return a.astype(np.int64)


def unit(shift: NDArray[Any]) -> Floats:
    """2^-shift."""
    return np.exp2(-shift.astype(np.float32))


def channel_means(space: str) -> NDArray[np.int64]:
    """The channels' means, which are coded as 0, in sixteenths of the latent's unit: (C,)."""
    return models.arrays(space, FILE)["mean"].astype(np.int64)


def log_step(space: str, fine_step: int) -> int:
    """The logarithm of a step in fine units (1/8192), in eighths of a scale: 0 for a step of 1.
    From shipped integers, never a float.
    """
    a = models.arrays(space, FILE)
    return int(a["log_steps_from"]) + int(np.searchsorted(a["log_steps"], fine_step, "right"))
