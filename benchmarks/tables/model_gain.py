"""What a model of lp1 gains over one before it, by the runs in results/ at a commit and now:

    python -m benchmarks.tables.model_gain COMMIT

COMMIT holds the runs of the model before. Prints BD-rates: bytes of the model now at equal quality,
less those of the model before, over the qualities that both reach. `benchmarks.panel` compares with
other codecs, each over the range that it shares with one model, so that its figures of two models
are of different ranges.
"""

import argparse
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks.panel.from_runs import OURS, RUNS
from benchmarks.provenance import RESULTS, ROOT
from latentpress.bench.bd_rate import bd_rate
from latentpress.bench.rate_distortion import curve, lossy
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


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("commit")
    commit = parser.parse_args().commit
    tables = {}
    for dataset, names in RUNS.items():
        runs = (read_run(RESULTS / name) for name in names)
        now = [run for run in runs if OURS in lossy(run)]
        tables[dataset] = gains([run_at(commit, run.folder.name) for run in now], now)
    print("| at equal | " + " | ".join(tables) + " |")
    print("|---" * (1 + len(tables)) + "|")
    for metric in dict.fromkeys(name for table in tables.values() for name in table):
        cells = [f"{table[metric]:+.1f} %" if metric in table else "" for table in tables.values()]
        print(f"| {metric} | " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
