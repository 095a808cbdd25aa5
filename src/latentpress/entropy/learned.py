"""Stage 4 of 5 for lp1: the latent under a hyperprior with a two-pass checkerboard context, in exact integers.

The latent is cut into segments of 64 x 64 positions, each coded alone: CRC-32C of its symbols, then one rANS stream:
z, then the anchors (row + column even), then the others. Their scales come from ONNX graphs whose inputs, weights and
sums are integers below 2^24 held in float32: the same on every machine. The stack is filled from its end.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import google_crc32c
import numpy as np
from numpy.typing import NDArray

from latentpress import models
from latentpress.container import LATENT_LEARNED, read_varint, write_varint
from latentpress.entropy import rans, tables
from latentpress.entropy.dead_zones import shrink
from latentpress.errors import FormatError
from latentpress.quantizer import check_finite, dequantize, interpolate, quantize
from latentpress.transforms.tiling import STRIP_ROWS, is_large, strips

Floats = NDArray[np.float32]
Ints = NDArray[np.int32]
Z_MAX = 127          # z is an integer in -127..127
WHITE_MAX = 127      # whitened anchors: integers in -127..127, units of 1/16 sigma
MU_UNIT = np.float32(1 / 64)
SCALE_UNIT_BITS = 3  # scale indices come in eighths
Z_FACTOR = 4         # latent positions a hyper position, each way
CRC_BYTES = 4
MIN_SEGMENT_BYTES = CRC_BYTES + 1


@dataclass(frozen=True, eq=False)
class Gaussians:
    """mu: float32, in steps. eighths: int64, scale index times 8, unclipped. Both (C, h, w)."""

    mu: Floats
    eighths: NDArray[np.int64]

    def scale(self) -> NDArray[np.uint8]:
        """Scale index of each symbol: the number of its CDF table (family 0, gaussian)."""
        return self._scale

    @cached_property
    def _scale(self) -> NDArray[np.uint8]:
        half = 1 << SCALE_UNIT_BITS - 1
        index: NDArray[np.uint8] = np.clip(self.eighths + half >> SCALE_UNIT_BITS, 0, tables.SCALES - 1).astype(np.uint8)
        return index

    def coded(self) -> NDArray[np.bool_]:
        """Where a symbol is coded: at the least scale it is 0 and costs nothing, neither bits nor time."""
        return self.scale() > 0


class LearnedPrior:
    """Coder of one quality. `encode` takes strips of y (C, r, w) float32, `decode` gives strips of y_hat.

    error_weight: of the encoder's dead zones (`dead_zones.shrink`); None rounds to the nearest.
    """

    chunk_type = LATENT_LEARNED

    def __init__(self, space: str, quality: float, error_weight: float | None = None) -> None:
        self.space, self.frugal, self.error_weight = space, False, error_weight
        level = {name: interpolate(a, quality) for name, a in models.arrays(space, "levels.npz").items() if a.ndim == 2}

        def column(name: str) -> NDArray[Any]:
            return level[name].reshape(-1, 1, 1)

        self.gain, self.inverse = np.exp(column("gain")), np.exp(column("inverse"))
        self.scale_offset, self.z_scale = column("scale_offset"), column("z_scale")
        self.bias = level["bias"].astype(np.float32).reshape(1, -1, 1, 1)

    def encode(self, strips_of_y: Iterable[Floats]) -> bytes:
        """The latent chunk's body."""
        coded = []
        for y in map(check_finite, strips_of_y):
            coded += [self.encode_segment(y[:, :, c : c + STRIP_ROWS] * self.gain) for c in range(0, y.shape[2], STRIP_ROWS)]
            del y  # before the next one is made
        return join(coded)

    def decode(self, body: bytes, rows: int, columns: int) -> Iterator[Floats]:
        """Strips of y_hat (C, r, columns); FormatError where a segment's symbols are not those that were coded."""
        count = -(-rows // STRIP_ROWS) * -(-columns // STRIP_ROWS)
        if len(body) < count * MIN_SEGMENT_BYTES - 1:
            raise FormatError("the coded latent is too short for the size in the header")
        self.frugal = is_large(rows, columns)
        position = done = 0
        for first, end in strips(rows):
            y_hat = np.empty((len(self.gain), end - first, columns), np.float32)
            for c in range(0, columns, STRIP_ROWS):
                done += 1
                size = len(body) - position
                if done < count:
                    size, position = read_varint(body, position)
                if not CRC_BYTES <= size <= len(body) - position:
                    raise FormatError("a segment of the latent is cut off")
                segment = self.decode_segment(body[position : position + size], end - first, min(STRIP_ROWS, columns - c))
                y_hat[:, :, c : c + STRIP_ROWS] = segment * self.inverse
                position += size
            yield y_hat
            del y_hat

    def encode_segment(self, y: Floats, z: Ints | None = None) -> bytes:
        """y (C, h, w) in steps -> CRC-32C of the symbols, and their stream. z: where it is given, instead of `hyper_analysis`'s."""
        z, symbols, passes = self.model_segment(y, z)
        coder = rans.new_coder()
        for values, numbers in reversed(passes):
            rans.push(coder, values, numbers)
        return symbols_crc(z, symbols) + rans.to_bytes(coder)

    def model_segment(self, y: Floats, z: Ints | None = None) -> tuple[Ints, Ints, list[tuple[Ints, NDArray[np.uint8]]]]:
        """y (C, h, w) in steps -> z, the symbols (C, h, w), and what is coded: (symbols, their tables) in decoding order."""
        h, w = y.shape[1:]
        z = self.hyper_analysis(y) if z is None else z
        features, anchors = self.features(z, h, w)
        first = checkerboard(h, w)
        symbols = self.quantize(y, anchors) * (first & anchors.coded())
        others = self.others(features, anchors, symbols)
        symbols += self.quantize(y, others) * (~first & others.coded())
        passes = [(z, self.z_tables(z.shape))]
        for scale, coded in ((anchors.scale(), anchors.coded() & first), (others.scale(), others.coded() & ~first)):
            passes.append((symbols[coded], scale[coded]))
        return z, symbols, passes

    def quantize(self, y: Floats, modelled: Gaussians) -> Ints:
        """Symbols of y (C, h, w) under their distributions; to be zeroed where they are not coded."""
        if self.error_weight is None:
            return quantize(y, modelled.mu)
        return shrink(y - modelled.mu, modelled.scale(), self.error_weight)

    def decode_segment(self, data: bytes, h: int, w: int) -> Floats:
        """What `encode_segment` made -> y_hat (C, h, w) in steps."""
        coder = rans.from_bytes(data[CRC_BYTES:])
        z = rans.pop(coder, self.z_tables((len(self.z_scale), -(-h // Z_FACTOR), -(-w // Z_FACTOR))))
        if np.abs(z).max() > Z_MAX:
            raise FormatError("the coded latent is damaged: side information out of range")
        features, anchors = self.features(z, h, w)
        first = checkerboard(h, w)
        symbols = np.zeros(anchors.mu.shape, np.int32)
        coded = anchors.coded() & first
        symbols[coded] = rans.pop(coder, anchors.scale()[coded])
        others = self.others(features, anchors, symbols)
        coded = others.coded() & ~first
        symbols[coded] = rans.pop(coder, others.scale()[coded])
        rans.check_empty(coder)
        if symbols_crc(z, symbols) != data[:CRC_BYTES]:
            raise FormatError("the coded latent is damaged: the symbols do not match their checksum")
        return dequantize(symbols, np.where(first, anchors.mu, others.mu))

    def hyper_analysis(self, y: Floats) -> Ints:
        """y (C, h, w) in steps -> z (Z, ceil(h / 4), ceil(w / 4)). Encoder only: may be any floats."""
        z: Ints = np.clip(np.rint(self.hyper_latent(y)), -Z_MAX, Z_MAX).astype(np.int32)
        return z

    def hyper_latent(self, y: Floats) -> Floats:
        """z before it is rounded, float32."""
        h, w = y.shape[1:]
        padded = np.pad(np.arcsinh(y), ((0, 0), (0, -h % Z_FACTOR), (0, -w % Z_FACTOR)))
        z: Floats = models.run(self.space, "hyper_analysis.onnx", y=padded[None])[0][0]
        return z

    def z_tables(self, shape: tuple[int, ...]) -> NDArray[np.uint8]:
        """The tables of z (Z, hz, wz): one a channel."""
        zeros = np.zeros(shape, np.float32)
        return Gaussians(zeros, np.broadcast_to(self.z_scale, shape)).scale()

    def features(self, z: Ints, h: int, w: int) -> tuple[Floats, Gaussians]:
        """z -> hyper features (1, F, h, w), integers in float32, and the distributions of the anchors."""
        f, head = models.run(self.space, "features.onnx", frugal=self.frugal, z=z[None].astype(np.float32), bias=self.bias)
        mu, scale = np.split(head[0, :, :h, :w], 2)
        features = np.ascontiguousarray(f[:, :, :h, :w])
        return features, Gaussians(mu * MU_UNIT * self.gain, scale.astype(np.int64) + self.scale_offset)

    def others(self, features: Floats, anchors: Gaussians, symbols: Ints) -> Gaussians:
        """Distributions of the second pass, given the anchors' symbols (zero elsewhere)."""
        index = anchors.scale()
        half = 1 << tables.WHITENER_BITS - 1
        white = symbols * tables.whiteners()[index] + half >> tables.WHITENER_BITS
        white = np.clip(white, -WHITE_MAX, WHITE_MAX).astype(np.float32)[None]
        head = models.run(self.space, "context.onnx", frugal=self.frugal, features=features, white=white)[0][0]
        mu, scale = np.split(head, 2)
        mu = anchors.mu + (tables.sigmas()[index] * mu * MU_UNIT).astype(np.float32)
        return Gaussians(mu, anchors.eighths + scale.astype(np.int64))


def join(segments: list[bytes]) -> bytes:
    """The coded segments -> the body: each but the last after its length."""
    return b"".join(write_varint(len(s)) + s for s in segments[:-1]) + segments[-1]


def checkerboard(h: int, w: int) -> NDArray[np.bool_]:
    """(h, w), true at the anchors: row + column even."""
    anchors: NDArray[np.bool_] = np.add.outer(np.arange(h), np.arange(w)) % 2 == 0
    return anchors


def symbols_crc(*arrays: Ints) -> bytes:
    """CRC-32C of the symbols as int16 little-endian, in order, each array in raster order (channel, row, column)."""
    value = 0
    for a in arrays:
        value = google_crc32c.extend(value, a.astype("<i2").tobytes())
    return int(value).to_bytes(CRC_BYTES, "little")
