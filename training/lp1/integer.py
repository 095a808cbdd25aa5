"""The prior's layers as integers whose sums stay below 2^23, so that float32 adds them exactly.

A layer computes  out = round(2^-k * (sum_i W_i * x_i + b)) , k a power per output channel, the
largest that keeps |W| * max|x| + |b| below 2^23 in every order of summation. x, W, b, out are
integers; a unit says what 1 of them is worth.
"""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from training.grids import ACT, ACT_MAX, LOG_STEP, SIGMA_MIN, WHITE, WHITE_MAX, Z_MAX
from training.lp1.prior import Prior

SUM_LIMIT = 2**23 * 0.999
WEIGHT_LIMIT = 32767
MAX_SHIFT = 20
MU_UNIT = 1 / 64
LOG_SIGMA_UNIT = LOG_STEP / 8
HEAD_UNIT = "head"  # MU_UNIT for the first half of the outputs, LOG_SIGMA_UNIT for the other

# What a convolution sees: its unit, and the largest magnitude.
ACT_INPUT = (1 / ACT, ACT_MAX)
Z_INPUT = (1.0, Z_MAX)
WHITE_INPUT = (1 / WHITE, WHITE_MAX)

# Layer -> its convolutions with the unit and the largest value of their inputs, and the unit of its
# output.
LAYERS: dict[str, tuple[list[tuple[str, float, int]], float | str]] = {
    "hs1": ([("hs1", *Z_INPUT)], 1 / ACT),
    "hs2": ([("hs2", *ACT_INPUT)], 1 / ACT),
    "hs3": ([("hs3", *ACT_INPUT)], 1 / ACT),
    "head1": ([("head1", *ACT_INPUT)], HEAD_UNIT),
    "ctx": ([("ctx_a", *WHITE_INPUT), ("ctx_b", *WHITE_INPUT), ("ctx_f", *ACT_INPUT)], 1 / ACT),
    "mix": ([("mix", *ACT_INPUT)], 1 / ACT),
    "head2": ([("head2", *ACT_INPUT)], HEAD_UNIT),
}


@dataclass(frozen=True)
class IntegerLayer:
    """A layer in integers.

    Attributes:
        weights: Of each convolution by its name, (out, in, kh, kw).
        bias: (out,), or (LEVELS, out) for hs1.
        shift: (out,), the k of the module's formula.
    """

    weights: dict[str, NDArray[np.int16]]
    bias: NDArray[np.int32]
    shift: NDArray[np.int32]


def output_unit(prior: Prior, unit: float | str) -> float | NDArray[np.float64]:
    """The unit of a layer's outputs: one for all, or one an output, (out,), for a head."""
    if unit != HEAD_UNIT:
        return float(unit)
    return np.repeat([MU_UNIT, LOG_SIGMA_UNIT], prior.head1.out_channels // 2)


def bias_name(layer: str) -> str:
    """The convolution that holds a layer's bias in torch."""
    return "ctx_f" if layer == "ctx" else layer


def log_sigma_from(outputs: int) -> NDArray[np.float64]:
    """What the shipped outputs of the first head, (out,), count from: log sigma from SIGMA_MIN."""
    return np.repeat([0.0, np.log(SIGMA_MIN)], outputs // 2)


def layer_bias(prior: Prior, name: str) -> NDArray[np.float64]:
    """The real bias of a layer as it is shipped: (out,), or (LEVELS, out) for hs1."""
    number = lambda t: t.detach().double().cpu().numpy()
    bias = number(getattr(prior, bias_name(name)).bias)
    if name == "hs1":
        return bias + number(prior.level_bias)
    if name == "head1":
        return bias - log_sigma_from(len(bias))
    return bias


def integer_layer(prior: Prior, name: str) -> IntegerLayer:
    """A layer of LAYERS as integers.

    Raises:
        ValueError: A sum could leave the integers that float32 adds exactly.
    """
    convolutions, unit = LAYERS[name]
    unit_out = output_unit(prior, unit)
    column = np.reshape(unit_out, (-1, 1, 1, 1))
    number = lambda c: getattr(prior, c).weight.detach().double().cpu().numpy()
    real = {c: number(c) * unit_in / column for c, unit_in, _ in convolutions}
    bias = layer_bias(prior, name) / unit_out
    sums = [np.abs(real[c]).sum((1, 2, 3)) * largest for c, _, largest in convolutions]
    reach = sum(sums) + np.abs(np.atleast_2d(bias)).max(0)
    widest = np.max([np.abs(w).max((1, 2, 3)) for w in real.values()], axis=0)
    shift = np.minimum(np.log2(SUM_LIMIT / (reach + 1e-9)), np.log2(WEIGHT_LIMIT / (widest + 1e-9)))
    shift = np.clip(np.floor(shift), 0, MAX_SHIFT).astype(np.int32)
    scaled = 2.0**shift
    whole = lambda w: np.round(w * scaled[:, None, None, None]).astype(np.int16)
    weights = {c: whole(w) for c, w in real.items()}
    out = IntegerLayer(weights, np.round(bias * scaled).astype(np.int32), shift)
    check(out, {c: largest for c, _, largest in convolutions})
    return out


def check(layer: IntegerLayer, largest: dict[str, int]) -> None:
    """Raise unless no order of summation can leave the integers that float32 holds.

    Args:
        layer: In integers.
        largest: The largest magnitude of each convolution's inputs.

    Raises:
        ValueError: A sum could.
    """
    of = lambda c, w: np.abs(w.astype(np.int64)).sum((1, 2, 3)) * largest[c]
    worst = sum(of(c, w) for c, w in layer.weights.items())
    worst = worst + np.abs(np.atleast_2d(layer.bias)).max(0)
    if worst.max() >= 2**23:
        raise ValueError(f"sums of up to {worst.max()} are not exact in float32")


def real_layer(prior: Prior, name: str, layer: IntegerLayer) -> None:
    """Put a shipped layer back into the torch prior: the inverse of `integer_layer`.

    The bias of hs1 goes into the levels' biases, and its own becomes 0.
    """
    convolutions, unit = LAYERS[name]
    unit_out = output_unit(prior, unit)
    scaled = 2.0 ** layer.shift.astype(np.float64)
    tensor = lambda a: torch.from_numpy(np.ascontiguousarray(a, np.float32))
    with torch.no_grad():
        for c, unit_in, _ in convolutions:
            worth = np.reshape(unit_out / scaled / unit_in, (-1, 1, 1, 1))
            getattr(prior, c).weight.copy_(tensor(layer.weights[c] * worth))
        bias = layer.bias / scaled * unit_out
        if name == "hs1":
            prior.hs1.bias.zero_()
            prior.level_bias.copy_(tensor(bias))
            return
        if name == "head1":
            bias = bias + log_sigma_from(len(bias))
        getattr(prior, bias_name(name)).bias.copy_(tensor(bias))
