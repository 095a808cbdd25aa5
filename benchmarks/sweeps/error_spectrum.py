"""How a codec's error is spread over frequencies, beside AVIF's:

    python -m benchmarks.sweeps.error_spectrum PICTURE ...

The mean of an error over a block of n x n pixels, times n, has the variance of a single pixel's
error where errors of neighbors have nothing to do with each other; more of it is error of low
frequencies. Prints these variances over the mean squared error of the luma, for the luma and the
mean of both chroma channels, of the model (`--content photo`, `--optimize-for mse`) and of AVIF.
"""

import argparse
import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from PIL import Image

import latentpress
from benchmarks.tables.screens import avif
from latentpress._typing import Pixels

SIDES = (8, 16, 32, 64)
TO_YCC = np.array([[0.299, 0.587, 0.114], [-0.1687, -0.3313, 0.5], [0.5, -0.4187, -0.0813]])


def builtin(pixels: Pixels, quality: int) -> tuple[int, Pixels]:
    """The bytes of a file of ours, and what it decodes to."""
    data = latentpress.compress(pixels, quality=quality, content="photo", optimize_for="mse")
    return len(data), np.asarray(latentpress.decompress(data))


CODECS = {"builtin": (builtin, (5, 15, 30, 50, 75)), "avif": (avif, (10, 25, 40, 55, 75))}


def spectrum(error: NDArray[np.float64]) -> Iterator[float]:
    """Of an error (H, W, 3) in RGB: two numbers a side, of the luma and of chroma."""
    ycc = error @ TO_YCC.T
    luma = np.square(ycc[:, :, 0]).mean()
    for side in SIDES:
        h, w = (size // side for size in ycc.shape[:2])
        blocks = ycc[: h * side, : w * side].reshape(h, side, w, side, 3).mean((1, 3)) * side
        variance = np.square(blocks).mean((0, 1)) / luma
        yield variance[0]
        yield variance[1:].mean()


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("pictures", nargs="+")
    names = parser.parse_args().pictures
    heads = [f"{side} {what}" for side in SIDES for what in ("luma", "chroma")]
    print("| codec | quality | bpp | " + " | ".join(heads) + " |")
    print("|" + "---|" * (3 + len(heads)))
    for codec, (coded, qualities) in CODECS.items():
        for quality in qualities:
            rows = []
            for name in names:
                pixels = np.asarray(Image.open(name).convert("RGB"))
                size, decoded = coded(pixels, quality)
                bpp = 8 * size / math.prod(pixels.shape[:2])
                rows.append([bpp, *spectrum(decoded.astype(np.float64) - pixels)])
            bpp, *found = np.mean(rows, 0)
            print(f"| {codec} | {quality} | {bpp:.3f} | ", end="")
            print(" | ".join(f"{value:.1f}" for value in found), "|", flush=True)


if __name__ == "__main__":
    main()
