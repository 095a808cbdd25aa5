"""The linear predictors of the latent spaces: integers fitted once, shipped, never recomputed.

`training/sd_priors/latent_predictors.py` fitted them.

A latent is coded channel after channel, a channel in PASSES, from coarse to fine lattices. A
position is predicted from what is decoded before it: earlier passes of its channel, every position
of earlier channels. The taps of a channel and a pass, their weights at a few levels (how fine the
step is), and the weights of the neighbors' magnitudes are rows of `predictors.npz`.
"""

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from latentpress.entropy.multistage_passes import PASSES, REACH
from latentpress.spaces import STABLE_DIFFUSION

__all__ = [
    "FILE",
    "LEVEL_STEPS",
    "MAGNITUDE_BITS",
    "MODELS",
    "PASSES",
    "REACH",
    "WEIGHT_BITS",
    "Step",
    "lookup",
    "step_of",
    "steps",
]

FILE = Path(__file__).parent / "predictors.npz"
# ids of the file; never renumbered
MODELS = {0: "none", 1: "generic"} | {space.id: space.name for space in STABLE_DIFFUSION}
LEVEL_STEPS = (0.025, 0.1, 0.35, 1.0)  # step in standard deviations that a level was fitted for
WEIGHT_BITS = 12  # weights of values are units of 2^-12
MAGNITUDE_BITS = 8  # weights of magnitudes are units of 2^-8

# channel (or channels back, in the generic model), rows down, columns right
Tap = tuple[int, int, int]


@dataclass(frozen=True)
class Step:
    """What predicts one pass of one channel. weights: a row a level, a column a tap."""

    taps: tuple[Tap, ...]
    weights: tuple[tuple[int, ...], ...]
    near: tuple[Tap, ...]
    near_weights: tuple[int, ...]
    constant: int


NOTHING = Step((), ((),) * len(LEVEL_STEPS), (), (), 0)


@cache
def load() -> dict[str, NDArray[Any]]:
    """The arrays of predictors.npz: `lookup`, and for each model `*_taps`, `*_weights`, `*_near`,
    `*_constant`, `*_rows`.
    """
    with np.load(FILE) as f:
        return dict(f)


@cache
def lookup() -> NDArray[np.int64]:
    """(n,) how many scales above the base: index, the expected magnitude in 1/256 of its average's
    deviation.
    """
    return load()["lookup"].astype(np.int64)


@cache
def steps(model: int) -> tuple[tuple[Step, ...], ...]:
    """Per channel, per pass of a model; the generic model has one channel, which stands for all.
    Model 0 is not asked for.
    """
    arrays = load()
    name = MODELS[model]
    # (channels, passes, 4): start and end of the taps, start and end of the near ones
    rows: Any = arrays[f"{name}_rows"]
    taps = arrays[f"{name}_taps"].tolist()
    weights = arrays[f"{name}_weights"].tolist()
    near = arrays[f"{name}_near"].tolist()
    near_weights = arrays[f"{name}_near_weights"].tolist()
    constant = arrays[f"{name}_constant"].tolist()
    channels = []
    for c, channel in enumerate(rows.tolist()):
        channels.append(
            tuple(
                Step(
                    tuple(tuple(t) for t in taps[a:b]),
                    tuple(tuple(level[a:b]) for level in weights),
                    tuple(tuple(t) for t in near[d:e]),
                    tuple(near_weights[d:e]),
                    constant[c][p],
                )
                for p, (a, b, d, e) in enumerate(channel)
            )
        )
    return tuple(channels)


def step_of(model: int, channel: int, number: int) -> Step:
    """The step of a channel's pass; generic taps are moved to the channel, model 0 has none."""
    if model == 0:
        return NOTHING
    if model == 1:
        return _moved(channel, number)
    return steps(model)[channel][number]


@cache
def _moved(channel: int, number: int) -> Step:
    s = steps(1)[0][number]
    taps, near = (tuple((channel, y, x) for _, y, x in t) for t in (s.taps, s.near))
    return Step(taps, s.weights, near, s.near_weights, s.constant)
