"""The model as a file sees it: for a last run of the synthesis alone, on the values that the shipped coder's symbols stand for."""
import os

import numpy as np
import torch
from torch import Tensor

from latentpress.entropy.hyperprior import HyperpriorCoder
from networks import LEVELS, Codec, interpolate


class Quantised:
    """Called as `Codec` is. Analysis and the shipped prior are taken as they are; synthesis and the gains before it learn."""

    def __init__(self, net: Codec) -> None:
        self.net = net
        os.environ.setdefault("LATENTPRESS_THREADS", str(torch.get_num_threads()))  # of the prior's graphs
        for part in (net.ga, net.prior):
            part.requires_grad_(False)
        net.gain.requires_grad_(False)

    def __call__(self, x: Tensor, level: Tensor, hard: bool = False) -> tuple[Tensor, Tensor]:
        """x (N, 3, H, W) in [-1, 1], sides multiples of 16 up to 1024. hard: whether the bits are counted, 0 else; of real streams."""
        with torch.no_grad():
            y = self.net.ga(x).float().cpu().numpy()
        values, bits = [], []
        for one, quality in zip(y, (level * (100 / (LEVELS - 1))).tolist(), strict=True):
            prior = HyperpriorCoder("lp1", quality)
            z, passes, y_hat = prior.model_segment(one * prior.gain)
            values.append(y_hat)
            bits.append(8.0 * len(prior.pack_segment(z, passes)) if hard else 0.0)
        decoded = torch.from_numpy(np.stack(values)).to(x.device).contiguous(memory_format=torch.channels_last)
        x_hat = self.net.gs(decoded * interpolate(self.net.inverse, level)[:, :, None, None].exp())
        return x_hat.float(), torch.tensor(bits, device=x.device)
