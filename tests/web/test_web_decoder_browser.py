"""The decoder in headless Chromium and Firefox: golden files and the prior's integers."""

import base64
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from golden.test_golden import BUILTIN
from golden.test_golden import FOLDER as GOLDEN
from helpers.browser import launch, serving_checkout
from helpers.firefox import FIREFOX, firefox
from helpers.prior_dumps import dump_prior

Evaluate = Callable[[str, Any], Any]
DECODE = """async (names) => {
  const { Decoder } = await import("/web/src/index.js");
  const { checkoutModels } = await import("/web/tools/page_models.js");
  const create = () => new Worker("/web/src/worker.js", { type: "module" });
  const decoder = new Decoder({ models: await checkoutModels(), workers: { count: 2, create } });
  const found = {};
  for (const name of names) {
    const bytes = await (await fetch(`/tests/golden/v1/${name}.ltp`)).arrayBuffer();
    const { width, height, channels, pixels } = await decoder.decode(bytes);
    let text = "";
    for (const byte of pixels) text += String.fromCharCode(byte);
    found[name] = { width, height, channels, pixels: btoa(text) };
  }
  const isWorking = (await decoder.runners()).length === 2;
  await decoder.close();
  return { found, isWorking };
}"""
COMPARE = """async () => {
  const { Core, readFiles } = await import("/web/src/core.js");
  const { checkoutModels } = await import("/web/tools/page_models.js");
  const { compareNetworks } = await import("/tests/web/programs/prior_integers.js");
  const core = await Core.create(await readFiles(await checkoutModels()));
  return compareNetworks(core, async (name) =>
    new Uint8Array(await (await fetch(`/given/${name}`)).arrayBuffer()));
}"""
browser = pytest.fixture(scope="module")(launch)


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server of the checkout, with dumps of the prior below /given/."""
    folder: Path = tmp_path_factory.mktemp("dumps")
    dump_prior(folder)
    (folder / "empty.html").write_text("<!doctype html><title>tests</title>")
    with serving_checkout(folder) as url:
        yield f"{url}/given/empty.html"


@pytest.fixture(scope="module")
def chromium(request: pytest.FixtureRequest, address: str) -> Iterator[Evaluate]:
    page = request.getfixturevalue("browser").new_page()
    page.set_default_timeout(300_000)
    page.goto(address)
    yield page.evaluate
    page.close()


@pytest.fixture(scope="module")
def gecko(address: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Evaluate]:
    if FIREFOX is None:
        pytest.skip("Firefox is not installed (Debian: apt-get install firefox-esr)")
    with firefox(tmp_path_factory.mktemp("profile")) as found:
        found.goto(address)
        yield found.evaluate


@pytest.fixture(scope="module", params=["chromium", "gecko"])
def evaluate(request: pytest.FixtureRequest) -> Evaluate:
    found: Evaluate = request.getfixturevalue(request.param)
    return found


def test_golden_files(evaluate: Evaluate) -> None:
    told = evaluate(DECODE, BUILTIN)
    assert told["isWorking"]
    for name, found in told["found"].items():
        with Image.open(GOLDEN / f"{name}.png") as image:
            expected = np.asarray(image)
            rgba = np.asarray(image.convert("RGBA"))
        channels = 1 if expected.ndim == 2 else expected.shape[2]
        size = {key: found[key] for key in ("height", "width", "channels")}
        assert (*size.values(),) == (*expected.shape[:2], channels), name
        pixels = np.frombuffer(base64.b64decode(found["pixels"]), np.uint8).reshape(rgba.shape)
        assert np.abs(pixels.astype(int) - rgba).max() <= 1, name
    assert told["found"].keys() == set(BUILTIN)


def test_integers_of_the_prior(evaluate: Evaluate) -> None:
    result = evaluate(COMPARE, None)
    assert result["compared"] > 400_000
    assert result["worst"] == 0


def test_both_browsers_give_the_same_pixels(chromium: Evaluate, gecko: Evaluate) -> None:
    names = ["q60", "alpha"]
    assert chromium(DECODE, names) == gecko(DECODE, names)
