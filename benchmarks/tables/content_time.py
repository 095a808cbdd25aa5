"""What `--content auto` costs on photographs, beside `photo`:

    python -m benchmarks.tables.content_time ../shared/data/kodak ../shared/data/cid22-validation

CPU seconds to compress each picture of the folders from its file, in a warm process, the least of
--repeats runs of either content that take turns. `ratio`: those of auto divided by those of photo;
`same`: whether both give the same file. Writes results/content-time.csv and its table in
docs/measurements/screens.md.
"""

import argparse
import csv
import statistics
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

import latentpress
from benchmarks import provenance
from benchmarks.sources import fill

CONTENTS = ("photo", "auto")
COLUMNS = ("set", "picture", "photo_seconds", "auto_seconds", "ratio", "same")
HEAD = ["set", "pictures", "the same file", "median", "mean", "most, the same file"]


def row(file: Path, quality: float, repeats: int) -> list[str]:
    """The row of a picture."""
    seconds: dict[str, list[float]] = {content: [] for content in CONTENTS}
    files: dict[str, bytes] = {}
    for _ in range(repeats):
        for content in CONTENTS:
            start = time.process_time()
            files[content] = latentpress.compress(file, quality=quality, content=content)
            seconds[content].append(time.process_time() - start)
    photo, auto = (min(seconds[content]) for content in CONTENTS)
    same = files["photo"] == files["auto"]
    figures = [f"{photo:.4f}", f"{auto:.4f}", f"{auto / photo:.3f}", str(same)]
    return [file.parent.name, file.stem, *figures]


def summary(rows: Sequence[Sequence[str]]) -> Iterable[list[str]]:
    """Cells of the rows of the page's table: of each set, and of all."""
    sets = list(dict.fromkeys(row[0] for row in rows))
    for name in [*sets, "all"]:
        of_set = [row for row in rows if name in (row[0], "all")]
        ratios = [float(row[4]) for row in of_set]
        same = [float(row[4]) for row in of_set if row[5] == "True"]
        figures = [statistics.median(ratios), statistics.fmean(ratios), max(same, default=0.0)]
        counts = [str(len(of_set)), str(len(same))]
        yield [name, *counts, *(f"{figure:.3f}" for figure in figures)]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folders", type=Path, nargs="+")
    parser.add_argument("--quality", type=float, default=50)
    parser.add_argument("--repeats", type=int, default=5)
    output = provenance.RESULTS / "content-time.csv"
    parser.add_argument("-o", "--output", type=Path, default=output)
    options = parser.parse_args()
    files = [file for folder in options.folders for file in sorted(folder.glob("*.png"))]
    row(files[0], options.quality, 1)  # which opens the model
    rows = []
    with options.output.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(COLUMNS)
        for file in files:
            rows.append(row(file, options.quality, options.repeats))
            writer.writerow(rows[-1])
            print(*rows[-1], flush=True)
    what = "CPU seconds of compressing photographs under --content auto, beside photo"
    provenance.record(options.output, what, ["builtin"])
    told = list(summary(rows))
    print(*told, sep="\n")
    if options.output == output:
        page = provenance.ROOT / "docs" / "measurements" / "screens.md"
        fill(page, "results/content-time.csv", [HEAD, *told])


if __name__ == "__main__":
    main()
