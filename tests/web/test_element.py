"""The element <ltp-img> in a headless Chromium: its size, its pixels, its fallbacks, and what it
loads.
"""

import contextlib
import http.server
import io
import re
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

import latentpress
from helpers.browser import launch, running
from helpers.pictures import OWN_PROFILE
from latentpress.web import assets

SLOW = 120_000  # milliseconds, on a busy machine
SCRIPT = '<script type="module" src="/latentpress/element/ltp-img.js"></script>'
TALL = '<div style="height: 20000px"></div>'
READ = """async (element) => {
  const shown = element.shadowRoot.querySelector(".picture");
  const [width, height] = [shown.naturalWidth ?? shown.width, shown.naturalHeight ?? shown.height];
  const canvas = new OffscreenCanvas(width, height);
  const context = canvas.getContext("2d");
  context.drawImage(shown, 0, 0);
  const data = Array.from(context.getImageData(0, 0, width, height).data);
  return { tag: shown.tagName, width, height, data };
}"""
WAIT = """(element) => element.complete ? null : new Promise((resolve) => {
  element.addEventListener("load", resolve, { once: true });
  element.addEventListener("error", resolve, { once: true });
})"""
browser = pytest.fixture(scope="module")(launch)


class Site(http.server.ThreadingHTTPServer):
    """A web site: files by their paths, ranges of them where `ranges`, and what was asked for. What
    begins with /slow waits for `go`.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answers)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.files: dict[str, bytes] = {}
        self.ranges = True
        self.asked: list[tuple[str, str]] = []
        self.go = threading.Event()


class Answers(http.server.BaseHTTPRequestHandler):
    server: Site

    def do_GET(self) -> None:
        path = self.path.split("?")[0]
        wanted = self.headers.get("Range", "")
        self.server.asked.append((path, wanted))
        if path.startswith("/slow"):
            self.server.go.wait(SLOW / 1000)
        data = self.server.files.get(path)
        status = 404 if data is None else 200
        total = len(data or b"")
        if (
            data is not None
            and self.server.ranges
            and (found := re.fullmatch(r"bytes=(\d+)-(\d+)", wanted))
        ):
            status, data = 206, data[int(found[1]) : int(found[2]) + 1]
        kinds = {
            "js": "text/javascript",
            "html": "text/html",
            "json": "application/json",
            "png": "image/png",
        }
        self.send_response(status)
        self.send_header(
            "Content-Type", kinds.get(path.rsplit(".", 1)[-1], "application/octet-stream")
        )
        self.send_header("Content-Length", str(len(data or b"")))
        if status == 206:
            self.send_header(
                "Content-Range", f"bytes {found[1]}-{int(found[1]) + len(data) - 1}/{total}"
            )
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # the page has been closed
            self.wfile.write(data or b"")

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture(scope="module")
def built() -> dict[str, bytes]:
    """The folder that a site copies, its models as gzip."""
    return {f"/latentpress/{path}": data for path, data in assets.site(packed=True).items()}


@pytest.fixture
def site(built: dict[str, bytes]) -> Iterator[Site]:
    with Site() as found, running(found):
        found.files |= built
        yield found


@pytest.fixture
def context(browser: Any) -> Iterator[Any]:
    with browser.new_context(viewport={"width": 800, "height": 600}) as found:
        found.set_default_timeout(SLOW)
        yield found


def opened(context: Any, site: Site, body: str, head: str = SCRIPT) -> Any:
    """A page with this body; it is there when its elements are defined."""
    site.files["/page.html"] = (
        f"<!doctype html><html lang=en><head>{head}</head><body>{body}</body></html>".encode()
    )
    page = context.new_page()
    page.goto(f"{site.url}/page.html")
    if head == SCRIPT:
        page.evaluate("customElements.whenDefined('ltp-img')")
    return page


def pressed(pixels: NDArray[np.uint8], **options: Any) -> bytes:
    return latentpress.compress(pixels, **options)


def png(image: Image.Image) -> bytes:
    out = io.BytesIO()
    image.save(out, "PNG")
    return out.getvalue()


def pixels_of(element: Any) -> NDArray[np.uint8]:
    found = element.evaluate(READ)
    return np.array(found["data"], np.uint8).reshape(found["height"], found["width"], 4)


@pytest.mark.parametrize("ranges", [True, False])
def test_it_shows_the_picture_that_python_decodes(
    context: Any, site: Site, small: NDArray[np.uint8], ranges: bool
) -> None:
    site.files["/a.ltp"] = data = pressed(small)
    site.ranges = ranges
    page = opened(context, site, '<ltp-img src="a.ltp" alt="A corner"></ltp-img>')
    element = page.locator("ltp-img")
    element.evaluate(WAIT)
    assert element.evaluate("e => e.error && e.error.message") is None
    expected = np.asarray(latentpress.decompress(data))
    difference = np.abs(pixels_of(element)[..., :3].astype(int) - expected)
    assert difference.max() <= 1
    assert element.bounding_box().items() >= {"width": 109, "height": 75}.items()
    asked = [wanted for path, wanted in site.asked if path == "/a.ltp"]
    assert asked == (["bytes=0-63", ""] if ranges else ["bytes=0-63"])


def far_below(context: Any, site: Site, small: NDArray[np.uint8]) -> Any:
    """An element out of sight, whose size is known."""
    site.files["/a.ltp"] = pressed(small)
    page = opened(context, site, f'{TALL}<ltp-img src="a.ltp" alt=""></ltp-img>')
    page.wait_for_function("document.querySelector('ltp-img').naturalWidth === 109")
    return page.locator("ltp-img")


def test_its_size_is_known_and_nothing_decoded_before_it_is_seen(
    context: Any, site: Site, small: NDArray[np.uint8]
) -> None:
    element = far_below(context, site, small)
    assert (element.bounding_box()["width"], element.bounding_box()["height"]) == (109, 75)
    assert not element.evaluate("e => e.complete")
    assert not any("synthesis.onnx" in path for path, _ in site.asked)
    element.scroll_into_view_if_needed()
    element.evaluate(WAIT)
    assert pixels_of(element).shape == (75, 109, 4)


@pytest.mark.parametrize(
    ("attributes", "style", "size"),
    [
        ('width="218" height="150"', "", (218, 150)),
        ('width="50"', "", (50, 50 * 75 / 109)),
        ('height="150"', "", (218, 150)),
        ("", "ltp-img { width: 327px }", (327, 225)),
        ("", "div { width: 54.5px }", (54.5, 37.5)),
    ],
)
def test_its_room_on_the_page(
    context: Any,
    site: Site,
    small: NDArray[np.uint8],
    attributes: str,
    style: str,
    size: tuple[float, float],
) -> None:
    site.files["/a.ltp"] = pressed(small)
    page = opened(
        context,
        site,
        f'<style>{style}</style>{TALL}<div><ltp-img src="a.ltp" {attributes}></ltp-img></div>',
    )
    page.wait_for_function("document.querySelector('ltp-img').getBoundingClientRect().height > 1")
    box = page.locator("ltp-img").bounding_box()
    assert (box["width"], box["height"]) == pytest.approx(size, abs=0.1)


def test_author_given_sides_spare_the_request_for_the_head(
    context: Any, site: Site, small: NDArray[np.uint8]
) -> None:
    site.files["/a.ltp"] = pressed(small)
    element = opened(context, site, '<ltp-img src="a.ltp" width="109" height="75" alt="">').locator(
        "ltp-img"
    )
    element.evaluate(WAIT)
    assert [wanted for path, wanted in site.asked if path == "/a.ltp"] == [""]


def test_many_share_one_model_and_the_next_page_has_it_cached(
    context: Any, site: Site, small: NDArray[np.uint8]
) -> None:
    site.files |= {"/a.ltp": pressed(small), "/b.ltp": pressed(small[:30], quality=20)}
    body = '<ltp-img src="a.ltp" alt="a"></ltp-img><ltp-img src="b.ltp" alt="b"></ltp-img>'

    def loaded() -> list[str]:
        return [
            path
            for path, _ in site.asked
            if path.endswith(("synthesis.onnx.gz", "context.onnx.gz", "tables.npz.gz"))
        ]

    for page_number in (1, 2):
        page = opened(context, site, body)
        for element in page.locator("ltp-img").all():
            element.evaluate(WAIT)
            assert element.evaluate("e => e.error && e.error.message") is None
        assert len(loaded()) == 3, page_number
        page.close()


def test_a_cache_that_cannot_be_read_is_none(
    context: Any, site: Site, small: NDArray[np.uint8]
) -> None:
    site.files["/a.ltp"] = pressed(small)
    context.add_init_script("Cache.prototype.match = async () => { throw new Error('disk'); };")
    element = opened(context, site, '<ltp-img src="a.ltp" alt="">').locator("ltp-img")
    element.evaluate(WAIT)
    assert element.evaluate("e => e.error && e.error.message") is None


def test_models_that_are_not_packed_are_read_too(
    context: Any, site: Site, small: NDArray[np.uint8]
) -> None:
    site.files = {f"/latentpress/{path}": data for path, data in assets.site().items()} | {
        "/a.ltp": pressed(small)
    }
    element = opened(context, site, '<ltp-img src="a.ltp" alt="">').locator("ltp-img")
    element.evaluate(WAIT)
    assert element.evaluate("e => e.error && e.error.message") is None


def test_a_profile_is_followed(context: Any, site: Site, small: NDArray[np.uint8]) -> None:
    image = Image.fromarray(small)
    image.info["icc_profile"] = OWN_PROFILE
    site.files["/a.ltp"] = pressed(image)
    element = opened(context, site, '<ltp-img src="a.ltp" alt="">').locator("ltp-img")
    element.evaluate(WAIT)
    assert element.evaluate("e => e.error && e.error.message") is None
    assert element.evaluate(READ)["tag"] == "IMG"


@pytest.mark.parametrize("data", [b"LTP\x01 and no more", b"<html>", None])
def test_the_fallback_is_shown_where_the_file_is_bad(
    context: Any, site: Site, small: NDArray[np.uint8], data: bytes | None
) -> None:
    site.files["/good.png"] = png(Image.fromarray(small))
    if data is not None:
        site.files["/bad.ltp"] = data
    body = (
        '<ltp-img src="bad.ltp" alt="x" fallback="good.png">'
        '<img src="inner.png" loading="lazy" alt="y"></ltp-img>'
    )
    element = opened(context, site, body).locator("ltp-img")
    element.evaluate(WAIT)
    assert element.evaluate("e => e.error.message")
    assert element.evaluate(READ)["tag"] == "IMG"
    assert pixels_of(element)[..., :3].tolist() == small.tolist()
    assert not element.locator("> img").is_visible()


def test_what_stands_inside_is_shown_without_a_fallback(
    context: Any, site: Site, small: NDArray[np.uint8]
) -> None:
    site.files |= {"/bad.ltp": b"no", "/inner.png": png(Image.fromarray(small))}
    element = opened(
        context, site, '<ltp-img src="bad.ltp" alt="x"><img src="inner.png" alt="y"></ltp-img>'
    ).locator("ltp-img")
    element.evaluate(WAIT)
    assert element.locator("> img").is_visible()
    assert element.locator("> img").bounding_box()["width"] == 109


def test_no_simd_is_a_fallback(context: Any, site: Site, small: NDArray[np.uint8]) -> None:
    site.files |= {"/a.ltp": pressed(small), "/good.png": png(Image.fromarray(small))}
    context.add_init_script("WebAssembly.validate = () => false")
    element = opened(context, site, '<ltp-img src="a.ltp" alt="x" fallback="good.png">').locator(
        "ltp-img"
    )
    element.evaluate(WAIT)
    assert "SIMD" in element.evaluate("e => e.error.message")
    assert element.evaluate(READ)["tag"] == "IMG"
    assert not any(path == "/a.ltp" for path, _ in site.asked)


def test_without_scripts_the_inner_picture_is_there(
    browser: Any, site: Site, small: NDArray[np.uint8]
) -> None:
    site.files |= {"/a.ltp": pressed(small), "/inner.png": png(Image.fromarray(small))}
    with browser.new_context(java_script_enabled=False) as context:
        page = opened(
            context, site, '<ltp-img src="a.ltp"><img src="inner.png" alt="y"></ltp-img>', head=""
        )
        assert page.locator("ltp-img > img").is_visible()


def test_screen_readers_hear_the_alt_text(
    context: Any, site: Site, small: NDArray[np.uint8]
) -> None:
    site.files["/a.ltp"] = pressed(small)
    body = '<ltp-img src="a.ltp" alt="A harbor"></ltp-img><ltp-img src="a.ltp" alt=""></ltp-img>'
    page = opened(context, site, body)
    session = context.new_cdp_session(page)

    def heard() -> list[str]:
        """Names of the images in the tree that the browser gives to a screen reader."""
        nodes = session.send("Accessibility.getFullAXTree")["nodes"]
        found = [
            node
            for node in nodes
            if not node["ignored"] and node["role"]["value"] in ("img", "image", "Canvas")
        ]
        return [node["name"]["value"] for node in found]

    assert heard() == ["A harbor"]
    page.locator("ltp-img").first.evaluate(WAIT)
    page.locator("ltp-img").first.evaluate("e => e.setAttribute('alt', 'A boat')")
    assert heard() == ["A boat"]


def test_on_paper_what_was_not_decoded_is_the_inner_picture(
    context: Any, site: Site, small: NDArray[np.uint8]
) -> None:
    site.files |= {"/a.ltp": pressed(small), "/inner.png": png(Image.fromarray(small))}
    body = f'<ltp-img src="a.ltp" alt="a"><img src="inner.png" alt="y"></ltp-img>{TALL}' * 2
    page = opened(context, site, body)
    first, last = page.locator("ltp-img").all()
    first.evaluate(WAIT)
    assert [e.locator("> img").is_visible() for e in (first, last)] == [False, False]
    page.emulate_media(media="print")
    assert [e.locator("> img").is_visible() for e in (first, last)] == [False, True]
    assert first.evaluate(READ)["tag"] == "CANVAS"


def test_another_source_takes_the_place_of_the_first(
    context: Any, site: Site, small: NDArray[np.uint8]
) -> None:
    site.files |= {"/a.ltp": pressed(small), "/b.ltp": pressed(small[:30])}
    element = opened(context, site, '<ltp-img src="a.ltp" alt="">').locator("ltp-img")
    element.evaluate(WAIT)
    element.evaluate("e => e.setAttribute('src', 'b.ltp')")
    element.evaluate(WAIT)
    assert pixels_of(element).shape == (30, 109, 4)
    assert element.bounding_box()["height"] == 30


def test_a_fallback_that_comes_late_does_not_take_the_place_of_the_picture(
    context: Any, site: Site, small: NDArray[np.uint8]
) -> None:
    site.files |= {"/bad.ltp": b"no", "/a.ltp": pressed(small)}
    site.files["/slow.png"] = png(Image.fromarray(small[:9]))
    body = '<ltp-img src="bad.ltp" alt="" fallback="slow.png"></ltp-img>'
    page = opened(context, site, body)
    element = page.locator("ltp-img")
    with page.expect_response("**/slow.png"):
        page.wait_for_function("document.querySelector('ltp-img').error")
        element.evaluate("e => e.setAttribute('src', 'a.ltp')")
        element.evaluate(WAIT)
        site.go.set()
    page.wait_for_timeout(500)  # the fallback has been decoded by now
    assert pixels_of(element).shape == (75, 109, 4)
    assert element.evaluate("e => e.error") is None


def test_a_picture_that_is_drawn_late_is_not_shown_for_another(
    context: Any, site: Site, small: NDArray[np.uint8]
) -> None:
    image = Image.fromarray(small)  # drawn as a PNG, for its profile's sake
    image.info["icc_profile"] = OWN_PROFILE
    site.files |= {"/a.ltp": pressed(image), "/b.ltp": b"no"}
    script = site.files["/latentpress/page/png.js"]
    site.files["/latentpress/page/png.js"] = b'import "/slow.js";\n' + script
    site.files["/slow.js"] = b""
    page = opened(context, site, '<ltp-img src="a.ltp" alt=""></ltp-img>')
    element = page.locator("ltp-img")
    with page.expect_response("**/slow.js"):
        while ("/slow.js", "") not in site.asked:
            page.wait_for_timeout(20)
        element.evaluate("e => e.setAttribute('src', 'b.ltp')")
        element.evaluate(WAIT)
        site.go.set()
    page.wait_for_timeout(500)  # the picture has been drawn by now
    assert element.evaluate("e => e.frame.className") == "failed"


def test_a_picture_far_below_is_decoded_once_it_is_eager(
    context: Any, site: Site, small: NDArray[np.uint8]
) -> None:
    element = far_below(context, site, small)
    element.evaluate("e => e.setAttribute('loading', 'eager')")
    element.locator(".picture").wait_for()
    assert element.evaluate("e => { e.setAttribute('loading', 'lazy'); return e.complete; }")


def test_a_fallback_without_an_address_is_none(context: Any, site: Site) -> None:
    site.files["/bad.ltp"] = b"no"
    body = '<ltp-img src="bad.ltp" alt="" fallback="http://"><b>inside</b></ltp-img>'
    page = opened(context, site, body)
    page.locator("ltp-img > b").wait_for()
    assert page.evaluate("document.querySelector('ltp-img').complete")


def test_an_element_that_is_moved_keeps_its_picture(
    context: Any, site: Site, small: NDArray[np.uint8]
) -> None:
    site.files |= {"/a.ltp": pressed(small), "/b.ltp": pressed(small[:30])}
    page = opened(context, site, '<ltp-img src="a.ltp" alt=""></ltp-img><div></div>')
    element = page.locator("ltp-img")
    element.evaluate(WAIT)
    asked = len(site.asked)
    assert element.evaluate(
        "(e) => { document.querySelector('div').append(e); return e.complete; }"
    )
    assert pixels_of(element).shape == (75, 109, 4)
    assert len(site.asked) == asked
    element.evaluate(
        """(e) => { e.remove(); e.setAttribute("src", "b.ltp"); e.setAttribute("width", "218");
          document.body.append(e); }"""
    )
    element.evaluate(WAIT)
    assert pixels_of(element).shape == (30, 109, 4)
    assert element.bounding_box()["width"] == 218


def test_the_page_of_the_command_gives_the_element_out(tmp_path: Path) -> None:
    assert "element/ltp-img.js" in assets.site()
