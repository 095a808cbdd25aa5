"""Memory of a page that decodes or presses large pictures -> results/web-memory.csv.

    python -m benchmarks.tables.web_memory     needs Chromium and Python's playwright

Each row is a headless Chromium of its own, which works on one picture: the largest resident set of
its renderer, in which the workers are threads, and what it held before (`idle_mb`). Pictures are
pressed in a worker, as the page of `latentpress web` does it, from a JPEG file.
"""

import argparse
import csv
import tempfile
from pathlib import Path
from typing import Any

from PIL import Image

import latentpress
from benchmarks import provenance
from benchmarks.provenance import ROOT
from benchmarks.rows import DATA
from benchmarks.tables.web_speed import resident, served

SIZES = "4000x3000,6000x4000"
WORKERS = (0, 2)
FIELDS = ("task", "width", "height", "workers", "idle_mb", "peak_mb")
DECODE = """async ({ path, workers }) => {
  const { Decoder } = await import("/web/src/index.js");
  const { checkoutModels } = await import("/web/tools/page_models.js");
  const create = () => new Worker("/web/src/worker.js", { type: "module" });
  window.decoder ??= new Decoder({
    models: await checkoutModels(), workers: { count: workers, create } });
  const bytes = await (await fetch(path)).arrayBuffer();
  window.result = await decoder.decode(bytes);
}"""
PRESS = """async ({ path }) => {
  const code = `
    import { encode } from "${location.origin}/web/src/encoder.js";
    import { checkoutModels } from "${location.origin}/web/tools/page_models.js";
    onmessage = async ({ data }) => {
      const models = await checkoutModels();
      postMessage(await encode(data, { quality: 40, models }));
    };`;
  const url = URL.createObjectURL(new Blob([code], { type: "text/javascript" }));
  const worker = new Worker(url, { type: "module" });
  const file = await (await fetch(path)).blob();
  await new Promise((done, fail) => {
    worker.onmessage = done;
    worker.onerror = (event) => fail(new Error(event.message));
    worker.postMessage(file);
  });
  worker.terminate();
}"""


def measured(
    playwright: Any, executable: str, url: str, script: str, given: dict[str, Any]
) -> list[str]:
    """Megabytes before, and at most."""
    browser = playwright.chromium.launch(executable_path=executable, args=["--no-sandbox"])
    page = browser.new_page()
    page.set_default_timeout(1_200_000)
    page.goto(f"{url}/web/package.json")
    session = browser.new_browser_cdp_session()
    processes = session.send("SystemInfo.getProcessInfo")["processInfo"]
    numbers = [int(p["id"]) for p in processes if p["type"] == "renderer"]

    def largest(field: str) -> float:
        return max(resident(number, field) for number in numbers)

    idle = largest("VmRSS")
    page.evaluate(script, given)
    peak = largest("VmHWM")
    browser.close()
    return [f"{value:.0f}" for value in (idle, peak)]


def main() -> None:
    from playwright.sync_api import sync_playwright

    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--photo", type=Path, default=DATA / "kodak" / "kodim23.png")
    options.add_argument("--sizes", default=SIZES, help="of the pictures the photo is resized to")
    options.add_argument("--chromium", default="/usr/bin/chromium")
    options.add_argument("-o", "--output", type=Path, default=ROOT / "results" / "web-memory.csv")
    chosen = options.parse_args()
    with (
        tempfile.TemporaryDirectory() as folder,
        sync_playwright() as playwright,
        served(Path(folder)) as url,
        chosen.output.open("w", newline="", encoding="utf-8") as stream,
    ):
        writer = csv.writer(stream)
        writer.writerow(FIELDS)
        for told in chosen.sizes.split(","):
            width, height = map(int, told.split("x"))
            image = Image.open(chosen.photo).convert("RGB")
            image = image.resize((width, height), Image.Resampling.LANCZOS)
            image.save(Path(folder, "photo.jpg"), quality=90)
            Path(folder, "photo.ltp").write_bytes(latentpress.compress(image, quality=40))
            jobs: list[tuple[str, str, int]] = [("decode", DECODE, n) for n in WORKERS]
            for task, script, workers in [*jobs, ("encode", PRESS, 1)]:
                name = "photo.ltp" if task == "decode" else "photo.jpg"
                given = {"path": f"/files/{name}", "workers": workers}
                memory = measured(playwright, chosen.chromium, url, script, given)
                writer.writerow([task, width, height, workers, *memory])
                stream.flush()
                print(task, told, workers, *memory, flush=True)
    provenance.record(chosen.output, "memory of decoding and encoding in Chromium", ["builtin"])


if __name__ == "__main__":
    main()
