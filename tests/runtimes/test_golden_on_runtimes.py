"""Every way of running the transforms against the golden files: the same symbols, and pixels within
a tolerance.
"""

import json
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

import latentpress
from golden.make import checksum
from latentpress import codec, models
from latentpress.metrics import psnr
from latentpress.runtimes import choice, native
from latentpress.runtimes.choice import is_installed
from latentpress.runtimes.threads import limited_to

FOLDER = Path(__file__).parents[1] / "golden" / "v1"
INDEX = json.loads((FOLDER / "golden.json").read_text())
NAMES = ("alpha", "grey", "odd", "pixel", "q20", "q99.99")
# (runtime, precision): largest difference of a pixel from the golden one, and root of the mean
# square
TOLERANCES = {
    ("onnxruntime", "float"): (1, 0.05),
    ("native", "int8"): (5, 0.8),
    ("onnxruntime", "int8"): (5, 0.8),
    ("openvino", "float"): (1, 0.05),
    ("openvino", "half"): (3, 0.6),
    ("openvino", "int8"): (5, 0.8),
    ("torch", "float"): (1, 0.05),
    ("torch", "half"): (3, 0.6),
}


@pytest.fixture(params=TOLERANCES, ids=" ".join)
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> tuple[str, str]:
    runtime, precision = request.param
    if runtime == "native" and not native.library():
        pytest.skip("no library, or nothing for bytes")
    if runtime != "native" and not is_installed(runtime):
        pytest.skip(f"{runtime} is not installed")
    monkeypatch.setenv(choice.RUNTIME_VARIABLE, runtime)
    monkeypatch.setenv(choice.PRECISION_VARIABLE, precision)
    return runtime, precision


def test_symbols_and_pixels(way: tuple[str, str]) -> None:
    most, root_mean_square = TOLERANCES[way]
    differences = []
    for name in NAMES:
        data = (FOLDER / f"{name}.ltp").read_bytes()
        assert checksum(data) == INDEX[name]["symbols_crc32c"]
        codec.decode_latent(data)  # raises where the symbols have another checksum
        decoded = latentpress.decompress(data, device="cpu")
        expected = Image.open(FOLDER / f"{name}.png")
        assert (decoded.mode, decoded.size) == (expected.mode, expected.size)
        differences.append((np.asarray(decoded).astype(float) - np.asarray(expected)).ravel())
    together = np.concatenate(differences)
    assert np.abs(together).max() <= most
    assert np.sqrt(np.square(together).mean()) <= root_mean_square


def test_what_one_encodes_the_others_decode_to_the_same_integers(
    way: tuple[str, str], photo: NDArray[np.uint8], monkeypatch: pytest.MonkeyPatch
) -> None:
    data = latentpress.compress(photo, quality=60, device="cpu", content="photo")
    y_hat = codec.decode_latent(data)
    monkeypatch.setenv(choice.RUNTIME_VARIABLE, "onnxruntime")
    monkeypatch.setenv(choice.PRECISION_VARIABLE, "float")
    assert np.array_equal(codec.decode_latent(data), y_hat)
    reference = latentpress.compress(photo, quality=60, device="cpu", content="photo")
    assert len(data) == pytest.approx(len(reference), rel=0.02)
    own, expected = (psnr(photo, np.asarray(latentpress.decompress(d))) for d in (data, reference))
    assert own == pytest.approx(expected, abs=0.25)


def test_the_same_twice_and_on_any_number_of_threads(way: tuple[str, str]) -> None:
    y = np.random.default_rng(0).normal(0, 1, (1, 320, 6, 9)).astype(np.float32)
    [first] = models.run("lp1", "synthesis.onnx", "cpu", y=y)
    [again] = models.run("lp1", "synthesis.onnx", "cpu", y=y, frugal=True)
    assert np.array_equal(first, again)
    with limited_to(1):
        [alone] = models.run("lp1", "synthesis.onnx", "cpu", y=y)
    assert np.abs(alone.astype(int) - first).max() <= TOLERANCES[way][0]
    assert first.dtype == np.uint8
    assert first.shape == (1, 96, 144, 3)


def test_threads_share_a_graph(way: tuple[str, str]) -> None:
    from concurrent.futures import ThreadPoolExecutor

    rng = np.random.default_rng(1)
    latents = [rng.normal(0, 1, (1, 320, 4, 5 + i % 3)).astype(np.float32) for i in range(12)]
    alone = [models.run("lp1", "synthesis.onnx", "cpu", y=y)[0] for y in latents]
    with ThreadPoolExecutor(4) as pool:
        together = list(
            pool.map(lambda y: models.run("lp1", "synthesis.onnx", "cpu", y=y)[0], latents)
        )
    for a, b in zip(alone, together, strict=True):
        assert np.array_equal(a, b)
