"""How many files a search for a rate writes until one lies within 1 % below it.

    python -m benchmarks.tables.target_probes kodak/*.png [--rates .08,.14,.25,.45,.8]
        [--output results/targets.csv]

A row a picture and rate: whether the codec reaches the rate on the picture at all, files written
until one is within 1 %, files written in all, and the share of the target that the result has. Only
the entropy coding is repeated, so it takes seconds.
"""

import argparse
import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks import provenance
from benchmarks.rows import ROOT
from latentpress import targets
from latentpress.options import TOP_STEP, EncodeOptions
from latentpress.targets.bracket import SIZE_NEAR


class Counted(targets.Analyzed):
    """An analyzed picture that keeps the sizes of what it writes."""

    sizes: list[int]

    def write(self, step: int) -> bytes:
        """The file, whose size is kept."""
        data = super().write(step)
        self.sizes.append(len(data))
        return data


def measure(analyzed: Counted, bpp: float) -> dict[str, Any]:
    """One row. Outside of what the codec reaches on the picture: the least or best file is the
    result.
    """
    limit = int(bpp * analyzed.pixels / 8)
    analyzed.sizes = []
    data = targets.to_rate(analyzed, bpp, best_effort=True)
    near: Callable[[int], bool] = lambda size: (1 - SIZE_NEAR) * limit <= size <= limit
    probes = next((i for i, size in enumerate(analyzed.sizes, 1) if near(size)), "")
    files = len(analyzed.sizes)
    reachable = len(data) <= limit and (
        bool(probes) or len(analyzed.write(TOP_STEP)) >= (1 - SIZE_NEAR) * limit
    )
    return {
        "reachable": reachable,
        "probes": probes,
        "files": files,
        "share": f"{len(data) / limit:.5f}",
    }


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("images", type=Path, nargs="+")
    parser.add_argument("--rates", default=".08,.14,.25,.45,.8")
    parser.add_argument("--codec", default="builtin")
    parser.add_argument("--model")
    parser.add_argument("--output", type=Path, default=ROOT / "results" / "targets.csv")
    arguments = parser.parse_args()
    rows = []
    for path in arguments.images:
        analyzed = Counted(path, EncodeOptions(codec=arguments.codec, model=arguments.model))
        for bpp in map(float, arguments.rates.split(",")):
            rows.append(
                {"codec": arguments.codec, "image": path.stem, "bpp": bpp} | measure(analyzed, bpp)
            )
            print(*rows[-1].values(), flush=True)
    with arguments.output.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    provenance.record(arguments.output, "files that a search for a rate writes", [arguments.codec])
    reachable = [row for row in rows if row["reachable"]]
    for most in (3, 4, 5, 6):
        within = sum(1 for row in reachable if row["probes"] and row["probes"] <= most)
        print(
            f"within 1 % after at most {most} files: {within} of {len(reachable)} "
            f"(of {len(rows)} in all; the others are out of reach)"
        )


if __name__ == "__main__":
    main()
