"""The prior's layers as integers: weights, biases and shifts whose sums stay below 2^23, so that float32 adds them exactly.

A layer computes  out = round(2^-k * (sum_i W_i * x_i + b)) , k a power per output channel, the largest that keeps
|W| * max|x| + |b| below 2^23 in every order of summation. x, W, b, out are integers; `unit` says what 1 is worth.
"""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from training.grids import ACT, ACT_MAX, LOG_STEP, SIGMA_MIN, WHITE, WHITE_MAX, Z_MAX
from training.lp1.prior import Prior

SUM_LIMIT, WEIGHT_LIMIT, MAX_SHIFT = 2**23 * 0.999, 32767, 20
MU_UNIT, LOG_SIGMA_UNIT = 1 / 64, LOG_STEP / 8
HEAD_UNIT = "head"  # MU_UNIT for the first half of the outputs, LOG_SIGMA_UNIT for the other
ACT_INPUT, Z_INPUT, WHITE_INPUT = (
    (1 / ACT, ACT_MAX),
    (1.0, Z_MAX),
    (1 / WHITE, WHITE_MAX),
)  # (unit, largest)
# layer -> (its convolutions with the unit and the largest value of their inputs, the unit of its output)
LAYERS = {
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
    """weights: int16 (out, in, kh, kw) a convolution; bias: int32 (out,) or (LEVELS, out); shift: (out,), the k above."""

    weights: dict[str, NDArray[np.int16]]
    bias: NDArray[np.int32]
    shift: NDArray[np.int32]


def output_unit(prior: Prior, unit: float | str) -> float | NDArray[np.float64]:
    """The unit of a layer's outputs: one, or one an output for a head."""
    if unit != HEAD_UNIT:
        return float(unit)
    return np.repeat([MU_UNIT, LOG_SIGMA_UNIT], prior.head1.out_channels // 2)


def layer_bias(prior: Prior, name: str) -> NDArray[np.float64]:
    """Real bias of a layer: (out,), or (LEVELS, out) for hs1; log sigma counts from SIGMA_MIN in the first head."""
    number = lambda t: t.detach().double().cpu().numpy()
    bias = number(getattr(prior, "ctx_f" if name == "ctx" else name).bias)
    if name == "hs1":
        return bias + number(prior.level_bias)
    if name == "head1":
        bias = bias - np.repeat([0.0, np.log(SIGMA_MIN)], len(bias) // 2)
    return bias


def integer_layer(prior: Prior, name: str) -> IntegerLayer:
    convolutions, unit = LAYERS[name]
    unit_out = output_unit(prior, unit)
    real = {
        c: getattr(prior, c).weight.detach().double().cpu().numpy()
        * unit_in
        / np.reshape(unit_out, (-1, 1, 1, 1))
        for c, unit_in, _ in convolutions
    }
    bias = layer_bias(prior, name) / unit_out
    reach = sum(
        np.abs(real[c]).sum((1, 2, 3)) * largest for c, _, largest in convolutions
    ) + np.abs(np.atleast_2d(bias)).max(0)
    widest = np.max([np.abs(w).max((1, 2, 3)) for w in real.values()], axis=0)
    shift = np.minimum(np.log2(SUM_LIMIT / (reach + 1e-9)), np.log2(WEIGHT_LIMIT / (widest + 1e-9)))
    shift = np.clip(np.floor(shift), 0, MAX_SHIFT).astype(np.int32)
    scaled = 2.0**shift
    weights = {
        c: np.round(w * scaled[:, None, None, None]).astype(np.int16) for c, w in real.items()
    }
    out = IntegerLayer(weights, np.round(bias * scaled).astype(np.int32), shift)
    check(out, {c: largest for c, _, largest in convolutions})
    return out


def check(layer: IntegerLayer, largest: dict[str, int]) -> None:
    """Raise unless no order of summation can leave the integers that float32 holds."""
    worst = sum(
        np.abs(w.astype(np.int64)).sum((1, 2, 3)) * largest[c] for c, w in layer.weights.items()
    )
    worst = worst + np.abs(np.atleast_2d(layer.bias)).max(0)
    if worst.max() >= 2**23:
        raise ValueError(f"sums of up to {worst.max()} are not exact in float32")


def real_layer(prior: Prior, name: str, layer: IntegerLayer) -> None:
    """Put a shipped layer back into the torch prior (bias of hs1: all into level_bias)."""
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
        else:
            if name == "head1":
                bias = bias + np.repeat([0.0, np.log(SIGMA_MIN)], len(bias) // 2)
            getattr(prior, "ctx_f" if name == "ctx" else name).bias.copy_(tensor(bias))
