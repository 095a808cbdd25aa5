"""In which order a latent is coded by the learned priors of the Stable Diffusion spaces, and what
each part sees of the earlier ones.

The channels are coded one after the other, each in seven passes from coarse to fine lattices. A
position sees the nearest decoded positions of its own channel and a square of every earlier
channel. Of each such position it sees the value, of the nearest ones also the distance (how far the
value was from its prediction), and of each channel the local activity: the sum of the distances in
a square of 11 x 11. The canvas holds all three, (h + 2 REACH, w + 2 REACH, 3 C): the values of the
C channels, their distances, their local activities.
"""

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from latentpress._typing import Floats

# first row, first column, stride
PASSES = ((0, 0, 4), (2, 2, 4), (0, 2, 4), (2, 0, 4), (1, 1, 2), (0, 1, 2), (1, 0, 2))
REACH = 5  # no tap is further away, in rows and in columns
# how many positions of the own channel are seen: values, distances
OWN, OWN_FAR = 20, 12
WINDOW = 2 * REACH + 1  # side of the square of the local activity
# right shifts of that sum after each pass: the more is decoded, the larger the sum
LOCAL_ACTIVITY_SHIFTS = (1, 2, 2, 3, 4, 4, 5)
# channels -> sides of the squares of earlier channels: values, distances (1: a cross of five)
SIDES = {4: (5, 3), 16: (3, 1)}

Tap = tuple[int, int, slice]  # rows down, columns right, channels of the canvas


@dataclass(frozen=True)
class Pass:
    """One pass: the positions [top::stride, left::stride] of one channel.

    number: of the pass within the channel, 0 to 6. taps: what its network sees, in the order of the
    inputs. inputs: their number.
    """

    channel: int
    number: int
    top: int
    left: int
    stride: int
    taps: tuple[Tap, ...]
    inputs: int


@cache
def passes(channels: int) -> tuple[Pass, ...]:
    """All passes over a latent of 4 or 16 channels, in coding order."""
    return tuple(
        _pass(channels, c, number) for c in range(channels) for number in range(len(PASSES))
    )


def _pass(channels: int, c: int, number: int) -> Pass:
    own = own_taps(number)
    (values, distances) = SIDES[channels]
    taps = [(y, x, slice(c, c + 1)) for y, x in own[:OWN]]
    taps += [(y, x, slice(channels + c, channels + c + 1)) for y, x in own[:OWN_FAR]]
    if c:
        taps += [(y, x, slice(0, c)) for y, x in square(values)]
        taps += [
            (y, x, slice(channels, channels + c))
            for y, x in (cross() if distances == 1 else square(distances))
        ]
    if c or number:
        taps.append((0, 0, slice(2 * channels, 2 * channels + c + bool(number))))
    return Pass(c, number, *PASSES[number], tuple(taps), sum(s.stop - s.start for _, _, s in taps))


def own_taps(number: int) -> list[tuple[int, int]]:
    """The positions of the own channel that earlier passes decoded, nearest first."""
    decoded = {
        (y % 4, x % 4)
        for top, left, s in PASSES[:number]
        for y in range(top, 8, s)
        for x in range(left, 8, s)
    }
    top, left, _ = PASSES[number]
    around = [
        (y, x)
        for y in range(-REACH, REACH + 1)
        for x in range(-REACH, REACH + 1)
        if ((top + y) % 4, (left + x) % 4) in decoded
    ]
    return sorted(around, key=lambda t: (t[0] ** 2 + t[1] ** 2, t))


def square(side: int) -> list[tuple[int, int]]:
    """The positions of a square about 0, 0."""
    half = side // 2
    return [(y, x) for y in range(-half, half + 1) for x in range(-half, half + 1)]


def cross() -> list[tuple[int, int]]:
    """0, 0 and its four neighbors."""
    return [(0, 0), (-1, 0), (1, 0), (0, -1), (0, 1)]


def gather(canvas: NDArray[np.int16], p: Pass, first: int, end: int) -> Floats:
    """The inputs of a pass's network for its lattice rows first to end, in raster order:
    (positions, inputs) float32.
    """
    columns = range(p.left, canvas.shape[1] - 2 * REACH, p.stride)
    inputs = np.empty((end - first, len(columns), p.inputs), np.float32)
    column = 0
    for down, right, channels in p.taps:
        y, x = REACH + down + p.top + first * p.stride, REACH + right + p.left
        part = canvas[
            y : y + (end - first) * p.stride : p.stride,
            x : x + len(columns) * p.stride : p.stride,
            channels,
        ]
        inputs[:, :, column : column + part.shape[2]] = part[: end - first]
        column += part.shape[2]
    return inputs.reshape(inputs.shape[0] * inputs.shape[1], p.inputs)
