"""Crops cut on the device: gathered from the store, resampled, turned, made gray, in one pass."""

import torch
from torch import Tensor

from training.data.plan import FLOATS, INTEGERS

MOST_STRETCH = 2.0  # source pixels per pixel of a crop
MARGIN = 5  # pixels around the crop that the filter reaches, at that stretch
LUMA = (0.299, 0.587, 0.114)  # ITU-R BT.601


def keys_cubic(t: Tensor) -> Tensor:
    """The cubic convolution kernel of Keys (1981) with a = -1/2, any shape."""
    t = t.abs()
    near = (1.5 * t - 2.5) * t * t + 1
    far = ((-0.5 * t + 2.5) * t - 4) * t + 2
    return torch.where(t < 1, near, torch.where(t < 2, far, 0.0))


def filter_matrix(start: Tensor, stretch: Tensor, flip: Tensor, size: int, taps: int) -> Tensor:
    """One axis of the resampling as matrices.

    Args:
        start: (n,) position of the crop's first edge, in source pixels after pixel MARGIN.
        stretch: (n,) source pixels per pixel, 1 to MOST_STRETCH.
        flip: (n,) whether the crop's order is reversed.
        size: Pixels of the crop.
        taps: Pixels of the source.

    Returns:
        (n, size, taps) whose rows sum to 1: the kernel, stretched so that nothing aliases. At a
        stretch of 1 and a whole start it is a copy.
    """
    i = torch.arange(size, device=start.device, dtype=torch.float32)
    i = torch.where(flip[:, None], size - 1 - i, i)
    center = (i + 0.5) * stretch[:, None] - 0.5 + start[:, None] + MARGIN
    s = torch.arange(taps, device=start.device, dtype=torch.float32)
    weight = keys_cubic((s - center[:, :, None]) / stretch[:, None, None])
    return weight / weight.sum(2, keepdim=True)


def cut(pixels: Tensor, integers: Tensor, floats: Tensor, size: int) -> tuple[Tensor, Tensor]:
    """The crops of a plan.

    Args:
        pixels: int32 (P,), a store's.
        integers, floats: A plan's, on the device of the pixels.
        size: Pixels a side.

    Returns:
        The crops, (n, 3, size, size) in [0, 1], whole multiples of 1/255, and the text masks,
        (n, 1, size, size) in [0, 1].
    """
    row = dict(zip(INTEGERS, integers, strict=True))
    real = dict(zip(FLOATS, floats, strict=True))
    taps = int(size * MOST_STRETCH) + 2 * MARGIN
    reach = torch.arange(taps, device=pixels.device) - MARGIN
    column = lambda t: t[:, None]
    y = (column(row["top"]) + reach).clamp_min(0).minimum(column(row["height"] - 1))
    x = (column(row["left"]) + reach).clamp_min(0).minimum(column(row["width"] - 1))
    index = (column(row["base"]) + y * column(row["width"]))[:, :, None] + x[:, None]
    patch = pixels[index].view(torch.uint8).view(-1, taps, taps, 4).float()
    flip_y, flip_x = row["flip_y"].bool(), row["flip_x"].bool()
    down = filter_matrix(real["start_y"], real["stretch"], flip_y, size, taps)
    across = filter_matrix(real["start_x"], real["stretch"], flip_x, size, taps)
    n = len(index)
    t = torch.bmm(down, patch.reshape(n, taps, taps * 4)).view(n, size, taps, 4)
    t = torch.bmm(across, t.transpose(1, 2).reshape(n, taps, size * 4)).view(n, size, size, 4)
    turned = t.permute(0, 3, 1, 2)  # columns first
    upright = t.permute(0, 3, 2, 1)
    out = torch.where(row["turn"].bool()[:, None, None, None], turned, upright)
    color, mask = out[:, :3], out[:, 3:] / 255
    red, green, blue = (share * color[:, i : i + 1] for i, share in enumerate(LUMA))
    gray = red + green + blue
    color = torch.where(row["gray"].bool()[:, None, None, None], gray, color)
    color = color.round().clamp(0, 255) / 255
    return color.contiguous(memory_format=torch.channels_last), mask.clamp(0, 1)
