"""Picture files that a browser decodes and encodes: samples, turn and the rest as Python's."""

import base64
import io
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw

import latentpress
from helpers.browser import launch, serving_checkout
from latentpress.image.color import to_srgb
from latentpress.image.picture import read_picture
from web.test_web_metadata import WIDE, XMP, exif
from web.test_web_straight import chunk

Array = NDArray[np.uint8]
# Runs in the page: the bytes of files -> what encode() makes of them, or its error.
SCRIPT = """async (sources) => {
  const { encode } = await import("/web/src/index.js");
  const { checkoutModels } = await import("/web/tools/page_models.js");
  const models = await checkoutModels();
  const results = [];
  for (const { data, type, options, how } of sources) {
    const bytes = Uint8Array.from(atob(data), (c) => c.charCodeAt(0));
    let source = new Blob([bytes], { type });
    if (how === "bitmap") source = await createImageBitmap(source);
    try {
      let notice = null;
      const onNotice = (told) => { notice = told; };
      const file = await encode(source, { ...options, models, onNotice });
      const data = btoa(Array.from(file, (b) => String.fromCharCode(b)).join(""));
      results.push({ data, notice });
    } catch (error) {
      results.push({ error: error.message, kind: error.kind, name: error.name });
    }
  }
  return results;
}"""


browser = pytest.fixture(scope="module")(launch)


@pytest.fixture(scope="module")
def page(browser: Any) -> Iterator[Any]:
    """A page of the checkout in headless Chromium."""
    with serving_checkout() as url:
        tab = browser.new_page()
        tab.set_default_timeout(300_000)
        tab.goto(f"{url}/web/package.json")
        yield tab
        tab.close()


def encode(page: Any, sources: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What the page answers: "data" as bytes, or "error"."""
    sent = [s | {"data": base64.b64encode(s["data"]).decode()} for s in sources]
    answers: list[dict[str, Any]] = page.evaluate(SCRIPT, sent)
    for answer in answers:
        if "data" in answer:
            answer["data"] = base64.b64decode(answer["data"])
    return answers


def saved(image: Image.Image, form: str, **options: Any) -> bytes:
    out = io.BytesIO()
    image.save(out, form, **options)
    return out.getvalue()


def files(photo: Array) -> dict[str, tuple[bytes, str]]:
    """Picture files and their types by name."""
    rgb = Image.fromarray(photo[:90, :122])
    block = b"Exif\0\0"
    clear = Image.fromarray(np.dstack([photo[:90, :122], np.zeros((90, 122), np.uint8)]))
    clear.paste(rgb.convert("RGBA"), (30, 20))
    ramp = np.tile(np.linspace(64, 255, 122).astype(np.uint8), (90, 1))
    smooth = Image.fromarray(np.dstack([photo[:90, :122], ramp]))
    icc = {"icc_profile": WIDE}
    return {
        "png": (saved(rgb, "PNG", **icc, exif=exif(6), dpi=(300, 200)), "image/png"),
        "jpeg": (saved(rgb, "JPEG", quality=95, exif=block + exif(8), **icc), "image/jpeg"),
        "jpeg turned by xmp": (saved(rgb, "JPEG", quality=95, xmp=XMP), "image/jpeg"),
        "webp": (saved(rgb, "WEBP", lossless=True, exif=block + exif(3), **icc), "image/webp"),
        "gray": (saved(rgb.convert("L"), "PNG"), "image/png"),
        "palette": (saved(rgb.quantize(16), "PNG"), "image/png"),
        "cut out": (saved(clear, "PNG"), "image/png"),
        "smooth opacity": (saved(smooth, "PNG"), "image/png"),
        "smooth opacity, webp": (saved(smooth, "WEBP", lossless=True, exact=True), "image/webp"),
        "smooth opacity, lossy": (saved(smooth, "WEBP", quality=100), "image/webp"),
        "bmp": (saved(rgb, "BMP"), "image/bmp"),
    }


@pytest.fixture(scope="module")
def coded(page: Any, photo: Array) -> dict[str, dict[str, Any]]:
    """What the page makes of each of `files`."""
    options = {"quality": 70}
    sources = [{"data": d, "type": t, "options": options} for d, t in files(photo).values()]
    return dict(zip(files(photo), encode(page, sources), strict=True))


@pytest.mark.parametrize("name", list(files(np.zeros((300, 400, 3), np.uint8))))
def test_a_picture_file_is_encoded_as_in_python(
    coded: dict[str, dict[str, Any]], photo: Array, name: str
) -> None:
    data = files(photo)[name][0]
    picture = read_picture(data)
    ours = latentpress.compress(data, quality=70, content="photo")
    assert "error" not in coded[name], coded[name]
    image = latentpress.decompress(coded[name]["data"])
    expected = latentpress.decompress(ours)
    assert image.mode == expected.mode
    assert image.size == expected.size
    assert image.info.get("icc_profile") == expected.info.get("icc_profile")
    assert image.info.get("xmp") == expected.info.get("xmp")
    if "exif" in Image.open(io.BytesIO(data)).info:
        assert image.info.get("exif") == expected.info.get("exif")
    if name != "bmp":  # of which only the pixels are read
        assert image.info.get("dpi") == expected.info.get("dpi")
    difference = np.asarray(image.convert("RGBA"), int) - np.asarray(expected.convert("RGBA"), int)
    if picture.alpha is not None:
        assert not difference[..., 3].any()
        difference = difference[picture.alpha > 0]
    # JPEG decoders differ by a level here or there, and the encoders by a symbol.
    limit = 3 if name == "smooth opacity, lossy" else 1.5  # a canvas premultiplies
    assert np.sqrt(np.square(difference).mean()) < limit


def test_the_numbers_of_a_png_count_before_its_profile(page: Any, photo: Array) -> None:
    file = saved(Image.fromarray(photo[:90, :122]), "PNG", icc_profile=WIDE)
    file = file[:33] + chunk(b"cICP", b"\x0c\x0d\0\1") + file[33:]  # Display P3
    ours = latentpress.decompress(latentpress.compress(file, quality=90, content="photo"))
    [answer] = encode(page, [{"data": file, "type": "image/png", "options": {"quality": 90}}])
    theirs = latentpress.decompress(answer["data"])
    assert "icc_profile" not in theirs.info
    seen = to_srgb(ours, ours.info["icc_profile"])
    assert seen is not None
    assert np.abs(np.asarray(seen, int) - np.asarray(theirs, int)).mean() < 3


def test_an_image_bitmap_is_encoded(page: Any, photo: Array) -> None:
    data = files(photo)["gray"][0]
    source = {"data": data, "type": "image/png", "options": {"maxBytes": 900}, "how": "bitmap"}
    [answer] = encode(page, [source])
    assert len(answer["data"]) <= 900
    assert latentpress.decompress(answer["data"]).size == (122, 90)


def screenshot() -> Image.Image:
    """A window with a list of words."""
    image = Image.new("RGB", (620, 410), (236, 238, 241))
    draw = ImageDraw.Draw(image)
    draw.rectangle((0, 0, 619, 28), (38, 70, 110))
    for i in range(12):
        draw.rectangle((12, 42 + 30 * i, 24, 54 + 30 * i), (200, 40 + 15 * i, 60))
        draw.text((40, 40 + 30 * i), f"item {i}: the quick brown fox jumps over dogs", (20, 20, 20))
    return image


def test_a_screenshot_is_kept_exactly_or_told(page: Any, photo: Array) -> None:
    image = screenshot()
    cases = [
        ({"quality": 60}, image, "exact"),
        ({"maxBytes": 12_000}, image, "exact"),
        ({"quality": 0}, image, "drawn"),
        ({"maxBytes": 1500}, image, "drawn"),
        ({"quality": 60}, Image.fromarray(photo), None),
        ({"quality": 60}, Image.new("RGB", (2100, 40), (9, 200, 30)), "exact"),
    ]
    sources = [
        {"data": saved(source, "PNG"), "type": "image/png", "options": options}
        for options, source, _ in cases
    ]
    for (options, source, notice), answer in zip(cases, encode(page, sources), strict=True):
        assert answer["notice"] == notice, options
        assert len(answer["data"]) <= options.get("maxBytes", 1e6)
        decoded = latentpress.decompress(answer["data"])
        is_exact = (np.asarray(decoded) == np.asarray(source)).all()
        assert is_exact == (notice == "exact"), options
        if notice == "exact" and "quality" in options:
            latent = latentpress.compress(source, quality=options["quality"], content="photo")
            assert len(answer["data"]) <= len(latent)


def test_what_is_no_picture_is_refused_in_a_sentence(page: Any, photo: Array) -> None:
    ltp = latentpress.compress(photo[:16, :16], content="photo")
    cut = files(photo)["jpeg"][0][:-2]
    bad = [b"", b"not a picture", files(photo)["png"][0][:60], ltp, cut]
    sources = [{"data": d, "type": "", "options": {"quality": 50}} for d in bad]
    answers = encode(page, sources)
    assert [answer["kind"] for answer in answers] == ["image"] * 5
    assert "already" in answers[3]["error"]
    assert "cut off" in answers[4]["error"]
