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
    h, w = (n - ALEX_STRIDE + 1 for n in x.shape[2:])
    a, b = random_window((x, x_hat), h, w)
    return a, b


def random_window(pictures: tuple[Tensor, ...], rows: int, columns: int) -> list[Tensor]:
    """A window of rows x columns pixels of pictures (N, any C, H, W), at one place in all of them
    that is drawn on the device.
    """
    x = pictures[0]
    h, w = x.shape[2:]
    top, left = (torch.randint(n, (1,), device=x.device) for n in (h - rows + 1, w - columns + 1))
    here = (top + torch.arange(rows, device=x.device))[:, None] * w
    index = (here + left + torch.arange(columns, device=x.device)).flatten()
    return [
        t.reshape(*t.shape[:2], h * w).index_select(2, index).view(*t.shape[:2], rows, columns)
        for t in pictures
    ]
