"""Speed, memory and install size: latentpress beside AVIF speed 6 and WebP method 6, in one run on
one machine.

    python -m benchmarks.tables.speed
    python -m benchmarks.tables.speed --huge --venv .venv --repeats 5

Pictures have Kodak's size and 12 megapixels; the second command measures 100 megapixels and the
size of an install, too. Rows go to results/speed.csv.

Without LATENTPRESS_RUNTIME in the environment, latentpress runs on what the machine chooses; the
rows with "runtime" in their name are of others.

Whole-process rows start a fresh process for each run: start, read, compress, write. The codecs take
turns within a repeat, so that a busy machine hits all alike. In-process rows time pixels to bytes
and back in one warm process, a codec after the other. Values are medians. Memory is the peak
resident set of the one process (ru_maxrss of a wrapper's children), the most of its repeats. Before
all, the package's modules are compiled to bytecode, as pip compiles what it installs and has
compiled Pillow.
"""

import argparse
import compileall
import csv
import json
import os
import shlex
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from PIL import Image

import latentpress
from benchmarks import provenance
from benchmarks.rows import DATA, ROOT
from latentpress.bench.machine import machine, versions
from latentpress.runtimes.choice import RUNTIME_VARIABLE, is_installed

OURS, CODECS = "latentpress", ("latentpress", "avif", "webp")
SAVE = {"avif": "format='AVIF', speed=6", "webp": "format='WEBP', method=6"}
NAMES = {"latentpress": "latentpress", "avif": "AVIF speed 6", "webp": "WebP method 6"}

WRAPPER = """
import json, resource, subprocess, sys, time
start = time.perf_counter()
done = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
seconds = time.perf_counter() - start
unit = 1 if sys.platform == 'darwin' else 1024
peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * unit
error = done.stderr[-300:]
print(json.dumps({'seconds': seconds, 'peak': peak, 'code': done.returncode, 'error': error}))
"""

IN_PROCESS = """
import io, json, sys, time, warnings
import numpy as np
from PIL import Image
warnings.simplefilter('ignore')
codec, photo, quality, repeats = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
image = Image.open(photo).convert('RGB')
if codec == 'latentpress':
    import latentpress
    compress = lambda: latentpress.compress(image, quality=quality)
    decompress = latentpress.decompress
else:
    avif, webp = {'format': 'AVIF', 'speed': 6}, {'format': 'WEBP', 'method': 6}
    options = avif if codec == 'avif' else webp
    def compress():
        stream = io.BytesIO()
        image.save(stream, quality=quality, **options)
        return stream.getvalue()
    decompress = lambda data: Image.open(io.BytesIO(data)).convert('RGB')
def timed(function, *arguments):
    start = time.perf_counter()
    result = function(*arguments)
    return time.perf_counter() - start, result
times = {'compress': [], 'decompress': []}
for i in range(repeats + 1):
    forth, data = timed(compress)
    back, _ = timed(decompress, data)
    if i:
        times['compress'].append(forth)
        times['decompress'].append(back)
if codec == 'latentpress':
    from latentpress.image.picture import read_picture
    from latentpress.parts import load_transform
    from latentpress.spaces import space_of_codec
    picture = read_picture(image)
    transform = load_transform(space_of_codec('builtin'), None, 'auto')
    for i in range(repeats):
        forth, y = timed(lambda: list(transform.analyze(picture)))
        back, _ = timed(lambda: list(transform.synthesize(iter(y), image.width, image.height)))
        times.setdefault('analysis transform alone', []).append(forth)
        times.setdefault('synthesis transform alone', []).append(back)
print(json.dumps({'times': times, 'bytes': len(data)}))
"""


class Table:
    """Rows of (what, value, unit, ratio to AVIF), written as they come."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.stream = path.open("w", newline="", encoding="utf-8")
        self.writer = csv.writer(self.stream)
        self.writer.writerow(["what", "value", "unit", "ratio_to_avif"])

    def add(self, what: str, value: float | str, unit: str, ratio: float | None = None) -> None:
        shown = f"{value:.4g}" if isinstance(value, float) else str(value)
        self.writer.writerow([what, shown, unit, "" if ratio is None else f"{ratio:.3f}"])
        self.stream.flush()
        print(f"{what:66} {shown:>10} {unit:5} {'' if ratio is None else f'{ratio:8.2f} x AVIF'}")

    def add_group(self, what: str, values: dict[str, float], unit: str) -> None:
        """One row a codec, with ratios to AVIF's value."""
        for codec, value in values.items():
            self.add(
                f"{what}, {NAMES[codec]}",
                value,
                unit,
                value / values["avif"] if values.get("avif") and codec != "avif" else None,
            )


def measure(command: list[str]) -> dict[str, Any]:
    """Seconds and peak bytes of a command in a fresh process; a failure is told and gives {}."""
    done = subprocess.run([sys.executable, "-c", WRAPPER, *command], capture_output=True, text=True)
    result: dict[str, Any] = (
        json.loads(done.stdout)
        if done.returncode == 0
        else {"code": done.returncode, "error": done.stderr[-300:]}
    )
    if result["code"]:
        print(
            f"failed, no row: {' '.join(command)[:120]}: {result['error'].strip()}", file=sys.stderr
        )
        return {}
    return result


def commands(
    codec: str, photo: Path, folder: Path, quality: int, decoded: str
) -> Iterator[tuple[str, list[str]]]:
    """("compress", command), ("decompress", command) of a codec, processes from file to file."""
    small, back = folder / f"{photo.stem}.{codec}", folder / f"{photo.stem}.{codec}.{decoded}"
    if codec == OURS:
        cli = [sys.executable, "-m", "latentpress"]
        small = small.with_suffix(".ltp")
        yield (
            "compress",
            [*cli, "compress", str(photo), "-o", str(small), "-q", str(quality), "--overwrite"],
        )
        yield "decompress", [*cli, "decompress", str(small), "-o", str(back), "--overwrite"]
        return
    start = (
        "import sys, warnings; warnings.simplefilter('ignore'); from PIL import Image; "
        "image = Image.open(sys.argv[1]).convert('RGB'); "
    )
    save = f"image.save(sys.argv[2], quality={quality}, {SAVE[codec]})"
    yield "compress", [sys.executable, "-c", start + save, str(photo), str(small)]
    yield (
        "decompress",
        [sys.executable, "-c", start + "image.save(sys.argv[2])", str(small), str(back)],
    )


def whole_process(
    table: Table,
    photo: Path,
    name: str,
    folder: Path,
    options: argparse.Namespace,
    repeats: int,
    decoded: str,
) -> None:
    with Image.open(photo) as image:
        megapixels = image.width * image.height / 1e6
    runs: dict[str, dict[str, list[dict[str, Any]]]] = {"compress": {}, "decompress": {}}
    for i in range(repeats):
        for codec in CODECS:
            for verb, command in commands(codec, photo, folder, options.quality, decoded):
                print(f"  {name} {verb} {codec} {i + 1}/{repeats}", file=sys.stderr)
                if result := measure(command):
                    runs[verb].setdefault(codec, []).append(result)
                else:
                    break
    for verb, by_codec in runs.items():
        how = f"whole process, {name}, {verb}" + (
            f" to {decoded.upper()}" if verb == "decompress" else ""
        )
        seconds = {
            codec: statistics.median(r["seconds"] for r in results)
            for codec, results in by_codec.items()
        }
        table.add_group(f"{how}, time", seconds, "s")
        if megapixels > 5:
            table.add_group(
                f"{how}, speed", {codec: megapixels / s for codec, s in seconds.items()}, "MP/s"
            )
        table.add_group(
            f"{how}, peak memory",
            {c: max(r["peak"] for r in results) / 1e6 for c, results in by_codec.items()},
            "MB",
        )


def many(table: Table, pictures: list[Path], folder: Path, options: argparse.Namespace) -> None:
    """All pictures by one command, as it does by itself and one after the other."""
    ways: dict[str, list[float]] = {"side by side": [], "--jobs 1": []}
    for i in range(options.large_repeats):
        for way, seconds in ways.items():
            print(
                f"  {len(pictures)} pictures {way} {i + 1}/{options.large_repeats}", file=sys.stderr
            )
            command = [
                sys.executable,
                "-m",
                "latentpress",
                "compress",
                *map(str, pictures),
                "-o",
                str(folder / "many"),
                "-q",
                str(options.quality),
                "--overwrite",
                *(way.split() if way.startswith("-") else []),
            ]
            if result := measure(command):
                seconds.append(result["seconds"])
    for way, seconds in ways.items():
        if seconds:
            what = f"{len(pictures)} pictures of 768 x 512 by one command, compress, {way}"
            table.add(f"whole process, {what}, time", statistics.median(seconds), "s")


def in_process(
    table: Table,
    photo: Path,
    name: str,
    options: argparse.Namespace,
    repeats: int,
    codecs: tuple[str, ...] = CODECS,
    runtime: str = "",
) -> dict[str, float]:
    """Speeds in a warm process. runtime: LATENTPRESS_RUNTIME, or "" for what the machine chooses.
    Gives latentpress' own, in MP/s.
    """
    with Image.open(photo) as image:
        megapixels = image.width * image.height / 1e6
    speeds: dict[str, dict[str, float]] = {}
    sizes: dict[str, float] = {}
    environment = os.environ | ({RUNTIME_VARIABLE: runtime} if runtime else {})
    for codec in codecs:
        print(f"  {name} in process {codec} {runtime}", file=sys.stderr)
        command = [
            sys.executable,
            "-c",
            IN_PROCESS,
            codec,
            str(photo),
            str(options.quality),
            str(repeats),
        ]
        done = subprocess.run(command, capture_output=True, text=True, env=environment)
        if done.returncode:
            print(
                f"failed, no row: {name} in process {codec}: {done.stderr.strip()[-300:]}",
                file=sys.stderr,
            )
            continue
        result = json.loads(done.stdout)
        sizes[codec] = result["bytes"] * 8 / megapixels / 1e6
        for verb, times in result["times"].items():
            speeds.setdefault(verb, {})[codec] = megapixels / statistics.median(times)
    how = f", runtime {runtime}" if runtime else ""
    for verb, values in speeds.items():
        table.add_group(f"in process, {name}{how}, {verb}, speed", values, "MP/s")
    if not runtime:
        table.add_group(f"{name}, rate at quality {options.quality}", sizes, "bpp")
    return {verb: values[OURS] for verb, values in speeds.items() if OURS in values}


def cost_of_size(
    table: Table, folder: Path, huge: Path, samples: list[Path], options: argparse.Namespace
) -> None:
    """What a pixel of 100 megapixels takes against one of a single megapixel, in process."""
    one = photograph((1000, 1000), samples[:4], folder / "one.jpg")
    small = in_process(table, one, "1000 x 1000", options, options.repeats, (OURS,))
    large = in_process(table, huge, "10000 x 10000", options, 1, (OURS,))
    for verb in ("compress", "decompress"):
        if verb in small and verb in large:
            table.add(
                f"in process, {verb}, cost a pixel at 100 MP against 1 MP, {NAMES[OURS]}",
                small[verb] / large[verb],
                "x",
            )


def photograph(size: tuple[int, int], sources: list[Path], target: Path) -> Path:
    """A JPEG of quality 92 of this size: one source enlarged to fill it, or a mosaic of several."""
    columns = 1 if len(sources) == 1 else 2
    rows = -(-len(sources) // columns)
    sheet = Image.new("RGB", size)
    for i in range(rows * columns):
        box = [
            round(size[0] * (i % columns) / columns),
            round(size[1] * (i // columns) / rows),
            round(size[0] * (i % columns + 1) / columns),
            round(size[1] * (i // columns + 1) / rows),
        ]
        with Image.open(sources[i % len(sources)]) as source:
            tile = source.convert("RGB").resize(
                (box[2] - box[0], box[3] - box[1]), Image.Resampling.LANCZOS
            )
        sheet.paste(tile, (box[0], box[1]))
    sheet.save(target, quality=92)
    return target


def installed(venv: Path) -> float:
    """MB on disk of a virtual environment's site-packages, as du counts (allocated blocks)."""
    folders = list(venv.glob("lib/python*/site-packages")) + list(venv.glob("Lib/site-packages"))
    if not folders:
        raise SystemExit(f"no site-packages in {venv}")
    inodes = {
        (s.st_dev, s.st_ino): getattr(s, "st_blocks", -(-s.st_size // 512)) * 512
        for folder in folders
        for p in folder.rglob("*")
        for s in [p.lstat()]
    }
    return sum(inodes.values()) / 1e6


def heading() -> list[str]:
    """Two lines: the command that made the file; versions and processors."""
    arguments = (os.path.basename(a) if os.path.isabs(a) else a for a in sys.argv[1:])
    command = shlex.join(["python", "-m", "benchmarks.tables.speed", *arguments])
    packages = ", ".join(f"{name} {version}" for name, version in versions().items())
    here = machine()
    return [
        f"Made by `{command}`.",
        f"Python {here['python']}, {packages}; {here['cpu']}, {here['cores']} processors, "
        f"{here['threads']} usable",
    ]


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--kodak", type=Path, default=DATA / "kodak", help="folder with kodim*.png")
    parser.add_argument(
        "--photo",
        type=Path,
        help="a large photograph; default: the samples enlarged to 4000 x 3000",
    )
    parser.add_argument(
        "--quality",
        type=int,
        default=50,
        help="of every codec (the scales differ: see the rows with bpp)",
    )
    parser.add_argument("--repeats", type=int, default=5, help="of --help and of the small image")
    parser.add_argument(
        "--large-repeats",
        type=int,
        default=3,
        help="of the large photograph; 100 megapixels run once",
    )
    parser.add_argument(
        "--decoded",
        default="bmp",
        help="what the large photograph is decoded to: bmp (no coding of its own) or png",
    )
    parser.add_argument(
        "--runtimes",
        default="onnxruntime,openvino",
        help="that are measured too with the large photograph, where they are installed",
    )
    parser.add_argument("--huge", action="store_true", help="also 100 megapixels (10000 x 10000)")
    parser.add_argument(
        "--venv", type=Path, help="a virtual environment with the core install alone, to be weighed"
    )
    parser.add_argument("--output", type=Path, default=ROOT / "results" / "speed.csv")
    return parser.parse_args()


def main() -> None:
    options = arguments()
    samples = sorted(
        p
        for p in (ROOT / "samples").glob("*")
        if p.suffix.lower() in (".jpg", ".jpeg", ".png", ".webp")
    )
    samples = samples or sorted(options.kodak.glob("*.png"))[:4]
    if not samples:
        raise SystemExit(f"no photographs in {ROOT / 'samples'} or {options.kodak}")
    compileall.compile_dir(latentpress.__path__[0], quiet=1)
    lines = heading()
    print("\n".join(lines))
    table = Table(options.output)
    for what, text in zip(("command", "versions"), lines, strict=True):
        table.writer.writerow([what, text, "", ""])
    table.add("processors", os.cpu_count() or 0, "")
    table.add(
        "processors usable by this process",
        len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else "unknown",
        "",
    )
    for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        table.add(variable, os.environ.get(variable, "not set"), "")
    helps = [
        measure([sys.executable, "-m", "latentpress", "--help"]) for _ in range(options.repeats)
    ]
    if all(helps):
        table.add("latentpress --help, time", statistics.median(r["seconds"] for r in helps), "s")
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        small = options.kodak / "kodim05.png"
        if not small.exists():
            small = folder / "small.png"
            with Image.open(samples[0]) as image:
                image.convert("RGB").resize((768, 512), Image.Resampling.LANCZOS).save(small)
        whole_process(table, small, "768 x 512", folder, options, options.repeats, "png")
        in_process(table, small, "768 x 512", options, options.repeats)
        if pictures := sorted(options.kodak.glob("kodim*.png")):
            many(table, pictures, folder, options)
        large = options.photo or photograph((4000, 3000), samples[:4], folder / "large.jpg")
        with Image.open(large) as image:
            name = f"{image.width} x {image.height}"
        whole_process(table, large, name, folder, options, options.large_repeats, options.decoded)
        in_process(table, large, name, options, options.large_repeats)
        for runtime in options.runtimes.split(",") if options.runtimes else ():
            if runtime == "native" or is_installed(runtime):
                in_process(table, large, name, options, options.large_repeats, (OURS,), runtime)
        if options.huge:
            huge = photograph((10000, 10000), samples[:4], folder / "huge.jpg")
            whole_process(table, huge, "10000 x 10000", folder, options, 1, options.decoded)
            cost_of_size(table, folder, huge, samples, options)
    if options.venv:
        table.add("installed size (site-packages)", installed(options.venv), "MB")
    provenance.record(options.output, "time and memory of latentpress, AVIF and WebP", ["builtin"])


if __name__ == "__main__":
    main()
