"""Stage 4 of 5 for lp1: the latent under a hyperprior with a two-pass checkerboard context, in
exact integers.

The latent is cut into segments of 64 x 64 positions, each coded alone: CRC-32C of its symbols, then
one rANS stream: z, then the anchors (row + column even), then the non-anchors, each in a pass
(`gaussian_conditional.py`). Their scales come from ONNX graphs whose inputs, weights and sums are
integers below 2^24 held in float32: the same on every machine. The stack is filled from its end.
"""

from collections.abc import Callable, Iterable, Iterator
from itertools import pairwise
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from latentpress import models
from latentpress._typing import Floats, Ints
from latentpress.container import LATENT_CONTINUED, LATENT_HYPERPRIOR, LATENT_MASKED
from latentpress.entropy import masking, planes, rans
from latentpress.entropy import prior_networks as networks
from latentpress.entropy.gaussian_conditional import ConditionalSymbols, GaussianConditional
from latentpress.entropy.planes import Gaussians
from latentpress.entropy.prior_networks import ALONE, Z_FACTOR, Features, Sides
from latentpress.entropy.quantizer import check_finite, interpolate
from latentpress.errors import FormatError
from latentpress.runtimes.checkerboard import ANCHORS, OTHERS
from latentpress.transforms.tiling import STRIP_ROWS, is_large, strips, with_halo
from latentpress.varint import read_varint, write_varint

Coded: TypeAlias = list[tuple[GaussianConditional, ConditionalSymbols]]
SymbolsOf: TypeAlias = Callable[[GaussianConditional, Floats, Floats], ConditionalSymbols]
Z_MAX = 127  # z is an integer in -127..127
GROUP = 2 * STRIP_ROWS  # columns whose z is made at once
MIN_SEGMENT_BYTES = rans.CRC_BYTES + 1


class HyperpriorCoder:
    """Coder of one quality. `encode` takes strips of y (C, r, w) float32, `decode` gives strips of
    y_hat.

    lagrangian_weight: of the encoder's dead zones (`rdoq.quantize_rdoq`); None rounds to the
    nearest. chunk_type: LATENT_HYPERPRIOR, every symbol alone; LATENT_TRELLIS,
    those of large scales trellis-coded, which have no dead zones; LATENT_MASKED, the same under
    steps that follow the activity (`masking.py`); LATENT_CONTINUED, the same, and beyond a border
    between segments z goes on as at the border. rows: of the latent that is encoded, which
    LATENT_CONTINUED alone needs to know.
    """

    def __init__(
        self,
        space: str,
        quality: float,
        lagrangian_weight: float | None = None,
        chunk_type: int = LATENT_MASKED,
        rows: int | None = None,
    ) -> None:
        self.space = space
        self.quality = quality
        self.lagrangian_weight = lagrangian_weight
        self.chunk_type = chunk_type
        self.rows = rows
        self.has_trellis = chunk_type != LATENT_HYPERPRIOR
        self.has_masking = chunk_type in (LATENT_MASKED, LATENT_CONTINUED)
        level = {
            name: interpolate(a, quality)
            for name, a in models.arrays(space, "levels.npz").items()
            if a.ndim == 2
        }

        def column(name: str) -> NDArray[Any]:
            return level[name].reshape(-1, 1, 1)

        self.gain = np.exp(column("gain"))
        self.inverse = np.exp(column("inverse"))
        self.scale_offset = column("scale_offset").astype(np.int32)
        self.z_scale = column("z_scale")
        self.bias = level["bias"].astype(np.float32).reshape(1, -1, 1, 1)

    def encode(self, strips_of_y: Iterable[Floats]) -> bytes:
        """The latent chunk's body."""
        coded: list[bytes] = []
        first = 0
        for y in map(check_finite, strips_of_y):
            if self.chunk_type == LATENT_CONTINUED:
                coded += self._encode_continued(y, first)
            else:
                coded += [
                    self.encode_segment(y[:, :, c : c + STRIP_ROWS] * self.gain)
                    for c in range(0, y.shape[2], STRIP_ROWS)
                ]
            first += y.shape[1]
            del y  # before the next one is made
        return join(coded)

    def _encode_continued(self, y: Floats, first: int) -> Iterator[bytes]:
        """The segments of a strip whose first row is `first`. The z of several is made at once,
        which takes less time than that of each with what lies around it.
        """
        if self.rows is None:
            raise ValueError("a latent whose segments go on needs its number of rows")
        columns = y.shape[2]
        for begin in range(0, columns, GROUP):
            end = min(begin + GROUP, columns)
            left, right = with_halo(begin, end, Z_FACTOR, columns)
            edges = [left, *range(begin, end, STRIP_ROWS), end, right]
            pieces = [y[:, :, a:b] * self.gain for a, b in pairwise(edges)]
            sides = self.sides(first, begin, self.rows, columns)
            z = self.hyper_analysis(*pieces, sides=sides._replace(left=False, right=False))
            for c, segment in zip(edges[1:-2], pieces[1:-1], strict=True):
                at = (c - left) // Z_FACTOR
                own = z[:, :, at : at + STRIP_ROWS // Z_FACTOR]
                yield self.encode_segment(segment, own, self.sides(first, c, self.rows, columns))

    def decode(self, body: bytes, rows: int, columns: int) -> Iterator[Floats]:
        """Strips of y_hat (C, r, columns); FormatError where a segment's symbols are not those that
        were coded.
        """
        count = -(-rows // STRIP_ROWS) * -(-columns // STRIP_ROWS)
        if len(body) < count * MIN_SEGMENT_BYTES - 1:
            raise FormatError("the coded latent is too short for the size in the header")
        frugal = is_large(rows, columns)
        position = segments_read = 0
        for first, end in strips(rows):
            y_hat = np.empty((len(self.gain), end - first, columns), np.float32)
            for c in range(0, columns, STRIP_ROWS):
                segments_read += 1
                size = len(body) - position
                if segments_read < count:
                    size, position = read_varint(body, position)
                if not rans.CRC_BYTES <= size <= len(body) - position:
                    raise FormatError("a segment of the latent is cut off")
                segment = self.decode_segment(
                    body[position : position + size],
                    end - first,
                    min(STRIP_ROWS, columns - c),
                    self.sides(first, c, rows, columns),
                    frugal=frugal,
                )
                np.multiply(segment, self.inverse, out=y_hat[:, :, c : c + STRIP_ROWS])
                position += size
            yield y_hat
            del y_hat

    def sides(self, row: int, column: int, rows: int, columns: int) -> Sides:
        """The sides on which z of a segment goes on. row, column: its first position in a latent
        of rows x columns positions.
        """
        if self.chunk_type != LATENT_CONTINUED:
            return ALONE
        below, beside = row + STRIP_ROWS < rows, column + STRIP_ROWS < columns
        return Sides(row > 0, below, column > 0, beside)

    def encode_segment(self, y: Floats, z: Ints | None = None, sides: Sides = ALONE) -> bytes:
        """A segment y (C, h, w) in steps -> its bytes: CRC-32C of the symbols, then their stream.

        z: the hyper latent (Z, ceil(h / 4), ceil(w / 4)) to use instead of `hyper_analysis`'s.
        sides: on which z goes on.
        """
        z = self.hyper_analysis(y, sides=sides) if z is None else z
        coded, *_ = self.coding_loop(z, y.shape[1:], self._quantizing(y), sides)
        return self.pack_segment(z, coded)

    def pack_segment(self, z: Ints, coded: Coded) -> bytes:
        """z and the passes of `model_segment` -> the segment's bytes, as of `encode_segment`."""
        coder = rans.new_coder()
        for conditional, symbols in reversed(coded):
            conditional.push(coder, symbols)
        rans.push(coder, z, self.z_tables(z.shape))
        return rans.symbols_crc(z, together(coded)) + rans.to_bytes(coder)

    def model_segment(self, y: Floats) -> tuple[Ints, Coded, Floats]:
        """Quantize a segment without coding it: y (C, h, w) in steps -> z, the two passes with
        their symbols in decoding order, and y_hat (C, h, w) in steps.
        """
        z = self.hyper_analysis(y)
        coded, *distributions = self.coding_loop(z, y.shape[1:], self._quantizing(y))
        return z, coded, reconstructed(coded, *distributions)

    def _quantizing(self, y: Floats) -> SymbolsOf:
        return lambda conditional, *where: conditional.quantize(y, *where, self.lagrangian_weight)

    def coding_loop(
        self,
        z: Ints,
        shape: tuple[int, ...],
        symbols_of: SymbolsOf,
        sides: Sides = ALONE,
        *,
        frugal: bool = False,
    ) -> tuple[Coded, Floats, Floats]:
        """Run the two passes that encoder and decoder share -> the passes with their symbols; mu
        (C, h, w) of every symbol and the step_factor of `features`, of which `reconstructed` makes
        y_hat.

        z: the hyper latent. shape: (h, w) of the segment. symbols_of: quantizes the symbols of a
        pass, given mu and the step_factor of `features`, or decodes them; the second pass is
        conditioned on what it returns for the first. sides: on which z goes on. frugal: as of
        `models.run`.
        """
        h, w = shape
        features, gaussians, step_factor = self.features(z, h, w, sides, frugal=frugal)
        anchors = GaussianConditional(gaussians, ANCHORS, self.has_trellis)
        anchor_symbols = symbols_of(anchors, gaussians.mu, step_factor)
        context = networks.context(self.space, features, anchors, anchor_symbols, frugal=frugal)
        planes.second_distributions(*context, gaussians)
        others = GaussianConditional(gaussians, OTHERS, self.has_trellis)
        other_symbols = symbols_of(others, gaussians.mu, step_factor)
        coded = [(anchors, anchor_symbols), (others, other_symbols)]
        return coded, gaussians.mu, step_factor

    def decode_segment(
        self, data: bytes, h: int, w: int, sides: Sides = ALONE, *, frugal: bool = False
    ) -> Floats:
        """What `encode_segment` made -> y_hat (C, h, w) in steps."""
        coder = rans.from_bytes(data[rans.CRC_BYTES :])
        z = rans.pop(
            coder, self.z_tables((len(self.z_scale), -(-h // Z_FACTOR), -(-w // Z_FACTOR)))
        )
        if np.abs(z).max() > Z_MAX:
            raise FormatError("the coded latent is damaged: side information out of range")
        coded, *distributions = self.coding_loop(
            z, (h, w), lambda conditional, *_: conditional.pop(coder), sides, frugal=frugal
        )
        rans.check_empty(coder)
        if rans.symbols_crc(z, together(coded)) != data[: rans.CRC_BYTES]:
            raise FormatError(
                "the coded latent is damaged: the symbols do not match their checksum"
            )
        return reconstructed(coded, *distributions)

    def hyper_analysis(self, *pieces: Floats, sides: Sides = ALONE) -> Ints:
        """y (C, h, w) in steps -> z (Z, ceil(h / 4), ceil(w / 4)). Encoder only: may be any
        floats. pieces: y, or several that lie side by side. sides: on which y goes on as at its
        border, as z will for the decoder.
        """
        z: Ints = np.clip(np.rint(self.hyper_latent(*pieces, sides=sides)), -Z_MAX, Z_MAX)
        return z.astype(np.int32)

    def hyper_latent(self, *pieces: Floats, sides: Sides = ALONE) -> Floats:
        """z before it is rounded, float32."""
        channels, h, _ = pieces[0].shape
        top, left = sides.corner
        rows = top + h + Z_FACTOR * sides.bottom
        columns = left + sum(y.shape[2] for y in pieces) + Z_FACTOR * sides.right
        size = channels, rows + -rows % Z_FACTOR, columns + -columns % Z_FACTOR
        padded = np.empty(size, np.float32)
        padded[:, rows:] = padded[:, :, columns:] = 0
        at = left
        for y in pieces:
            np.arcsinh(y, out=padded[:, top : top + h, at : at + y.shape[2]])
            at += y.shape[2]
        sides.fill(padded[:, :rows, :columns], Z_FACTOR)
        z: Floats = models.run(self.space, "hyper_analysis.onnx", y=padded[None])[0][0]
        return z[:, sides.top : z.shape[1] - sides.bottom, sides.left : z.shape[2] - sides.right]

    def z_tables(self, shape: tuple[int, ...]) -> NDArray[np.uint8]:
        """The tables of z (Z, hz, wz): one a channel."""
        return np.broadcast_to(planes.scale_index(self.z_scale), shape)

    def features(
        self, z: Ints, h: int, w: int, sides: Sides = ALONE, *, frugal: bool = False
    ) -> tuple[Features, Gaussians, Floats]:
        """z -> hyper features (`prior_networks.features`); the distributions of the anchors; the
        quality's step / the local step, (h, w) (`masking.py`). sides: on which z goes on. frugal:
        as of `models.run`.
        """
        features, head = networks.features(self.space, z, self.bias, h, w, sides, frugal=frugal)
        offset = self.scale_offset.ravel()
        shift, step_factor = np.zeros((h, w), np.int32), np.ones((h, w), np.float32)
        if self.has_masking:
            activity = planes.activity(head, h, w, offset, sides.corner)
            shift = masking.shifts(activity, self.quality).astype(np.int32)
            step_factor = masking.step_factor(shift)
        gain = self.gain.ravel()
        return (
            features,
            planes.first_distributions(head, gain, offset, shift, step_factor, sides.corner),
            step_factor,
        )


def reconstructed(coded: Coded, mu: Floats, step_factor: Floats) -> Floats:
    """y_hat (C, h, w) in steps, in place of mu: of `HyperpriorCoder.coding_loop`."""
    for conditional, symbols in coded:
        conditional.add_values(symbols, mu)
    mu /= step_factor
    return mu


def together(coded: Coded) -> NDArray[np.int16]:
    """The symbols of all passes at their places, (C, h, w)."""
    plane = np.zeros(coded[0][0].shape, np.int16)
    for conditional, symbols in coded:
        conditional.put_symbols(symbols, plane)
    return plane


def join(segments: list[bytes]) -> bytes:
    """The coded segments -> the body: each but the last after its length."""
    return b"".join(write_varint(len(s)) + s for s in segments[:-1]) + segments[-1]
