"""The report in headless Chromium: it loads from disk without a network, the slider moves the
pictures, it fits a phone.
"""

import html
import json
import re
import shutil
import subprocess
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from helpers.bench_runs import make_run
from latentpress.bench.report import write_report
from latentpress.bench.rows import read_run

BROWSER = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
pytestmark = pytest.mark.skipif(
    BROWSER is None, reason="no Chromium here (Debian: apt-get install chromium)"
)

# What a reader does, written to the page at its end: keys and pointers are the events that a
# browser would send.
PROBE = """
addEventListener("load", () => {
  const item = document.querySelector(".item"), told = {};
  const is = name => item.querySelector("[data-is=" + name + "]");
  const stage = is("stage"), image = side => stage.querySelector("img." + side);
  const at = () => stage.style.getPropertyValue("--at");
  const changed = name => is(name).dispatchEvent(new Event("change"));
  const pick = (name, value) => { is(name).value = value; changed(name); };
  told.loaded = [...document.images].filter(i => i.complete && i.naturalWidth).length;
  told.start = [at(), image("left").alt, image("right").dataset.codec];
  is("slider").focus(); told.focus = document.activeElement === is("slider");
  is("slider").value = 80; is("slider").dispatchEvent(new Event("input"));
  told.slid = [at(), is("slider").getAttribute("aria-valuetext")];
  const box = stage.getBoundingClientRect();
  stage.setPointerCapture = () => {};
  const pressed = {clientX: box.left + box.width / 4, clientY: box.top + 5};
  stage.dispatchEvent(new PointerEvent("pointerdown", {...pressed, buttons: 1, pointerId: 1}));
  told.pulled = at();
  pick("right", "webp"); told.webp = [image("right").dataset.codec, is("said").textContent];
  is("apart").checked = true; changed("apart"); told.apart = image("right").dataset.kind;
  pick("rate", "1");
  const hidden = [...item.querySelectorAll("[data-crops]")].map(c => c.hidden);
  told.rate = [image("right").dataset.rate, hidden];
  const button = document.querySelector(".legend button[data-codec=jpeg]"); button.click();
  told.hidden = [...document.querySelectorAll(".curve.off")].map(g => g.dataset.codec);
  told.pressed = button.getAttribute("aria-pressed");
  told.wide = document.documentElement.scrollWidth - document.documentElement.clientWidth;
  document.body.dataset.told = JSON.stringify(told);
});
"""


def browse(page: Any, *options: Any) -> Any:
    """Chromium's standard output, offline, for a page on disk."""
    command = [
        BROWSER,
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--hide-scrollbars",
        "--host-resolver-rules=MAP * ~NOTFOUND",
        "--virtual-time-budget=3000",
        f"--user-data-dir={page.parent / 'profile'}",
        *options,
        page.as_uri(),
    ]
    return subprocess.run(command, capture_output=True, text=True, timeout=180, check=True).stdout


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory, photo: NDArray[np.uint8]) -> Any:
    pytest.importorskip("jinja2", reason="the page needs jinja2")
    folder = tmp_path_factory.mktemp("browser")
    run = read_run(make_run(folder / "run", photo))
    [path] = write_report(run, folder / "report.html", images=1)
    return path


@pytest.mark.parametrize("width", [1280, 500])
def test_a_reader_uses_the_page(page: Any, width: Any) -> None:
    probed = page.with_name(f"probed{width}.html")
    text = page.read_text(encoding="utf-8").replace(">left <span", f">{'long_name_' * 20} <span")
    assert "long_name_" in text
    assert text.count("</script>") == 1
    probed.write_text(text.replace("</script>", PROBE + "</script>"), encoding="utf-8")
    dom = browse(probed, "--dump-dom", f"--window-size={width},900")
    [found] = re.findall(r'data-told="([^"]+)"', dom)
    told = json.loads(html.unescape(found))
    assert told["loaded"] >= 2
    assert told["start"] == ["50%", "original", "builtin"]
    assert told["focus"]
    assert told["slid"] == ["80%", "80 % shows the left picture"]
    assert float(told["pulled"].removesuffix("%")) == pytest.approx(25, abs=1)
    assert told["webp"][0] == "webp"
    assert "Right: WebP q" in told["webp"][1]
    assert "% bytes" in told["webp"][1]
    assert told["apart"] == "difference"
    assert told["rate"] == ["1", [True, False]]
    assert set(told["hidden"]) == {"jpeg"}
    assert told["pressed"] == "false"
    assert told["wide"] <= 0  # nothing but a table's own frame scrolls sideways


def test_the_slider_moves_the_picture(page: Any) -> None:
    """Screenshots of the stage alone: left of the slider the original, right of it the decoded
    picture.
    """
    shots = []
    for at in (0, 100):
        moved = page.with_name(f"at{at}.html")
        show = (
            f"const slider = document.querySelector('[data-is=slider]'); slider.value = {at}; "
            "slider.dispatchEvent(new Event('input')); "
            "document.querySelectorAll('.tag,.bar').forEach(e => e.remove()); "
            "const s = document.querySelector('.stage'); "
            "s.style.cssText += ';position:fixed;left:0;top:0;width:200px;height:150px;"
            "z-index:9;border-radius:0'; document.body.append(s);"
        )
        moved.write_text(
            page.read_text(encoding="utf-8").replace("</script>", show + "</script>"),
            encoding="utf-8",
        )
        browse(
            moved,
            f"--screenshot={moved.with_suffix('.png')}",
            "--window-size=800,600",
            "--force-device-scale-factor=1",
        )
        shots.append(
            np.asarray(Image.open(moved.with_suffix(".png")).convert("RGB"), np.float64)[:150, :200]
        )
    original = np.asarray(Image.open(page.parent / "run" / "left.png"), np.float64)
    decoded, whole = (np.abs(shot - original).mean() for shot in shots)
    assert whole < 4  # WebP of the page's own picture
    assert decoded > 2 * whole
