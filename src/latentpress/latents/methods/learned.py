"""Method 3's payload: one latent under the multistage prior of its space, and the numbers that no
symbol reaches, exactly.

    exceptions, as in method 2 | the body of a .ltp file's latent chunk 03, which names the step

y_hat = fine / 8192 in float64, rounded to the nearest number of the latent's kind, then the
exceptions put in place.
"""

import numpy as np

from latentpress.entropy.multistage import (
    DEPENDENT,
    FINE,
    GREATEST_STEP,
    LEAST_STEP,
    NUMBER,
    MultistageCoder,
    decode_fine,
)
from latentpress.entropy.quantizer import SYMBOL_MAX
from latentpress.errors import ImageError
from latentpress.latents.dtypes import Array, round_to
from latentpress.latents.methods.predictive import Lossy, exceptions, read_exceptions
from latentpress.spaces import space_by_id

Shape = tuple[int, int, int]
# channels -> a, b: a + b x step is times the step of rounding of the same error
DEPENDENT_STEP = {4: (1.109, 0.06), 16: (1.125, 0.12)}


def encode(
    y: Array,
    kind: int,
    step: np.float32,
    bound: Array | float,
    space_id: int,
    dependent: bool = False,
) -> Lossy | None:
    """A finite latent (C, H, W) at a step or a little less. Numbers further than `bound` from y_hat
    are kept exactly. dependent: a squared error of about this step's in fewer bytes, by dependent
    quantization, where no single error has a bound of its own.

    None where the prior does not serve the step, or the latent is one number nearly everywhere.
    """
    space = space_by_id(space_id)
    a, b = DEPENDENT_STEP[space.channels] if dependent else (1.0, 0.0)
    fine_step = int(float(step) * FINE * (a + b * min(float(step), 1.0)))
    if not LEAST_STEP <= fine_step <= GREATEST_STEP:
        return None
    prior = MultistageCoder.of_step(space, fine_step, DEPENDENT if dependent else NUMBER)
    # the rest would mislead its neighbors
    target = np.where(np.abs(y) < SYMBOL_MAX * (fine_step / FINE) / 2, y, 0)
    quantized = prior.model(target)
    try:
        body = prior.pack(quantized)
    except ImageError:
        return None
    y_hat = reconstruct(prior.fine(quantized), kind)
    missed = np.flatnonzero(np.abs(y_hat.astype(np.float64) - y.astype(np.float64)) > bound)
    y_hat.ravel()[missed] = y.ravel()[missed]
    return Lossy(exceptions(y, kind, missed) + body, y_hat, len(missed))


def decode(payload: bytes, shape: Shape, kind: int, space_id: int) -> Array:
    """The payload -> y_hat (C, H, W) float32 or float16. FormatError where it is damaged or belongs
    to another shape.
    """
    places, numbers, position = read_exceptions(payload, 0, shape, kind)
    y_hat = reconstruct(decode_fine(space_by_id(space_id), payload[position:], *shape[1:]), kind)
    y_hat.ravel()[places] = numbers
    return y_hat


def reconstruct(fine: Array, kind: int) -> Array:
    """Fine units (C, H, W) -> y_hat: a division by a power of two is exact, then one rounding to
    the kind, the same on every machine.
    """
    return np.ascontiguousarray(round_to(fine / FINE, kind))
