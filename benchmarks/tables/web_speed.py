"""The decoder of web/ in Node and in Chromium beside Python's, in one run on one machine -> results/web-speed.csv.

    python -m benchmarks.tables.web_speed                 needs Node, Chromium and the Python package playwright
    python -m benchmarks.tables.web_speed --repeats 9

Each decoder is one warm process; they take turns within a repeat, so that a busy machine hits all alike, and values are medians. CPU
seconds are those of the process with its threads (of Chromium the renderer, in which the workers are threads); the first decoding is not
counted. The peak is that of the process's resident set after all its decodings of that row, smaller pictures first.
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

SIZES = ((768, 512), (2300, 1490), (4000, 3000))
WORKERS = (0, 2)
FIELDS = ("decoder", "width", "height", "workers", "cpu_seconds", "wall_seconds", "peak_mb")
Measured = dict[str, float]
Decode = Callable[[int, Path], Measured]

PYTHON_LINES = """
import json, resource, sys, time
import latentpress
for line in sys.stdin:
    path = line.strip().split(" ", 1)[1]
    start, cpu = time.perf_counter(), time.process_time()
    latentpress.decompress(path)
    told = {"cpu": time.process_time() - cpu, "wall": time.perf_counter() - start}
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    print(json.dumps(told | {"peak": peak}), flush=True)
"""
PAGE = """async ({ path, workers }) => {
  const { Decoder } = await import("/web/src/index.js");
  const { checkoutModels } = await import("/web/tools/page_models.js");
  const create = () => new Worker("/web/src/worker.js", { type: "module" });
  window.decoders ??= {};
  window.models ??= await checkoutModels();
  const decoder = (window.decoders[workers] ??= new Decoder({ models, workers: { count: workers, create } }));
  const bytes = await (await fetch(path)).arrayBuffer();
  await decoder.runners();
  const start = performance.now();
  await decoder.decode(bytes);
  return (performance.now() - start) / 1000;
}"""


@contextlib.contextmanager
def lines(command: list[str], **environment: str) -> Iterator[Decode]:
    """A process that is told a file by a line, and answers by one."""
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=os.environ | environment)
    assert process.stdin and process.stdout
    to, back = process.stdin, process.stdout

    def decode(workers: int, path: Path) -> Measured:
        to.write(f"{workers} {path}\n")
        to.flush()
        answer: Measured = json.loads(back.readline())
        return answer

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
def chromium(files: Path, executable: str) -> Iterator[Decode]:
    """A page in headless Chromium."""
    from playwright.sync_api import sync_playwright

    Handler.files = files
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Handler, directory=str(ROOT)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=["--no-sandbox"])
        page = browser.new_page()
        page.goto(f"http://127.0.0.1:{server.server_port}/web/package.json")
        page.set_default_timeout(300_000)
        session = browser.new_browser_cdp_session()

        def renderer() -> tuple[int, float]:
            """Id and CPU seconds of the process that has worked most."""
            processes = session.send("SystemInfo.getProcessInfo")["processInfo"]
            most = max((p for p in processes if p["type"] == "renderer"), key=lambda p: float(p["cpuTime"]))
            return int(most["id"]), float(most["cpuTime"])

        def decode(workers: int, path: Path) -> Measured:
            _, before = renderer()
            wall = page.evaluate(PAGE, {"path": f"/files/{path.name}", "workers": workers})
            number, after = renderer()
            status = Path(f"/proc/{number}/status").read_text()
            peak = 1024 * int(next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1])
            return {"cpu": after - before, "wall": wall, "peak": peak}

        yield decode
        browser.close()
    server.shutdown()


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--photo", type=Path, default=DATA / "kodak" / "kodim23.png")
    options.add_argument("--quality", type=float, default=40)
    options.add_argument("--repeats", type=int, default=5)
    options.add_argument("--chromium", default="/usr/bin/chromium")
    options.add_argument("-o", "--output", type=Path, default=ROOT / "results" / "web-speed.csv")
    chosen = options.parse_args()
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        files = []
        for size in SIZES:
            image = Image.open(chosen.photo).convert("RGB").resize(size, Image.Resampling.LANCZOS)
            files.append((size, Path(folder) / f"{size[0]}.ltp"))
            files[-1][1].write_bytes(latentpress.compress(image, quality=chosen.quality))
        one = {"OMP_NUM_THREADS": "1", "LATENTPRESS_THREADS": "1", "PYTHONPATH": str(ROOT / "src")}
        decoders = {
            "python": stack.enter_context(lines([sys.executable, "-c", PYTHON_LINES], **one)),
            "node": stack.enter_context(lines(["node", str(ROOT / "web" / "tools" / "decode_lines.js")])),
            "chromium": stack.enter_context(chromium(Path(folder), chosen.chromium)),
        }
        with chosen.output.open("w", newline="") as stream:
            writer = csv.writer(stream)
            writer.writerow(FIELDS)
            for (width, height), path in files:
                runs: dict[tuple[str, int], list[Measured]] = {}
                for i in range(chosen.repeats + 1):
                    for name, decode in decoders.items():
                        for workers in WORKERS if name != "python" else (0,):
                            measured = decode(workers, path)
                            if i:
                                runs.setdefault((name, workers), []).append(measured)
                for (name, workers), values in runs.items():
                    cpu, wall = (statistics.median(v[k] for v in values) for k in ("cpu", "wall"))
                    peak = max(v["peak"] for v in values) / 1e6
                    row = [name, width, height, workers, f"{cpu:.2f}", f"{wall:.2f}", f"{peak:.0f}"]
                    writer.writerow(row)
                    stream.flush()
                    print(*row)
    provenance.record(chosen.output, "decoding in Node and Chromium beside Python", ["builtin"])


if __name__ == "__main__":
    main()
