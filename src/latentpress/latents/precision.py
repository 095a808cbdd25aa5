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
# channels, of latents under dependent quantisation: of 4 it saves 4 % and takes twice the time
DEPENDENT_FROM = 16
LOOSE = 4.0  # steps: no symbol of dependent quantisation is that far from its number
EXCEPTIONS_WORTH = 0.02  # of the numbers: beyond this share a finer step is tried
Code: TypeAlias = Callable[
    [np.float32, "Array | float"], "predictive.Lossy | None"
]  # (step, bound) -> what it makes of a latent


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
        given = [
            self.max_error is not None,
            self.rmse is not None,
            self.quality is not None,
            bool(self.lossless),
        ]
        if sum(given) != 1:
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

    model: of predictor.MODELS; that of a named space stands for its lattice prior, too.
    """
    if not precision.lossless:
        if not np.isfinite(y).all():
            raise UsageError(
                "the latent holds NaN or infinity, which only lossless (--lossless) keeps"
            )
        found = _best_lossy(y, kind, precision, model)
        if (
            found is not None and len(found[1]) < y.size
        ):  # above 8 bits a number see what all bits cost
            return found
        whole = exact.encode(y, kind)
        return found if found is not None and len(found[1]) <= len(whole) else (LOSSLESS, whole)
    return LOSSLESS, exact.encode(y, kind)


def _best_lossy(y: Array, kind: int, precision: Precision, model: int) -> tuple[int, bytes] | None:
    """The lattice prior where there is one; beside it the linear predictors, unless the prior does
    what it should.
    """
    found = []
    if model >= FIRST_SPACE:
        dependent = precision.rmse is not None and len(y) >= DEPENDENT_FROM
        payload = _lossy(
            y,
            kind,
            precision,
            lambda step, bound: learned.encode(y, kind, step, bound, model, dependent),
        )
        if payload is not None:
            if 8 * len(payload) < y.size * _usual_bits(y, precision):
                return LEARNED, payload
            found.append((LEARNED, payload))
    payload = _lossy(
        y, kind, precision, lambda step, bound: predictive.encode(y, kind, step, bound, model)
    )
    if payload is not None:
        found.append((PREDICTIVE, payload))
    return min(found, key=lambda f: len(f[1]), default=None)


def _usual_bits(y: Array, precision: Precision) -> float:
    """Bits a number of a Gaussian of the latent's deviation about the channels' means, at the step
    that the precision asks for.
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
    """Half a step is the bound; where rounding to the kind adds so much that many numbers miss it,
    a finer step.
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
    """A uniform error of rmse has step rmse x sqrt(12); where the step is coarse beside the latent
    the error is less, and it may grow.
    """
    wanted = rmse * math.sqrt(12)
    best = None
    low, high = 0.0, math.inf
    for _ in range(SEARCH_STEPS):
        step = _step(wanted)
        coded = None if step is None else code(step, bound(step))
        if coded is None:
            return best
        payload, y_hat, _ = coded
        reached = float(np.sqrt(np.square(_error(y, y_hat) / rmse).mean()))
        if reached <= 1:
            if best is None or len(payload) < len(best):
                best = payload
            low = max(low, wanted)
            if reached > CLOSE or reached == 0:
                return best
        else:
            high = min(high, wanted)
        guess = (
            wanted * 0.996 / reached if 0.5 < reached < 2 else wanted * (2 if reached < 1 else 0.5)
        )
        wanted = (
            guess if low < guess < high else (low + high) / 2 if math.isfinite(high) else 2 * low
        )
    return best


def _step(wanted: float) -> np.float32 | None:
    """The greatest float32 that is at most wanted; None where there is none above 0."""
    step = np.float32(min(wanted, LARGEST[0] / 4))
    if float(step) > wanted:
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
