"""Method 2's payload: one latent at one step, and the numbers that no symbol reaches, exactly.

    model | level | step f32 | CRC-32C of the symbols | offset of each channel | exceptions | bases
    | stream

y_hat = (q + 16 offset) x (step / 16) in float64, rounded to the nearest number of the latent's
kind, then the exceptions put in place.
"""

import math
import struct
import zlib
from typing import NamedTuple

import google_crc32c
import numpy as np

from latentpress.entropy.quantizer import SYMBOL_MAX
from latentpress.errors import FormatError
from latentpress.latents.dtypes import BITS_TYPE, FLOAT16, Array, from_bits, round_to, to_bits
from latentpress.latents.methods import predictive_coding
from latentpress.latents.methods.lossless import inflate
from latentpress.latents.methods.predictors import LEVEL_STEPS, MODELS, steps
from latentpress.varint import read_varint, write_varint

HEAD = struct.Struct("<BBfI")
OFFSET_MAX = 1 << 29  # of a channel, in whole steps
# where a value is beyond this many sixteenths of a step, only its exception matters
TARGET_MAX = 1 << 25
# a number this far away, and beyond any symbol, is coded as the mean and kept as an exception
OUTLIER_DEVIATIONS = 64
GENERIC, NONE = 1, 0
Shape = tuple[int, int, int]


class Lossy(NamedTuple):
    """payload; y_hat (C, H, W), what it decodes to; exceptions: how many numbers are kept
    exactly.
    """

    payload: bytes
    y_hat: Array
    exceptions: int


def encode(y: Array, kind: int, step: np.float32, bound: Array | float, model: int) -> Lossy:
    """A finite latent (C, H, W) at a step. Numbers further than `bound` from y_hat are kept
    exactly.

    step: > 0, in the latent's unit. bound: one number or one a position. model: an id of
    predictors.MODELS that fits C.
    """
    values = y.astype(np.float64)
    unit = float(step) / predictive_coding.UNIT
    mean, deviation = moments(values)
    offsets = np.clip(np.rint(mean / float(step)), -OFFSET_MAX, OFFSET_MAX)
    level = int(
        np.argmin(
            np.abs(np.log(LEVEL_STEPS) + math.log(max(deviation, 1e-99)) - math.log(float(step)))
        )
    )
    target = np.clip(
        values / unit - predictive_coding.UNIT * offsets[:, None, None], -TARGET_MAX, TARGET_MAX
    )
    outlier = max(OUTLIER_DEVIATIONS * deviation, SYMBOL_MAX * float(step)) / unit
    target[np.abs(target) > outlier] = 0  # or it would mislead its neighbors
    symbols, q = predictive_coding.quantize(target, model, level)
    y_hat = reconstruct(q, offsets, unit, kind)
    missed = np.flatnonzero(np.abs(y_hat.astype(np.float64) - values) > bound)
    y_hat.ravel()[missed] = y.ravel()[missed]
    bases, stream = predictive_coding.encode(symbols, model)
    head = HEAD.pack(model, level, step, google_crc32c.value(symbols.astype("<i2").tobytes()))
    signed = b"".join(write_varint(int(2 * m if m >= 0 else -2 * m - 1)) for m in offsets)
    return Lossy(head + signed + exceptions(y, kind, missed) + bases + stream, y_hat, len(missed))


def decode(payload: bytes, shape: Shape, kind: int) -> Array:
    """The payload -> y_hat (C, H, W) float32 or float16. FormatError where it is damaged or belongs
    to another shape.
    """
    if len(payload) < HEAD.size:
        raise FormatError("the coded latent is cut off")
    model, level, step, crc = HEAD.unpack_from(payload)
    check_model(model, level, shape)
    if not (np.isfinite(step) and step > 0):
        raise FormatError("the coded latent names an impossible step")
    offsets, position = [], HEAD.size
    for _ in range(shape[0]):
        signed, position = read_varint(payload, position)
        offsets.append(-(signed + 1) // 2 if signed & 1 else signed // 2)
    places, numbers, position = read_exceptions(payload, position, shape, kind)
    end = position + 1 + len(predictive_coding.passes(shape))
    if end > len(payload):
        raise FormatError("the coded latent is cut off")
    symbols, q = predictive_coding.decode(payload[position:end], payload[end:], shape, model, level)
    if google_crc32c.value(symbols.astype("<i2").tobytes()) != crc:
        raise FormatError("the coded latent is damaged: the symbols do not match their checksum")
    y_hat = reconstruct(q, np.array(offsets, np.float64), step / predictive_coding.UNIT, kind)
    y_hat.ravel()[places] = numbers
    return y_hat


def reconstruct(q: Array, offsets: Array, unit: float, kind: int) -> Array:
    """q (C, H, W) and offsets (C,) in whole steps -> y_hat: one rounding in float64, one to the
    kind, the same on every machine.
    """
    y_hat = np.empty(q.shape, np.float16 if kind == FLOAT16 else np.float32)
    # one at a time: they are float64 meanwhile
    for channel, plane, offset in zip(y_hat, q, offsets, strict=True):
        channel[...] = round_to((plane + predictive_coding.UNIT * float(offset)) * unit, kind)
    return y_hat


def moments(values: Array) -> tuple[Array, float]:
    """(means (C,), deviation about them) of float64 values, outliers pulled in so that they do not
    move the others.
    """
    flat = values.reshape(len(values), -1)
    middle = np.median(flat, axis=1, keepdims=True)
    reach = 20 * np.median(np.abs(flat - middle), axis=1, keepdims=True)
    inner = np.clip(flat, middle - reach, middle + reach) if (reach > 0).all() else flat
    mean = inner.mean(axis=1)
    return mean, float(np.sqrt(np.square((inner - mean[:, None]) / 2.0**64).mean())) * 2.0**64


def check_model(model: int, level: int, shape: Shape) -> None:
    """FormatError unless the model exists, has the level and fits the channels."""
    if model not in MODELS or level >= len(LEVEL_STEPS):
        raise FormatError(
            "the coded latent names a predictor that this version of latentpress does not know"
        )
    if model > GENERIC and len(steps(model)) != shape[0]:
        raise FormatError(
            f"the coded latent has {shape[0]} channels, its predictor {len(steps(model))}"
        )


def exceptions(y: Array, kind: int, places: Array) -> bytes:
    """Count; where it is not 0 the length of a zlib stream, then it: places as differences (u32),
    the numbers' bits.
    """
    if not len(places):
        return b"\0"
    numbers = to_bits(np.ascontiguousarray(y).ravel()[places], kind)
    packed = zlib.compress(np.diff(places, prepend=0).astype("<u4").tobytes() + numbers.tobytes())
    return write_varint(len(places)) + write_varint(len(packed)) + packed


def read_exceptions(
    payload: bytes, position: int, shape: Shape, kind: int
) -> tuple[Array, Array, int]:
    """(places, numbers, position behind them); FormatError where damaged."""
    count, position = read_varint(payload, position)
    amount = int(np.prod(shape))
    if count > amount:
        raise FormatError("the coded latent names more exceptions than it has numbers")
    if not count:
        return np.empty(0, np.int64), np.empty(0, np.float32), position
    size, position = read_varint(payload, position)
    data = inflate(payload[position : position + size], count * (4 + BITS_TYPE[kind].itemsize))
    places = np.cumsum(np.frombuffer(data, "<u4", count).astype(np.int64))
    if places[-1] >= amount:
        raise FormatError("the coded latent names an exception outside of it")
    return (
        places,
        from_bits(np.frombuffer(data, BITS_TYPE[kind], count, 4 * count), kind),
        position + size,
    )
