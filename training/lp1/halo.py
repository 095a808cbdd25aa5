"""How far a transform sees, from the shapes of its convolutions."""

import math

from torch import nn

from training.lp1.codec import Codec
from training.lp1.transforms import FACTOR


def reach(part: nn.Module, pixel: float) -> tuple[float, float]:
    """How far a part's outputs see.

    Args:
        part: Of a transform.
        pixel: Pixels of the picture from one input of the part to the next.

    Returns:
        Pixels of the picture to each side, and from one of its outputs to the next.
    """
    if isinstance(part, nn.PixelShuffle):
        return 0.0, pixel / part.upscale_factor
    if isinstance(part, nn.PixelUnshuffle):
        return (part.downscale_factor - 1) / 2 * pixel, pixel * part.downscale_factor
    if isinstance(part, nn.Conv2d):
        return (part.kernel_size[0] - 1) / 2 * pixel, pixel * part.stride[0]
    total = 0.0
    for child in part.children():
        one, pixel = reach(child, pixel)
        total += one
    return total, pixel


def halo(net: Codec) -> int:
    """Latent positions on each side that a model's transforms see, at most.

    The parts of a transform that lie beside each other are shorter than its trunk with the branch
    after it, which is counted as if all were in a row.
    """
    analysis = reach(net.ga.deep, 1.0)[0]
    trunk, pixel = reach(net.gs.trunk, float(FACTOR))
    heads = [net.gs.coarse, *([net.gs.fine] if hasattr(net.gs, "fine") else [])]
    synthesis = trunk + max(reach(head, pixel)[0] for head in heads)
    return math.ceil(max(analysis, synthesis) / FACTOR)
