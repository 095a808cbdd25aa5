"""How much faster than other code of its own: both compress and decompress 12 megapixels in turns.

    git worktree add OLD 8dd003a
    LATENTPRESS_THREADS=1 python -m benchmarks.without_avx512 \\
        python -m benchmarks.tables.speed_gain OLD/src

gives results/speed-gain-without-avx512.csv: seconds on the clock and of the processor, in a warm
process each, and how many times as long the other code takes. The code at 8dd003a is that before
the work on speed: transforms in tiles of ONNX Runtime, the entropy stage in NumPy. Where other work
shares the processors, only the processor's seconds say something, and only of one thread: threads
that wait for others spin.
"""

import argparse
import csv
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks import provenance
from benchmarks.provenance import RESULTS, ROOT
from benchmarks.tables.speed import photograph

SIZE = 4000, 3000
COLUMNS = ("what", "before_seconds", "now_seconds", "ratio", "repeats")
VERBS, CLOCKS = ("compress", "decompress"), ("wall", "processor")

WORKER = """
import json, os, sys, time, warnings
import numpy as np
from PIL import Image
import latentpress
warnings.simplefilter('ignore')
image = Image.open(sys.argv[1]).convert('RGB')
def timed(function, *arguments, **options):
    before = time.perf_counter(), time.process_time()
    result = function(*arguments, **options)
    after = time.perf_counter(), time.process_time()
    return dict(zip(('wall', 'processor'), (b - a for a, b in zip(before, after)))), result
small = image.crop((0, 0, 512, 512))
latentpress.decompress(latentpress.compress(small, quality=int(sys.argv[2])))
for line in sys.stdin:
    forth, data = timed(latentpress.compress, image, quality=int(sys.argv[2]))
    back, _ = timed(latentpress.decompress, data)
    told = {'compress': forth, 'decompress': back, 'bytes': len(data), 'code': latentpress.__file__}
    print(json.dumps(told), flush=True)
"""


class Code:
    """A warm process that runs the package in a folder."""

    def __init__(self, folder: Path, photo: Path, quality: int) -> None:
        command = [sys.executable, "-c", WORKER, str(photo), str(quality)]
        path = os.environ | {"PYTHONPATH": str(folder.resolve())}
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(command, stdin=pipe, stdout=pipe, env=path, text=True)
        self.folder = folder.resolve()
        self.seconds: dict[tuple[str, str], list[float]] = {}

    def turn(self) -> None:
        """Compress and decompress once."""
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        told = json.loads(self.process.stdout.readline())
        if not Path(told["code"]).is_relative_to(self.folder):
            raise SystemExit(f"{told['code']} is not in {self.folder}")
        print(self.folder.parent.name, told, file=sys.stderr)
        for verb in VERBS:
            for clock in CLOCKS:
                self.seconds.setdefault((verb, clock), []).append(told[verb][clock])


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("before", type=Path, help="src of the other code")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--quality", type=int, default=50)
    default = RESULTS / "speed-gain-without-avx512.csv"
    parser.add_argument("-o", "--output", type=Path, default=default)
    what = "the code before the work on speed beside today's, without AVX-512, VNNI and AMX"
    parser.add_argument("--what", default=what, help="what the index of results/ says of it")
    options = parser.parse_args()
    samples = sorted((ROOT / "samples").glob("*.jpg"))
    with tempfile.TemporaryDirectory() as folder:
        photo = photograph(SIZE, samples, Path(folder) / "photo.jpg")
        codes = [Code(f, photo, options.quality) for f in (options.before, ROOT / "src")]
        for _ in range(options.repeats):
            for code in codes:
                code.turn()
        for code in codes:
            code.process.communicate()
    provenance.record(options.output, options.what, ["builtin"])
    with options.output.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(COLUMNS)
        for verb in VERBS:
            for clock in CLOCKS:
                before, now = (statistics.median(c.seconds[verb, clock]) for c in codes)
                what = f"4000 x 3000, {verb}, {clock} time"
                row = [what, f"{before:.2f}", f"{now:.2f}", f"{before / now:.2f}", options.repeats]
                writer.writerow(row)
                print(*row)


if __name__ == "__main__":
    main()
