"""What lp1's ways to code a latent gain.

    python -m benchmarks.sweeps.latent_chunks kodak/*.png    -> results/latent_chunks.csv

Every picture and quality three times, as files: each symbol rounded alone (latent chunk 02),
symbols of large scales in chains of dependent quantization (04), and these under steps that follow
the activity (05, which the encoder writes). Prints bytes at equal PSNR, LPIPS and so on, and these
at equal bytes, of 04 against each picture's own curve with 02, and of 05 against that with 04. Rows
that the file has already are kept.
"""

import argparse
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import provenance
from benchmarks.rows import ROOT, read, row_of, usable, write
from benchmarks.tables.effort_rates import at_equal
from latentpress import codec
from latentpress.entropy.hyperprior import HyperpriorCoder
from latentpress.entropy.smallest import Smallest
from latentpress.image.picture import read_picture
from latentpress.metrics import Reference
from latentpress.parts import Lp1Parts, load_transform
from latentpress.spaces import LP1

MEASURED = ("psnr", "lpips", "lpips-vgg")
KEY = ("chunk", "quality", "image")
COLUMNS = (*KEY, "bytes", *MEASURED)


def rows_of(
    path: Path, cells: list[tuple[int, float]], metrics: Sequence[str]
) -> Iterator[dict[str, Any]]:
    """A row a cell (chunk type, quality); the picture is analyzed once."""
    picture, transform = read_picture(path), load_transform(LP1)
    pixels, strips = (
        picture.pixels(0, picture.height, 0, picture.width),
        list(transform.analyze(picture)),
    )
    reference = Reference(pixels)
    for kind, quality in cells:
        data = codec.write(
            picture.outline,
            transform,
            strips,
            quality,
            {},
            Smallest([HyperpriorCoder("lp1", quality, chunk_type=kind)]),
        )
        values = reference.assess(np.asarray(codec.decompress(data).convert("RGB")), metrics)
        key = {"chunk": kind, "quality": quality, "image": path.stem}
        yield row_of(COLUMNS, key, len(data), values)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("images", type=Path, nargs="+")
    parser.add_argument("--metrics", default=",".join(MEASURED))
    parser.add_argument("--qualities", default="15,22,30,37,45,52,60,67,75")
    parser.add_argument("-o", "--output", type=Path, default=ROOT / "results/latent_chunks.csv")
    args = parser.parse_args()
    rows, done = read(args.output, KEY)
    provenance.record(
        args.output,
        "bytes and quality of lp1's latent chunks 02, 04 and 05",
        ["builtin"],
        goes_on=bool(rows),
    )
    metrics = usable(args.metrics)
    for path in args.images:
        cells = [
            (kind, quality)
            for quality in map(float, args.qualities.split(","))
            for kind in Lp1Parts.chunk_types
        ]
        rows += rows_of(
            path, [(k, q) for k, q in cells if (str(k), str(q), path.stem) not in done], metrics
        )
        write(args.output, COLUMNS, rows)
        print(path.stem, flush=True)
    for before, kind in pairwise(Lp1Parts.chunk_types):
        curves: dict[str, list[dict[str, Any]]] = {}
        for row in rows:
            if int(row["chunk"]) == before:
                curves.setdefault(row["image"], []).append(row)
        for quality in sorted({float(r["quality"]) for r in rows})[1:-1]:
            part = [r for r in rows if int(r["chunk"]) == kind and float(r["quality"]) == quality]
            print(
                f"{kind:02} against {before:02}, quality {quality:g}:",
                "; ".join(at_equal(part, curves, m) for m in metrics),
            )


if __name__ == "__main__":
    main()
