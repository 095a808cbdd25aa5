"""The restoration of a decoded latent in torch: a small residual network over the latent grid.

    y_hat, log step ─► 3x3 ─► BLOCKS x (3x3 ─ ReLU ─ 3x3, +) ─► ReLU ─► 3x3 ─► f

    z = y_hat + step x f

The step in front of f is the size of what rounding took away: where it goes to zero, so does the
correction.
"""

import numpy as np
import onnx
import torch
from onnx import numpy_helper
from torch import Tensor, nn

from latentpress import models
from latentpress.transforms.restoration import FILE, HALO, LOG_HALF, LOG_MIDDLE
from training.lp1.blocks import Residual
from training.lp1.shape import Shape

WIDTH = 64
BLOCKS = (HALO - 2) // 2  # every 3x3 looks one position further


class Restoration(nn.Module):
    """The network. A fresh one corrects nothing.

    Args:
        channels: Of the latent. The step's plane is one input channel more.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels + 1, WIDTH, 3, padding=1)
        self.blocks = nn.Sequential(*(Residual(Shape(), WIDTH) for _ in range(BLOCKS)))
        self.last = nn.Conv2d(WIDTH, channels, 3, padding=1)
        self.last.weight.data.zero_()
        self.last.bias.data.zero_()

    def forward(self, y_hat: Tensor, step: Tensor) -> Tensor:
        """Decoded latents y_hat (N, C, h, w) and their steps (N,) -> restored z (N, C, h, w).

        All are in the latent's unit.
        """
        step = step.view(-1, 1, 1, 1)
        plane = ((step.log() - LOG_MIDDLE) / LOG_HALF).expand(-1, 1, *y_hat.shape[2:])
        return y_hat + step * self.correction(torch.cat([y_hat, plane], 1))

    def correction(self, x: Tensor) -> Tensor:
        """x: y_hat and the step's plane (N, C + 1, h, w) -> f (N, C, h, w), in steps."""
        return self.last(torch.relu(self.blocks(self.first(x))))


def load_shipped(net: Restoration, space: str) -> None:
    """Fill net with the float16 weights in src/latentpress/models/SPACE, to go on from them."""
    graph = onnx.load_from_string(models.read_file(space, FILE)).graph
    as_float = lambda t: torch.from_numpy(numpy_helper.to_array(t).astype(np.float32))
    net.load_state_dict({t.name: as_float(t) for t in graph.initializer})
