"""What is seen where segments of a large picture meet:

    python -m benchmarks.sweeps.segment_seams ../shared/data/kodak

Skies of 2048 x 512 pixels, whose segments meet at column 1024, are analyzed once and coded in four
ways at seven qualities. Two measures are taken at the border and at places away from it, of which
the median counts: how the error changes from 8 columns to the next 8, and from 32 to the next 32,
as a root mean square over boxes of 16 and of 32 rows. A ratio of 1 says that a border changes
nothing. Printed are geometric means over qualities and skies, and the bytes of all of them.
"""

import argparse
import math
import statistics
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from latentpress._typing import Floats
from latentpress.codec import encode_latent
from latentpress.container import LATENT_CONTINUED, LATENT_MASKED
from latentpress.entropy.hyperprior import HyperpriorCoder
from latentpress.entropy.prior_networks import ALONE, Sides
from latentpress.parts import load_transform
from latentpress.spaces import LP1
from latentpress.transforms.tiling import STRIP_ROWS

Pixels = NDArray[np.uint8]
QUALITIES = (0, 5, 10, 15, 20, 30, 50)
HEIGHT, WIDTH, BORDER = 512, 2048, 1024
ELSEWHERE = [c for c in range(384, 1700, 16) if abs(c - BORDER) > 160]
BLUE, PALE, WARM = (54, 96, 168), (188, 214, 236), (240, 230, 210)
KODAK = {"kodim21": (0, 0, 768, 192), "kodim23": (0, 0, 384, 96)}  # boxes of sky or soft ground
BOTH = (Sides(False, False, False, True), Sides(False, False, True, False))


class Coded(NamedTuple):
    """y_hat of the quality's unit, in the latent's unit, and the bytes of its segments."""

    y_hat: Floats
    size: int


class Row(NamedTuple):
    """Of a sky at a quality: changes at the border over those elsewhere, step in levels, bytes."""

    narrow: float
    wide: float
    step: float
    size: int


def mixed(share: NDArray[np.float64], first: tuple[int, ...], last: tuple[int, ...]) -> Pixels:
    """Two colors, mixed by (rows, columns)."""
    a, b = np.array(first, float), np.array(last, float)
    return np.rint(a + share[..., None] * (b - a)).astype(np.uint8)


def skies(kodak: Path) -> Iterator[tuple[str, str, Pixels]]:
    """(kind, name, pixels)."""
    y, x = np.mgrid[:HEIGHT, :WIDTH].astype(float)
    down = y / (HEIGHT - 1)
    plain = mixed(down, BLUE, PALE)
    yield "the same in all columns", "plain", plain
    yield "other synthetic", "diagonal", mixed((down + x / (WIDTH - 1)) / 2, BLUE, PALE)
    far = np.clip(np.hypot(x - 1300, y + 200) / 1500, 0, 1)
    yield "other synthetic", "radial", mixed(far, WARM, BLUE)
    noise = np.random.default_rng(0).normal(0, 1, plain.shape)
    yield "other synthetic", "noise", np.clip(np.rint(plain + noise), 0, 255).astype(np.uint8)
    for name, box in KODAK.items():
        crop = Image.open(kodak / f"{name}.png").convert("RGB").crop(box)
        yield "real", name, np.asarray(crop.resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC))


def coded(y: Floats, quality: float, kind: int, z_goes_on: bool) -> Coded:
    """The two segments coded each for itself. z_goes_on: the encoder makes z as for chunk 06."""
    coder = HyperpriorCoder(LP1.name, quality, chunk_type=kind)
    parts, size = [], 0
    for i, sides in enumerate(BOTH):
        own = np.ascontiguousarray(y[:, :, STRIP_ROWS * i : STRIP_ROWS * (i + 1)] * coder.gain)
        z = coder.hyper_analysis(own, sides=sides if z_goes_on else ALONE)
        on = sides if kind == LATENT_CONTINUED else ALONE
        data = coder.encode_segment(own, z, on)
        parts.append(coder.decode_segment(data, *own.shape[1:], on) * coder.inverse)
        size += len(data)
    return Coded(np.concatenate(parts, axis=2), size)


def whole(y: Floats, quality: float) -> Coded:
    """Both segments coded as one, which no file holds: a picture without a border."""
    coder = HyperpriorCoder(LP1.name, quality)
    data = coder.encode_segment(y * coder.gain)
    return Coded(coder.decode_segment(data, *y.shape[1:]) * coder.inverse, len(data))


WAYS: dict[str, Callable[[Floats, float], Coded]] = {
    "chunk 05": lambda y, quality: coded(y, quality, LATENT_MASKED, False),
    "chunk 05, the encoder sees beyond": lambda y, quality: coded(y, quality, LATENT_MASKED, True),
    "chunk 06": lambda y, quality: coded(y, quality, LATENT_CONTINUED, True),
    "no border": whole,
}


def changes(error: NDArray[np.float64], column: int, width: int, height: int) -> Floats:
    """How much the error changes at a column: (boxes, 3)."""
    left, right = (error[:, a : a + width].mean(1) for a in (column - width, column))
    return np.asarray((right - left).reshape(-1, height, 3).mean(1), np.float32)


def ratio(error: NDArray[np.float64], width: int, height: int) -> float:
    """The change at the border over the median of those elsewhere."""

    def size(column: int) -> float:
        return float(np.sqrt(np.square(changes(error, column, width, height)).mean()))

    return size(BORDER) / statistics.median(map(size, ELSEWHERE))


def measured(sky: Pixels, one: Coded) -> Row:
    """The figures of a coded sky."""
    strips = load_transform(LP1).synthesize([one.y_hat], WIDTH, HEIGHT)
    decoded = np.concatenate(list(strips))
    error: NDArray[np.float64] = np.subtract(decoded, sky, dtype=np.float64)
    step = float(np.abs(changes(error, BORDER, 8, 16)).max())
    return Row(ratio(error, 8, 16), ratio(error, 32, 32), step, one.size)


def line(rows: list[Row]) -> str:
    """Geometric means, and the sum of the bytes."""

    def mean(values: Iterable[float]) -> str:
        return f"{math.exp(statistics.fmean(map(math.log, values))):.2f}"

    narrow, wide, step, size = zip(*rows, strict=True)
    return f"{mean(narrow)} | {mean(wide)} | {mean(step)} | {sum(size)}"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("kodak", type=Path, help="the folder of Kodak's pictures")
    found: dict[tuple[str, str], list[Row]] = {}
    for kind, _, sky in skies(parser.parse_args().kodak):
        y = encode_latent(sky)
        for quality in QUALITIES:
            for way, code in WAYS.items():
                found.setdefault((kind, way), []).append(measured(sky, code(y, quality)))
    print("| sky | coded as | 8 columns | 32 columns | largest step, levels | bytes |")
    print("|---" * 6 + "|")
    for (kind, way), rows in found.items():
        print(f"| {kind} | {way} | {line(rows)} |")


if __name__ == "__main__":
    main()
