"""What each metric costs.

    python -m benchmarks.tables.metric_seconds kodak/kodim05.png    -> results/metric_seconds.csv

CPU seconds to compare the picture with itself rounded to 32 levels, the least of --repeats in a
warm process; with OMP_NUM_THREADS=1 they are the seconds that one core takes. Metrics whose weights
are not here are left out.
"""

import argparse
import csv
import time
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks import provenance
from benchmarks.rows import usable
from latentpress.metrics import METRICS, assess


def seconds(a: np.ndarray, b: np.ndarray, metric: str, repeats: int) -> float:
    """CPU seconds of one metric; the first call, which loads weights, does not count."""
    times = []
    for _ in range(repeats + 1):
        start = time.process_time()
        assess(a, b, [metric])
        times.append(time.process_time() - start)
    return min(times[1:])


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("image", type=Path)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument(
        "-o", "--output", type=Path, default=provenance.RESULTS / "metric_seconds.csv"
    )
    options = parser.parse_args()
    a = np.asarray(Image.open(options.image).convert("RGB"))
    b = (a // 8 * 8 + 4).astype(np.uint8)
    with options.output.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(["metric", "width", "height", "cpu_seconds"])
        for metric in usable(",".join(METRICS)):
            row = [metric, a.shape[1], a.shape[0], f"{seconds(a, b, metric, options.repeats):.3f}"]
            writer.writerow(row)
            print(*row, flush=True)
    provenance.record(options.output, "CPU seconds of each metric", [])


if __name__ == "__main__":
    main()
