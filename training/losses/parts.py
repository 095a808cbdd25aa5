"""The loss of the built-in model, put together of parts by numbers.

Of a picture at a level that is meant for r bits a pixel:

    (squared(r) * 65025 * MSE + perceptual(r) * P + bpp) / r^balance,
    P = lpips_alex * LPIPS(AlexNet) + lpips_vgg * LPIPS(VGG16) + texture * texture distance
        + wasserstein * Wasserstein distortion + text * L1 on text + coarse * multi-resolution L1
        + adversarial * what the discriminator says
"""

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from training.losses import pixels
from training.losses.layer_distance import LayerDistance
from training.losses.lpips import lpips, maps_of, random_phase, random_window
from training.losses.trunks import Trunk
from training.losses.wasserstein import levels_of, wasserstein

VGG_STRIDES = [1, 2, 4, 8, 16]
VGG_SIDE = 16  # a window's sides are whole multiples of it
SQUARES = 65025  # squared levels of 8 bits in a squared unit


@dataclass(frozen=True)
class LossShape:
    """Weights of the parts, and how they follow the rate.

    Attributes:
        lowest, highest: bpp that the first and the last level are meant for.
        squared, perceptual: (a, b, c, d) of a r^b / (1 + c r^d).
        balance: Power of r that the loss is divided by, so that no level outweighs the others.
        sigma: Of the Wasserstein distortion, in pixels; 0 in text.
        window: Share of a crop's sides that VGG16 sees, at a random place. Most of a step's
            arithmetic is VGG16's: half the sides are a quarter of it.
        adversarial_from: Share of the budget at which the discriminator's weight starts to grow.
            It is full as much later again.
    """

    lowest: float = 0.035
    highest: float = 1.15
    squared: tuple[float, float, float, float] = (0.058, 1.85, 0.45, 1.2)
    perceptual: tuple[float, float, float, float] = (20.0, 1.7, 0.68, 1.2)
    balance: float = 0.9
    lpips_alex: float = 0.65
    lpips_vgg: float = 0.4
    texture: float = 0.24
    wasserstein: float = 0.0
    text: float = 0.0
    coarse: float = 0.0
    adversarial: float = 0.0
    adversarial_from: float = 0.1
    sigma: float = 8.0
    window: float = 1.0


class Parts(NamedTuple):
    """The distances of each picture, (N,) each, unweighted. 0 where a part is not asked for."""

    mse: Tensor
    lpips_alex: Tensor
    lpips_vgg: Tensor
    texture: Tensor
    wasserstein: Tensor
    text: Tensor
    coarse: Tensor


def curve(numbers: tuple[float, float, float, float], rate: Tensor) -> Tensor:
    """a r^b / (1 + c r^d), any shape."""
    a, b, c, d = numbers
    return a * rate**b / (1 + c * rate**d)


class Distances:
    """Computes the parts that a loss asks for.

    Args:
        shape: Its weights.
        alex, vgg: Feature extractors.
        pictures: Some photographs (1, 3, H, W) in [0, 1]: the mean square of each of VGG16's maps
            over them is the unit of the Wasserstein distortion.
    """

    def __init__(self, shape: LossShape, alex: Trunk, vgg: Trunk, pictures: list[Tensor]) -> None:
        self.shape, self.alex, self.vgg = shape, alex, vgg
        self.phase = True  # whether AlexNet looks at a random phase
        self.levels = levels_of(VGG_STRIDES, shape.sigma)
        self.units: list[Tensor] = []
        if shape.wasserstein:
            self.units = feature_units(vgg, pictures)

    def __call__(self, x: Tensor, x_hat: Tensor, text: Tensor) -> Parts:
        """The parts of pictures x, x_hat (N, 3, H, W), text (N, 1, H, W); sides at least 64, and
        those of the window too.
        """
        shape = self.shape
        zero = x.new_zeros(len(x))
        alex, deep = zero, (zero, zero, zero)
        if shape.lpips_alex:
            pair = random_phase(x, x_hat) if self.phase else (x, x_hat)
            alex = lpips(self.alex, *pair)
        if shape.lpips_vgg or shape.texture or shape.wasserstein:
            deep = self._deep(x, x_hat, text)
        return Parts(
            pixels.squared_error(x, x_hat),
            alex,
            *deep,
            pixels.text_error(x, x_hat, text) if shape.text else zero,
            pixels.coarse_error(x, x_hat) if shape.coarse else zero,
        )

    def _deep(self, x: Tensor, x_hat: Tensor, text: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """LPIPS (VGG16), texture distance, Wasserstein distortion: of the same maps."""
        if self.shape.window < 1:
            sides = [VGG_SIDE * round(n * self.shape.window / VGG_SIDE) for n in x.shape[2:]]
            x, x_hat, text = random_window((x, x_hat, text), *sides)
        maps = maps_of(self.vgg, x, x_hat)
        zero = x.new_zeros(len(x))
        similarity, texture, local = zero, zero, zero
        if self.shape.lpips_vgg or self.shape.texture:
            pairs = zip(maps, self.vgg.linear, strict=True)
            layers = torch.stack([LayerDistance.apply(g, f, w) for (f, g), w in pairs])
            similarity, texture = layers[:, 0].sum(0), layers[:, 1].mean(0)
        if self.shape.wasserstein:
            rows = zip(maps, self.levels, self.units, strict=True)
            terms = [wasserstein(f, g, level, text) / unit for (f, g), level, unit in rows]
            local = torch.stack(terms).mean(0)
        return similarity, texture, local


@torch.no_grad()
def feature_units(trunk: Trunk, pictures: list[Tensor]) -> list[Tensor]:
    """The mean square of each map of a trunk over pictures: a scalar tensor a map."""
    sums: list[Tensor] = []
    for x in pictures:
        squares = [f.float().square().mean() for f in trunk(x)]
        sums = [a + b for a, b in zip(sums, squares, strict=True)] if sums else squares
    return [t / len(pictures) for t in sums]


def weighted(shape: LossShape, parts: Parts, bpp: Tensor, rate: Tensor) -> Tensor:
    """The loss of each picture, (N,). bpp: (N,) coded. rate: (N,), bpp that is meant."""
    distance = (
        shape.lpips_alex * parts.lpips_alex
        + shape.lpips_vgg * parts.lpips_vgg
        + shape.texture * parts.texture
        + shape.wasserstein * parts.wasserstein
        + shape.text * parts.text
        + shape.coarse * parts.coarse
    )
    squared = curve(shape.squared, rate) * SQUARES * parts.mse
    return (squared + curve(shape.perceptual, rate) * distance + bpp) / rate**shape.balance
