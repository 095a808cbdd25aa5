"""Passes over the planes (C, h, w) of a segment of lp1, each in C where there is a library and in
NumPy where there is none: the same numbers.

Positions are indices into a plane of C h w numbers, int32.
"""

from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from latentpress._typing import Floats, Ints
from latentpress.entropy import cdf_tables, native
from latentpress.entropy.cdf_tables import SCALE_UNIT_BITS, SCALES, WHITENER_BITS
from latentpress.entropy.integers import round_shift

MU_UNIT = np.float32(1 / 64)
ONE, ZERO = np.float32(1), np.float32(0)
WHITE_ZERO = 128  # the byte that stands for 0
LAST_KEY = 1023  # eighths beyond are sorted as these


class Gaussians(NamedTuple):
    """Distributions of the symbols of a segment, all (C, h, w).

    mu: float32, in steps. scale_eighths: int32, scale index times 8, unclipped. scale: uint8, scale
    index: the number of the CDF table (family 0, gaussian).
    """

    mu: Floats
    scale_eighths: Ints
    scale: NDArray[np.uint8]


class Positions(NamedTuple):
    """The positions of a pass that are coded.

    alone: (n,) those outside of the trellis, by scale. alone_ends: (SCALES,) where those of each
    scale end. lanes: (m,) those in the trellis, in the order of its lanes. lane_tables: (m,) their
    scales less 1, uint16. raster: (n + m,) all of them in raster order, in which arrays are read
    fastest. ranks: (n + m,) of those, the place in `alone`, or behind it in `lanes`.
    """

    alone: Ints
    alone_ends: NDArray[np.int64]
    lanes: Ints
    lane_tables: NDArray[np.uint16]
    raster: Ints
    ranks: Ints


def scale_index(scale_eighths: NDArray[Any]) -> NDArray[np.uint8]:
    """Scale indices times 8 -> scale indices, rounded and clipped to those that there are."""
    scale = round_shift(scale_eighths, SCALE_UNIT_BITS)
    index: NDArray[np.uint8] = np.clip(scale, 0, SCALES - 1).astype(np.uint8)
    return index


def activity(head: Floats, h: int, w: int, offset: Ints, corner: tuple[int, int] = (0, 0)) -> Ints:
    """The sum of `cdf_tables.activities` over the channels, under the scales of the first pass and
    the steps of the quality: int32 (h, w). head, offset, corner: as of `first_distributions`.
    """
    table = cdf_tables.activities()
    if library := native.library():
        sums = np.empty((h, w), np.int32)
        check(len(head) == 2 * len(offset))
        table = table.astype(np.int32, copy=False)
        given = (from_corner(head, corner, h, w), len(offset), h, w, *head.shape[1:])
        library.first_activity(*given, offset, table, sums)
        return sums
    own = head[len(offset) :, corner[0] : corner[0] + h, corner[1] : corner[1] + w]
    scale = scale_index(own.astype(np.int32) + offset[:, None, None])
    total: Ints = table.take(scale).sum(0, dtype=np.int32)
    return total


def from_corner(head: Floats, corner: tuple[int, int], h: int, w: int) -> Floats:
    """The numbers of planes (n, rows, columns) from a place of the first on, side by side: where C
    begins to read h x w places of each.
    """
    (row, column), (_, rows, columns) = corner, head.shape
    check(row >= 0, column >= 0, row + h <= rows, column + w <= columns)
    return np.ascontiguousarray(head).reshape(-1)[row * columns + column :]


def first_distributions(
    head: Floats,
    gain: Floats,
    offset: Ints,
    shift: Ints,
    factor: Floats,
    corner: tuple[int, int] = (0, 0),
) -> Gaussians:
    """The distributions of the first pass.

    head: (2C, rows, columns) of the network, of which h x w count: mu in MU_UNIT of the latent's
    unit, then scales in eighths. gain: (C,), steps of the quality in the latent's unit. offset:
    (C,), added to the scales. shift, factor: (h, w), how much finer the steps of a place are than
    the quality's: in eighths of a scale, and as a ratio. corner: the row and the column of the head
    where the h x w begin.
    """
    channels, (h, w) = len(gain), shift.shape
    if library := native.library():
        shape = (channels, h, w)
        mu, eighths, scale = (np.empty(shape, kind) for kind in (np.float32, np.int32, np.uint8))
        check(len(head) == 2 * channels)
        check(gain.shape == offset.shape == (channels,), factor.shape == shift.shape)
        sizes = (channels, h, w, *head.shape[1:])
        found = (mu, eighths, scale)
        start = from_corner(head, corner, h, w)
        library.first_distributions(start, *sizes, MU_UNIT, gain, offset, shift, factor, *found)
        return Gaussians(mu, eighths, scale)
    own = head[:, corner[0] : corner[0] + h, corner[1] : corner[1] + w]
    m, s = np.split(own, 2)
    mu = m * MU_UNIT * gain[:, None, None]
    mu += ZERO  # no -0
    mu *= factor
    eighths = s.astype(np.int32) + offset[:, None, None] + shift
    return Gaussians(mu, eighths, scale_index(eighths))


def second_distributions(even: Floats, odd: Floats, gaussians: Gaussians) -> None:
    """Change the distributions of the first pass to those of the second at its cells, those whose
    row + column is odd.

    even, odd: (2C, ceil(h / 2), ceil(w / 2)) of the network, of those cells in the even and in the
    odd rows: how mu changes, in MU_UNIT of sigma, and scales in eighths.
    """
    mu, eighths, scale = gaussians
    c, h, w = mu.shape
    if library := native.library():
        even, odd = np.ascontiguousarray(even), np.ascontiguousarray(odd)
        check(even.shape == odd.shape == (2 * c, -(-h // 2), -(-w // 2)))
        sigmas = cdf_tables.sigmas()
        library.second_distributions(even, odd, c, h, w, MU_UNIT, sigmas, mu, eighths, scale)
        return
    for parity, head in enumerate((even, odd)):
        own = np.s_[:, parity::2, 1 - parity :: 2]
        rows, columns = mu[own].shape[1:]
        m, s = np.split(head[:, :rows, :columns], 2)
        mu[own] += cdf_tables.sigmas().take(scale[own]) * m * MU_UNIT
        eighths[own] += s.astype(np.int32)
        scale[own] = scale_index(eighths[own])


@lru_cache(8)
def cells_of(kind: int, h: int, w: int) -> Ints:
    """The cells of a pass, indices into (h, w), rising: 0, the anchors, where row + column is even,
    or 1, the others.
    """
    return np.flatnonzero(checkerboard(h, w) != kind).astype(np.int32)


def checkerboard(h: int, w: int) -> NDArray[np.bool_]:
    """(h, w), true at the anchors: row + column even."""
    anchors: NDArray[np.bool_] = np.add.outer(np.arange(h), np.arange(w)) % 2 == 0
    return anchors


def select(gaussians: Gaussians, kind: int, first_trellis_scale: int) -> Positions:
    """The coded positions of a pass: those of scale 0 are not, they cost neither bits nor time.

    kind: of the pass, as of `cells_of`. first_trellis_scale: from here on they are in the trellis.
    """
    _, eighths, scale = gaussians
    c, h, w = scale.shape
    if library := native.library():
        most = c * ((h * w + 1) // 2)
        alone, lanes, raster, ranks = (np.empty(most, np.int32) for _ in range(4))
        tables, ends = np.empty(most, np.uint16), np.empty(SCALES, np.int64)
        amount = np.zeros(1, np.int64)
        shape = (c, h, w, kind)
        found = (alone, ends, lanes, tables, amount, raster, ranks)
        library.select_positions(scale, eighths, *shape, first_trellis_scale, *found)
        n, m = int(ends[-1]), int(amount[0])
        return Positions(alone[:n], ends, lanes[:m], tables[:m], raster[: n + m], ranks[: n + m])
    cells = cells_of(kind, h, w)
    own = (np.arange(0, c * h * w, h * w, dtype=np.int32)[:, None] + cells).ravel()
    scales = scale.ravel().take(own)
    is_coded = scales > 0
    own, scales = own[is_coded], scales[is_coded]
    is_alone = scales < first_trellis_scale
    alone, alone_scales = own[is_alone], scales[is_alone]
    ends = np.cumsum(np.bincount(alone_scales, minlength=SCALES), dtype=np.int64)
    lanes = own[~is_alone]
    key = np.clip(eighths.ravel().take(lanes), 0, LAST_KEY).astype(np.int16)
    order = np.argsort(key, kind="stable")
    alone = alone[np.argsort(alone_scales, kind="stable")]
    lanes = lanes[order]
    ranks = np.argsort(np.concatenate([alone, lanes])).astype(np.int32)
    lane_tables = scales[~is_alone][order].astype(np.uint16) - np.uint16(1)
    return Positions(alone, ends, lanes, lane_tables, own, ranks)


def residuals(y: Floats, factor: Floats, mu: Floats, positions: Positions) -> Floats:
    """y * factor - mu at the coded positions of a pass, those outside of the trellis first: (n,).
    y, mu: (C, h, w). factor: (h, w).
    """
    v = np.empty(positions.raster.size, np.float32)
    at = positions.raster
    if library := native.library():
        check(y.shape == mu.shape, factor.shape == mu.shape[1:])
        y = np.ascontiguousarray(y, np.float32)
        given = (y, factor, mu, factor.size, at, positions.ranks, v.size)
        library.gather_residuals(*given, v)
        return v
    scaled = y.ravel().take(at) * factor.ravel().take(at % factor.size)
    v[positions.ranks] = scaled - mu.ravel().take(at)
    return v


def put_whitened(
    white: Floats, positions: Ints, half_steps: Ints, tables: NDArray[np.uint16], limit: int
) -> None:
    """white (C, h, w) at positions: 16 value / sigma in integers, rounded, within +-limit.

    half_steps, tables: (n,), the values and the numbers of their scales.
    """
    bits, whiteners = WHITENER_BITS + 1, cdf_tables.whiteners()
    if library := native.library():
        n = positions.size
        library.scatter_whitened(half_steps, whiteners, tables, positions, n, bits, limit, white)
        return
    sixteenths = round_shift(half_steps * whiteners.take(tables), bits)
    white.ravel()[positions] = np.clip(sixteenths, -limit, limit)


def put_whitened_bytes(
    halves: tuple[NDArray[np.uint8], NDArray[np.uint8]],
    shape: tuple[int, ...],
    positions: Ints,
    half_steps: Ints,
    tables: NDArray[np.uint16],
    limit: int,
) -> None:
    """The same, each 128 more, at cells of one kind: into their even and their odd rows,
    (ceil(h / 2), ceil(w / 2), C) each. shape: (C, h, w), of which the positions are.
    """
    bits, whiteners = WHITENER_BITS + 1, cdf_tables.whiteners()
    c, h, w = shape
    if library := native.library():
        n = positions.size
        check(halves[0].shape == halves[1].shape == (-(-h // 2), -(-w // 2), c))
        given = (half_steps, whiteners, tables, positions, n, bits, limit)
        library.scatter_whitened_bytes(*given, *shape, *halves)
        return
    sixteenths = np.clip(round_shift(half_steps * whiteners.take(tables), bits), -limit, limit)
    channel, row, column = np.unravel_index(positions, shape)
    for parity, half in enumerate(halves):
        own = row % 2 == parity
        half[row[own] // 2, column[own] // 2, channel[own]] = WHITE_ZERO + sixteenths[own]


def add_values(
    y: Floats, positions: Ints, half_steps: Ints, step: np.float32, outward: np.float32
) -> None:
    """Add step * (value + outward * sign(value)) to y (C, h, w) at positions.

    half_steps: (n,), twice the values.
    """
    if library := native.library():
        library.add_values(half_steps, positions, positions.size, step, outward, y)
        return
    values = half_steps.astype(np.float32) / 2
    values += outward * np.sign(values)
    y.ravel()[positions] += step * values


def put_symbols(plane: NDArray[np.int16], positions: Ints, symbols: Ints) -> None:
    """Put symbols (n,), which are within int16, into a plane (C, h, w) at positions."""
    if library := native.library():
        library.scatter_symbols(symbols, positions, positions.size, plane)
        return
    plane.ravel()[positions] = symbols


def check(*conditions: bool) -> None:
    """ValueError where the shapes of arrays that C reads do not fit each other."""
    if not all(conditions):
        raise ValueError("the shapes of the planes do not fit each other")
