"""Triton kernels of losses: `LayerDistance`, and the bias and the ReLU after a convolution.

For the distances torch walks through a map fifty times, in float32; here both maps are read as they
are, once forward and once backward. The formulas are those of `layer_distance`, in float32.
"""

import torch
import triton
import triton.language as tl
from torch import Tensor

TILE = 2048  # numbers of a map that a program holds at once
TILES = 8  # that it takes one after the other
# Rows of what is summed: f, g, f^2, g^2, f g of each channel; then LPIPS's sum, in its first place.
SUMS = tl.constexpr(6)


@triton.jit
def _tile(f_map, g_map, start, rows, c, inside, positions, channels):
    """Some rows of both maps in float32, which of their numbers exist, and where they lie."""
    here = (rows < positions)[:, None] & inside[None, :]
    offsets = start + rows[:, None] * channels + c[None, :]
    f = tl.load(f_map + offsets, mask=here, other=0.0).to(tl.float32)
    g = tl.load(g_map + offsets, mask=here, other=0.0).to(tl.float32)
    return here, offsets, f, g


@triton.jit
def _of_positions(f, g, w):
    """Sums over the channels of (tile_rows, padded): w f^2, w g^2, w f g; 1 / |f|, 1 / |g|."""
    ff, gg = f * f, g * g
    by_f = 1.0 / (tl.sqrt(tl.sum(ff, 1)) + 1e-10)
    by_g = 1.0 / (tl.sqrt(tl.sum(gg, 1)) + 1e-10)
    return tl.sum(w * ff, 1), tl.sum(w * gg, 1), tl.sum(w * f * g, 1), by_f, by_g


@triton.jit
def _of_channels(sums, c, inside, channels, positions, least):
    """Means of f and of g; the two denominators and the two similarities of the texture."""
    n = positions.to(tl.float32)
    mf = tl.load(sums + c, mask=inside, other=0.0) / n
    mg = tl.load(sums + channels + c, mask=inside, other=0.0) / n
    vf = tl.load(sums + 2 * channels + c, mask=inside, other=0.0) / n - mf * mf
    vg = tl.load(sums + 3 * channels + c, mask=inside, other=0.0) / n - mg * mg
    cov = tl.load(sums + 4 * channels + c, mask=inside, other=0.0) / n - mf * mg
    means = mf * mf + mg * mg + least
    structure = vf + vg + least
    return mf, mg, means, structure, (2 * mf * mg + least) / means, (2 * cov + least) / structure


@triton.jit(do_not_specialize=["positions"])
def _sum(
    f_map,
    g_map,
    weights,
    partial,
    positions,
    channels,
    padded: tl.constexpr,
    tile_rows: tl.constexpr,
    tiles: tl.constexpr,
):
    """Sums of one picture and so many tiles of its positions, to partial (N, parts, SUMS, C)."""
    picture, part = tl.program_id(0), tl.program_id(1)
    c = tl.arange(0, padded)
    inside = c < channels
    w = tl.load(weights + c, mask=inside, other=0.0)[None, :]
    f_sum = tl.zeros((tile_rows, padded), tl.float32)
    g_sum, ff_sum, gg_sum, fg_sum = f_sum, f_sum, f_sum, f_sum
    lpips = tl.zeros((tile_rows,), tl.float32)
    start = picture.to(tl.int64) * positions * channels
    for tile in range(tiles):
        rows = (part * tiles + tile) * tile_rows + tl.arange(0, tile_rows)
        _, _, f, g = _tile(f_map, g_map, start, rows, c, inside, positions, channels)
        f_sum += f
        g_sum += g
        ff_sum += f * f
        gg_sum += g * g
        fg_sum += f * g
        ff, gg, fg, by_f, by_g = _of_positions(f, g, w)
        lpips += ff * by_f * by_f + gg * by_g * by_g - 2 * fg * by_f * by_g
    out = partial + (picture * tl.num_programs(1) + part) * SUMS * channels + c
    tl.store(out, tl.sum(f_sum, 0), mask=inside)
    tl.store(out + channels, tl.sum(g_sum, 0), mask=inside)
    tl.store(out + 2 * channels, tl.sum(ff_sum, 0), mask=inside)
    tl.store(out + 3 * channels, tl.sum(gg_sum, 0), mask=inside)
    tl.store(out + 4 * channels, tl.sum(fg_sum, 0), mask=inside)
    tl.store(out + 5 * channels, tl.where(c == 0, tl.sum(lpips, 0), 0.0), mask=inside)


@triton.jit(do_not_specialize=["positions"])
def _finish(sums, out, positions, channels, least, padded: tl.constexpr):
    """Both distances (2, N) of the sums (N, SUMS, C), one picture."""
    picture = tl.program_id(0)
    c = tl.arange(0, padded)
    inside = c < channels
    sums += picture * SUMS * channels
    _, _, _, _, means, structure = _of_channels(sums, c, inside, channels, positions, least)
    alike = tl.sum(tl.where(inside, means + structure, 0.0), 0) / channels
    tl.store(out + picture, tl.load(sums + 5 * channels) / positions)
    tl.store(out + tl.num_programs(0) + picture, 1 - alike / 2)


@triton.jit(do_not_specialize=["positions", "pictures"])
def _differentiate(
    f_map,
    g_map,
    weights,
    sums,
    gradients,
    out,
    positions,
    pictures,
    channels,
    least,
    padded: tl.constexpr,
    tile_rows: tl.constexpr,
    tiles: tl.constexpr,
):
    """The gradient of g of one picture and so many tiles of its positions; see `_Statistics`."""
    picture, part = tl.program_id(0), tl.program_id(1)
    c = tl.arange(0, padded)
    inside = c < channels
    n = positions.to(tl.float32)
    w = tl.load(weights + c, mask=inside, other=0.0)[None, :]
    sums += picture * SUMS * channels
    mf, mg, means, structure, like_means, like_structure = _of_channels(
        sums, c, inside, channels, positions, least
    )
    of_lpips = tl.load(gradients + picture)
    share = tl.load(gradients + pictures + picture) * -0.5 / channels
    by_f = share * 2 / (n * structure)
    by_g = -like_structure * by_f
    constant = share * 2 * (mf - like_means * mg) / (means * n) - by_f * mf - by_g * mg
    start = picture.to(tl.int64) * positions * channels
    for tile in range(tiles):
        rows = (part * tiles + tile) * tile_rows + tl.arange(0, tile_rows)
        here, offsets, f, g = _tile(f_map, g_map, start, rows, c, inside, positions, channels)
        _, gg, fg, one_f, one_g = _of_positions(f, g, w)
        own = of_lpips * 2 * one_g * one_g / n
        cross = of_lpips * -2 * one_f * one_g / n
        radial = own * (fg * one_f * one_g - gg * one_g * one_g)
        of_f = cross[:, None] * w + by_f[None, :]
        of_g = own[:, None] * w + radial[:, None] + by_g[None, :]
        result = constant[None, :] + of_f * f + of_g * g
        tl.store(out + offsets, result.to(out.dtype.element_ty), mask=here)


@triton.jit(do_not_specialize=["positions"])
def _rectify(
    t,
    bias,
    positions,
    channels,
    padded: tl.constexpr,
    tile_rows: tl.constexpr,
    tiles: tl.constexpr,
):
    """Add the bias to so many tiles of all the positions, and cut at 0, in place."""
    c = tl.arange(0, padded)
    inside = c < channels
    b = tl.load(bias + c, mask=inside, other=0.0).to(tl.float32)[None, :]
    for tile in range(tiles):
        rows = (tl.program_id(0) * tiles + tile) * tile_rows + tl.arange(0, tile_rows)
        here = (rows < positions)[:, None] & inside[None, :]
        place = t + rows[:, None].to(tl.int64) * channels + c[None, :]
        value = tl.load(place, mask=here, other=0.0).to(tl.float32) + b
        tl.store(place, tl.maximum(value, 0.0).to(t.dtype.element_ty), mask=here)


def _rows(t: Tensor) -> Tensor:
    """(N, C, H, W) -> (N, H, W, C); no copy where channels are last."""
    return t.permute(0, 2, 3, 1).contiguous()


def _tiling(positions: int, channels: int) -> tuple[int, int, int]:
    """Parts that positions are split into; channels and rows of a tile."""
    padded = triton.next_power_of_2(channels)
    rows = max(1, TILE // padded)
    return triton.cdiv(positions, TILES * rows), padded, rows


def distances(g: Tensor, f: Tensor, w: Tensor, least: float) -> tuple[Tensor, Tensor]:
    """(2, N) of maps (N, C, H, W) and weights (C,), and the sums that `gradient` wants."""
    f, g = _rows(f), _rows(g)
    n, height, width, c = g.shape
    positions = height * width
    parts, channels, rows = _tiling(positions, c)
    partial = g.new_empty(n, parts, SUMS.value, c, dtype=torch.float32)
    _sum[(n, parts)](f, g, w, partial, positions, c, channels, rows, TILES)
    sums = partial.sum(1)
    out = g.new_empty(2, n, dtype=torch.float32)
    _finish[(n,)](sums, out, positions, c, least, channels)
    return out, sums


def gradient(g: Tensor, f: Tensor, w: Tensor, sums: Tensor, of: Tensor, least: float) -> Tensor:
    """Of g (N, C, H, W), channels last, where the distances have the gradients `of` (2, N)."""
    f, g = _rows(f), _rows(g)
    n, height, width, c = g.shape
    positions = height * width
    parts, channels, rows = _tiling(positions, c)
    out = torch.empty_like(g)
    of = of.float().contiguous()
    _differentiate[(n, parts)](
        f, g, w, sums, of, out, positions, n, c, least, channels, rows, TILES
    )
    return out.permute(0, 3, 1, 2)


def rectify_(t: Tensor, bias: Tensor) -> None:
    """t = ReLU(t + bias), in place. t: (N, C, H, W) with channels last. bias: (C,)."""
    n, c, height, width = t.shape
    positions = n * height * width
    parts, channels, rows = _tiling(positions, c)
    _rectify[(parts,)](t, bias, positions, c, channels, rows, TILES)
