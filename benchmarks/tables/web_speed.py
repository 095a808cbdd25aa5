"""The decoder of web/ in Node and in Chromium beside Python's -> results/web-speed.csv.

    python -m benchmarks.tables.web_speed         needs Node, Chromium and Python's playwright
    python -m benchmarks.tables.web_speed --repeats 9

Each decoder is one warm process of its own. They take turns within a repeat, so that a busy machine
hits all alike. CPU seconds are those of the process with its threads (of Chromium the renderer, in
which the workers are threads); the first decoding of the first size is not counted. Values are
medians, beside them the least. The peak is that of the process's resident set after all its
decodings so far, smaller pictures first; `idle_mb` is what the process held before its first one.
"""

import argparse
import contextlib
import csv
import functools
import http.server
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from PIL import Image

import latentpress
from benchmarks import provenance
from benchmarks.provenance import ROOT
from benchmarks.rows import DATA

SIZES = "768x512,2300x1490,4000x3000"
WORKERS = (0, 2)
FIELDS = (
    "decoder",
    "width",
    "height",
    "workers",
    "cpu_seconds",
    "least_cpu_seconds",
    "wall_seconds",
    "least_wall_seconds",
    "idle_mb",
    "peak_mb",
)
Measured = dict[str, float]
Decode = Callable[[Path], Measured]

PYTHON_LINES = """
import json, sys, time
import latentpress
print(json.dumps({"ready": 1}), flush=True)
for line in sys.stdin:
    path = line.strip().split(" ", 1)[1]
    start, cpu = time.perf_counter(), time.process_time()
    latentpress.decompress(path)
    told = {"cpu": time.process_time() - cpu, "wall": time.perf_counter() - start}
    print(json.dumps(told), flush=True)
"""
PAGE = """async ({ path, workers }) => {
  const { Decoder } = await import("/web/src/index.js");
  const { checkoutModels } = await import("/web/tools/page_models.js");
  const create = () => new Worker("/web/src/worker.js", { type: "module" });
  window.models ??= await checkoutModels();
  window.decoder ??= new Decoder({ models, workers: { count: workers, create } });
  const bytes = await (await fetch(path)).arrayBuffer();
  await decoder.runners();
  const start = performance.now();
  await decoder.decode(bytes);
  return (performance.now() - start) / 1000;
}"""


def resident(process: int, field: str = "VmHWM") -> float:
    """The largest resident set so far, or the present one (VmRSS), in MB (Linux)."""
    status = Path(f"/proc/{process}/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith(field))
    return 1024 * int(line.split()[1]) / 1e6


@contextlib.contextmanager
def lines(command: list[str], workers: int, **environment: str) -> Iterator[Decode]:
    """A process that is told a file by a line, and answers by one."""
    process = subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | environment,
    )
    assert process.stdin
    assert process.stdout
    to, back = process.stdin, process.stdout
    idle = json.loads(back.readline())["ready"] and resident(process.pid, "VmRSS")

    def decode(path: Path) -> Measured:
        to.write(f"{workers} {path}\n")
        to.flush()
        answer: Measured = json.loads(back.readline())
        return answer | {"idle": idle, "peak": resident(process.pid)}

    yield decode
    to.close()
    process.wait()


class Handler(http.server.SimpleHTTPRequestHandler):
    """The checkout, and the coded pictures below /files/."""

    files = Path()

    def translate_path(self, path: str) -> str:
        if path.startswith("/files/"):
            return str(self.files / path.removeprefix("/files/"))
        return super().translate_path(path)

    def log_message(self, *_: Any) -> None:
        pass


@contextlib.contextmanager
def served(files: Path) -> Iterator[str]:
    """The address of the checkout and the coded pictures."""
    Handler.files = files
    handler = functools.partial(Handler, directory=str(ROOT))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@contextlib.contextmanager
def chromium(playwright: Any, executable: str, url: str, workers: int) -> Iterator[Decode]:
    """A page in a headless Chromium of its own."""
    browser = playwright.chromium.launch(executable_path=executable, args=["--no-sandbox"])
    page = browser.new_page()
    page.goto(f"{url}/web/package.json")
    page.set_default_timeout(600_000)
    session = browser.new_browser_cdp_session()

    def renderers() -> list[tuple[float, int]]:
        """CPU seconds and id of each, the one that has worked most in the end."""
        processes = session.send("SystemInfo.getProcessInfo")["processInfo"]
        found = [p for p in processes if p["type"] == "renderer"]
        return sorted((float(p["cpuTime"]), int(p["id"])) for p in found)

    idle = {number: resident(number, "VmRSS") for _, number in renderers()}

    def decode(path: Path) -> Measured:
        before = renderers()[-1][0]
        wall = page.evaluate(PAGE, {"path": f"/files/{path.name}", "workers": workers})
        after, number = renderers()[-1]
        return {
            "cpu": after - before,
            "wall": wall,
            "idle": idle.get(number, 0),
            "peak": resident(number),
        }

    yield decode
    browser.close()


def coded(photo: Path, quality: float, sizes: str, folder: Path) -> list[tuple[int, int, Path]]:
    """Width, height and file of the photo in each size."""
    found = []
    for told in sizes.split(","):
        width, height = map(int, told.split("x"))
        size = (width, height)
        image = Image.open(photo).convert("RGB").resize(size, Image.Resampling.LANCZOS)
        file = folder / f"{told}.ltp"
        file.write_bytes(latentpress.compress(image, quality=quality))
        found.append((width, height, file))
    return found


def row(values: list[Measured]) -> list[str]:
    """The numbers of a row, as in FIELDS."""
    told = []
    for field in ("cpu", "wall"):
        measured = [value[field] for value in values]
        told += [f"{statistics.median(measured):.2f}", f"{min(measured):.2f}"]
    return [*told, f"{values[0]['idle']:.0f}", f"{max(v['peak'] for v in values):.0f}"]


def main() -> None:
    from playwright.sync_api import sync_playwright

    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--photo", type=Path, default=DATA / "kodak" / "kodim23.png")
    options.add_argument("--quality", type=float, default=40)
    options.add_argument("--sizes", default=SIZES, help="of the pictures the photo is resized to")
    options.add_argument("--repeats", type=int, default=5)
    options.add_argument("--chromium", default="/usr/bin/chromium")
    options.add_argument("-o", "--output", type=Path, default=ROOT / "results" / "web-speed.csv")
    chosen = options.parse_args()
    one = {"OMP_NUM_THREADS": "1", "LATENTPRESS_THREADS": "1", "PYTHONPATH": str(ROOT / "src")}
    node = ["node", str(ROOT / "web" / "tools" / "decode_lines.js")]
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        files = coded(chosen.photo, chosen.quality, chosen.sizes, Path(folder))
        url = stack.enter_context(served(Path(folder)))
        playwright = stack.enter_context(sync_playwright())
        python = stack.enter_context(lines([sys.executable, "-c", PYTHON_LINES], 0, **one))
        decoders: dict[tuple[str, int], Decode] = {("python", 0): python}
        for n in WORKERS:
            decoders["node", n] = stack.enter_context(lines(node, n))
        for n in WORKERS:
            page = chromium(playwright, chosen.chromium, url, n)
            decoders["chromium", n] = stack.enter_context(page)
        with chosen.output.open("w", newline="", encoding="utf-8") as stream:
            writer = csv.writer(stream)
            writer.writerow(FIELDS)
            for width, height, path in files:
                runs: dict[tuple[str, int], list[Measured]] = {}
                if path is files[0][2]:
                    for decode in decoders.values():
                        decode(path)
                for _ in range(chosen.repeats):
                    for key, decode in decoders.items():
                        runs.setdefault(key, []).append(decode(path))
                for (name, workers), values in runs.items():
                    told = [name, width, height, workers, *row(values)]
                    writer.writerow(told)
                    stream.flush()
                    print(*told)
    provenance.record(chosen.output, "decoding in Node and Chromium beside Python", ["builtin"])


if __name__ == "__main__":
    main()
