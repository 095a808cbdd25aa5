"""A screen layer in a browser: Chromium's AV1, in boxes that the decoder puts around it, and
Pillow's give the same picture.
"""

import base64
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from helpers.paths import ROOT
from web.test_web_encoder_browser import browser, page  # noqa: F401  fixtures

GOLDEN = ROOT / "tests" / "golden" / "screen_v1"
NAMES = ("whole-av1", "whole-gray", "whole-alpha", "holes", "two-tiles")
# Runs in the page: a file -> RGBA, width, height.
SCRIPT = """async (data) => {
  const { decode } = await import("/web/src/index.js");
  const get = async (path) => (await fetch(path)).arrayBuffer();
  const folders = { "tables.npz": "/src/latentpress/entropy/", "engine.wasm": "/web/src/" };
  const lp1 = "/src/latentpress/models/lp1/";
  const models = {
    manifest: await (await fetch(lp1 + "model.json")).json(),
    read: (name) => get((folders[name] ?? lp1) + name),
  };
  const bytes = Uint8Array.from(atob(data), (c) => c.charCodeAt(0));
  const { width, height, pixels } = await decode(bytes, { models, workers: 0 });
  const letters = [];
  for (const byte of pixels) letters.push(String.fromCharCode(byte));
  return { width, height, pixels: btoa(letters.join("")) };
}"""


@pytest.mark.parametrize("name", NAMES)
def test_the_browser_shows_the_golden_picture(page: Any, name: str) -> None:  # noqa: F811
    data = (GOLDEN / f"{name}.ltp").read_bytes()
    shown = page.evaluate(SCRIPT, base64.b64encode(data).decode())
    expected = np.asarray(Image.open(Path(GOLDEN / f"{name}.png")).convert("RGBA")).astype(int)
    pixels = np.frombuffer(base64.b64decode(shown["pixels"]), np.uint8).reshape(
        shown["height"], shown["width"], 4
    )
    assert pixels.shape == expected.shape
    difference = np.abs(pixels.astype(int) - expected)
    assert difference.max() <= 4  # libraries convert YCbCr by themselves
    assert difference.mean() < 0.6
