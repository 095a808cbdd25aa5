"""Analysis and synthesis: a deep path of `blocks`, and a linear map of each 16 x 16 block."""

from torch import Tensor, nn

from training.lp1.blocks import Conv, build, reduction, take_int8
from training.lp1.shape import Shape
from training.precision import float32

FACTOR = 16  # pixels of a latent position


class Analysis(nn.Module):
    """(N, 3, 16 h, 16 w) in [-1, 1] -> (N, latent, h, w).

    The linear map carries the detail of high rates, which the deep path is slow to learn.
    """

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        parts, channels = build(shape.analysis, 3, shape)
        if reduction(parts) != FACTOR:
            raise ValueError(f"the analysis must reduce by {FACTOR}, not {reduction(parts):g}")
        if shape.int8:
            take_int8(parts, 1.0)
        self.deep = nn.Sequential(*parts, Conv(shape, channels, shape.latent, 1))
        self.linear = nn.Conv2d(3, shape.latent, FACTOR, FACTOR)

    def forward(self, x: Tensor) -> Tensor:
        """See the class."""
        with float32(x.device.type):
            straight = self.linear(x.float())
        return self.deep(x) + straight


class Synthesis(nn.Module):
    """(N, latent, h, w) -> (N, 3, 16 h, 16 w), about [-1, 1]."""

    def __init__(self, shape: Shape, fine: int = 16) -> None:
        super().__init__()
        parts, channels = build(shape.synthesis, shape.latent, shape)
        if shape.int8:
            take_int8(parts, float(FACTOR))
        self.trunk = nn.Sequential(*parts)
        left = int(FACTOR * reduction(parts))
        self.coarse = nn.Sequential(
            nn.Conv2d(channels, 3 * left**2, 3, 1, 1), nn.PixelShuffle(left)
        )
        if shape.head == "branch":
            half = left // 2
            self.fine = nn.Sequential(
                nn.Conv2d(channels, fine * half**2, 1),
                nn.PixelShuffle(half),
                nn.ReLU(),
                nn.Conv2d(fine, fine, 3, 1, 1),
                nn.ReLU(),
                nn.Conv2d(fine, 12, 3, 1, 1),
                nn.PixelShuffle(2),
            )
            self.fine[5].weight.data.mul_(0.05)
            self.fine[5].bias.data.zero_()
        elif shape.head != "shuffle":
            raise ValueError(f"{shape.head!r} is not a head")
        self.linear = nn.Sequential(
            nn.Conv2d(shape.latent, 3 * FACTOR**2, 1), nn.PixelShuffle(FACTOR)
        )

    def forward(self, y: Tensor) -> Tensor:
        """See the class."""
        t = self.trunk(y)
        with float32(y.device.type):
            straight = self.linear(y.float())
        x = self.coarse(t) + straight
        return x + self.fine(t) if hasattr(self, "fine") else x
