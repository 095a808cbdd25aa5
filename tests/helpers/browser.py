"""A browser for the tests of the page, and why there is none where there is none."""

import shutil
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
HOW = "`make browser` installs Playwright, `apt-get install chromium` the browser"


def launch() -> Iterator[Any]:
    """A headless Chromium; skips where it or Playwright is missing."""
    playwright = pytest.importorskip("playwright.sync_api", reason=f"Playwright is not installed: {HOW}")
    if CHROMIUM is None:
        pytest.skip(f"no Chromium here: {HOW}")
    with playwright.sync_playwright() as tools:
        browser = tools.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@contextmanager
def serving(port: int = 0, opened: Sequence[Path] = ()) -> Iterator[Any]:
    """The server of `latentpress web`, in a thread."""
    from latentpress.web.server import Server

    with Server(port, opened) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield server
        server.shutdown()
        thread.join()
