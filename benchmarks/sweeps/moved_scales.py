"""What scales that are moved for each channel of a picture would save in files of lp1:

    python -m benchmarks.sweeps.moved_scales PICTURE ...

Each symbol's table is moved by up to three scales, alike for all symbols of a channel of a segment.
A row a quality, in per cent of the symbols' bits: where each pass has moves of its own, with the
symbols known (`each pass`); where both passes share them (`both`), and the same with what it takes
to send them (`sent`); where the second pass takes those that were best for the first, which a
decoder knows too (`learned`). Prints the table.
"""

import argparse
from functools import cache
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
from numpy.typing import NDArray

import latentpress
from latentpress.entropy import cdf_tables, trellis
from latentpress.entropy.cdf_tables import ODD, SCALES
from latentpress.entropy.gaussian_conditional import ConditionalSymbols, GaussianConditional
from latentpress.entropy.hyperprior import HyperpriorCoder

QUALITIES = (10, 30, 50, 75, 95)
MOVES = np.arange(-3, 4)
KEPT = 3  # the index of no move
STAYS, MOVED = 0.7, 3.0  # bits that a channel's move takes to send
DOUBT = 6.0  # bits that a move must save in the first pass, for each scale


@cache
def costs() -> NDArray[np.float64]:
    """(2 SCALES, REACH + 1) bits of magnitudes, the even quantizer's tables before the odd's."""
    even = np.arange(SCALES)
    return cdf_tables.magnitude_bits(np.concatenate([even, even + ODD]), trellis.REACH)


def channel_bits(
    conditional: GaussianConditional, symbols: ConditionalSymbols
) -> NDArray[np.float64]:
    """(MOVES, C) bits of a pass under each move."""
    channels, h, w = conditional.shape
    at = conditional.positions
    channel = np.concatenate([at.alone, at.lanes]) // (h * w)
    table = np.concatenate([conditional.tables, at.lane_tables]).astype(np.int64)
    odd = np.concatenate([np.zeros(at.alone.size, np.int64), symbols.path.odd])
    size = np.abs(np.concatenate([symbols.alone, symbols.path.symbols]))
    size = np.minimum(size, trellis.REACH)
    bits = [costs()[np.clip(table + move, 1, SCALES - 1) + SCALES * odd, size] for move in MOVES]
    return np.array([np.bincount(channel, b, minlength=channels) for b in bits])


def segment_bits(first: NDArray[np.float64], second: NDArray[np.float64]) -> list[float]:
    """Bits of a segment's passes: as they are, each pass, both, sent, learned."""
    both = first + second
    taken = np.where(np.arange(len(MOVES)) == KEPT, STAYS, MOVED)[:, None] * (both > 0)
    learned = (first + DOUBT * np.abs(MOVES)[:, None]).argmin(0)
    return [
        both[KEPT].sum(),
        first.min(0).sum() + second.min(0).sum(),
        both.min(0).sum(),
        (both + taken).min(0).sum(),
        first[KEPT].sum() + second[learned, np.arange(second.shape[1])].sum(),
    ]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("pictures", type=Path, nargs="+")
    pictures = parser.parse_args().pictures
    print("| quality | each pass | both | sent | learned |")
    print("|---" * 5 + "|")
    pack = HyperpriorCoder.pack_segment
    for quality in QUALITIES:
        sums = np.zeros(5)

        def seen(coder: HyperpriorCoder, z: Any, coded: Any, sums: Any = sums) -> bytes:
            sums += segment_bits(*(channel_bits(*of_pass) for of_pass in coded))
            return pack(coder, z, coded)

        with mock.patch.object(HyperpriorCoder, "pack_segment", seen):
            for picture in pictures:
                latentpress.compress(picture, quality=quality, content="photo")
        shares = " | ".join(f"{100 * (other / sums[0] - 1):+.2f} %" for other in sums[1:])
        print(f"| {quality} | {shares} |", flush=True)


if __name__ == "__main__":
    main()
