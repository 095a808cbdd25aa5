"""What an encoder gains that looks at what it decodes to, without gradients:

    python -m benchmarks.sweeps.encoder_feedback PICTURE ...

The picture is coded and decoded. Its error is blurred, a share of it is added to the picture, and
the analysis is made anew, up to ROUNDS times. Prints the bytes at equal quality against the plain
files of the same pictures, as a geometric mean over the pictures and qualities below 70, for each
width of the blur, in pixels (its sigma), and number of rounds.
"""

import argparse
import math
import statistics
from collections import defaultdict
from collections.abc import Iterator, Mapping

import numpy as np
from PIL import Image
from scipy.ndimage import gaussian_filter

from latentpress._typing import Floats, Pixels
from latentpress.entropy.hyperprior import HyperpriorCoder
from latentpress.image.picture import read_picture
from latentpress.metrics import assess
from latentpress.spaces import LP1
from latentpress.transforms import lp1

METRICS = ("psnr", "ms-ssim-db", "ssimulacra2")
QUALITIES = (5, 15, 30, 45, 60, 75)
WIDTHS = (1, 2, 4)
SHARE, ROUNDS = 0.3, 3
Point = tuple[float, dict[str, float]]  # the logarithm of the bytes, and the metrics


def coded(pixels: Pixels, original: Pixels, quality: float) -> tuple[Point, Pixels]:
    """The file's bytes and quality, and what it decodes to."""
    transform = lp1.load(None, "auto")
    height, width = original.shape[:2]
    coder = HyperpriorCoder(LP1.name, quality)
    body = coder.encode(transform.analyze(read_picture(Image.fromarray(pixels))))
    rows, columns = -(-height // lp1.FACTOR), -(-width // lp1.FACTOR)
    strips = transform.synthesize(coder.decode(body, rows, columns), width, height)
    decoded = np.concatenate(list(strips))
    return (math.log(len(body)), assess(original, decoded, METRICS)), decoded


def with_feedback(original: Pixels, quality: float, width: int) -> Iterator[Point]:
    """The files after no round, one, two..."""
    wanted: Floats = original.astype(np.float32)
    moved = wanted
    for _ in range(1 + ROUNDS):
        pixels = np.clip(np.rint(moved), 0, 255).astype(np.uint8)
        point, decoded = coded(pixels, original, quality)
        yield point
        error = wanted - decoded
        moved = moved + SHARE * gaussian_filter(error, (width, width, 0), mode="nearest")


def gain(point: Point, plain: Mapping[int, Point], metric: str) -> float:
    """The logarithm of a file's bytes over those of a plain one of equal quality."""
    order = sorted(plain.values(), key=lambda one: one[1][metric])
    quality = [one[1][metric] for one in order]
    i = int(np.clip(np.searchsorted(quality, point[1][metric]) - 1, 0, len(order) - 2))
    share = (point[1][metric] - quality[i]) / (quality[i + 1] - quality[i])
    return point[0] - order[i][0] - share * (order[i + 1][0] - order[i][0])


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("pictures", nargs="+")
    gains = defaultdict[tuple[int, int, str], list[float]](list)
    for name in parser.parse_args().pictures:
        original = np.asarray(Image.open(name).convert("RGB"))
        found = {
            (width, quality): list(with_feedback(original, quality, width))
            for width in WIDTHS
            for quality in QUALITIES
        }
        plain = {quality: found[WIDTHS[0], quality][0] for quality in QUALITIES}
        for (width, quality), points in found.items():
            for rounds, point in enumerate(points[1:], 1):
                for metric in METRICS if quality < 70 else ():
                    gains[width, rounds, metric].append(gain(point, plain, metric))
    print("| sigma | rounds | " + " | ".join(METRICS) + " |")
    print("|" + "---|" * (2 + len(METRICS)))
    for width in WIDTHS:
        for rounds in range(1, 1 + ROUNDS):
            means = [statistics.fmean(gains[width, rounds, metric]) for metric in METRICS]
            cells = [f"{100 * math.expm1(mean):+.1f} %" for mean in means]
            print(f"| {width} | {rounds} | " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
