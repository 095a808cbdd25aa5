"""Speed on an accelerator: compress and decompress in megapixels a second, and the share of the
transforms.

    python -m benchmarks.tables.device_speed    12 megapixels on CUDA -> results/device-speed.csv
    python -m benchmarks.tables.device_speed --device cpu --size 640x480 -o other.csv

The transforms run on the device through torch, or through an ONNX Runtime that has it; the prior,
whose integers must be exact, runs on the CPU through ONNX Runtime. Where there is no network, carry
the wheels of onnxruntime, constriction and google-crc32c (of that machine's Python and platform;
`pip download --only-binary :all: onnxruntime constriction google-crc32c`), unpack them into a
folder and put it and src on PYTHONPATH; NumPy, Pillow and torch with CUDA must be there. Nothing
else is imported.
"""

import argparse
import csv
import os
import platform
import shlex
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

import latentpress
from benchmarks import provenance
from latentpress import codec, models
from latentpress.errors import UsageError
from latentpress.image.picture import read_picture
from latentpress.transforms import lp1
from latentpress.transforms.tiling import strips

ROOT = Path(__file__).resolve().parents[2]
COLUMNS = (
    "device",
    "runs_on",
    "size",
    "quality",
    "what",
    "seconds",
    "mp_per_s",
    "share_of_transform",
)


def photograph(width: int, height: int) -> np.ndarray:
    """The samples side by side, enlarged to this size."""
    files = sorted(
        p
        for p in (ROOT / "samples").glob("*")
        if p.suffix.lower() in (".jpg", ".jpeg", ".png", ".webp")
    )[:2]
    parts = [
        Image.open(p)
        .convert("RGB")
        .resize((-(-width // len(files)), height), Image.Resampling.LANCZOS)
        for p in files
    ]
    return np.concatenate([np.asarray(p) for p in parts], axis=1)[:, :width]


def device_name(device: str) -> str:
    """What the device calls itself."""
    if device == "cuda":
        import torch

        return str(torch.cuda.get_device_name())
    return platform.processor() or platform.machine()


def median(function: Callable[[], object], repeats: int) -> float:
    """Seconds of a call; a first one, which opens the graphs, is not counted. Results come back to
    the CPU, so that every call ends when the device is done.
    """
    function()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--device", default="cuda", help="cuda, mps or cpu")
    parser.add_argument("--size", default="4000x3000")
    parser.add_argument("--quality", type=float, default=50)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("-o", "--output", type=Path, default=ROOT / "results" / "device-speed.csv")
    options = parser.parse_args()
    width, height = map(int, options.size.split("x"))
    pixels = photograph(width, height)
    device = options.device
    transform = lp1.Lp1Transform(device)
    picture = read_picture(pixels)
    data = latentpress.compress(pixels, quality=options.quality, device=device)
    y_hat = codec.decode_latent(data)
    parts = [y_hat[:, first:end] for first, end in strips(y_hat.shape[1])]
    seconds = {
        "compress": median(
            lambda: latentpress.compress(pixels, quality=options.quality, device=device),
            options.repeats,
        ),
        "analysis alone": median(lambda: list(transform.analyze(picture)), options.repeats),
        "decompress": median(lambda: latentpress.decompress(data, device=device), options.repeats),
        "synthesis alone": median(
            lambda: list(transform.synthesize(parts, width, height)), options.repeats
        ),
    }
    runs_on = str(models.choice_of("lp1", "synthesis.onnx", device))
    share = {
        "compress": seconds["analysis alone"] / seconds["compress"],
        "decompress": seconds["synthesis alone"] / seconds["decompress"],
    }
    rows = [
        (
            device_name(device),
            runs_on,
            options.size,
            f"{options.quality:g}",
            what,
            f"{s:.4f}",
            f"{width * height / 1e6 / s:.2f}",
            f"{share[what]:.2f}" if what in share else "",
        )
        for what, s in seconds.items()
    ]
    print(
        f"{rows[0][0]}: {runs_on}; {8 * len(data) / (width * height):.3f} bpp; "
        f"{os.cpu_count()} processors"
    )
    for row in rows:
        print(
            f"{row[4]:16} {row[5]:>9} s {row[6]:>9} MP/s "
            f"{row[7] and f'{row[7]} of it the transform'}"
        )
    with options.output.open("w", newline="", encoding="utf-8") as f:
        writer = csv.writer(f)
        writer.writerow(
            [
                "command",
                shlex.join(["python", "-m", "benchmarks.tables.device_speed", *sys.argv[1:]]),
            ]
        )
        writer.writerow(COLUMNS)
        writer.writerows(rows)
    provenance.record(options.output, "compress and decompress on an accelerator", ["builtin"])


if __name__ == "__main__":
    try:
        main()
    except UsageError as error:
        raise SystemExit(str(error)) from None
