"""Latent optimisation in the encoder (efforts 7 to 9): the same bitstream, found by gradients
through the decoder and the prior, with stochastic Gumbel annealing (Yang, Bamler and Mandt 2020,
arXiv:2006.04240).

lp1_optimizer.py               space lp1; torch_hyperprior.py: its prior with gradients
stable_diffusion_optimizer.py  the Stable Diffusion spaces
loss.py                        what is minimised; rate.py, torch_lpips.py, objective.py: its terms
annealing.py                   the descent, through rounding that is annealed from soft to hard
onnx_torch.py, onnx_file.py    the shipped ONNX graphs as torch functions
progress.py                    how far it is

torch is imported only by an optimisation.
"""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING

from latentpress.errors import UsageError
from latentpress.options import EXTRA, FIRST_EFFORT, ITERATIONS, Progress, check_effort

__all__ = ["FIRST_EFFORT", "Progress", "check_effort", "check_torch", "open_optimizer"]

if TYPE_CHECKING:
    from latentpress.entropy import Encoder
    from latentpress.image.picture import Picture
    from latentpress.transforms import Transform


def check_torch() -> None:
    """UsageError where torch is not installed."""
    if find_spec("torch") is None:
        raise UsageError(EXTRA)


def open_optimizer(
    picture: Picture,
    transform: Transform,
    quality: float,
    effort: int,
    optimize_for: str | None = None,
    progress: Progress | None = None,
) -> Encoder:
    """A coder whose `encode` searches the latent of a picture. effort: 7, 8 or 9. optimize_for:
    mse, perceptual, or None for perceptual where LPIPS's weights are here. UsageError without
    torch, and for another aim.
    """
    check_torch()
    from latentpress.optimize.lp1_optimizer import Lp1Optimizer
    from latentpress.optimize.objective import choose_objective
    from latentpress.transforms.lp1 import Lp1Transform

    objective = choose_objective(optimize_for)[0]
    iterations = ITERATIONS[effort]
    if isinstance(transform, Lp1Transform):
        return Lp1Optimizer(picture, transform.space.name, quality, objective, iterations, progress)
    from latentpress.optimize.stable_diffusion_optimizer import StableDiffusionOptimizer
    from latentpress.transforms.stable_diffusion import StableDiffusionTransform

    assert isinstance(
        transform, StableDiffusionTransform
    )  # half the iterations: these decoders cost several times as much
    return StableDiffusionOptimizer(
        picture, transform, quality, objective, iterations // 2, progress
    )
