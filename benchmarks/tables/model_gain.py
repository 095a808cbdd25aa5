"""What a model of lp1 gains over one before it, by the runs in results/ at a commit and now:

    python -m benchmarks.tables.model_gain COMMIT

COMMIT holds the runs of the model or the coder before. Prints BD-rates: bytes now at equal quality,
less those before, over the qualities that both reach. `benchmarks.panel` compares with other
codecs, each over the range that it shares with one model, so that its figures of two models are of
different ranges. Then prints, for each quality, bytes now against those of the curve before at
equal mean metric.
"""

import argparse
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.panel.from_runs import OURS, RUNS
from benchmarks.provenance import RESULTS, ROOT
from latentpress.bench.bd_rate import bd_rate, rate_at
from latentpress.bench.rate_distortion import complete, curve, lossy
from latentpress.bench.rows import INFO, ROWS, Run, read_run
from latentpress.metrics import METRICS


def run_at(commit: str, name: str) -> Run:
    """A run in results/ as it was at a commit."""
    with tempfile.TemporaryDirectory() as folder:
        for file in (INFO, ROWS):
            path = f"{commit}:results/{name}/{file}"
            shown = subprocess.run(["git", "show", path], cwd=ROOT, capture_output=True, check=True)
            (Path(folder) / file).write_bytes(shown.stdout)
        return read_run(Path(folder))


def gains(before: Sequence[Run], now: Sequence[Run]) -> dict[str, float]:
    """Metric -> percent. before, now: the same runs of two models; of a metric in several the first
    counts.
    """
    found: dict[str, float] = {}
    for old, new in zip(before, now, strict=True):
        for metric in new.metrics:
            if metric in found or metric not in old.metrics:
                continue
            curves = [curve(run, OURS, metric) for run in (new, old)]
            result = bd_rate(*curves, direction=METRICS[metric].direction) if all(curves) else None
            if result is not None:
                found[metric] = result.percent
    return found


def gains_at(before: Sequence[Run], now: Sequence[Run]) -> dict[str, dict[str, float]]:
    """Setting -> metric -> percent, of bytes at equal mean metric. before, now: as of `gains`."""
    found: dict[str, dict[str, float]] = {}
    for old, new in zip(before, now, strict=True):
        for metric in new.metrics:
            anchor = curve(old, OURS, metric) if metric in old.metrics else []
            for line in complete(new):
                if line["codec"] != OURS or line[metric] is None:
                    continue
                rate = rate_at(anchor, line[metric], direction=METRICS[metric].direction)
                if rate is not None:
                    of_setting = found.setdefault(line["setting"], {})
                    of_setting.setdefault(metric, 100 * (line["bpp"] / rate - 1))
    return found


def show(head: str, tables: Mapping[str, Mapping[str, float]]) -> None:
    """A table with a row for each metric. tables: by the heads of their columns."""
    print(f"| {head} | " + " | ".join(tables) + " |")
    print("|---" * (1 + len(tables)) + "|")
    for metric in dict.fromkeys(name for table in tables.values() for name in table):
        cells = [f"{table[metric]:+.1f} %" if metric in table else "" for table in tables.values()]
        print(f"| {metric} | " + " | ".join(cells) + " |")


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("commit")
    commit = parser.parse_args().commit
    tables: dict[str, dict[str, float]] = {}
    of_qualities = {}
    for dataset, names in RUNS.items():
        runs = (read_run(RESULTS / name) for name in names)
        now = [run for run in runs if OURS in lossy(run)]
        before = [run_at(commit, run.folder.name) for run in now]
        tables[dataset] = gains(before, now)
        of_qualities[dataset] = gains_at(before, now)
    show("at equal", tables)
    for dataset, found in of_qualities.items():
        print()
        show(f"{dataset}, at equal", found)


if __name__ == "__main__":
    main()
