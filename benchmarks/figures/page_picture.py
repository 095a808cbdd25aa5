"""docs/web.jpg: the page of `latentpress web` with a photograph of samples/ pressed.

    python -m benchmarks.figures.page_picture

It needs Playwright (`make browser`) and Chromium.
"""

import argparse
import io
import shutil
import threading
from pathlib import Path

from PIL import Image

from latentpress.web.server import Server

ROOT = Path(__file__).resolve().parents[2]
OUTPUT = ROOT / "docs" / "web.jpg"
PHOTO = ROOT / "samples" / "coffee.jpg"  # CC0
WINDOW = {"width": 1120, "height": 712}
QUALITY = 30
JPEG_QUALITY = 82
PATIENCE = 120_000  # milliseconds


def screenshot(url: str) -> bytes:
    """The page after it has pressed the photograph, as PNG."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as tools:
        chromium = shutil.which("chromium") or shutil.which("google-chrome")
        browser = tools.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page(viewport=WINDOW, service_workers="block")
        page.set_default_timeout(PATIENCE)
        page.goto(url)
        page.fill("#quality", str(QUALITY))
        page.set_input_files("#files", PHOTO)
        page.wait_for_selector("#layers > canvas")
        # once more, so that the times are those without loading the model
        page.click("#again")
        page.wait_for_selector("#shown", state="hidden")
        page.wait_for_selector("#layers > canvas")
        page.evaluate("document.activeElement.blur()")
        page.mouse.move(5, WINDOW["height"] - 5)
        shot: bytes = page.screenshot()
        browser.close()
    return shot


def main() -> None:
    argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    ).parse_args()
    with Server(0) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        shot = screenshot(server.url)
        server.shutdown()
    with Image.open(io.BytesIO(shot)) as image:
        image.convert("RGB").save(OUTPUT, quality=JPEG_QUALITY, optimize=True)
    print(f"{OUTPUT.relative_to(ROOT)}: {OUTPUT.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
