"""LPIPS v0.1 (Zhang et al. 2018, arXiv:1801.03924) as a loss, at a random phase if wanted."""

import torch
from torch import Tensor

from training.losses.layer_distance import LayerDistance
from training.losses.trunks import Trunk

ALEX_STRIDE = 4  # of AlexNet's first layer


def maps_of(trunk: Trunk, x: Tensor, x_hat: Tensor) -> list[tuple[Tensor, Tensor]]:
    """The feature maps of an original, without gradient, and of its reconstruction, in pairs."""
    with torch.no_grad():
        of_x = trunk(x)
    return list(zip(of_x, trunk(x_hat), strict=True))


def lpips(trunk: Trunk, x: Tensor, x_hat: Tensor) -> Tensor:
    """LPIPS of x, x_hat (N, 3, H, W), x in [0, 1] -> (N,). Only x_hat gets a gradient."""
    pairs = zip(maps_of(trunk, x, x_hat), trunk.linear, strict=True)
    return torch.stack([LayerDistance.apply(g, f, w)[0] for (f, g), w in pairs]).sum(0)


def random_phase(x: Tensor, x_hat: Tensor) -> tuple[Tensor, Tensor]:
    """Both pictures without some of their first rows and columns, 0 to 3, drawn on the device.

    AlexNet's first layer looks every fourth pixel: at a fixed phase synthesis learns to hide a
    grid where it does not look.
    """
    n, c, h, w = x.shape
    top, left = torch.randint(ALEX_STRIDE, (2, 1), device=x.device)
    rows = torch.arange(h - ALEX_STRIDE + 1, device=x.device) + top
    columns = torch.arange(w - ALEX_STRIDE + 1, device=x.device) + left
    index = (rows[:, None] * w + columns).flatten()
    shape = (n, c, len(rows), len(columns))
    both = [t.reshape(n, c, h * w).index_select(2, index).view(shape) for t in (x, x_hat)]
    return both[0], both[1]
