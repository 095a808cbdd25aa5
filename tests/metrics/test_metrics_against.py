"""Metrics of several pictures against one original: what they find in it is computed once, and the
numbers are those of one picture alone, to the bit.
"""

import importlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from helpers.metric_weights import RUNTIMES, clear, install
from latentpress.errors import ImageError
from latentpress.metrics import METRICS, Reference, assess, features, registry, ssimulacra2

LEARNED = ["lpips", "lpips-vgg", "dists"]
FREE = [key for key in METRICS if key not in LEARNED]


@pytest.fixture
def weights(made: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    clear()
    install(tmp_path, made, monkeypatch)
    yield
    clear()


@pytest.fixture
def original(photo: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.ascontiguousarray(photo[60:225, 90:260])


def distorted(original: NDArray[np.uint8]) -> list[NDArray[np.uint8]]:
    rng = np.random.default_rng(1)
    noisy = [original + rng.normal(0, sigma, original.shape) for sigma in (3, 40)]
    return [original // 32 * 32, *(np.clip(t, 0, 255).round().astype(np.uint8) for t in noisy)]


@pytest.mark.parametrize("gray", [False, True])
@pytest.mark.parametrize("name", FREE)
def test_one_after_the_other_gives_the_numbers_of_each_alone(
    original: NDArray[np.uint8], name: str, gray: bool
) -> None:
    against = METRICS[name].against(original, gray=gray)
    for b in distorted(original) * 2:
        assert against(b) == METRICS[name].function(original, b, gray=gray)
    plane = np.ascontiguousarray(original[:, :, 1])
    against = METRICS[name].against(plane)
    for b in distorted(plane):
        assert against(b) == METRICS[name].function(plane, b)


@pytest.mark.usefixtures("weights")
@pytest.mark.parametrize("runtime", RUNTIMES)
@pytest.mark.parametrize("name", LEARNED)
def test_the_same_of_learned_metrics_whose_features_are_computed_once(
    original: NDArray[np.uint8], name: str, runtime: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(features, "runtime", lambda: runtime)
    alone = [METRICS[name].function(original, b) for b in distorted(original)]
    computed = []
    compute = features.compute
    monkeypatch.setattr(
        features, "compute", lambda *given: computed.append(given[0]) or compute(*given)
    )
    against = METRICS[name].against(original)
    assert [against(b) for b in distorted(original)] == alone
    assert len(computed) == 1 + len(alone)
    assert [against(b) for b in distorted(original)] == alone
    assert len(computed) == 1 + 2 * len(alone)


def test_ssimulacra2_keeps_the_scales_of_the_original(
    original: NDArray[np.uint8], monkeypatch: pytest.MonkeyPatch
) -> None:
    module = importlib.import_module("latentpress.metrics.ssimulacra2")
    seen = []
    scales = module._scales
    monkeypatch.setattr(module, "_scales", lambda image: seen.append(image) or scales(image))
    against = METRICS["ssimulacra2"].against(original)
    for b in distorted(original):
        against(b)
    assert sum(image is original for image in seen) == 1
    for b in distorted(original):
        ssimulacra2(original, b)
    assert sum(image is original for image in seen) == 1 + 3


@pytest.mark.usefixtures("weights")
@pytest.mark.parametrize("name", [*LEARNED, "ssimulacra2"])
def test_of_a_large_original_nothing_is_kept(
    original: NDArray[np.uint8], name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("onnx")
    kept = METRICS[name].against(original)
    monkeypatch.setattr(registry, "KEPT", original.shape[0] * original.shape[1] - 1)
    let_go = METRICS[name].against(original)
    assert type(let_go) is not type(kept)
    for b in distorted(original):
        assert let_go(b) == kept(b)


@pytest.mark.usefixtures("weights")
def test_a_reference_assesses_as_assess_does(original: NDArray[np.uint8]) -> None:
    pytest.importorskip("onnx")
    for gray in (False, True):
        reference = Reference(original, gray=gray)
        for b in distorted(original):
            for names in ("all", ["psnr", "lpips"], ["ms-ssim-db"]):
                assert reference.assess(b, names) == assess(original, b, names, gray=gray)


@pytest.mark.usefixtures("weights")
@pytest.mark.parametrize("name", METRICS)
def test_a_picture_that_does_not_match_is_an_error_and_the_next_one_is_graded(
    original: NDArray[np.uint8], name: str
) -> None:
    pytest.importorskip("onnx")
    against = METRICS[name].against(original)
    for b in (original[1:], original[:, :, 0], original.astype(np.float32)):
        with pytest.raises(ImageError):
            against(b)
        with pytest.raises(ImageError):
            Reference(original).assess(b, [name])
    assert against(original) in METRICS[name].range
