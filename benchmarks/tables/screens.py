"""Screens, pages, patterns and photographs under `--content auto`, beside AVIF:

    python -m benchmarks.tables.screens --photographs kodak cid22-validation

A row a picture of benchmarks/data, and of the folders of photographs. AVIF is Pillow's, at its
default speed, chroma and tuning, whole files. `ratio`: bytes at equal SSIMULACRA 2, ours divided by
AVIF's, the mean of the logarithm over the scores that both reach; where AVIF reaches none of ours,
our least bytes divided by its most, and where we reach none of its, our most by its least. `mae`,
`mae_avif`: mean absolute error at quality 60, and AVIF's in as many bytes. `psnr`, `psnr_avif`: the
same at quality 80, in dB. `same`: whether auto and photo give the same file at quality 50 (what
that costs, `content_time` measures). Single colors: the most bytes and the largest error over
colors and qualities. Writes results/screens.csv, row by row, in which the rows of other pictures
are kept, and the table of docs/measurements/screens.md.
"""

import argparse
import csv
import io
import math
import statistics
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

import latentpress
from benchmarks import provenance
from benchmarks.data.patterns import PATTERNS
from benchmarks.data.screens import MIXED, mixed, screens
from benchmarks.sources import fill
from latentpress.metrics import METRICS
from latentpress.options import QUALITY_UNIT, EncodeOptions
from latentpress.targets import Analyzed

Pixels = NDArray[np.uint8]
COLUMNS = (
    "set",
    "picture",
    "bytes",
    "ratio",
    "mae",
    "mae_avif",
    "psnr",
    "psnr_avif",
    "same",
    "error",
)
PATIENT = " at effort 4"  # of a set that is pressed so; others are at the default
SETS = ("single colors", "screens", "mixed", f"mixed{PATIENT}", "patterns", "photographs")
HEAD = ["set", "pictures", "what", "figure"]
OURS = (25, 60, 90)
AVIF = (15, 35, 55, 80)
COLORS = ((0, 0, 0), (255, 255, 255), (0, 160, 0), (1, 2, 3), (255, 0, 255), (90, 200, 31))


def ours(pixels: Pixels, *qualities: int, effort: int = 3) -> list[tuple[int, Pixels]]:
    """Bytes and decoded pixels at each quality."""
    analyzed = Analyzed(pixels, EncodeOptions(content="auto", effort=effort))
    files = [analyzed.write(QUALITY_UNIT * quality) for quality in qualities]
    return [(len(data), np.asarray(latentpress.decompress(data).convert("RGB"))) for data in files]


def avif(pixels: Pixels, quality: int) -> tuple[int, Pixels]:
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "AVIF", quality=quality)
    return len(stream.getvalue()), np.asarray(Image.open(stream).convert("RGB"))


def mae(a: Pixels, b: Pixels) -> float:
    return float(np.abs(a.astype(np.int16) - b).mean())


def psnr(a: Pixels, b: Pixels) -> float:
    """At most 99 dB."""
    return min(
        99.0, 10 * math.log10(255**2 / max(1e-9, float(np.square(a.astype(np.float64) - b).mean())))
    )


def rising(points: Iterable[tuple[float, float]]) -> tuple[list[float], list[float]]:
    """(score, logarithm of bytes) by rising score, of equal or higher scores the fewest bytes."""
    found: list[tuple[float, float]] = []
    for score, log in sorted(points):
        while found and found[-1][1] >= log:
            found.pop()
        if not found or score > found[-1][0] + 0.01:
            found.append((score, log))
    return [s for s, _ in found], [b for _, b in found]


def ratio(a: list[tuple[float, int]], b: list[tuple[float, int]]) -> float:
    """Bytes of a divided by those of b at equal scores; each (score, bytes). Where they share no
    score, a bound: the least bytes of the one whose scores are higher, the most of the other.
    """
    (x, y), (u, v) = (
        rising((score, math.log(size)) for score, size in points) for points in (a, b)
    )
    low, high = max(x[0], u[0]), min(x[-1], u[-1])
    if high - low < 0.5:
        return math.exp(y[0] - v[-1] if x[0] > u[0] else y[-1] - v[0])
    grid = np.linspace(low, high, 200)
    return float(np.exp(np.mean(np.interp(grid, x, y) - np.interp(grid, u, v))))


def at_bytes(points: list[tuple[int, float]], size: int) -> float:
    """A figure at so many bytes, linear in their logarithm; beyond the ends that of the end."""
    points = sorted(points)
    return float(
        np.interp(math.log(size), [math.log(s) for s, _ in points], [value for _, value in points])
    )


def screen_row(kind: str, name: str, pixels: Pixels) -> dict[str, object]:
    effort = 4 if kind.endswith(PATIENT) else 3
    made = dict(zip(OURS, ours(pixels, *OURS, effort=effort), strict=True))
    rival = [avif(pixels, q) for q in AVIF]
    size, decoded = made[60]
    score = METRICS["ssimulacra2"].against(pixels)
    scores = [(score(d), s) for s, d in made.values()]
    rival_scores = [(score(d), s) for s, d in rival]
    rival_mae = at_bytes([(s, mae(pixels, d)) for s, d in rival], size)
    figures = {
        "bytes": size,
        "ratio": f"{ratio(scores, rival_scores):.4f}",
        "mae": f"{mae(pixels, decoded):.3f}",
    }
    return {"set": kind, "picture": name, **figures, "mae_avif": f"{rival_mae:.3f}"}


def pattern_row(name: str, pixels: Pixels) -> dict[str, object]:
    [(size, decoded)] = ours(pixels, 80)
    rival = [
        (s, psnr(pixels, d)) for s, d in (avif(pixels, q) for q in (5, 20, 40, 60, 75, 88, 96))
    ]
    figures = {
        "bytes": size,
        "psnr": f"{psnr(pixels, decoded):.2f}",
        "psnr_avif": f"{at_bytes(rival, size):.2f}",
    }
    return {"set": "patterns", "picture": name, **figures}


def photograph_row(file: Path) -> dict[str, object]:
    auto, photo = (latentpress.compress(file, quality=50, content=c) for c in ("auto", "photo"))
    figures = {"bytes": len(auto), "same": auto == photo}
    return {"set": "photographs", "picture": file.stem, **figures}


def color_row() -> dict[str, object]:
    most, error = 0, 0
    for color in COLORS:
        pixels = np.full((512, 512, 3), color, np.uint8)
        for size, decoded in ours(pixels, 0, 25, 50, 75, 100):
            most, error = (
                max(most, size),
                max(error, int(np.abs(decoded.astype(int) - pixels).max())),
            )
    return {
        "set": "single colors",
        "picture": f"{len(COLORS)} colors, 5 qualities",
        "bytes": most,
        "error": error,
    }


def rows(kind: str, folders: list[Path], every: int) -> Iterator[dict[str, object]]:
    """The rows of every so many pictures of a set."""
    if kind == "single colors":
        yield color_row()
    elif kind == "screens":
        yield from (
            screen_row(kind, name, np.asarray(image))
            for name, image in list(screens().items())[::every]
        )
    elif kind.startswith("mixed"):
        yield from (
            screen_row(kind, f"mixed-{i:02}", np.asarray(mixed(i))) for i in range(0, MIXED, every)
        )
    elif kind == "patterns":
        yield from (
            pattern_row(name, pattern()) for name, pattern in list(PATTERNS.items())[::every]
        )
    else:
        yield from (
            photograph_row(file)
            for folder in folders
            for file in sorted(folder.glob("*.png"))[::every]
        )


def number(row: Mapping[str, object], name: str) -> float:
    return float(str(row[name]))


def summary(found: Sequence[Mapping[str, object]]) -> Iterator[list[str]]:
    """Cells of the rows of the page's table: set, pictures, what, figure."""
    for kind in dict.fromkeys(str(row["set"]) for row in found):
        of_kind = [row for row in found if row["set"] == kind]
        first, many = of_kind[0], str(len(of_kind))
        if first["ratio"]:
            mean = math.exp(statistics.fmean(math.log(number(row, "ratio")) for row in of_kind))
            smaller = sum(number(row, "mae") <= number(row, "mae_avif") for row in of_kind)
            yield [kind, many, "bytes at equal SSIMULACRA 2, AVIF's being 1", f"{mean:.3f}"]
            yield [
                kind,
                many,
                "absolute error at quality 60 not above AVIF's in as many bytes",
                f"{smaller}",
            ]
        elif first["psnr"]:
            better = sum(number(row, "psnr") >= number(row, "psnr_avif") - 0.005 for row in of_kind)
            yield [kind, many, "PSNR at quality 80 not below AVIF's in as many bytes", f"{better}"]
        elif first["same"]:
            same = sum(str(row["same"]) == str(True) for row in of_kind)
            yield [kind, many, "the same file as with `--content photo`", f"{same}"]
        else:
            yield [kind, many, "most bytes of a 512 x 512 picture", str(first["bytes"])]
            yield [kind, many, "largest error in levels", str(first["error"])]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--photographs", type=Path, nargs="*", default=[])
    parser.add_argument("--output", type=Path, default=provenance.RESULTS / "screens.csv")
    parser.add_argument("--sets", default=",".join(SETS))
    parser.add_argument("--every", type=int, default=1, help="only every n-th picture of a set")
    options = parser.parse_args()
    for kind in options.sets.split(","):
        for row in rows(kind, options.photographs, options.every):
            found = merged(options.output, row)
            what = "screens, pages, patterns and photographs under --content auto, beside AVIF"
            provenance.record(options.output, what, ["builtin"], goes_on=len(found) > 1)
            print(row, flush=True)
    with options.output.open(newline="", encoding="utf-8") as file:
        told = list(summary(list(csv.DictReader(file))))
    fill(
        provenance.ROOT / "docs" / "measurements" / "screens.md",
        "results/screens.csv",
        [HEAD, *told],
    )


def merged(output: Path, row: dict[str, object]) -> list[dict[str, object]]:
    """The rows of the file with this one in its place, written."""
    found: list[dict[str, object]] = [row]
    if output.exists():
        with output.open(newline="", encoding="utf-8") as file:
            found += [
                dict(r)
                for r in csv.DictReader(file)
                if (r["set"], r["picture"]) != (row["set"], row["picture"])
            ]
    found.sort(key=lambda r: (SETS.index(str(r["set"])), str(r["picture"])))
    with output.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(found)
    return found


if __name__ == "__main__":
    main()
