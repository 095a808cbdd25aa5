"""The latent search through every family of autoencoder, and that more effort is a smaller loss."""

import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from helpers.paths import WEIGHTS

torch = pytest.importorskip("torch")
with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # diffusers announces its own deprecations when it is imported
    diffusers = pytest.importorskip("diffusers", reason="needs the extra sd")
    from diffusers import AutoencoderKL

import latentpress  # noqa: E402
from latentpress import options  # noqa: E402
from latentpress.container import read_header  # noqa: E402
from latentpress.metrics import mse  # noqa: E402
from latentpress.optimize import onnx_torch  # noqa: E402
from latentpress.optimize.loss import weights_at  # noqa: E402

TINY = {"sd15": "taesd", "sdxl": "taesdxl", "sd3": "taesd3", "flux1": "taef1"}
Image = NDArray[np.uint8]


@pytest.fixture(autouse=True)
def _few_iterations(monkeypatch: pytest.MonkeyPatch) -> None:
    for effort, iterations in ((7, 8), (8, 20), (9, 60)):
        monkeypatch.setitem(options.ITERATIONS, effort, iterations)


def loss_of(data: bytes, image: Image, bpp: float, model: str | None = None) -> float:
    """What a search for mse minimizes, in bits a pixel, of real bytes and decoded pixels."""
    decoded = np.asarray(latentpress.decompress(data, model=model))
    return 8 * len(data) / image[:, :, 0].size + weights_at(bpp, "mse").mse * mse(image, decoded)


def assert_search_pays(image: Image, codec: str, model: str, effort: int) -> None:
    how = {"codec": codec, "model": model, "quality": 20, "optimize_for": "mse", "device": "cpu"}
    plain, searched = (latentpress.compress(image, effort=e, **how) for e in (0, effort))
    bpp = 8 * len(plain) / image[:, :, 0].size
    assert loss_of(searched, image, bpp, model) < loss_of(plain, image, bpp, model)
    assert read_header(searched).codec == codec


@pytest.mark.skipif(
    not WEIGHTS.is_dir(), reason="the tiny autoencoders are not beside this checkout"
)
@pytest.mark.parametrize(
    ("codec", "effort"), [("sd15", 8), ("sdxl", 9), ("sd3", 9), ("flux1", 9), ("flux1", 7)]
)
def test_the_search_through_each_tiny_autoencoder(small: Image, codec: str, effort: int) -> None:
    assert_search_pays(small, codec, str(WEIGHTS / TINY[codec]), effort)


@pytest.mark.skipif(
    not WEIGHTS.is_dir(), reason="the tiny autoencoders are not beside this checkout"
)
def test_the_search_keeps_what_the_factorized_prior_codes_better(photo: Image) -> None:
    """Of a single row the multistage prior takes more bytes."""
    row, model = photo[200:201].copy(), str(WEIGHTS / "taesd")
    how = {"codec": "sd15", "model": model, "optimize_for": "mse", "device": "cpu"}
    plain, searched = (latentpress.compress(row, effort=e, **how) for e in (0, 7))
    bpp = 8 * len(plain) / row[:, :, 0].size
    assert loss_of(searched, row, bpp, model) <= loss_of(plain, row, bpp, model)


@pytest.mark.parametrize(
    ("codec", "channels", "scaling"),
    [("sd15", 4, 0.18215), ("sdxl", 4, 0.13025), ("sd3", 16, 1.5305)],
)
def test_the_search_through_an_autoencoder_kl(
    small: Image, tmp_path: Path, codec: str, channels: int, scaling: float
) -> None:
    torch.manual_seed(0)
    autoencoder = AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        block_out_channels=(32, 32, 64, 64),
        layers_per_block=1,
        latent_channels=channels,
        sample_size=512,
        scaling_factor=scaling,
    )
    with torch.no_grad():
        # random weights leave the latent near 0: symbols are wanted
        autoencoder.encoder.conv_out.weight.mul_(10 / scaling)
    autoencoder.save_pretrained(tmp_path)
    assert_search_pays(small, codec, str(tmp_path), 9)


def test_more_effort_is_a_smaller_loss_on_average(
    photo: Image, monkeypatch: pytest.MonkeyPatch
) -> None:
    for effort, iterations in ((7, 50), (9, 120)):  # as they are, and less than it is
        monkeypatch.setitem(options.ITERATIONS, effort, iterations)
    crops = [photo[r : r + 80, c : c + 96].copy() for r, c in ((60, 200), (150, 40), (200, 300))]
    quality, bpp, losses = 40, 0.14, []
    for effort in (0, 4, 5, 6, 7, 9):
        files = [
            latentpress.compress(crop, quality=quality, effort=effort, optimize_for="mse")
            for crop in crops
        ]
        losses.append(
            float(
                np.mean([loss_of(data, crop, bpp) for data, crop in zip(files, crops, strict=True)])
            )
        )
    assert losses == sorted(losses, reverse=True)
    assert losses[-1] < losses[0]


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
@pytest.mark.parametrize(
    "codec",
    [
        "builtin",
        pytest.param(
            "sd15",
            marks=pytest.mark.skipif(
                not WEIGHTS.is_dir(), reason="the tiny autoencoders are not beside this checkout"
            ),
        ),
    ],
)
def test_the_search_within_a_mode_of_torch_without_gradients(
    small: Image, codec: str, mode: Any
) -> None:
    """In a new thread, whose model is loaded in that mode, too."""
    how = {"codec": codec, "effort": 7, "optimize_for": "mse", "device": "cpu"}
    if codec != "builtin":
        how["model"] = str(WEIGHTS / TINY[codec])

    def within() -> bytes:
        with mode():
            return latentpress.compress(small, **how)

    onnx_torch.torch_graph.cache_clear()
    with ThreadPoolExecutor(1) as pool:
        found = pool.submit(within).result()
    assert found == latentpress.compress(small, **how)
