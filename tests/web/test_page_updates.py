"""The page after an update: no old version stays, none is mixed with a newer one."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import latentpress
from helpers.browser import Files, giving_out, serving
from latentpress.models import manifest
from latentpress.web import assets
from latentpress.web.static import build
from web.test_page import (
    browser,  # noqa: F401
    give,
    jpeg,
    problem,
    shown,
    until,
    watched,
)

OLD = "82a90373"  # the hash of another model


def old_version() -> dict[str, bytes]:
    """The page as it was before an update, with another model's manifest."""
    files = assets.site()
    path = f"{assets.MODELS}model.json"
    files[path] = files[path].replace(manifest("lp1")["model_hash"].encode(), OLD.encode())
    files["sw.js"] = named(files["sw.js"], b"old")
    return files


def named(worker: bytes, name: bytes) -> bytes:
    """The service worker of another version."""
    return worker.replace(b'VERSION = "', b'VERSION = "' + name)


def visit(page: Any, url: str) -> None:
    page.goto(url)
    until(page, "navigator.serviceWorker.controller !== null")


@contextmanager
def visited(browser: Any) -> Iterator[tuple[Any, Any]]:  # noqa: F811
    """The server of `latentpress web`, and its page, whose service worker is at work."""
    with serving() as server, browser.new_context() as context:
        page = watched(context.new_page())
        visit(page, server.url)
        yield server, page


def test_what_the_command_names_is_opened_by_the_version_of_the_command(
    browser: Any,  # noqa: F811
    tmp_path: Path,
    small: NDArray[np.uint8],
) -> None:
    file = tmp_path / "small.ltp"
    file.write_bytes(latentpress.compress(small))
    with serving(opened=[file]) as server, browser.new_context() as context:
        newest, server.given = server.given, old_version()
        page = watched(context.new_page())
        visit(page, server.url)
        assert OLD in problem(page)
        server.given = newest
        page.goto("about:blank")
        page.goto(server.url, wait_until="commit")  # it is reloaded once more by itself
        assert shown(page).shape == small.shape
        assert page.wrong == []


def test_a_page_with_pictures_stays_until_it_is_told_to_reload(
    browser: Any,  # noqa: F811
    small: NDArray[np.uint8],
) -> None:
    with visited(browser) as (server, page):
        give(page, "small.ltp", latentpress.compress(small))
        shown(page)
        server.given = {**server.given, "sw.js": named(server.given["sw.js"], b"new")}
        server.given["index.html"] = server.given["index.html"].replace(
            b"<title>latentpress", b"<title>newer"
        )
        page.evaluate("navigator.serviceWorker.getRegistration().then((r) => { r.update(); })")
        page.wait_for_selector("#newer:not([hidden])")
        # what it loads late is still of its own version
        text = "fetch('index.html').then((r) => r.text()).then((t) => t.includes('<title>newer'))"
        assert not page.evaluate(text)
        with page.expect_navigation():
            page.click("#reload")
        assert page.title() == "newer"
        assert page.is_hidden("#newer")


def test_pages_at_two_paths_of_a_host_keep_their_files_and_the_elements_models(
    browser: Any,  # noqa: F811
    tmp_path: Path,
) -> None:
    build(tmp_path / "one")
    build(tmp_path / "two")
    worker = tmp_path / "two" / "sw.js"
    worker.write_bytes(named(worker.read_bytes(), b"other"))
    with giving_out(tmp_path, Files) as address, browser.new_context() as context:
        page = watched(context.new_page())
        visit(page, f"{address}/one/")
        page.evaluate("caches.open('latentpress-models').then(() => {})")
        visit(page, f"{address}/two/")
        assert page.evaluate("caches.has('latentpress-models')")
        context.set_offline(True)
        for path in ("one", "two"):
            page.goto(f"{address}/{path}/")
            assert page.title() == "latentpress"
        assert page.wrong == []


class Kept(Files):
    """A static host that lets browsers keep its files, as most do."""

    def end_headers(self) -> None:
        self.send_header("Cache-Control", "max-age=600")
        super().end_headers()


def test_a_model_of_the_http_cache_is_not_taken_for_the_one_of_an_update(
    browser: Any,  # noqa: F811
    tmp_path: Path,
    photo: NDArray[np.uint8],
) -> None:
    build(tmp_path)
    analysis = tmp_path / f"{assets.MODELS}analysis.onnx.gz"
    worker = tmp_path / "sw.js"
    newest = [file.read_bytes() for file in (analysis, worker)]
    analysis.write_bytes(assets.packed_model_file("hyper_analysis.onnx"))
    worker.write_bytes(named(newest[1], b"old"))
    with giving_out(tmp_path, Kept) as address, browser.new_context() as context:
        url = f"{address}/"
        page = watched(context.new_page())
        visit(page, url)
        page.reload()  # so that the service worker is there from the start
        give(page, "photo.jpg", jpeg(photo[:64, :64]))
        assert "analysis.onnx is altered" in problem(page)
        for file, data in zip((analysis, worker), newest, strict=True):
            file.write_bytes(data)
        beside = context.new_page()  # it stays while the page is reloaded
        beside.goto(f"{url}icon.svg")
        page.reload(wait_until="commit")  # it is reloaded once more by itself, at some moment
        names = "caches.keys().then((names) => names.join())"
        until(beside, f"{names}.then((names) => names !== '' && !names.includes('old'))")
        newer = watched(context.new_page())
        newer.goto(url)
        give(newer, "photo.jpg", jpeg(photo[:64, :64]))
        assert shown(newer).shape == (64, 64, 3)


class Varying(Files):
    """A static host that says that its answers depend on what the browser sends."""

    def end_headers(self) -> None:
        self.send_header("Vary", "Accept, Accept-Encoding, Origin, User-Agent")
        super().end_headers()


def test_what_answers_depend_on_does_not_keep_the_page_from_working_offline(
    browser: Any,  # noqa: F811
    tmp_path: Path,
    small: NDArray[np.uint8],
) -> None:
    build(tmp_path)
    with giving_out(tmp_path, Varying) as address, browser.new_context() as context:
        page = watched(context.new_page())
        visit(page, f"{address}/")
        context.set_offline(True)
        page.reload()
        give(page, "small.ltp", latentpress.compress(small))
        assert shown(page).shape == small.shape


def test_a_browser_without_room_presses_all_the_same(
    browser: Any,  # noqa: F811
    photo: NDArray[np.uint8],
) -> None:
    with visited(browser) as (server, page):
        protocol = page.context.new_cdp_session(page)
        protocol.send(
            "Storage.overrideQuotaForOrigin", {"origin": server.url.rstrip("/"), "quotaSize": 1000}
        )
        give(page, "photo.jpg", jpeg(photo[:64, :64]))
        assert shown(page).shape == (64, 64, 3)
