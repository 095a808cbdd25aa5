"""The entropy stage alone (stages 3 and 4 of space lp1), with the C library and without it.

    python -m benchmarks.tables.entropy_speed                        -> results/entropy-speed.csv
    python -m benchmarks.tables.entropy_speed --against OLD/src      also another checkout's code

The picture is the first photographs of Kodak side by side. Its latent is made once; then every way
codes and decodes its segments in a process of its own, on one thread, in turns. `seconds` is
processor time of a megapixel, of the prior's graphs and of all else apart; ratios are of both.
Of the repeats the least counts, for what else runs on the machine only adds. All ways must give the
same bytes and the same latent.
"""

import argparse
import csv
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from benchmarks import provenance
from benchmarks.rows import DATA, ROOT
from latentpress import codec

QUALITY = 50
ONE = """
import hashlib, json, sys, time
import numpy as np
from latentpress import models
from latentpress.entropy.hyperprior import HyperpriorCoder
y, repeats = np.load(sys.argv[1]), int(sys.argv[2])
coder = HyperpriorCoder("lp1", float(sys.argv[3]))
in_graphs = [0.0]
def timed(run):
    def timed_run(*a, **k):
        start = time.process_time()
        outputs = run(*a, **k)
        in_graphs[0] += time.process_time() - start
        return outputs
    return timed_run
for name in ("run", "run_halved", "run_bytes"):
    if hasattr(models, name):
        setattr(models, name, timed(getattr(models, name)))
def strips():
    return (y[:, top : top + 64] for top in range(0, y.shape[1], 64))
def measure(work):
    in_graphs[0], start = 0.0, time.process_time()
    result = work()
    return result, time.process_time() - start - in_graphs[0], in_graphs[0]
rows = []
body = coder.encode(strips())
for _ in range(repeats):
    body, encode, graphs_e = measure(lambda: coder.encode(strips()))
    y_hat, decode, graphs_d = measure(lambda: list(coder.decode(body, *y.shape[1:])))
    rows.append((encode, decode, graphs_e, graphs_d))
same = hashlib.sha256(body + b"".join(np.ascontiguousarray(s).tobytes() for s in y_hat)).hexdigest()
print(json.dumps({"least": [min(c) for c in zip(*rows)], "same": same}))
"""
COLUMNS = (
    "way",
    "encode",
    "decode",
    "encode_graphs",
    "decode_graphs",
    "encode_ratio",
    "decode_ratio",
)


def picture(columns: int, rows: int) -> np.ndarray[Any, Any]:
    files = sorted((DATA / "kodak").glob("*.png"))
    photos = [np.asarray(Image.open(f).convert("RGB").resize((768, 512))) for f in files]
    numbers = np.arange(columns * rows).reshape(rows, columns) % len(photos)
    return np.concatenate([np.concatenate([photos[i] for i in row], 1) for row in numbers])


def measure(source: Path, library: bool, latent: Path, repeats: int) -> dict[str, Any]:
    quiet = {"OMP_NUM_THREADS": "1", "LATENTPRESS_THREADS": "1"}
    environment = (
        os.environ | quiet | {"PYTHONPATH": str(source), "LATENTPRESS_NATIVE": str(int(library))}
    )
    command = [sys.executable, "-c", ONE, str(latent), str(repeats), str(QUALITY)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--against", type=Path, metavar="SRC", help="folder src of another checkout"
    )
    parser.add_argument("--native", action="store_true", help="with the C library of that checkout")
    parser.add_argument(
        "--photographs", type=int, nargs=2, default=(6, 5), metavar=("ACROSS", "DOWN")
    )
    parser.add_argument("--rounds", type=int, default=3, help="processes a way, in turns")
    parser.add_argument("--repeats", type=int, default=2, help="in a process")
    parser.add_argument("-o", "--output", type=Path, default=ROOT / "results" / "entropy-speed.csv")
    arguments = parser.parse_args()
    ways = {"python": (ROOT / "src", False), "native": (ROOT / "src", True)}
    if arguments.against:
        ways["against"] = (arguments.against.resolve(), arguments.native)
    pixels = picture(*arguments.photographs)
    megapixels = pixels.shape[0] * pixels.shape[1] / 1e6
    least: dict[str, list[float]] = {}
    seen = set()
    with tempfile.TemporaryDirectory() as folder:
        latent = Path(folder) / "latent.npy"
        np.save(latent, codec.encode_latent(pixels))
        for _ in range(arguments.rounds):
            for way, (source, library) in ways.items():
                found = measure(source, library, latent, arguments.repeats)
                seen.add(found["same"])
                least[way] = [
                    min(pair)
                    for pair in zip(least.get(way, found["least"]), found["least"], strict=True)
                ]
    if len(seen) > 1:
        sys.exit("the ways gave different bytes or latents")
    base = least.get("against", least["python"])
    with arguments.output.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(COLUMNS)
        for way, seconds in least.items():
            row = [way, *(f"{s / megapixels:.4f}" for s in seconds)]
            ratios = [(base[i] + base[i + 2]) / (seconds[i] + seconds[i + 2]) for i in (0, 1)]
            writer.writerow([*row, *(f"{ratio:.2f}" for ratio in ratios)])
    provenance.record(arguments.output, "the entropy stage in C and in Python", ["builtin"])
    print(f"{megapixels:.1f} megapixels\n{arguments.output.read_text(encoding='utf-8')}")


if __name__ == "__main__":
    main()
