"""The page as an installed app: Chromium's own verdict, its file handler, and work offline."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from numpy.typing import NDArray

import latentpress
from helpers.browser import CHROMIUM, HOW, serving

SLOW = 120_000  # milliseconds, on a busy machine
OPEN = "document.querySelector('#status').textContent.includes('is open')"


@pytest.fixture
def profile(tmp_path: Path) -> Iterator[Any]:
    """A Chromium whose apps and types go into a folder of the test, not into the user's."""
    playwright = pytest.importorskip("playwright.sync_api", reason=f"no Playwright: {HOW}")
    if CHROMIUM is None:
        pytest.skip(f"no Chromium here: {HOW}")
    home = tmp_path / "home"
    places = {"HOME": home, "XDG_DATA_HOME": home / "data", "XDG_CONFIG_HOME": home / "config"}
    environment = os.environ | {name: str(path) for name, path in places.items()}
    for path in places.values():
        path.mkdir(parents=True, exist_ok=True)
    with playwright.sync_playwright() as tools:
        context = tools.chromium.launch_persistent_context(
            tmp_path / "profile",
            executable_path=CHROMIUM,
            args=["--no-sandbox"],
            env=environment,
        )
        context.set_default_timeout(SLOW)
        yield context
        context.close()


def wait_until_open(page: Any) -> None:
    for _ in range(SLOW // 100):
        if page.evaluate(OPEN):
            return
        page.wait_for_timeout(100)
    raise AssertionError(page.inner_text("body"))


def test_chromium_installs_it_and_opens_files_with_it_offline(
    profile: Any, tmp_path: Path, small: NDArray[Any]
) -> None:
    file = tmp_path / "small.ltp"
    file.write_bytes(latentpress.compress(small))
    with serving() as server:
        page = profile.pages[0]
        page.goto(server.url)
        page.evaluate("navigator.serviceWorker.ready.then(() => true)")
        session = profile.new_cdp_session(page)
        told = session.send("Page.getAppManifest")
        assert told["errors"] == []
        assert told["manifest"]["display"] == "kStandalone"
        assert session.send("Page.getInstallabilityErrors") == {"installabilityErrors": []}
        app = {"manifestId": server.url}
        try:
            session.send("PWA.install", app | {"installUrlOrBundleUrl": server.url})
        except Exception as error:
            if "wasn't found" in str(error):
                pytest.skip("this Chromium cannot be told to install an app")
            raise
        [handler] = session.send("PWA.getOsAppState", app)["fileHandlers"]
        accepted = [{"mediaType": "image/x-latentpress", "fileExtensions": [".ltp"]}]
        assert handler["accepts"] == accepted
    # The server is gone: the service worker answers from here on.
    page.reload()
    session.send("PWA.launchFilesInApp", app | {"files": [str(file)]})
    page = profile.pages[-1]
    wait_until_open(page)
    assert page.inner_text("#viewer-title") == "small.ltp"
    assert "109 by 75 pixels" in page.inner_text("#status")
