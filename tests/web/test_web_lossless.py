"""Lossless WebP in JavaScript, which screen layers hold: Pillow reads what it writes, and back."""

import base64
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

import latentpress
from helpers.node import needs_node, run_node
from helpers.paths import ROOT

pytestmark = needs_node
Array = NDArray[np.uint8]


def pictures(photo: Array) -> dict[str, Image.Image]:
    rng = np.random.default_rng(0)
    drawn = Image.new("RGB", (301, 203), (240, 240, 244))
    draw = ImageDraw.Draw(drawn)
    for i in range(9):
        draw.text((10, 20 * i), f"line {i}: 0123456789 abcdef", (10 * i, 20, 60))
    smooth = drawn.resize((188, 131), Image.Resampling.BICUBIC)  # of many colors
    checks = (np.indices((50, 70)).sum(0) % 2 * 255).astype(np.uint8)
    found = {f"{n} colors": drawn.quantize(n).convert("RGB") for n in (2, 3, 4, 5, 16, 17, 200)}
    skewed = np.minimum(rng.geometric(0.35, (90, 90, 3)) * 9, 255).astype(np.uint8)
    return (
        found
        | {
            "drawn": drawn,
            "smooth": smooth,
            "checks": Image.fromarray(checks).convert("RGB"),
            "one pixel": Image.new("RGB", (1, 1), (1, 2, 3)),
            "one color": Image.new("RGB", (5000, 3), (200, 2, 3)),
            "a row": Image.fromarray(rng.integers(0, 256, (1, 57, 3), np.uint8)),
            "a column": Image.fromarray(rng.integers(0, 256, (57, 1, 3), np.uint8)),
            "noise": Image.fromarray(rng.integers(0, 256, (97, 131, 3), np.uint8)),
            "skewed noise": Image.fromarray(skewed),  # whose codes are of many lengths
            "photo": Image.fromarray(photo[:80, :120]),
        }
    )


def lossless(image: Image.Image, **options: int) -> bytes:
    out = io.BytesIO()
    image.save(out, "WEBP", lossless=True, **options)
    return out.getvalue()


def test_pillow_and_javascript_read_each_other(tmp_path: Path, photo: Array) -> None:
    images = [image for image in pictures(photo).values() for _ in range(3)]
    efforts = [{"quality": q, "method": m} for q, m in ((0, 0), (75, 4), (100, 6))]
    cases = []
    for i, image in enumerate(images):
        webp = lossless(image, **efforts[i % 3])
        parts = {"rgba": image.convert("RGBA").tobytes(), "webp": webp}
        coded = {name: base64.b64encode(part).decode() for name, part in parts.items()}
        cases.append(coded | {"width": image.width, "height": image.height})
    (tmp_path / "cases.json").write_text(json.dumps(cases))
    answers = run_node("lossless.js", tmp_path / "cases.json")
    for image, answer in zip(images, answers, strict=True):
        assert base64.b64decode(answer["pixels"]) == image.convert("RGBA").tobytes()
        written = Image.open(io.BytesIO(base64.b64decode(answer["file"])))
        assert written.convert("RGB").tobytes() == image.tobytes()


def test_drawings_take_little_more_than_libwebp_needs(tmp_path: Path) -> None:
    total = {"ours": 0, "libwebp": 0}
    cases = []
    for path in sorted((ROOT / "benchmarks" / "data" / "screens").glob("*.webp"))[:6]:
        image = Image.open(path).convert("RGB").crop((0, 0, 320, 320))
        webp = lossless(image, quality=80)
        total["libwebp"] += len(webp)
        parts = {"rgba": image.convert("RGBA").tobytes(), "webp": webp}
        coded = {name: base64.b64encode(part).decode() for name, part in parts.items()}
        cases.append(coded | {"width": 320, "height": 320})
    (tmp_path / "cases.json").write_text(json.dumps(cases))
    for answer in run_node("lossless.js", tmp_path / "cases.json"):
        total["ours"] += len(base64.b64decode(answer["file"]))
    assert 0 < total["ours"] < 1.35 * total["libwebp"]


def pressed_in_node(images: list[Image.Image], folder: Path) -> list[dict[str, Any]]:
    """What the page's encoder makes of images, in Node."""
    cases = []
    for image in images:
        rgba = base64.b64encode(image.convert("RGBA").tobytes()).decode()
        cases.append({"rgba": rgba, "width": image.width, "height": image.height})
    (folder / "cases.json").write_text(json.dumps(cases))
    return run_node("pressed.js", folder / "cases.json")


def test_the_samples_are_no_drawings_and_a_faint_pattern_is_one(tmp_path: Path) -> None:
    checks = (64 + 24 * (np.indices((64, 96)).sum(0) % 2)).astype(np.uint8)
    jobs = [Image.open(path) for path in sorted((ROOT / "samples").glob("*.jpg"))]
    jobs.append(Image.fromarray(checks))
    answers = pressed_in_node(jobs, tmp_path)
    assert [answer["notice"] for answer in answers] == [None] * (len(jobs) - 1) + ["exact"]


def test_python_reads_a_layer_of_several_tiles(tmp_path: Path, photo: Array) -> None:
    """What the encoder of the page makes of a drawing and of one color, in Node."""
    drawn = Image.new("RGB", (2120, 66), (240, 240, 244))
    draw = ImageDraw.Draw(drawn)
    for i in range(0, 2000, 40):
        draw.rectangle((i, i % 48, i + 12, i % 48 + 9), (i % 256, 90, 40))
    paper = np.random.default_rng(1).normal(240, 3, (224, 320)).clip(0, 255).astype(np.uint8)
    scan = Image.fromarray(paper).convert("RGB")
    for y in range(8, 216, 14):
        ImageDraw.Draw(scan).text((8, y), "The quick brown fox jumps over the lazy dog, twice", 0)
    jobs = [drawn, Image.new("RGB", (2120, 40), (9, 200, 30)), Image.fromarray(photo[:64, :96])]
    jobs.append(scan)  # no part of which is flat
    answers = pressed_in_node(jobs, tmp_path)
    assert [answer["notice"] for answer in answers] == ["exact", "exact", None, "drawn"]
    for image, answer in zip(jobs[:2], answers, strict=False):
        decoded = latentpress.decompress(base64.b64decode(answer["file"]))
        assert decoded.tobytes() == image.tobytes()
    assert len(base64.b64decode(answers[1]["file"])) < 40
