"""The page, driven in a headless Chromium: opening, pressing, saving, and what it says."""

import io
import json
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageCms, PngImagePlugin

import latentpress
from helpers.browser import Files, giving_out, launch, serving
from helpers.paths import ROOT
from latentpress.codec import decode_latent
from latentpress.web.shown import MAX_PIXELS
from latentpress.web.single import single_page
from latentpress.web.static import build

SLOW = 120_000  # milliseconds, on a busy machine
PHONE = {"width": 360, "height": 740}
browser = pytest.fixture(scope="module")(launch)
# what the stage shows, as RGBA; an image is read through a canvas
READ = """async () => {
  const shown = document.querySelector("#layers > :first-child");
  const [width, height] = [shown.naturalWidth ?? shown.width, shown.naturalHeight ?? shown.height];
  const canvas = new OffscreenCanvas(width, height);
  const context = canvas.getContext("2d");
  context.drawImage(shown, 0, 0);
  return { width, height, data: Array.from(context.getImageData(0, 0, width, height).data) };
}"""


@pytest.fixture(scope="module")
def server() -> Iterator[Any]:
    with serving() as found:
        yield found


@pytest.fixture
def page(browser: Any, server: Any) -> Iterator[Any]:
    """The page of the server; whatever it throws or logs as an error fails the test."""
    with browser.new_context(accept_downloads=True, service_workers="block") as context:
        opened = watched(context.new_page())
        opened.goto(server.url)
        yield opened
        assert opened.wrong == []


def watched(page: Any) -> Any:
    """A page whose failures are collected in `wrong`."""
    page.wrong = []
    page.on("pageerror", lambda error: page.wrong.append(str(error)))
    page.on(
        "console",
        lambda message: page.wrong.append(message.text) if message.type == "error" else None,
    )
    page.set_default_timeout(SLOW)
    return page


def give(page: Any, name: str, data: bytes) -> None:
    page.set_input_files(
        "#files", {"name": name, "mimeType": "application/octet-stream", "buffer": data}
    )


def shown(page: Any) -> NDArray[np.uint8]:
    """The pixels that the stage shows, RGB."""
    page.wait_for_selector("#shown:not([hidden]) #layers > :first-child")
    found = page.evaluate(READ)
    return np.array(found["data"], np.uint8).reshape(found["height"], found["width"], 4)[..., :3]


def until(page: Any, expression: str) -> None:
    """Wait until an expression is true; `wait_for_function` would need eval, which the page
    forbids.
    """
    end = time.monotonic() + 60
    while not page.evaluate(expression):
        assert time.monotonic() < end, expression
        page.wait_for_timeout(20)


def problem(page: Any) -> str:
    page.wait_for_selector("#problem:not([hidden])")
    return str(page.inner_text("#problem"))


def saved(page: Any, button: str) -> tuple[str, bytes]:
    with page.expect_download() as download:
        page.click(button)
    return download.value.suggested_filename, Path(download.value.path()).read_bytes()


def png(pixels: NDArray[np.uint8]) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG")
    return stream.getvalue()


def jpeg(pixels: NDArray[np.uint8], **options: Any) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "JPEG", quality=95, **options)
    return stream.getvalue()


def difference(one: Any, other: Any) -> int:
    return int(np.abs(np.asarray(one, np.int16) - np.asarray(other, np.int16)).max())


def test_an_ltp_file_opens_with_the_pixels_of_python(page: Any, photo: NDArray[np.uint8]) -> None:
    data = latentpress.compress(photo, quality=40)
    give(page, "photo.ltp", data)
    assert difference(shown(page), latentpress.decompress(data)) <= 1
    text = page.inner_text("#summary")
    assert f"{len(data):,}" in text
    assert f"{latentpress.read_header(data).bpp:.3f} bpp" in text
    assert page.is_hidden("#compare")  # there is no original
    assert page.is_hidden("#unready")
    until(
        page,
        "document.querySelector('#status').textContent"
        ".includes('photo.ltp is open: 400 by 300 pixels')",
    )


def test_dropped_files_are_taken(page: Any, small: NDArray[np.uint8]) -> None:
    data = latentpress.compress(small)
    transfer = page.evaluate_handle(
        """(bytes) => { const transfer = new DataTransfer();
          for (const name of ["a.ltp", "b.ltp"])
            transfer.items.add(new File([new Uint8Array(bytes)], name));
          return transfer; }""",
        list(data),
    )
    page.dispatch_event("main", "drop", {"dataTransfer": transfer})
    assert difference(shown(page), latentpress.decompress(data)) <= 1
    until(page, "document.querySelectorAll('#list li progress[hidden]').length === 2")
    assert page.locator("#list .name").all_inner_texts() == ["a.ltp", "b.ltp"]


def test_a_picture_is_pressed_to_a_quality_and_python_decodes_it(
    page: Any, photo: NDArray[np.uint8]
) -> None:
    page.fill("#quality", "30")
    assert page.inner_text("#quality-value") == "30"
    give(page, "photo.jpg", jpeg(photo))
    pixels = shown(page)
    name, data = saved(page, "#save-ltp")
    assert name == "photo.ltp"
    assert latentpress.read_header(data).quality == 30
    assert difference(pixels, latentpress.decompress(data)) <= 1
    error = np.mean((np.asarray(latentpress.decompress(data), float) - photo) ** 2)
    own = np.mean(
        (np.asarray(latentpress.decompress(latentpress.compress(photo, quality=30)), float) - photo)
        ** 2
    )
    assert error < 1.1 * own + 1
    # the original lies beside it, and more of it is shown as the slider moves
    page.fill("#divide", "80")
    assert "20%" in page.evaluate("document.querySelector('#layers .before').style.clipPath")


def test_a_picture_is_pressed_to_a_size_and_again_to_a_quality(
    page: Any, photo: NDArray[np.uint8]
) -> None:
    page.fill("#size", "6")
    assert page.is_checked("#by-size")
    give(page, "photo.png.jpg", jpeg(photo))
    shown(page)
    _, first = saved(page, "#save-ltp")
    assert 4000 < len(first) <= 6000
    page.fill("#quality", "5")
    page.click("#again")
    page.wait_for_selector("#summary dd:text-is('5')")
    _, second = saved(page, "#save-ltp")
    assert latentpress.read_header(second).quality == 5
    assert len(second) < len(first)


def test_a_size_without_sense_does_not_keep_from_pressing_to_a_quality(
    page: Any, small: NDArray[np.uint8]
) -> None:
    give(page, "small.jpg", jpeg(small))
    shown(page)
    page.fill("#size", "0")
    page.fill("#quality", "7")
    page.click("#again")
    page.wait_for_selector("#summary dd:text-is('7')")


def test_a_drawing_is_kept_exactly_or_the_command_is_named(
    page: Any, photo: NDArray[np.uint8]
) -> None:
    pixels = np.full((128, 192, 3), 240, np.uint8)
    for i in range(8):
        pixels[10 + 14 * i : 18 + 14 * i, 12 : 60 + 14 * i] = (30 * i, 90, 200 - 20 * i)
    give(page, "drawing.png", png(pixels))
    assert difference(shown(page), pixels) == 0
    assert "every pixel exactly" in page.inner_text("#notice")
    _, data = saved(page, "#save-ltp")
    assert difference(latentpress.decompress(data), pixels) == 0
    mixed = photo[:128, :192].copy()
    mixed[:, :96] = pixels[:, :96]
    give(page, "mixed.png", png(mixed))
    page.wait_for_selector("#notice:has-text('latentpress compress')")


def test_the_original_is_seen_alone_where_it_has_opacity(page: Any) -> None:
    give(page, "veil.png", png(np.full((80, 120, 4), (200, 30, 30, 128), np.uint8)))
    page.wait_for_selector("#shown:not([hidden]) #layers > .before")
    with Image.open(io.BytesIO(page.locator("#layers").screenshot())) as found:
        seen = np.asarray(found.convert("RGB"))
    assert difference(seen[40, 20], seen[40, 100]) <= 2


def test_forced_colors_show_what_is_chosen(
    browser: Any, server: Any, small: NDArray[np.uint8]
) -> None:
    with browser.new_context(forced_colors="active", service_workers="block") as context:
        page = watched(context.new_page())
        page.goto(server.url)
        for name in ("a.ltp", "b.ltp"):
            give(page, name, latentpress.compress(small))
        page.wait_for_selector("#shown:not([hidden]) #layers > canvas")
        bordered = """(selector) => [...document.querySelectorAll(selector)].map(
          (e) => getComputedStyle(e).borderBottomColor + getComputedStyle(e).borderLeftWidth)"""
        for selector in (".tabs button", "#list .pick"):
            assert len(set(page.evaluate(bordered, selector))) == 2, selector


def test_a_profile_and_opacity_are_kept_and_png_has_them(
    page: Any, small: NDArray[np.uint8]
) -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    opacity = np.linspace(0, 255, small[..., 0].size).reshape(small.shape[:2]).astype(np.uint8)
    stream = io.BytesIO()
    Image.fromarray(np.dstack([small, opacity])).save(
        stream, "PNG", icc_profile=profile, dpi=(300, 300)
    )
    data = latentpress.compress(stream.getvalue(), quality=60, exact=True)
    give(page, "photo.ltp", data)
    page.wait_for_selector("#shown:not([hidden]) #layers > img")
    name, file = saved(page, "#save-png")
    assert name == "photo.png"
    expected = latentpress.decompress(data)
    with Image.open(io.BytesIO(file)) as found:
        assert found.mode == "RGBA"
        assert difference(found, expected) <= 1
        assert np.array_equal(np.asarray(found)[..., 3], opacity)
        assert len(found.info["icc_profile"]) == len(expected.info["icc_profile"])
        assert round(found.info["dpi"][0]) == 300
    name, webp = saved(page, "#save-webp")
    with Image.open(io.BytesIO(webp)) as found:
        assert (name, found.format, found.size) == ("photo.webp", "WEBP", expected.size)


def test_a_gray_picture_is_saved_as_gray(page: Any, small: NDArray[np.uint8]) -> None:
    data = latentpress.compress(small[..., 0], quality=60)
    give(page, "gray.ltp", data)
    shown(page)
    _, file = saved(page, "#save-png")
    with Image.open(io.BytesIO(file)) as found:
        assert found.mode == "L"
        assert difference(found, latentpress.decompress(data)) <= 1


def test_the_longest_row_is_seen_and_saved(page: Any) -> None:
    pixels = np.full((1, 65535, 3), (90, 120, 40), np.uint8)
    give(page, "row.ltp", latentpress.compress(pixels))
    page.wait_for_selector("#shown:not([hidden]) #layers > :first-child")
    until(page, "document.querySelector('#layers').getBoundingClientRect().height >= 1")
    _, file = saved(page, "#save-png")
    with Image.open(io.BytesIO(file)) as found:
        assert np.array_equal(np.asarray(found), pixels)


def test_the_latent_is_shown(page: Any, small: NDArray[np.uint8]) -> None:
    data = latentpress.compress(small, quality=60)
    give(page, "small.ltp", data)
    shown(page)
    page.click("#tab-latent")
    until(
        page, "document.querySelector('#latent-text').textContent.includes('320 channels of 7 × 5')"
    )
    page.focus("#channel")
    first = page.inner_text("#latent-text")
    page.keyboard.press("ArrowRight")
    assert page.inner_text("#latent-text") != first
    found = re.search(r"Channel (\d+): (\S+) to (\S+),", page.inner_text("#latent-text"))
    assert found is not None
    channel = decode_latent(data)[int(found[1])]
    assert (float(found[2]), float(found[3])) == pytest.approx(
        (channel.min(), channel.max()), abs=0.006
    )


@pytest.mark.parametrize("size", [(1, 1), (40, 50), (201, 3), (9, 4096)])
def test_all_channels_fit_into_a_canvas(page: Any, size: tuple[int, int]) -> None:
    found = page.evaluate(
        """async ([rows, columns]) => {
          const { showLatent } = await import("/page/latent_view.js");
          const data = Float32Array.from({ length: 320 * rows * columns }, (_, i) => i % 7);
          showLatent({ channels: 320, rows, columns, data });
          const { width, height } = document.querySelector("#channels");
          return [width, height];
        }""",
        size,
    )
    assert found[0] <= 1600
    assert found[0] * found[1] <= 16 * 2**20  # of an iPhone's canvas
    assert found[0] * found[1] >= 320 * min(size[0], 200) * min(size[1], 200) / 16


def test_no_latent_of_another_picture_stays(page: Any, small: NDArray[np.uint8]) -> None:
    give(page, "photo.ltp", latentpress.compress(small))
    page.wait_for_selector("#shown:not([hidden])")
    page.click("#tab-latent")
    until(page, "document.querySelector('#latent-text').textContent.includes('320 channels')")
    give(page, "color.ltp", latentpress.compress(np.full((40, 50, 3), 90, np.uint8)))
    assert problem(page) == "The file holds no latent: its whole picture is a screen layer."
    assert page.inner_text("#latent-text") == ""
    assert page.evaluate("document.querySelector('#channels').width") == 0
    page.click("#tab-picture")
    page.locator("#list .pick").first.click()
    page.click("#tab-latent")  # once more, after another picture was shown
    until(page, "document.querySelector('#latent-text').textContent.includes('320 channels')")
    assert page.evaluate("document.querySelector('#channels').width") > 0


def header(data: bytes, at: int, value: bytes) -> bytes:
    """The file with other bytes in its header, its checksum made good."""
    import google_crc32c

    size = latentpress.read_header(data)
    end = len(data) - sum(chunk.size + 4 for chunk in size.chunks) - 4
    changed = bytearray(data)
    changed[at : at + len(value)] = value
    changed[end : end + 4] = google_crc32c.value(bytes(changed[:end])).to_bytes(4, "little")
    return bytes(changed)


def bad_files(data: bytes) -> dict[str, tuple[bytes, str]]:
    """Names of bad files, their bytes, and what the sentence says."""
    wide = io.BytesIO()
    Image.new("1", (8001, 8000)).save(wide, "PNG")
    flipped = bytearray(data)
    flipped[len(data) // 2] ^= 1
    return {
        "empty.ltp": (b"", "is empty"),
        "text.ltp": (b"a text, not a picture", "not an .ltp file"),
        "cut.ltp": (data[:-5], "cut off"),
        "flipped.ltp": (bytes(flipped), "checksum"),
        "longer.ltp": (data + b"\0", "bytes follow"),
        "newer.ltp": (data[:3] + b"\2" + data[4:], "version 2"),
        "model.ltp": (header(data, 5, b"\1\2\3\4"), "model 01020304"),
        "space.ltp": (header(data, 4, bytes([99])), "space 99"),
        "huge.ltp": (header(data, 9, b"\xff\xff\xff\xff"), "limit"),
        "latents.ltps": (b"LTPS" + bytes(60), ".ltps"),
        "wide.png": (wide.getvalue(), "8001 x 8000 pixels, more than the limit of 64,000,000"),
        "text.jpg": (b"no picture at all", "no picture that this browser can read"),
    }


def test_each_kind_of_bad_file_gets_a_sentence(page: Any, small: NDArray[np.uint8]) -> None:
    for name, (data, words) in bad_files(latentpress.compress(small)).items():
        give(page, name, data)
        until(page, f"document.querySelector('#viewer-title').textContent === {json.dumps(name)}")
        told = problem(page)
        assert re.search(words, told, re.I), (name, told)
        assert re.fullmatch(r"[A-Z][^\n]*\.", told), (name, told)
        assert "undefined" not in told
        assert page.is_hidden("#shown")
    assert page.locator("#list .failed").count() == len(bad_files(latentpress.compress(small)))


def test_the_formats_that_the_guide_names_are_pressed(page: Any, small: NDArray[np.uint8]) -> None:
    guide = (ROOT / "docs" / "guide" / "browser.md").read_text(encoding="utf-8")
    [named] = re.findall(r"reads what the browser reads: mostly ([\w, ]+), but no SVG", guide)
    for form in re.split(", | and ", named):
        stream = io.BytesIO()
        Image.fromarray(small).save(stream, form)
        give(page, form, stream.getvalue())
        page.wait_for_selector(f"#list .pick[aria-current=true]:has-text('{form}')")
        page.wait_for_selector("#shown:not([hidden]) #layers > :first-child")
    vector = b"<svg xmlns='http://www.w3.org/2000/svg' width='9' height='9'/>"
    page.set_input_files(
        "#files", {"name": "vector.svg", "mimeType": "image/svg+xml", "buffer": vector}
    )
    assert problem(page) == "The file is no picture that this browser can read."


def test_a_name_that_begins_with_a_dot_is_kept(page: Any, small: NDArray[np.uint8]) -> None:
    give(page, ".photo", png(small))
    page.wait_for_selector("#shown:not([hidden]) #layers > :first-child")
    page.click("#save-ltp")
    until(page, "document.querySelector('#status').textContent.startsWith('Saved')")
    assert page.text_content("#status") == "Saved .photo.ltp."


def test_the_limit_is_the_one_that_share_knows(page: Any) -> None:
    assert page.inner_text("#limit") == f"{MAX_PIXELS // 10**6}"


def test_work_can_be_canceled_and_removed(page: Any, photo: NDArray[np.uint8]) -> None:
    give(page, "large.jpg", jpeg(np.tile(photo, (6, 5, 1))))
    page.get_by_role("button", name="Cancel large.jpg").click()
    assert problem(page) == "Canceled."
    page.wait_for_timeout(200)  # it has been told by now
    page.evaluate("document.querySelector('#status').textContent = ''")
    page.get_by_role("button", name="Remove large.jpg").click()
    assert page.is_hidden("#viewer")
    page.wait_for_timeout(200)
    assert page.text_content("#status") == ""  # nothing was canceled
    data = latentpress.compress(photo[:50, :60])
    give(page, "after.ltp", data)  # what was canceled is not in its way
    assert difference(shown(page), latentpress.decompress(data)) <= 1


def test_a_picture_whose_opening_was_canceled_is_opened_when_it_is_chosen_again(
    page: Any, small: NDArray[np.uint8]
) -> None:
    data = latentpress.compress(small)
    held: list[Any] = []  # so that nothing is done before it is canceled
    page.route("**/*.onnx", lambda route: held.append(route))
    for name, given in (("photo.ltp", data), ("photo.jpg", jpeg(small))):
        give(page, name, given)
        page.get_by_role("button", name=f"Cancel {name}").click()
        assert problem(page) == "Canceled."
    page.locator("#list .pick").last.click()  # what was to be pressed waits to be pressed again
    assert problem(page) == "Canceled."
    for route in held:
        route.continue_()
    page.unroute("**/*.onnx")
    page.locator("#list .pick").first.click()
    assert difference(shown(page), latentpress.decompress(data)) <= 1


def test_a_removed_picture_takes_no_memory(page: Any) -> None:
    protocol = page.context.new_cdp_session(page)

    def held() -> int:
        """Bytes of arrays."""
        protocol.send("HeapProfiler.collectGarbage")
        return int(protocol.send("Runtime.getHeapUsage")["backingStorageSize"])

    give(page, "color.ltp", latentpress.compress(np.full((1000, 2000, 3), 90, np.uint8)))
    page.wait_for_selector("#shown:not([hidden]) #layers > canvas")
    assert held() > 8_000_000
    page.get_by_role("button", name="Remove color.ltp").click()
    assert held() < 4_000_000


def test_removing_a_pressed_picture_leaves_the_one_that_is_pressed_alone(
    page: Any, photo: NDArray[np.uint8], small: NDArray[np.uint8]
) -> None:
    give(page, "first.jpg", jpeg(small))
    page.wait_for_selector("#list .state:text('bpp')")
    give(page, "second.jpg", jpeg(np.tile(photo, (3, 3, 1))))
    page.wait_for_selector("#list .state:text('pressing')")
    page.get_by_role("button", name="Remove first.jpg").click()
    page.wait_for_selector("#list .state:text('bpp')")
    assert page.inner_text("#viewer-title") == "second.jpg"


def test_a_picture_that_is_drawn_late_is_not_shown_for_another(
    page: Any, photo: NDArray[np.uint8], small: NDArray[np.uint8]
) -> None:
    give(page, "plain.ltp", latentpress.compress(small))
    page.wait_for_selector("#list .state:text('bpp')")
    image = Image.fromarray(np.tile(photo, (4, 4, 1)))  # drawn as a PNG, for its profile's sake
    image.info["icc_profile"] = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    give(page, "profile.ltp", latentpress.compress(image, quality=0, content="photo"))
    page.evaluate(
        """() => new Promise((done) => {
          const row = () => document.querySelector("#list li:nth-child(2)")?.innerText ?? "";
          const list = document.querySelector("#list");
          new MutationObserver((_, observer) => {
            if (!row().includes("bpp")) return;
            observer.disconnect();
            document.querySelector("#list li:first-child .pick").click();
            done();
          }).observe(list, { subtree: true, childList: true, characterData: true });
        })"""
    )
    page.wait_for_timeout(3000)  # the other one has been drawn by now
    assert page.inner_text("#viewer-title") == "plain.ltp"
    assert shown(page).shape == small.shape


def test_the_picture_that_is_shown_stays_while_others_are_opened(
    page: Any, photo: NDArray[np.uint8]
) -> None:
    def few(route: Any) -> None:
        route.fulfill(content_type="text/javascript", body="export const KEPT_PIXELS = 130_000;")

    page.route("**/limits.js", few)
    page.reload()
    files = [latentpress.compress(np.roll(photo, 50 * i, 1)) for i in range(3)]
    given = [
        {"name": f"{i}.ltp", "mimeType": "application/octet-stream", "buffer": data}
        for i, data in enumerate(files)
    ]
    page.set_input_files("#files", given)
    page.wait_for_selector("#list li:nth-child(3) .state:text('bpp')")
    assert difference(shown(page), latentpress.decompress(files[0])) <= 1
    _, data = saved(page, "#save-png")
    assert difference(Image.open(io.BytesIO(data)), shown(page)) == 0
    page.locator("#list .pick").last.click()  # decoded again
    assert difference(shown(page), latentpress.decompress(files[2])) <= 1


def test_a_pinch_of_many_small_turns_zooms_by_some_steps(
    page: Any, small: NDArray[np.uint8]
) -> None:
    give(page, "small.jpg", jpeg(small))
    shown(page)
    turned = """(turns) => {
      document.querySelector("#zoom-full").click();
      for (const [deltaX, deltaY] of turns) {
        const turn = { deltaX, deltaY, ctrlKey: true, cancelable: true };
        document.querySelector("#stage").dispatchEvent(new WheelEvent("wheel", turn));
      }
      return document.querySelector("#zoom-value").value;
    }"""
    assert page.evaluate(turned, [[0, -100]]) == "150 %"  # a notch of a mouse
    assert page.evaluate(turned, [[0, 53]]) == "75 %"
    assert page.evaluate(turned, [[0, -4]] * 20) == "200 %"
    assert page.evaluate(turned, [[30, 0]]) == "100 %"


def test_the_keyboard_alone_reaches_everything(page: Any, small: NDArray[np.uint8]) -> None:
    give(page, "small.jpg", jpeg(small))
    shown(page)
    page.focus("#files")
    met = []
    for _ in range(40):
        met.append(page.evaluate("document.activeElement.id || document.activeElement.className"))
        page.keyboard.press("Tab")
    expected = [
        "files",
        "by-quality",
        "quality",
        "size",
        "again",
        "pick",
        "drop-row",
        "tab-picture",
    ]
    expected += [
        "zoom-out",
        "zoom-in",
        "zoom-fit",
        "zoom-full",
        "divide",
        "stage",
        "save-ltp",
        "save-png",
        "save-webp",
    ]
    assert [name for name in met if name in expected][: len(expected)] == expected
    page.focus("#tab-picture")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    assert page.evaluate("document.activeElement.id") == "tab-file"
    assert page.is_visible("#facts")
    page.keyboard.press("ArrowRight")
    page.focus("#stage")
    page.keyboard.press("+")
    assert page.inner_text("#zoom-value") == "150 %"


def test_the_keyboard_stays_in_the_list_from_which_it_removes(
    page: Any, small: NDArray[np.uint8]
) -> None:
    for name in ("a.ltp", "b.ltp", "c.ltp"):
        give(page, name, latentpress.compress(small))
        page.wait_for_selector(f"#viewer-title:text('{name}')")
    page.wait_for_selector("#list li:nth-child(3) .state:text('bpp')")
    page.get_by_role("button", name="Remove a.ltp").focus()  # one that is not shown
    for focused in ("Remove b.ltp", "Remove c.ltp"):
        page.keyboard.press("Enter")
        assert page.evaluate("document.activeElement.ariaLabel") == focused
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "files"


def test_everything_that_is_operated_has_a_name(page: Any, small: NDArray[np.uint8]) -> None:
    give(page, "small.jpg", jpeg(small))
    shown(page)
    nameless = page.evaluate(
        """() => {
          const named = (e) => e.ariaLabel || e.labels?.length || e.textContent.trim()
            || e.getAttribute("aria-labelledby") || e.alt;
          const operated = "button, input, [role=tab], canvas[role], [tabindex='0'], img";
          return [...document.querySelectorAll(operated)]
            .filter((e) => !named(e)).map((e) => e.outerHTML);
        }"""
    )
    assert nameless == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_phone_has_no_horizontal_overflow(
    browser: Any, server: Any, photo: NDArray[np.uint8], scheme: str
) -> None:
    with browser.new_context(viewport=PHONE, color_scheme=scheme, has_touch=True) as context:
        page = watched(context.new_page())
        page.goto(server.url)
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
        give(
            page,
            "a_very_long_name_of_a_photograph_without_any_space_in_it_from_a_camera.ltp",
            latentpress.compress(photo),
        )
        shown(page)
        for tab in ("#tab-latent", "#tab-file", "#tab-picture"):
            page.click(tab)
            assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"], tab
        give(page, "cut.ltp", b"LTP\1")
        problem(page)
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]


# elements of a panel that stand out of it on the right
OUTSIDE = """() => [...document.querySelectorAll("#how, #list-part, #viewer")].flatMap((panel) => {
  const end = panel.getBoundingClientRect().right;
  return [...panel.querySelectorAll(":not(#layers *, #list .name)")]
    .filter((e) => e.checkVisibility() && e.getBoundingClientRect().right > end)
    .map((e) => e.outerHTML);
})"""


@pytest.mark.parametrize("share", [100, 200])
def test_large_letters_stay_within_a_small_phone(
    browser: Any, server: Any, photo: NDArray[np.uint8], share: int
) -> None:
    text = PngImagePlugin.PngInfo()
    text.add_text("A" * 79, "a word")
    stream = io.BytesIO()
    Image.fromarray(photo).save(stream, "PNG", pnginfo=text)
    small = {"width": 320, "height": 568}
    with browser.new_context(viewport=small, service_workers="block") as context:
        page = watched(context.new_page())
        page.goto(server.url)
        page.evaluate(f"document.documentElement.style.fontSize = '{share}%'")
        give(page, "a_long_name_" * 9 + ".png", stream.getvalue())
        shown(page)
        for tab in ("latent", "file", "picture"):
            page.evaluate(f"document.querySelector('#tab-{tab}').click()")
            assert page.evaluate(OUTSIDE) == [], tab
            assert page.evaluate("document.documentElement.scrollWidth") <= 320, tab
        assert page.evaluate("document.querySelector('#divide').offsetWidth") >= 40


def test_the_installed_page_works_without_its_server(
    browser: Any, photo: NDArray[np.uint8]
) -> None:
    data = latentpress.compress(photo)
    with browser.new_context() as context:
        page = watched(context.new_page())
        with serving() as server:
            page.goto(server.url)
            page.evaluate("navigator.serviceWorker.ready.then(() => true)")
            until(page, "navigator.serviceWorker.controller !== null")
        page.reload()
        give(page, "photo.ltp", data)
        assert difference(shown(page), latentpress.decompress(data)) <= 1


def test_files_named_on_the_command_line_are_opened(
    browser: Any, tmp_path: Path, small: NDArray[np.uint8]
) -> None:
    file = tmp_path / "ein Bild & ü.ltp"
    file.write_bytes(latentpress.compress(small))
    with serving(opened=[file]) as server, browser.new_context(service_workers="block") as context:
        page = watched(context.new_page())
        page.goto(server.url)
        assert difference(shown(page), latentpress.decompress(file)) <= 1
        assert page.inner_text("#viewer-title") == file.name


def test_a_folder_among_dropped_files_does_not_keep_the_others_out(
    page: Any, small: NDArray[np.uint8], tmp_path: Path
) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "a.ltp").write_bytes(latentpress.compress(small))
    files = [str(tmp_path / "folder"), str(tmp_path / "a.ltp")]
    protocol = page.context.new_cdp_session(page)
    for kind in ("dragEnter", "dragOver", "drop"):
        data = {"items": [], "files": files, "dragOperationsMask": 1}
        protocol.send("Input.dispatchDragEvent", {"type": kind, "x": 100, "y": 100, "data": data})
    assert problem(page) == "The file cannot be read: it is a folder, or has been moved or changed."
    page.get_by_role("button", name="a.ltp").first.click()
    assert shown(page).shape == small.shape


def test_a_file_that_has_gone_since_the_command_is_told(
    browser: Any, small: NDArray[np.uint8], tmp_path: Path
) -> None:
    gone, there = tmp_path / "gone.ltp", tmp_path / "there.ltp"
    for file in (gone, there):
        file.write_bytes(latentpress.compress(small))
    told = "The file cannot be loaded: it has been moved, or latentpress web has ended."
    with browser.new_context() as context:
        opened = context.new_page()
        opened.set_default_timeout(SLOW)
        with serving(opened=[gone, there]) as server:
            gone.unlink()
            opened.goto(server.url)
            assert shown(opened).shape == small.shape
            opened.get_by_role("button", name="gone.ltp").first.click()
            assert problem(opened) == told
            until(opened, "navigator.serviceWorker.controller !== null")
        context.set_offline(True)  # a thread of the server may still have a connection
        opened.reload()  # now from the service worker
        assert problem(opened) == told


def test_a_browser_without_webassembly_is_told_and_so_are_its_pictures(
    browser: Any, server: Any, small: NDArray[np.uint8]
) -> None:
    """As in Safari's Lockdown Mode."""
    guide = (ROOT / "docs" / "guide" / "browser.md").read_text(encoding="utf-8")
    with browser.new_context(service_workers="block") as context:
        page = watched(context.new_page())
        page.add_init_script("delete self.WebAssembly; delete self.Worker;")
        page.goto(server.url)
        told = page.inner_text("#unready")
        assert told.startswith("This browser lacks SIMD in WebAssembly, without which")
        [versions] = re.findall("; (.*) have what the page needs", told)
        assert versions in " ".join(guide.split())
        give(page, "small.ltp", latentpress.compress(small))
        assert problem(page) == "This browser lacks SIMD in WebAssembly."


@pytest.mark.parametrize(
    ("script", "told"),
    [
        (None, "This browser lacks web workers, in which pictures are pressed."),
        (
            "onmessage = () => postMessage({ error: { name: 'RangeError', message: '' } });",
            "There is not enough memory for this picture; the page takes up to 64 megapixels.",
        ),
    ],
)
def test_what_keeps_a_picture_from_being_pressed_is_told(
    page: Any, small: NDArray[np.uint8], script: str | None, told: str
) -> None:
    if script is None:
        page.add_init_script("delete self.Worker")
    else:
        page.route(
            "**/press_worker.js",
            lambda route: route.fulfill(content_type="text/javascript", body=script),
        )
    page.reload()
    give(page, "small.jpg", jpeg(small))
    assert problem(page) == told


def test_a_page_whose_scripts_do_not_run_says_so(browser: Any, tmp_path: Path) -> None:
    build(tmp_path)
    seen = "getComputedStyle(document.querySelector('#unready')).visibility === 'visible'"
    with browser.new_context() as context:
        page = context.new_page()
        page.goto((tmp_path / "index.html").as_uri())  # whence no modules are loaded
        until(page, seen)
        assert page.inner_text("#unready").startswith("The page has not started.")


def test_the_build_works_below_any_path(
    browser: Any, tmp_path: Path, photo: NDArray[np.uint8]
) -> None:
    """As on a static host, in a folder of it, with models that are gzip."""
    build(tmp_path / "some" / "folder")
    data = latentpress.compress(photo)
    with browser.new_context(service_workers="block") as context:
        page = watched(context.new_page())
        context.route("http://static.example/**", lambda route: serve_file(route, tmp_path))
        page.goto("http://static.example/some/folder/index.html")
        give(page, "photo.ltp", data)
        assert difference(shown(page), latentpress.decompress(data)) <= 1


class Unpacking(Files):
    """A host that tells browsers to unpack what ends in .gz, and names the page's file."""

    def do_GET(self) -> None:  # noqa: N802
        if self.path == "/":
            self.send_response(302)
            self.send_header("Location", "/index.html")
            self.send_header("Content-Length", "0")
            super().end_headers()
        else:
            super().do_GET()

    def end_headers(self) -> None:
        if self.path.endswith(".gz"):
            self.send_header("Content-Encoding", "gzip")
        super().end_headers()


def test_a_host_may_unpack_the_models_and_lead_to_the_pages_file(
    browser: Any, tmp_path: Path, small: NDArray[np.uint8]
) -> None:
    build(tmp_path)
    data = latentpress.compress(small)
    with giving_out(tmp_path, Unpacking) as address, browser.new_context() as context:
        page = watched(context.new_page())
        page.goto(address)
        give(page, "small.ltp", data)
        assert difference(shown(page), latentpress.decompress(data)) <= 1
        until(page, "navigator.serviceWorker.controller !== null")
        page.goto(f"{address}/index.html")  # now from the service worker
        assert page.title() == "latentpress"
        assert page.wrong == []


class Strict(Files):
    """A host that forbids whatever the guide does not ask for."""

    policy = ""

    def end_headers(self) -> None:
        self.send_header("Content-Security-Policy", f"default-src 'none'; {self.policy}")
        super().end_headers()


def test_the_page_works_under_the_policy_that_the_guide_asks_for(
    browser: Any, tmp_path: Path, small: NDArray[np.uint8]
) -> None:
    guide = (ROOT / "docs" / "guide" / "browser.md").read_text(encoding="utf-8")
    [asked] = re.findall("Content-Security-Policy is sent, it must allow\n(.*?)\\.", guide, re.S)
    rules = re.findall("`(.*?)`", asked)
    build(tmp_path)
    image = Image.fromarray(small)  # drawn as a PNG, for its profile's sake
    image.info["icc_profile"] = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    strict = type("Told", (Strict,), {"policy": "; ".join(rules)})
    with giving_out(tmp_path, strict) as address, browser.new_context() as context:
        page = watched(context.new_page())
        page.goto(f"{address}/")
        for name, data in (("a.ltp", latentpress.compress(image)), ("b.jpg", jpeg(small))):
            give(page, name, data)
            page.wait_for_selector(f"#viewer-title:text('{name}')")
            assert shown(page).shape == small.shape
        until(page, "navigator.serviceWorker.controller !== null")
        assert page.wrong == []


def serve_file(route: Any, folder: Path) -> None:
    """What a static host does with a request."""
    file = folder / route.request.url.split("/", 3)[3]
    if file.is_file():
        route.fulfill(path=file)
    else:
        route.fulfill(status=404)


def test_one_file_opens_and_presses_from_a_disk_without_a_network(
    browser: Any, tmp_path: Path, photo: NDArray[np.uint8]
) -> None:
    (tmp_path / "latentpress.html").write_text(single_page(), encoding="utf-8")
    data = latentpress.compress(photo)
    with browser.new_context(offline=True, accept_downloads=True) as context:
        page = watched(context.new_page())
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        page.goto((tmp_path / "latentpress.html").as_uri())
        give(page, "photo.ltp", data)
        assert difference(shown(page), latentpress.decompress(data)) <= 1
        give(page, "photo.jpg", jpeg(photo))
        page.wait_for_selector("#summary:has-text('Pressed in')")
        _, pressed = saved(page, "#save-ltp")
        assert latentpress.decompress(pressed).size == (400, 300)
        assert [url for url in asked if not url.startswith(("file:", "blob:", "data:"))] == []
        assert page.wrong == []


def test_a_shared_page_opens_its_pictures(
    browser: Any, tmp_path: Path, photo: NDArray[np.uint8], small: NDArray[np.uint8]
) -> None:
    first, second = latentpress.compress(photo), latentpress.compress(small)
    text = single_page(
        encoder=False, pictures=[("a & <b>.ltp", first), ("c.ltp", second)], title="Two"
    )
    (tmp_path / "shared.html").write_text(text, encoding="utf-8")
    with browser.new_context(offline=True) as context:
        page = watched(context.new_page())
        page.goto((tmp_path / "shared.html").as_uri())
        assert difference(shown(page), latentpress.decompress(first)) <= 1
        assert (page.title(), page.inner_text("#viewer-title")) == ("Two", "a & <b>.ltp")
        assert page.is_hidden("#how")  # it holds no encoder
        assert re.findall(r"\bpress\w*", page.inner_text("body")) == []
        page.click("text=c.ltp")
        page.wait_for_selector("#layers > canvas[width='109']")
        assert difference(shown(page), latentpress.decompress(second)) <= 1
        give(page, "photo.jpg", jpeg(small))
        assert "it has no encoder" in problem(page)
        assert page.wrong == []
