"""Stage 4 of 5 for the Stable Diffusion spaces: every channel under one shipped integer CDF table,
named in the file.

Body: CRC-32C of the symbols; two bytes a channel, its table (family * 64 + scale; bit 15:
mirrored); a signed byte a channel, its mean in sixteenths; then one rANS stream of all channels.
The step is the same in all channels: the spaces are scaled to about unit deviation.
"""

from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from latentpress._typing import Floats, Ints
from latentpress.container import LATENT_FACTORIZED
from latentpress.entropy import cdf_tables, density, rans
from latentpress.entropy.quantizer import check_finite, dequantize, quantize
from latentpress.entropy.rans import CRC_BYTES, symbols_crc
from latentpress.entropy.rdoq import quantize_rdoq
from latentpress.errors import FormatError
from latentpress.spaces import Space, step_size

MEAN_UNIT = 1 / 16
MIRRORED, TABLE_BITS = 0x8000, 0x7FFF


class FactorizedCoder:
    """Coder of one space and quality. lagrangian_weight: `rdoq.quantize_rdoq`'s weight in the
    encoder; None rounds to the nearest.
    """

    chunk_type = LATENT_FACTORIZED

    def __init__(
        self, space: Space, quality: float, lagrangian_weight: float | None = None
    ) -> None:
        self.channels = space.channels
        self.lagrangian_weight = lagrangian_weight
        self.step = np.float32(step_size(quality))
        self.gain = np.full(space.channels, 1 / self.step, np.float32)

    def encode(self, strips_of_y: Iterable[Floats]) -> bytes:
        """Strips of y (C, r, w) -> the latent chunk's body."""
        y, means = self.scaled(strips_of_y)
        return self.encode_symbols(self.quantize(y - self.offsets(means)), means)

    def quantize(self, v: Floats) -> Ints:
        """Symbols of v (C, h, w), in steps about the means.

        Bits are counted under the tables that code the symbols best when they are only rounded.
        """
        if self.lagrangian_weight is None:
            return quantize(v, np.float32(0))
        best = np.array([best_table(s) for s in quantize(v, np.float32(0))], np.uint16)
        return quantize_rdoq(
            v * sign(best).astype(np.float32),
            (best & TABLE_BITS)[:, None, None],
            self.lagrangian_weight,
        ) * sign(best)

    def scaled(self, strips_of_y: Iterable[Floats]) -> tuple[Floats, NDArray[np.int8]]:
        """Strips of y (C, r, w) -> (all of y (C, h, w) in steps, the means of its channels (C,) in
        MEAN_UNIT).
        """
        finite = [check_finite(strip) for strip in strips_of_y]
        y: Floats = np.divide(np.concatenate(finite, axis=1), self.step, dtype=np.float32)
        return y, np.clip(np.rint(y.mean((1, 2)) * self.step / MEAN_UNIT), -128, 127).astype(
            np.int8
        )

    def encode_symbols(self, symbols: Ints, means: NDArray[np.int8]) -> bytes:
        """Symbols (C, h, w) about the means -> the latent chunk's body."""
        h, w = symbols.shape[1:]
        best = np.array([best_table(s) for s in symbols], "<u2")
        coder = rans.new_coder()
        rans.push(coder, (symbols * sign(best)).ravel(), np.repeat(best & TABLE_BITS, h * w))
        body: bytes = symbols_crc(symbols) + best.tobytes() + means.tobytes() + rans.to_bytes(coder)
        density.check_written(body, h * w)
        return body

    def decode(self, body: bytes, rows: int, columns: int) -> Iterator[Floats]:
        """The body -> y_hat (C, rows, columns), as one strip; FormatError where it is damaged."""
        start, n = CRC_BYTES, self.channels
        density.check_read(body, rows * columns, start + 3 * n)
        best = np.frombuffer(body, "<u2", n, start)
        if (best & TABLE_BITS).max() >= cdf_tables.ODD:
            raise FormatError("the coded latent names a table that does not exist")
        means = np.frombuffer(body, np.int8, n, start + 2 * n)
        coder = rans.from_bytes(body[start + 3 * n :])
        symbols = np.empty((n, rows, columns), np.int32)
        for table in np.unique(
            best & TABLE_BITS
        ).tolist():  # what `rans.pop` does for one table a channel, in less memory
            channels = np.flatnonzero((best & TABLE_BITS) == table)
            amount = np.array([len(channels) * rows * columns], np.int64)
            run = coder.pop_runs(np.array([table], np.uint16), amount)
            symbols[channels] = run.reshape(-1, rows, columns)
        symbols *= sign(best)
        rans.check_empty(coder)
        if symbols_crc(symbols) != body[:start]:
            raise FormatError(
                "the coded latent is damaged: the symbols do not match their checksum"
            )
        yield dequantize(symbols, self.offsets(means)) * self.step

    def offsets(self, means: NDArray[np.int8]) -> Floats:
        """(C,) bytes of the file -> (C, 1, 1) means in steps."""
        return (means.astype(np.float32) * np.float32(MEAN_UNIT) / self.step)[:, None, None]


def sign(best: NDArray[np.uint16]) -> Ints:
    """(C,) table words -> (C, 1, 1): -1 where the table is mirrored."""
    return np.where(best & MIRRORED, -1, 1).astype(np.int32)[:, None, None]


def bits_of(symbols: Ints, word: int) -> NDArray[np.float64]:
    """The bits of each symbol under a table word."""
    table = word & TABLE_BITS
    v = -symbols if word & MIRRORED else symbols
    r = cdf_tables.radius(table)
    bits = cdf_tables.bit_costs(table)
    cost: NDArray[np.float64] = bits[cdf_tables.alphabet_index(v, r)]
    return cost


def best_table(symbols: Ints) -> int:
    """The table word that codes the symbols in the fewest bits."""
    values, amounts = np.unique(symbols, return_counts=True)

    def cost(word: int) -> float:
        return float(amounts @ bits_of(values, word))

    plain = range(cdf_tables.ODD)
    mirrored = (
        t | MIRRORED
        for t in plain
        if cdf_tables.FAMILIES[t // cdf_tables.SCALES] in cdf_tables.SKEWED
    )
    words: list[int] = [*plain, *mirrored]
    return min(words, key=cost)
