"""A browser for the tests of the page, and why there is none where there is none."""

import functools
import http.server
import shutil
import socketserver
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from helpers.paths import ROOT

CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
HOW = "`make browser` installs Playwright, `apt-get install chromium` the browser"


def launch() -> Iterator[Any]:
    """A headless Chromium; skips where it or Playwright is missing."""
    playwright = pytest.importorskip(
        "playwright.sync_api", reason=f"Playwright is not installed: {HOW}"
    )
    if CHROMIUM is None:
        pytest.skip(f"no Chromium here: {HOW}")
    with playwright.sync_playwright() as tools:
        browser = tools.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@contextmanager
def running(server: socketserver.BaseServer) -> Iterator[None]:
    """A server that is open, at work in a thread."""
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield
    server.shutdown()
    thread.join()


@contextmanager
def serving(port: int = 0, opened: Sequence[Path] = ()) -> Iterator[Any]:
    """The server of `latentpress web`, in a thread."""
    from latentpress.web.server import Server

    with Server(port, opened) as server, running(server):
        yield server


class Files(http.server.SimpleHTTPRequestHandler):
    """Gives out a folder and says nothing; what lies below /given/ comes from another one."""

    given: Path | None = None
    extensions_map = {  # noqa: RUF012
        **http.server.SimpleHTTPRequestHandler.extensions_map,
        ".js": "text/javascript",
        ".wasm": "application/wasm",
    }

    def translate_path(self, path: str) -> str:
        if self.given and path.startswith("/given/"):
            return str(self.given / path.removeprefix("/given/"))
        return super().translate_path(path)

    def log_message(self, *_: Any) -> None:
        return


@contextmanager
def serving_checkout(given: Path | None = None) -> Iterator[str]:
    """The address of a server of the checkout, and of a folder below /given/."""
    with giving_out(ROOT, type("Given", (Files,), {"given": given})) as address:
        yield address


@contextmanager
def giving_out(folder: Path, handler: type[Files]) -> Iterator[str]:
    """The address of a server of a folder."""
    bound = functools.partial(handler, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), bound) as server, running(server):
        yield f"http://127.0.0.1:{server.server_port}"
