"""Method 2: closed-loop linear prediction and a local scale, in exact integers, under the shipped
tables.

Values are integers q in units of step / 16. For every channel and pass (predictors.py):

    prediction = floor((sum of weight x q + 2^11) / 2^12)      over the taps
    q          = 16 symbol + prediction      the encoder picks the symbol, so errors do not add up
    table      = the base scale of this channel and pass, moved by how large the neighbors'
                 symbols were

All of it is integers below 2^53, summed in float64: sums in any order are exact.
"""

from functools import cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from latentpress._typing import Ints
from latentpress.entropy import cdf_tables, rans
from latentpress.entropy.integers import round_shift
from latentpress.entropy.quantizer import SYMBOL_MAX
from latentpress.errors import FormatError
from latentpress.latents.methods.predictors import (
    MAGNITUDE_BITS,
    PASSES,
    REACH,
    WEIGHT_BITS,
    Step,
    lookup,
    step_of,
)

Floats = NDArray[np.float64]
# (C, h, w) integers, as narrow as they can be: they are what a large latent takes
Planes = NDArray[Any]
Shape = tuple[int, int, int]
UNIT = 16  # q counts in 1 / UNIT of a step
Q_MAX = 1 << 24  # q is clipped to this: 2^24 x 2^15 x 160 taps < 2^53
MAGNITUDE_MAX = 255  # |symbol| in 1/16 of the base's deviation is clipped to this
MAGNITUDE_MEAN = 13  # what stands beyond the border: 16 E|x| of a unit gaussian
STRENGTHS = 4  # quarters of the neighbors' say; 0: none
SCALE_BITS = 6  # a byte of `bases`: scale index, then the family in the two highest bits


class Coded(NamedTuple):
    """Both int32 (C, H, W)."""

    symbols: Ints
    q: Ints


def passes(shape: Shape) -> list[tuple[int, int, tuple[int, int, int]]]:
    """(channel, number of the pass, its lattice) in coding order, empty lattices left out."""
    channels, rows, columns = shape
    lattices = [(n, p) for n, p in enumerate(PASSES) if p[0] < rows and p[1] < columns]
    return [(c, n, p) for c in range(channels) for n, p in lattices]


def bordered(shape: Shape, kind: type[np.integer[Any]]) -> Planes:
    """Zeros with a border of REACH, which take memory only as they are written to."""
    channels, rows, columns = shape
    return np.zeros((channels, rows + 2 * REACH, columns + 2 * REACH), kind)


def pass_view(
    array: Planes, channel: int, where: tuple[int, int, int], down: int = 0, right: int = 0
) -> Planes:
    """A view of the lattice's positions, moved, in an array with a border."""
    top, left, stride = where
    rows, columns = array.shape[1] - 2 * REACH, array.shape[2] - 2 * REACH
    y, x = REACH + down, REACH + right
    return array[channel, y + top : y + rows : stride, x + left : x + columns : stride]


def predict(q: Planes, step: Step, level: int, channel: int, where: tuple[int, int, int]) -> Floats:
    """The predictions of a pass, integers."""
    total = np.full(pass_view(q, channel, where).shape, float(1 << (WEIGHT_BITS - 1)))
    part = np.empty_like(total)
    for (c, down, right), weight in zip(step.taps, step.weights[level], strict=True):
        total += np.multiply(
            pass_view(q, c, where, down, right), float(weight), out=part, dtype=np.float64
        )
    prediction: Floats = np.floor(total * 2.0**-WEIGHT_BITS)
    return prediction


def activity(
    magnitudes: Planes, step: Step, channel: int, where: tuple[int, int, int]
) -> NDArray[np.int64]:
    """How many scales above the base the neighbors' symbols put every position of a pass."""
    if not step.near:
        return np.zeros(pass_view(magnitudes, channel, where).shape, np.int64)
    total = np.full(pass_view(magnitudes, channel, where).shape, float(step.constant))
    part = np.empty_like(total)
    for (c, down, right), weight in zip(step.near, step.near_weights, strict=True):
        total += np.multiply(
            pass_view(magnitudes, c, where, down, right), float(weight), out=part, dtype=np.float64
        )
    index = np.clip(np.floor(total * 2.0 ** -(MAGNITUDE_BITS - 4)), 0, len(lookup()) - 1).astype(
        np.intp
    )
    return lookup()[index]


def scales(
    above: NDArray[np.int64], base: int | NDArray[np.int64], strength: int
) -> NDArray[np.uint8]:
    """The scale index of every position: the base, moved by strength quarters of what the
    neighbors say.
    """
    moved: NDArray[np.uint8] = np.clip(
        base + round_shift(above * strength, 2), 0, cdf_tables.SCALES - 1
    ).astype(np.uint8)
    return moved


def magnitude(symbols: Ints, base: int) -> Floats:
    """|symbol| in sixteenths of the base's deviation."""
    whitened = np.abs(symbols.astype(np.float64)) * float(cdf_tables.whiteners()[base])
    sixteenths: Floats = np.minimum(
        np.floor(whitened * 2.0**-cdf_tables.WHITENER_BITS), MAGNITUDE_MAX
    )
    return sixteenths


def quantize(target: Floats, model: int, level: int) -> Coded:
    """Values (C, H, W) in units of step / 16, real -> symbols, and the integers q that the decoder
    will have.
    """
    shape: Shape = target.shape
    q = bordered(shape, np.int32)
    symbols = np.zeros(shape, np.int32)
    for c, n, where in passes(shape):
        prediction = predict(q, step_of(model, c, n), level, c, where)
        top, left, stride = where
        wanted = np.rint((target[c, top::stride, left::stride] - prediction) / UNIT)
        found = np.clip(wanted, -SYMBOL_MAX, SYMBOL_MAX)
        symbols[c, top::stride, left::stride] = found
        pass_view(q, c, where)[...] = np.clip(found * UNIT + prediction, -Q_MAX, Q_MAX)
    return Coded(symbols, q[:, REACH:-REACH, REACH:-REACH])


def encode(symbols: Ints, model: int) -> tuple[bytes, bytes]:
    """Symbols (C, H, W) -> (bases: a strength, then a byte a channel and pass; the stream)."""
    shape: Shape = symbols.shape
    magnitudes = bordered(shape, np.uint8)
    parts = []
    for c, n, where in passes(shape):
        if n == 0:
            magnitudes[c] = MAGNITUDE_MEAN
        part = symbols[c, where[0] :: where[2], where[1] :: where[2]]
        base = base_scale(part)
        pass_view(magnitudes, c, where)[...] = magnitude(part, base)
        parts.append((part, base, activity(magnitudes, step_of(model, c, n), c, where)))
    strength = best_strength(parts)
    bases = bytearray([strength])
    coded = []
    for part, base, above in parts:
        index = scales(above, base, strength)
        family = best_family(part, index)
        bases.append((family << SCALE_BITS) | base)
        coded.append((part, index.astype(np.uint16) + np.uint16(family * cdf_tables.SCALES)))
    coder = rans.new_coder()
    for part, table in reversed(coded):
        rans.push(coder, part, table)
    return bytes(bases), rans.to_bytes(coder)


def decode(bases: bytes, stream: bytes, shape: Shape, model: int, level: int) -> Coded:
    """What `quantize` gave. bases: the strength, a byte for each of `passes(shape)`. FormatError
    where the stream is damaged.
    """
    coder = rans.from_bytes(stream)
    strength = bases[0]
    if strength > STRENGTHS:
        raise FormatError("the coded latent names an impossible strength")
    q = bordered(shape, np.int32)
    magnitudes = bordered(shape, np.uint8)
    symbols = np.zeros(shape, np.int32)
    for (c, n, where), byte in zip(passes(shape), bases[1:], strict=True):
        if n == 0:
            magnitudes[c] = MAGNITUDE_MEAN
        step = step_of(model, c, n)
        base = byte & ((1 << SCALE_BITS) - 1)
        family = byte >> SCALE_BITS
        index = scales(activity(magnitudes, step, c, where), base, strength)
        part = rans.pop(coder, index.astype(np.uint16) + np.uint16(family * cdf_tables.SCALES))
        top, left, stride = where
        symbols[c, top::stride, left::stride] = part
        pass_view(magnitudes, c, where)[...] = magnitude(part, base)
        pass_view(q, c, where)[...] = np.clip(
            part * float(UNIT) + predict(q, step, level, c, where), -Q_MAX, Q_MAX
        )
    rans.check_empty(coder)
    return Coded(symbols, q[:, REACH:-REACH, REACH:-REACH])


def base_scale(symbols: Ints) -> int:
    """The scale whose gaussian has the symbols' mean magnitude (the median guards it against
    outliers).
    """
    size = np.abs(symbols)
    typical = np.minimum(size, 16 * np.median(size) + 16).mean()
    return int(np.argmin(np.abs(np.log(_mean_magnitudes() / (typical + 1e-9)))))


@cache
def _mean_magnitudes() -> Floats:
    """(SCALES,) E|symbol| under the gaussian tables."""
    means = []
    for table in range(cdf_tables.SCALES):
        n = cdf_tables.counts(table).astype(np.float64)[:-1]
        r = cdf_tables.radius(table)
        means.append(float((n * np.abs(np.arange(-r, r + 1))).sum() / n.sum()))
    return np.array(means)


def best_strength(parts: list[tuple[Ints, int, NDArray[np.int64]]]) -> int:
    """The strength under which gaussians of the scales cost least."""
    symbols = np.concatenate([part.ravel() for part, _, _ in parts])
    base = np.repeat([base for _, base, _ in parts], [part.size for part, _, _ in parts])
    above = np.concatenate([moved.ravel() for _, _, moved in parts])
    squares = np.square(symbols.astype(np.float64)) / 2
    costs = []
    for strength in range(STRENGTHS + 1):
        sigma = np.maximum(cdf_tables.sigmas().astype(np.float64), 0.3)[
            scales(above, base, strength)
        ]
        costs.append(float((np.log(sigma) + squares / np.square(sigma)).sum()))
    return int(np.argmin(costs))


def best_family(symbols: Ints, index: NDArray[np.uint8]) -> int:
    """The family of tables that costs least: judged by the symbols' mean logarithmic density at
    their scales.
    """
    x = np.abs(symbols) / np.maximum(cdf_tables.sigmas()[index], 0.3)
    gaussian = (x * x).sum() / 2 + 0.919 * x.size
    student = 3 * np.log1p(x * x / 3).sum() + 0.714 * x.size
    laplace = 1.4142 * x.sum() + 0.3466 * x.size
    return int(np.argmin([gaussian, student, laplace]))
