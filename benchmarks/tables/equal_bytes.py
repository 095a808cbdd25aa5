"""A run's codecs at equal bits per pixel instead of at equal quality.

    python -m benchmarks.tables.equal_bytes results/unseen --against avif

For every codec and rate, each metric of its mean curve beside that of the other's, and their
difference; both interpolated in log bpp as in `tables/check_published.py`
(docs/measurements/unseen-metrics.md has the table). The other way round, bytes at equal quality, is
`latentpress report`.
"""

import argparse
from pathlib import Path

from benchmarks.tables.check_published import at_rate
from latentpress.bench.rate_distortion import curve, lossy
from latentpress.bench.rows import Run, read_run


def lines(run: Run, codec: str, other: str, rates: list[float]) -> list[str]:
    """A line a rate and metric."""
    texts = []
    for bpp in rates:
        for metric in run.metrics:
            ours, theirs = (at_rate(curve(run, name, metric), bpp) for name in (codec, other))
            if ours is None or theirs is None:
                texts.append(f"{bpp:.2f} bpp {metric}: a curve does not reach this rate")
            else:
                difference = f"{ours - theirs:+.3g} or {100 * (ours / theirs - 1):+.1f} %"
                texts.append(
                    f"{bpp:.2f} bpp {metric}: {ours:.4g} against {theirs:.4g}, {difference}"
                )
    return texts


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("run", type=Path)
    parser.add_argument("--against", default="avif")
    parser.add_argument("--rates", default=".15,.27,.5", help="bits per pixel")
    arguments = parser.parse_args()
    run = read_run(arguments.run)
    for codec in lossy(run):
        if codec != arguments.against:
            rates = [float(bpp) for bpp in arguments.rates.split(",")]
            print(
                f"{codec} against {arguments.against}",
                *lines(run, codec, arguments.against, rates),
                sep="\n",
            )


if __name__ == "__main__":
    main()
