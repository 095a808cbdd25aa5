"""The means of a run, a line a codec and setting: python benchmarks/means.py results/benchmark

With --against avif --at .15,.27,.50: instead each codec beside that one at equal bits per pixel, every metric interpolated in log rate
(docs/models.md). Rates are 8 x file bytes / (W x H), each setting's mean over the pictures.
"""

import argparse
from collections import defaultdict
from pathlib import Path

import numpy as np

from latentpress.bench.rows import read_run

Curve = list[dict[str, float]]  # a point a setting, by rising rate


def curves(folder: Path) -> dict[str, Curve]:
    """Each codec's means, "setting" beside them."""
    run = read_run(folder)
    groups = defaultdict(list)
    for row in run.rows:
        groups[row["codec"], row["setting"]].append(row)
    found: dict[str, Curve] = defaultdict(list)
    for (codec, setting), rows in groups.items():
        point = {key: float(np.mean([row[key] for row in rows])) for key in ("bytes", "bpp", *run.metrics)}
        found[codec].append(point | {"setting": setting})
    return {codec: sorted(points, key=lambda p: p["bpp"]) for codec, points in found.items()}


def at(curve: Curve, metric: str, bpp: float) -> float:
    """A metric at a rate; not a number outside the curve's rates."""
    rates, values = (np.array([p[key] for p in curve]) for key in ("bpp", metric))
    return float(np.interp(np.log(bpp), np.log(rates), values, left=np.nan, right=np.nan))


def table(header: list[str], lines: list[list[str]]) -> str:
    return "\n".join("| " + " | ".join(line) + " |" for line in [header, ["---"] * len(header), *lines])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("--against")
    parser.add_argument("--at", default="0.15,0.27,0.50", help="bits per pixel")
    args = parser.parse_args()
    found, metrics = curves(args.run), read_run(args.run).metrics
    if not args.against:
        lines = [[codec, str(p["setting"]), f"{p['bytes']:,.0f}", f"{p['bpp']:.3f}", *(f"{p[m]:.4g}" for m in metrics)]
                 for codec, points in found.items() for p in points]
        print(table(["codec", "setting", "bytes", "bpp", *metrics], lines))
        return
    other = found.pop(args.against)
    for codec, curve in found.items():
        lines = []
        for bpp in map(float, args.at.split(",")):
            pairs = [(at(curve, m, bpp), at(other, m, bpp)) for m in metrics]
            lines.append([f"{bpp:.2f}", *(f"{a:.4g} against {b:.4g} ({a - b:+.3g}, {a / b - 1:+.1%})" for a, b in pairs)])
        print(f"{codec} against {args.against}\n{table(['bpp', *metrics], lines)}")


if __name__ == "__main__":
    main()
