"""Read a shipped prior of a Stable Diffusion space back into torch, to go on training from it.

This is the inverse of `training.sd_priors.export`.
"""

import math

import numpy as np
import torch

from latentpress import models
from latentpress.entropy.multistage_network import FILE
from training.grids import ACT, SIGMA_MIN
from training.sd_priors.export import HEAD_UNIT
from training.sd_priors.networks import VALUE, Prior


def load_shipped(space: str) -> Prior:
    """The prior in src/latentpress/models/SPACE, its integers as real numbers in float32."""
    a = models.arrays(space, FILE)
    prior = Prior(len(a["mean"]), a["second"].shape[2])
    prior.mean.copy_(torch.from_numpy(a["mean"] / 16))
    log_sigma_min = np.array([0, math.log(SIGMA_MIN)])
    scale = lambda name, i: 2.0 ** -a[f"{name}_shift"][i].astype(float)
    row = 0
    for i, (p, net) in enumerate(zip(prior.passes, prior.nets, strict=True)):
        end = row + p.inputs + 1
        first = scale("first", i) / ACT
        second = scale("second", i) / ACT
        head = scale("head", i) * HEAD_UNIT
        found = {
            "first.weight": (a["first"][row:end] * first).T * VALUE,
            "first.bias": a["first_bias"][i] * first,
            "second.weight": (a["second"][i] * second).T * ACT,
            "second.bias": a["second_bias"][i] * second,
            "head.weight": (a["head"][i] * head).T * ACT,
            "linear.weight": (a["linear"][row:end] * head).T * VALUE,
            "linear.bias": a["head_bias"][i] * head + log_sigma_min,
        }
        net.load_state_dict({k: torch.from_numpy(v.astype(np.float32)) for k, v in found.items()})
        row = end
    return prior
