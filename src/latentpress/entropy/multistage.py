"""Stage 4 of 5 for the Stable Diffusion spaces: a learned prior in many small passes, in exact
integers, without side information.

Each pass (multistage_passes.py) codes one lattice of one channel; its network sees what is decoded
so far and gives every position's mu and scale. Values are counted in fine units, 1/8192 of the
latent's unit, from the channel's mean; S is the step in fine units:

    symbol = round((y - mu) / S),   y_hat = mu + S x symbol              mu, S: integers
    scale index = (eighths of the network) - (eighths of log S)

One set of weights serves all steps: contexts and predictions are in the latent's unit, and the step
enters as an integer. Under dependent quantization (`trellis.py`), which latents as data may have, a
pass is an array of lanes; the value of a symbol is counted in half steps. Body: the prior's
number; S (u16); CRC-32C of the symbols; a byte a channel, the family of its tables and how much its
scales are moved, for latents unlike those of training; then one rANS stream, pass by pass.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from latentpress._typing import Floats, Ints
from latentpress.container import LATENT_MULTISTAGE
from latentpress.entropy import cdf_tables, density, rans, trellis
from latentpress.entropy.cdf_tables import SCALE_UNIT_BITS
from latentpress.entropy.integers import round_shift, sign_extend
from latentpress.entropy.multistage_network import CONDITION_MAX, channel_means, log_step, networks
from latentpress.entropy.multistage_passes import (
    LOCAL_ACTIVITY_SHIFTS,
    REACH,
    WINDOW,
    Pass,
    gather,
    passes,
)
from latentpress.entropy.quantizer import check_finite
from latentpress.entropy.rans import symbols_crc
from latentpress.entropy.rdoq import quantize_rdoq
from latentpress.entropy.trellis import Path, TrellisLanes, bit_costs
from latentpress.errors import FormatError, VersionError
from latentpress.runtimes.threads import check_canceled
from latentpress.spaces import Space, step_size

FINE = 8192  # fine units in the latent's unit
MEAN_FINE = FINE // 16  # fine units in the unit of the channels' means
MU_BITS = 3  # the networks' mu is this many bits coarser than fine units
INPUT_BITS = 7  # their inputs this many
VALUE_MAX = 511
DISTANCE_MAX = 255
LOCAL_ACTIVITY_MAX = 511
MIDDLE = 92  # added to the log step: steps of 0.05 to 1.5 lie about 0
FINE_MAX = 1 << 30  # y_hat is clipped to it
LEAST_STEP, GREATEST_STEP = 128, 32767
BLOCK = 1 << 14  # positions a call of a network
# low bits of a channel's byte: one of the first four families of tables, those of zero skew
FAMILY_BITS = 2
# eighths of a scale that a one in the other six bits, which are signed, moves a channel's scales
MOVE_UNIT = 2
MOVE_BITS = 6
MOVE_MAX = 24
# of the shipped weights, under rounding and under dependent quantization; others get other numbers
NUMBER = 1
DEPENDENT = 2
# channels -> symbols of a lane: more find better paths, and a pass takes as many calls
LANE_LENGTH = {4: 32, 16: 64}
# bits a squared error of one step^2 is worth there: at fine steps the rate's own slope
DEPENDENT_WEIGHT = 12.0
HEAD = struct.Struct("<BH4s")


class QuantizedLatent(NamedTuple):
    """symbols: int32. odd: uint8, 1 where a symbol is of the odd quantizer. mu: int64, fine units
    from the channel's mean. scale_eighths: int32, scale indices times 8, not clipped. All (C, h,
    w).
    """

    symbols: Ints
    odd: NDArray[np.uint8]
    mu: NDArray[np.int64]
    scale_eighths: Ints


class MultistageCoder:
    """Coder of one space and quality.

    lagrangian_weight: `rdoq.quantize_rdoq`'s weight in the encoder; None rounds to the nearest.
    step: in fine units, instead of the quality's. number: of the prior, NUMBER or DEPENDENT.
    """

    chunk_type = LATENT_MULTISTAGE

    def __init__(
        self,
        space: Space,
        quality: float,
        lagrangian_weight: float | None = None,
        *,
        step: int | None = None,
        number: int = NUMBER,
    ) -> None:
        self.space = space
        self.step = round(FINE * step_size(quality)) if step is None else step
        self.lagrangian_weight = lagrangian_weight
        self.number = number
        self.gain = np.full(space.channels, FINE / self.step, np.float32)
        self.passes = passes(space.channels)
        self.means = means(space)

    @classmethod
    def of_step(cls, space: Space, step: int, number: int = NUMBER) -> MultistageCoder:
        """The coder of a step in fine units, LEAST_STEP to GREATEST_STEP. number: NUMBER or
        DEPENDENT.
        """
        return cls(space, 0, step=step, number=number)

    def encode(self, strips_of_y: Iterable[Floats]) -> bytes:
        """Strips of y (C, r, w) -> the latent chunk's body. ImageError where the format does not
        hold it.
        """
        return self.pack(
            self.model(np.concatenate([check_finite(strip) for strip in strips_of_y], axis=1))
        )

    def pack(self, quantized: QuantizedLatent) -> bytes:
        """Stage 4 alone: the result of `model` -> the body. ImageError where the format does not
        hold it.
        """
        symbols, odd, _, scale_eighths = quantized
        choices = bytes(
            best_choice(*channel) for channel in zip(symbols, odd, scale_eighths, strict=True)
        )
        coder = rans.new_coder()
        for p in reversed(self.passes):
            values = pass_view(symbols[p.channel], p)
            scales = pass_view(scale_eighths[p.channel], p)
            numbers = table_numbers(scales, choices[p.channel])
            if self.number == DEPENDENT:
                path = Path(values.ravel(), pass_view(odd[p.channel], p).ravel())
                trellis_lanes(self.space, scales).push(coder, path, numbers.ravel())
            else:
                rans.push(coder, values, numbers)
        body = (
            HEAD.pack(self.number, self.step, symbols_crc(symbols)) + choices + rans.to_bytes(coder)
        )
        density.check_written(body, symbols[0].size)
        return body

    def model(self, y: Floats) -> QuantizedLatent:
        """Quantize y (C, h, w), in the latent's unit, in the closed loop that the decoder runs."""
        target = y.astype(np.float64) * FINE - self.means
        loop = CodingLoop(self.space, self.step, *y.shape[1:])
        kinds = (np.int32, np.uint8, np.int64, np.int32)
        quantized = QuantizedLatent(*(np.empty(y.shape, kind) for kind in kinds))
        for i, p in enumerate(self.passes):
            symbols, odd, mu, scale_eighths = (pass_view(a[p.channel], p) for a in quantized)
            if symbols.size:
                mu[...], scale_eighths[...] = loop.predict(i)
                path = self.quantize(
                    (pass_view(target[p.channel], p) - mu).ravel() / self.step,
                    scale_eighths.ravel(),
                )
                symbols[...], odd[...] = (a.reshape(symbols.shape) for a in path)
                loop.put(i, mu, path.half_steps().reshape(symbols.shape))
        return quantized

    def quantize(self, v: NDArray[np.float64], scale_eighths: NDArray[Any]) -> Path:
        """The symbols of a pass: v (n,) = (y - mu) / S, scale_eighths (n,) -> the path.

        Bits are counted under the tables of the gaussian family, for the channel's byte is chosen
        later.
        """
        numbers = table_numbers(scale_eighths, 0)
        if self.number == DEPENDENT:
            return trellis_lanes(self.space, scale_eighths).quantize(v, numbers, DEPENDENT_WEIGHT)
        plain = quantize_rdoq(v, numbers, self.lagrangian_weight)
        return Path(plain, np.zeros(v.size, np.uint8))

    def fine(self, quantized: QuantizedLatent) -> NDArray[np.int64]:
        """What the decoder will reconstruct: y_hat in fine units, (C, h, w)."""
        about = quantized.mu + change(
            Path(quantized.symbols, quantized.odd).half_steps(), self.step
        )
        return np.clip(about, -FINE_MAX, FINE_MAX) + self.means

    def decode(self, body: bytes, rows: int, columns: int) -> Iterator[Floats]:
        """The body -> y_hat (C, rows, columns), as one strip. FormatError where it is damaged,
        VersionError for a prior unknown here.
        """
        yield (decode_fine(self.space, body, rows, columns) / FINE).astype(np.float32)


def decode_fine(space: Space, body: bytes, rows: int, columns: int) -> NDArray[np.int64]:
    """The body, which names its step -> y_hat in fine units, (C, rows, columns). Errors as of
    `decode`.
    """
    start = HEAD.size + space.channels
    density.check_read(body, rows * columns, start)
    number, step, crc = HEAD.unpack_from(body)
    if number not in (NUMBER, DEPENDENT):
        raise VersionError(
            f"the file needs prior {number} of space {space.name}; this latentpress knows numbers "
            f"{NUMBER} and {DEPENDENT}"
        )
    if not LEAST_STEP <= step <= GREATEST_STEP:
        raise FormatError("the coded latent names an impossible step")
    coder = rans.from_bytes(body[start:])
    loop = CodingLoop(space, step, rows, columns)
    symbols = np.empty((space.channels, rows, columns), np.int32)
    for i, p in enumerate(loop.passes):
        target = pass_view(symbols[p.channel], p)
        if not target.size:
            continue
        mu, scale_eighths = loop.predict(i)
        numbers = table_numbers(scale_eighths, body[HEAD.size + p.channel])
        if number == DEPENDENT:
            path = trellis_lanes(space, scale_eighths).pop(coder, numbers.ravel())
            target[...] = path.symbols.reshape(target.shape)
            half_steps = path.half_steps().reshape(target.shape)
        else:
            target[...] = rans.pop(coder, numbers)
            half_steps = 2 * target
        loop.put(i, mu, half_steps)
    rans.check_empty(coder)
    if symbols_crc(symbols) != crc:
        raise FormatError("the coded latent is damaged: the symbols do not match their checksum")
    return loop.fine + means(space)


class CodingLoop:
    """The decoded part of a latent, and the networks that predict the next pass from it.

    step: S, in fine units. fine: (C, rows, columns) y_hat in fine units, less the channels' means.
    canvas: what the networks see of it (`multistage_passes.py`).
    """

    def __init__(self, space: Space, step: int, rows: int, columns: int) -> None:
        self.space = space
        self.step = step
        self.passes = passes(space.channels)
        self.networks = networks(space.name, space.channels)
        self.log_step = log_step(space.name, step)
        self.condition = int(np.clip(self.log_step + MIDDLE, -CONDITION_MAX, CONDITION_MAX))
        self.fine = np.zeros((space.channels, rows, columns), np.int32)
        self.canvas = np.zeros(
            (rows + 2 * REACH, columns + 2 * REACH, 3 * space.channels), np.int16
        )

    def predict(self, i: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The distributions of pass i: (mu in fine units, scale indices times 8), both of the shape
        of its positions. Canceled as of `runtimes.threads`.
        """
        p, network = self.passes[i], self.networks[i]
        rows, columns = pass_view(self.fine[p.channel], p).shape
        mu, scale_eighths = np.empty((2, rows, columns), np.int64)
        block = max(1, BLOCK // columns)
        for first in range(0, rows, block):
            check_canceled()
            end = min(first + block, rows)
            m, s = network(gather(self.canvas, p, first, end), self.condition)
            mu[first:end] = m.reshape(-1, columns)
            scale_eighths[first:end] = s.reshape(-1, columns)
        return mu << MU_BITS, scale_eighths - self.log_step

    def put(self, i: int, mu: NDArray[np.int64], half_steps: Ints) -> None:
        """Take in the decoded values of pass i: mu in fine units and the symbols' half_steps, both
        of the shape of its positions.
        """
        p = self.passes[i]
        added = change(half_steps, self.step)
        decoded = np.clip(mu + added, -FINE_MAX, FINE_MAX)
        pass_view(self.fine[p.channel], p)[...] = decoded
        inner = self.canvas[REACH:-REACH, REACH:-REACH]
        pass_view(inner[:, :, p.channel], p)[...] = np.clip(
            round_shift(decoded, INPUT_BITS), -VALUE_MAX, VALUE_MAX
        )
        pass_view(inner[:, :, self.space.channels + p.channel], p)[...] = np.minimum(
            round_shift(np.abs(added), INPUT_BITS), DISTANCE_MAX
        )
        local_activity = (
            window_sums(self.canvas[:, :, self.space.channels + p.channel])
            >> LOCAL_ACTIVITY_SHIFTS[p.number]
        )
        inner[:, :, 2 * self.space.channels + p.channel] = np.minimum(
            local_activity, LOCAL_ACTIVITY_MAX
        )


def trellis_lanes(space: Space, scale_eighths: NDArray[Any]) -> TrellisLanes:
    """The lanes of a pass under dependent quantization. scale_eighths: of its symbols, of any
    shape.
    """
    return TrellisLanes(scale_eighths.ravel(), LANE_LENGTH[space.channels])


def change(half_steps: Ints, step: int) -> NDArray[np.int64]:
    """Half steps -> fine units, rounded down where an odd step is halved."""
    return (half_steps.astype(np.int64) * step) >> 1


def means(space: Space) -> NDArray[np.int64]:
    """The channels' means, which are coded as 0, in fine units: (C, 1, 1)."""
    return MEAN_FINE * channel_means(space.name)[:, None, None]


def pass_view(plane: NDArray, p: Pass) -> NDArray:  # type: ignore[type-arg]
    """A view of a pass's positions in a plane (h, w)."""
    return plane[p.top :: p.stride, p.left :: p.stride]


def window_sums(plane: NDArray[np.int16]) -> NDArray[np.int64]:
    """The sum over the WINDOW x WINDOW positions around each one: (h + 2 REACH, w + 2 REACH) ->
    (h, w).
    """
    sums = np.zeros((plane.shape[0] + 1, plane.shape[1] + 1), np.int64)
    np.cumsum(np.cumsum(plane, 0, dtype=np.int64), 1, out=sums[1:, 1:])
    across = sums[:, WINDOW:] - sums[:, :-WINDOW]
    return across[WINDOW:] - across[:-WINDOW]


def table_numbers(scale_eighths: NDArray[Any], choice: int) -> NDArray[np.uint16]:
    """The table number of each symbol, of the shape of scale_eighths. choice: the channel's byte,
    as of `choice_byte`.
    """
    family = choice & ((1 << FAMILY_BITS) - 1)
    move = sign_extend(choice >> FAMILY_BITS, MOVE_BITS)
    scale = round_shift(scale_eighths + MOVE_UNIT * move, SCALE_UNIT_BITS)
    index = np.clip(scale, 0, cdf_tables.SCALES - 1)
    return index.astype(np.uint16) + np.uint16(cdf_tables.SCALES * family)


def best_choice(symbols: Ints, odd: NDArray[np.uint8], scale_eighths: Ints) -> int:
    """The byte of a channel that codes its symbols in few bits.

    For each family of tables the scales are moved as long as that saves bits; then the cheapest
    family is taken. symbols, odd, scale_eighths: (h, w) of the channel.
    """
    costs = bit_costs()
    column = np.minimum(np.abs(symbols), trellis.REACH)
    column += odd * np.int32(costs.shape[1])

    def cost(family: int, move: int) -> float:
        table = table_numbers(scale_eighths, choice_byte(family, move)).astype(np.int64)
        return float(costs.take(table * (trellis.REACH + 1) + column).sum(dtype=np.float64))

    choices = list[tuple[float, int]]()
    move = 0
    for family in range(1 << FAMILY_BITS):
        least_bits = cost(family, move)
        for direction in (1, -1):
            while (
                abs(move + direction) <= MOVE_MAX
                and (moved_bits := cost(family, move + direction)) < least_bits
            ):
                least_bits, move = moved_bits, move + direction
        choices.append((least_bits, choice_byte(family, move)))
    return min(choices)[1]


def choice_byte(family: int, move: int) -> int:
    """A channel's byte: the family of its tables, and by how many MOVE_UNITs its scales are moved
    (-MOVE_MAX..MOVE_MAX).
    """
    return family | ((move & ((1 << MOVE_BITS) - 1)) << FAMILY_BITS)
