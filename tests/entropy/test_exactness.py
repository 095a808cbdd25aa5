"""The decoder recovers the same integers whatever computes them."""

import os
import subprocess
import sys
import zlib
from math import erf, sqrt
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

import latentpress
from latentpress import codec, models
from latentpress.container import LATENT_HYPERPRIOR
from latentpress.entropy import cdf_tables, planes
from latentpress.entropy.gaussian_conditional import WHITE_MAX
from latentpress.entropy.hyperprior import HyperpriorCoder
from latentpress.entropy.planes import scale_index
from latentpress.entropy.rans import CRC_BYTES
from latentpress.runtimes.checkerboard import ANCHORS, OTHERS, halves

SCRIPT = """
import sys, zlib, onnxruntime, latentpress
from latentpress import codec
from latentpress.runtimes import on_onnxruntime
if sys.argv[2] == "off":
    original = on_onnxruntime.session_options
    def options(threads):
        o = original(threads)
        o.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
        return o
    on_onnxruntime.session_options = options
data = open(sys.argv[1], "rb").read()
y = codec.decode_latent(data)
file = latentpress.compress(sys.argv[3], quality=60, content="photo")
print(zlib.crc32(y.tobytes()), zlib.crc32(file))
"""
ENVIRONMENTS = {
    "1 thread": ({"LATENTPRESS_THREADS": "1"}, "on"),
    "2 threads": ({"LATENTPRESS_THREADS": "2"}, "on"),
    "no graph optimization": ({}, "off"),
    "no C library": ({"LATENTPRESS_NATIVE": "0"}, "on"),
    "the package's own networks": ({"LATENTPRESS_RUNTIME": ""}, "on"),
    "no AVX-512": (
        {"OPENBLAS_CORETYPE": "Haswell", "NPY_DISABLE_CPU_FEATURES": "AVX512F AVX512CD AVX512_SKX"},
        "on",
    ),
}


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_same_symbols_in_another_process(
    name: str, photo: NDArray[np.uint8], tmp_path: Path
) -> None:
    settings, optimization = ENVIRONMENTS[name]
    Image.fromarray(photo).save(tmp_path / "photo.png")
    data = latentpress.compress(photo, quality=60, content="photo")
    (tmp_path / "photo.ltp").write_bytes(data)
    known = {k: v for k, v in settings.items() if k != "NPY_DISABLE_CPU_FEATURES" or has_avx512()}
    run = subprocess.run(
        [
            sys.executable,
            "-c",
            SCRIPT,
            str(tmp_path / "photo.ltp"),
            optimization,
            str(tmp_path / "photo.png"),
        ],
        env=os.environ | known,
        capture_output=True,
        text=True,
        check=True,
    )
    latent, pressed = run.stdout.split()
    assert int(latent) == zlib.crc32(codec.decode_latent(data).tobytes())
    if name == "no C library":
        assert int(pressed) == zlib.crc32(
            latentpress.compress(str(tmp_path / "photo.png"), quality=60, content="photo")
        )


def has_avx512() -> bool:
    """NumPy warns of features that it cannot disable because the processor has none."""
    from numpy._core._multiarray_umath import __cpu_features__

    return bool(__cpu_features__.get("AVX512_SKX"))


@pytest.mark.parametrize("runtime", ["onnxruntime", ""])
def test_inputs_at_their_limits_stay_exact(runtime: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The largest inputs that the prior can meet give integers, and scales that there are."""
    monkeypatch.setenv("LATENTPRESS_RUNTIME", runtime)
    rng = np.random.default_rng(0)
    prior = HyperpriorCoder("lp1", 100)
    z = np.where(rng.random((64, 4, 4)) < 0.5, -127, 127).astype(np.int32)
    features, gaussians, _ = prior.features(z, 16, 16)
    assert np.array_equal(features, np.rint(features))
    assert features.min() >= 0
    assert features.max() <= 255
    if features.dtype == np.uint8:
        features = features.transpose(2, 0, 1).astype(np.float32)
    white = np.where(rng.random((len(prior.gain), 16, 16)) < 0.5, -WHITE_MAX, WHITE_MAX)
    feeds = {}
    for name, plane, kind in (("features", features, OTHERS), ("white", white, ANCHORS)):
        feeds[f"{name}.0"], feeds[f"{name}.1"] = halves(plane.astype(np.float32), kind)
    even, odd = models.run_halved("lp1", "context.onnx", feeds)
    assert np.array_equal(even, np.rint(even))
    assert np.array_equal(odd, np.rint(odd))
    planes.second_distributions(even[0], odd[0], gaussians)
    assert gaussians.scale.max() < cdf_tables.SCALES


@pytest.mark.parametrize("graph", ["features.onnx", "context.onnx"])
def test_no_sum_of_the_prior_can_leave_the_exact_integers(graph: str) -> None:
    """Read from the shipped file itself: sum |weight| * largest input + |bias| < 2^24 in every
    channel of every layer.
    """
    onnx = pytest.importorskip("onnx", reason="needs the package onnx to read the graph")
    model = onnx.load_from_string(models.read_file("lp1", graph))
    arrays = {t.name: onnx.numpy_helper.to_array(t) for t in model.graph.initializer}
    largest = {"prior.hs1": 127, "prior.ctx_a": 127, "prior.ctx_b": 127}
    bias = {"prior.hs1": np.abs(models.arrays("lp1", "levels.npz")["bias"]).max(0)}
    reach: dict[str, NDArray[np.int64]] = {}
    for name, weight in arrays.items():
        if name.endswith(".weight"):
            assert weight.dtype == np.int16
            layer = name.removesuffix(".weight")
            total = np.abs(weight.astype(np.int64)).sum((1, 2, 3)) * largest.get(layer, 255)
            key = "prior.ctx" if layer.startswith("prior.ctx") else layer
            reach[key] = reach.get(key, np.int64(0)) + total
    for layer, total in reach.items():
        b = (
            bias[layer]
            if layer in bias
            else np.abs(arrays[f"{layer}.bias"].astype(np.int64)).ravel()
        )
        assert (total + b).max() < 2**24, layer


def test_coded_bits_stay_by_the_estimate(photo: NDArray[np.uint8]) -> None:
    """Against the ideal (real-valued Gaussian) bits of the same symbols, each rounded alone."""
    phi = np.vectorize(lambda t: 0.5 * (1 + erf(t / sqrt(2))))
    y = codec.encode_latent(photo)
    for quality in (10, 50, 90):
        prior = HyperpriorCoder("lp1", quality, chunk_type=LATENT_HYPERPRIOR)
        z, passes, _ = prior.model_segment(y * prior.gain)
        symbols = np.concatenate([z.ravel(), *(s.alone for _, s in passes)])
        numbers = np.concatenate(
            [prior.z_tables(z.shape).ravel(), *(one.tables for one, _ in passes)]
        )
        sigma, v = cdf_tables.sigmas()[numbers].astype(np.float64), np.abs(symbols)
        keep = (v > 0) | (sigma > 0.2)  # the rest costs nothing
        p = phi((0.5 - v[keep]) / sigma[keep]) - phi((-0.5 - v[keep]) / sigma[keep])
        estimate = -np.log2(np.maximum(p, 1e-9)).sum()
        coded = 8 * (len(prior.encode([y])) - CRC_BYTES)
        assert estimate - 64 <= coded <= 1.005 * estimate + 64


def test_scale_indices_round_half_up_and_clip() -> None:
    scale_eighths = np.array([-100, 3, 4, 11, 12, 9999], np.int32)
    assert scale_index(scale_eighths).tolist() == [0, 0, 1, 1, 2, 63]
