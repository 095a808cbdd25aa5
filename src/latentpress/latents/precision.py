"""How exact a latent must be, and the step that gets there: a bound on every error, an rmse, the
.ltp quality, or every bit.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from latentpress.errors import UsageError
from latentpress.latents.dtypes import LARGEST, RELATIVE, Array
from latentpress.latents.methods import learned, predictive
from latentpress.latents.methods import lossless as exact
from latentpress.options import check_quality
from latentpress.spaces import step_size

# ids of the methods; later ones get further ids
LOSSLESS = 1
PREDICTIVE = 2
LEARNED = 3
FIRST_SPACE = 16  # ids of models from here on are those of named spaces
SEARCH_STEPS = 6
CLOSE = 0.985  # an rmse this near below the wanted one needs no further step
# channels, of latents under dependent quantization: of 4 it saves 4 % and takes twice the time
DEPENDENT_FROM = 16
LOOSE = 4.0  # steps: no symbol of dependent quantization is that far from its number
EXCEPTIONS_WORTH = 0.02  # of the numbers: beyond this share a finer step is tried
# (step, bound) -> what it makes of a latent
Code: TypeAlias = Callable[[np.float32, "Array | float"], "predictive.Lossy | None"]


@dataclass(frozen=True)
class Precision:
    """Exactly one of: max_error, the bound of |y_hat - y| for every number; rmse, of each latent;
    quality 0..100; lossless.
    """

    max_error: float | None = None
    rmse: float | None = None
    quality: float | None = None
    lossless: bool = False

    def __post_init__(self) -> None:
        named = [
            self.max_error is not None,
            self.rmse is not None,
            self.quality is not None,
            bool(self.lossless),
        ]
        if sum(named) != 1:
            raise UsageError(
                "say how exact the latents must be, in one way: max_error, rmse, quality or "
                "lossless"
            )
        for name, value in (("max_error", self.max_error), ("rmse", self.rmse)):
            if value is not None and not (math.isfinite(value) and value > 0):
                raise UsageError(
                    f"{name} must be a positive number, not {value}; for no error at all ask for "
                    "lossless"
                )
        if self.quality is not None:
            check_quality(self.quality)


def encode(y: Array, kind: int, precision: Precision, model: int) -> tuple[int, bytes]:
    """A latent (C, H, W) -> (method, payload) that meets the precision. UsageError for NaN and
    infinity, unless lossless.

    model: an id of predictors.MODELS; that of a named space stands for its multistage prior, too.
    """
    if not precision.lossless:
        if not np.isfinite(y).all():
            raise UsageError(
                "the latent holds NaN or infinity, which only lossless (--lossless) keeps"
            )
        coded = _best_lossy(y, kind, precision, model)
        # above 8 bits a number see what all bits cost
        if coded is not None and len(coded[1]) < y.size:
            return coded
        whole = exact.encode(y, kind)
        return coded if coded is not None and len(coded[1]) <= len(whole) else (LOSSLESS, whole)
    return LOSSLESS, exact.encode(y, kind)


def _best_lossy(y: Array, kind: int, precision: Precision, model: int) -> tuple[int, bytes] | None:
    """(method, payload) of the fewest bytes under the multistage prior, where the space has one,
    and the linear predictors; None where neither serves.

    The predictors are not tried where the prior takes fewer bits than `gaussian_bits`.
    """
    candidates = []
    if model >= FIRST_SPACE:
        dependent = precision.rmse is not None and len(y) >= DEPENDENT_FROM
        payload = _lossy(
            y,
            kind,
            precision,
            lambda step, bound: learned.encode(y, kind, step, bound, model, dependent),
        )
        if payload is not None:
            if 8 * len(payload) < y.size * gaussian_bits(y, precision):
                return LEARNED, payload
            candidates.append((LEARNED, payload))
    payload = _lossy(
        y, kind, precision, lambda step, bound: predictive.encode(y, kind, step, bound, model)
    )
    if payload is not None:
        candidates.append((PREDICTIVE, payload))
    return min(candidates, key=lambda f: len(f[1]), default=None)


def gaussian_bits(y: Array, precision: Precision) -> float:
    """Bits a number under a Gaussian of the latent's own deviation about the channels' means, at
    the step that the precision asks for: what a prior that fits should stay below.
    """
    step = (
        2 * (precision.max_error or 0)
        or math.sqrt(12) * (precision.rmse or 0)
        or step_size(precision.quality or 0)
    )
    _, deviation = predictive.moments(y.astype(np.float64))
    return math.log2(max(deviation, 1e-99) / step) + math.log2(math.sqrt(2 * math.pi * math.e))


def _lossy(y: Array, kind: int, precision: Precision, code: Code) -> bytes | None:
    if precision.max_error is not None:
        return _bounded(y, precision.max_error, code)
    if precision.rmse is not None:
        return _to_rmse(y, precision.rmse, lambda step: loose(y, kind, step), code)
    assert precision.quality is not None
    step = _step(step_size(precision.quality))
    coded = None if step is None else code(step, loose(y, kind, step))
    return None if coded is None else coded.payload


def _bounded(y: Array, max_error: float, code: Code) -> bytes | None:
    """The payload of the fewest bytes whose errors are at most max_error.

    The step is twice the bound. Where rounding to the kind adds so much that many numbers miss the
    bound, and so become exceptions, half that step is tried too.
    """
    best: bytes | None = None
    for part in (1.0, 0.5):
        step = _step(2 * max_error * (1 - 2.0**-20) * part)
        coded = None if step is None else code(step, max_error)
        if coded is None:
            return best
        if best is None or len(coded.payload) < len(best):
            best = coded.payload
        if coded.exceptions <= EXCEPTIONS_WORTH * y.size:
            return best
    return best


def _to_rmse(
    y: Array, rmse: float, bound: Callable[[np.float32], Array], code: Code
) -> bytes | None:
    """The payload of the fewest bytes whose root mean squared error is at most rmse.

    A uniform error of that rmse has the step rmse x sqrt(12); where the step is coarse beside the
    latent the error is less, and a larger step is looked for.
    """
    target_step = rmse * math.sqrt(12)
    best = None
    low, high = 0.0, math.inf
    for _ in range(SEARCH_STEPS):
        step = _step(target_step)
        coded = None if step is None else code(step, bound(step))
        if coded is None:
            return best
        payload, y_hat, _ = coded
        ratio = float(np.sqrt(np.square(_error(y, y_hat) / rmse).mean()))
        if ratio <= 1:
            if best is None or len(payload) < len(best):
                best = payload
            low = max(low, target_step)
            if ratio > CLOSE or ratio == 0:
                return best
        else:
            high = min(high, target_step)
        guess = (
            target_step * 0.996 / ratio
            if 0.5 < ratio < 2
            else target_step * (2 if ratio < 1 else 0.5)
        )
        target_step = (
            guess if low < guess < high else (low + high) / 2 if math.isfinite(high) else 2 * low
        )
    return best


def _step(limit: float) -> np.float32 | None:
    """The greatest float32 that is at most limit; None where there is none above 0."""
    step = np.float32(min(limit, LARGEST[0] / 4))
    if float(step) > limit:
        step = np.nextafter(step, np.float32(0))
    return step if step > 0 else None


def loose(y: Array, kind: int, step: np.float32) -> Array:
    """The bound where none was asked for: only what no symbol reached is kept exactly. (C, H, W)
    float64.
    """
    return LOOSE * float(step) + np.abs(y.astype(np.float64)) * RELATIVE[kind]


def _error(y: Array, y_hat: Array) -> Array:
    """|y_hat - y| in float64."""
    return np.abs(y_hat.astype(np.float64) - y.astype(np.float64))
