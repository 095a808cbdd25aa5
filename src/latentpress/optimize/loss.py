"""What the latent optimization minimizes, in bits: rate + pixels x (lambda x MSE + beta x LPIPS), a
loss of the form of training/losses/parts.py's.
"""

from contextlib import AbstractContextManager
from typing import Any, NamedTuple

import numpy as np
import torch

from latentpress._typing import Pixels, Tensor
from latentpress.metrics.lpips import MIN_SIDE
from latentpress.optimize.torch_lpips import Lpips

SHIFTED = 3  # pixels that a shift of Lpips takes away at most
# bpp that quality 0 and 100 of lp1 are meant for: LossShape of training/losses/parts.py
LOWEST = 0.035
HIGHEST = 1.15
# factor and exponent of the rate, of squared error in levels^2: those of training up to run 7
LAMBDA = (0.045, 1.8)
BETA = (20.0, 1.7)  # the same for LPIPS (AlexNet); VGG16's share of the training loss is left out


class Weights(NamedTuple):
    """mse: bits a pixel for one level^2 of squared error. lpips: bits a pixel for an LPIPS of 1; 0
    leaves it out.
    """

    mse: float
    lpips: float


def meant_rate(quality: float) -> float:
    """The bpp that a quality of lp1 was trained for."""
    return LOWEST * float((HIGHEST / LOWEST) ** (quality / 100))


def weights_at(bpp: float, objective: str) -> Weights:
    """The weights of a rate. objective: one of options.OBJECTIVES."""
    (a, b) = LAMBDA
    (c, d) = BETA
    return Weights(a * bpp**b, c * bpp**d if objective == "perceptual" else 0.0)


class Distortion:
    """The distortion of a reconstruction from one window of the picture, in bits.

    An error counts as it is seen: where the picture is transparent, in proportion to its opacity.

    Args:
        pixels: the window, (H, W, 3) uint8.
        weights: of squared error and of LPIPS, which is left out in windows too small for it.
        opacity: (H, W) uint8, 255 where nothing shines through; None where all is opaque.
    """

    def __init__(self, pixels: Pixels, weights: Weights, opacity: Pixels | None = None) -> None:
        self._reference = torch.from_numpy(pixels.astype(np.float32)).permute(2, 0, 1)[None]
        self._opacity: Tensor | None = None
        if opacity is not None:
            self._opacity = torch.from_numpy(opacity.astype(np.float32) / 255)
        self.weights = weights
        self.count = pixels.shape[0] * pixels.shape[1]
        self._calls = 0
        self._lpips = (
            Lpips(self._reference)
            if weights.lpips and min(pixels.shape[:2]) >= MIN_SIDE["alex"] + SHIFTED
            else None
        )

    def __call__(self, x_hat: Tensor) -> Tensor:
        """The distortion of x_hat, a scalar in bits.

        x_hat: (1, 3, at least H, at least W) in [0, 255]; only its first H rows and W columns
        count. Calls with gradients take turns in the shift of LPIPS (`Lpips.SHIFTS`); calls without
        use no shift, which is the LPIPS of `latentpress.metrics`.
        """
        x_hat = x_hat[:, :, : self._reference.shape[2], : self._reference.shape[3]]
        if self._opacity is not None:
            x_hat = self._reference + self._opacity * (x_hat - self._reference)
        loss = self.weights.mse * (x_hat - self._reference).square().mean()
        if self._lpips is not None:
            shift = self._calls % len(Lpips.SHIFTS) if x_hat.requires_grad else 0
            self._calls += x_hat.requires_grad
            loss = loss + self.weights.lpips * self._lpips(x_hat, shift).float()
        return self.count * loss


def half_precision() -> AbstractContextManager[Any]:
    """bfloat16 for convolutions on the CPU where it has it: the optimization needs speed there, not
    exactness.
    """
    return torch.autocast("cpu", torch.bfloat16, enabled=native_bfloat16())


def native_bfloat16() -> bool:
    """Whether the processor computes in bfloat16. One that emulates it takes more than ten times as
    long as in float32.
    """
    # torch has no public name for it
    native = getattr(torch.cpu, "_is_avx512_bf16_supported", None)
    return native is not None and native()
