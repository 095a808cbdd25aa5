"""The convolutional trunks of LPIPS and DISTS, AlexNet and VGG16: how their layers follow each
other, without weights.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from latentpress._typing import Floats


class Trunk(NamedTuple):
    """A convolutional network, every convolution followed by a ReLU.

    weights: key of weights.FILES. pools: index of a convolution -> (kind, window, stride) of the
    pooling before it, kind "max" or "l2" (DISTS: square root of the mean of squares under a 3 x 3
    Hann window, stride 2). stride: of the first convolution. padding: of each convolution. taps:
    indices of the convolutions whose output is a feature map.
    """

    weights: str
    pools: dict[int, tuple[str, int, int]]
    stride: int
    padding: tuple[int, ...]
    taps: tuple[int, ...]


VGG_STAGES = (2, 4, 7, 10)  # convolutions with a pooling before them
ALEX = Trunk("alex", {1: ("max", 3, 2), 2: ("max", 3, 2)}, 4, (2, 2, 1, 1, 1), (0, 1, 2, 3, 4))
VGG = Trunk("vgg", dict.fromkeys(VGG_STAGES, ("max", 2, 2)), 1, (1,) * 13, (1, 3, 6, 9, 12))
VGG_L2 = Trunk("vgg", dict.fromkeys(VGG_STAGES, ("l2", 3, 2)), 1, (1,) * 13, (1, 3, 6, 9, 12))
TRUNKS = {"alex": ALEX, "vgg": VGG, "vgg-l2": VGG_L2}
HANN = (np.outer([1, 2, 1], [1, 2, 1]) / 16).astype(np.float32)
L2_EPSILON = 1e-12

# (1, 3, H, W) normalized as the network wants it -> its feature maps (1, C, h, w)
Features = Callable[[Floats], list[Floats]]
