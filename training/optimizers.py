"""Which optimiser moves which weight, and how fast."""
import math

import torch
from torch import nn

from muon import Muon

LINEAR_SHARE = 0.05     # of the learning rate, for the linear paths: 768 inputs move their output at once


class Optimizers:
    """Adam; with muon=True, Muon for the matrices inside the networks and Adam for the rest."""

    def __init__(self, net: nn.Module, lr: float, muon: bool = False) -> None:
        groups: dict[str, list[nn.Parameter]] = {"inner": [], "linear": [], "other": []}
        for name, p in net.named_parameters():
            inner = p.ndim == 4 and min(p.shape[:2]) > 3    # not the first and the last convolution
            groups["linear" if ".linear." in name else "inner" if inner else "other"].append(p)
        adam = [{"params": groups["other"], "share": 1.0}, {"params": groups["linear"], "share": LINEAR_SHARE}]
        rest = [{"params": groups["inner"], "share": 1.0}]
        self.all = [torch.optim.Adam(adam, lr, betas=(0.9, 0.99)), Muon(rest, lr)] if muon else \
                   [torch.optim.Adam(adam + rest, lr, betas=(0.9, 0.99))]

    def step(self, rate: float) -> None:
        for optimizer in self.all:
            for group in optimizer.param_groups:
                group["lr"] = group["share"] * rate
            optimizer.step()


def learning_rate(step: int, share: float, warm_up: int) -> float:
    """Of the highest rate: warm-up by steps, then flat to a fifth of the budget, then a cosine to 1 %; share: of the budget, 0 to 1."""
    return min(1, (step + 1) / warm_up) * (1 if share < 0.2 else 0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * (share - 0.2) / 0.8)))
