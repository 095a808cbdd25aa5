"""What a WebGPU adapter computes beside JavaScript, bit by bit -> results/webgpu-exactness.csv.

    python -m benchmarks.tables.webgpu_exactness     needs Chromium and Python's playwright

`separate` counts the numbers that are those of an arithmetic which rounds each product and sum,
`fused` those of one which rounds the sums alone, and `farthest` tells how many floats lie between
the farthest number and the former. By default Chromium's software adapter (SwiftShader) is asked,
which says nothing of the speed or of the rounding of graphics processors; `--adapter ""` asks the
one that the browser chooses.
"""

import argparse
import csv
from pathlib import Path

from benchmarks import provenance
from benchmarks.provenance import ROOT
from benchmarks.tables.web_speed import served

FIELDS = ("adapter", "operation", "numbers", "separate", "fused", "farthest")
PAGE = """async () => (await import("/web/tools/webgpu_exactness.js")).compare()"""


def main() -> None:
    from playwright.sync_api import sync_playwright

    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--adapter", default="swiftshader")
    options.add_argument("--chromium", default="/usr/bin/chromium")
    output = ROOT / "results" / "webgpu-exactness.csv"
    options.add_argument("-o", "--output", type=Path, default=output)
    chosen = options.parse_args()
    flags = ["--no-sandbox", "--enable-unsafe-webgpu", "--enable-features=Vulkan"]
    if chosen.adapter:
        flags.append(f"--use-webgpu-adapter={chosen.adapter}")
    with served(ROOT) as url, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chosen.chromium, args=flags)
        page = browser.new_page()
        page.goto(f"{url}/web/package.json")
        found = page.evaluate(PAGE)
        browser.close()
    if found is None:
        raise SystemExit("this Chromium offers no WebGPU adapter")
    with chosen.output.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, FIELDS)
        writer.writeheader()
        for row in found["rows"]:
            writer.writerow({"adapter": found["adapter"], **row})
            print(*row.values())
    provenance.record(chosen.output, "WebGPU's arithmetic beside JavaScript's", [])


if __name__ == "__main__":
    main()
