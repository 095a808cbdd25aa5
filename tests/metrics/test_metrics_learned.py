"""LPIPS and DISTS on both runtimes against plain torch code, and with the published weights against
the implementations of others.
"""

import importlib.util
import sys
import types
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from helpers.metric_weights import RUNTIMES, clear, install, published
from latentpress.errors import ImageError
from latentpress.metrics import METRICS, features, trunks, weights
from latentpress.metrics.dists import dists
from latentpress.metrics.lpips import lpips, lpips_vgg

torch = pytest.importorskip("torch")
F = torch.nn.functional


@pytest.fixture(autouse=True)
def fresh() -> Any:
    clear()
    yield
    clear()


@pytest.fixture
def with_made_weights(made: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(tmp_path, made, monkeypatch)


@pytest.fixture
def pair(photo: NDArray[np.uint8]) -> Any:
    a = photo[60:117, 90:166]
    noise = np.random.default_rng(1).normal(0, 20, a.shape)
    return a, np.clip(a + noise, 0, 255).round().astype(np.uint8)


def tensor(image: Any) -> Any:
    return torch.tensor(np.ascontiguousarray(image)).permute(2, 0, 1)[None].float() / 255


def plain_features(x: Any, net: Any, pool: Any) -> Any:
    """The trunk, straight from the papers' code: convolution, ReLU, pooling before the layers that
    the trunk's table names.
    """
    trunk, maps = trunks.TRUNKS[net], []
    for i, (kernel, bias) in enumerate(weights.load_network(trunk.weights).convolutions):
        if i in trunk.pools:
            x = pool(x)
        x = F.relu(
            F.conv2d(
                x,
                torch.tensor(kernel),
                torch.tensor(bias),
                trunk.stride if i == 0 else 1,
                trunk.padding[i],
            )
        )
        if i in trunk.taps:
            maps.append(x)
    return maps


def plain_lpips(a: Any, b: Any, net: Any) -> Any:
    shift, scale = (
        torch.tensor(t).view(1, 3, 1, 1) for t in ([-0.030, -0.088, -0.188], [0.458, 0.448, 0.450])
    )
    pool = (lambda t: F.max_pool2d(t, 3, 2)) if net == "alex" else (lambda t: F.max_pool2d(t, 2))
    maps = [plain_features((2 * tensor(image) - 1 - shift) / scale, net, pool) for image in (a, b)]
    total = 0.0
    for f, g, w in zip(*maps, weights.load_network(net).linear, strict=True):
        f, g = (t / (t.pow(2).sum(1, keepdim=True).sqrt() + 1e-10) for t in (f, g))
        total += float(((f - g).pow(2) * torch.tensor(w).view(1, -1, 1, 1)).sum(1).mean())
    return total


def plain_dists(a: Any, b: Any) -> Any:
    """The paper's formula; L2 pooling as its authors' code has it: a 3 x 3 Hann window over the
    squares.
    """
    hann = torch.tensor(np.outer([0.25, 0.5, 0.25], [0.25, 0.5, 0.25]), dtype=torch.float32)
    pool = lambda t: (
        F.conv2d(t**2, hann.repeat(t.shape[1], 1, 1, 1), stride=2, padding=1, groups=t.shape[1])
        + 1e-12
    ).sqrt()
    mean, deviation = (
        torch.tensor(t).view(1, 3, 1, 1) for t in ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
    )
    maps = [
        [tensor(image), *plain_features((tensor(image) - mean) / deviation, "vgg-l2", pool)]
        for image in (a, b)
    ]
    luminance, structure = [], []
    for f, g in zip(*maps, strict=True):
        f, g = f[0].double().flatten(1), g[0].double().flatten(1)
        luminance.append(
            (2 * f.mean(1) * g.mean(1) + 1e-6) / (f.mean(1) ** 2 + g.mean(1) ** 2 + 1e-6)
        )
        covariance = (f * g).mean(1) - f.mean(1) * g.mean(1)
        structure.append(
            (2 * covariance + 1e-6) / (f.var(1, correction=0) + g.var(1, correction=0) + 1e-6)
        )
    alpha, beta = (torch.tensor(t).double() for t in weights.load_dists())
    total = alpha.sum() + beta.sum()
    return 1 - float(
        (alpha / total * torch.cat(luminance)).sum() + (beta / total * torch.cat(structure)).sum()
    )


@pytest.mark.usefixtures("with_made_weights")
@pytest.mark.parametrize("runtime", RUNTIMES)
@pytest.mark.parametrize(("net", "metric"), [("alex", lpips), ("vgg", lpips_vgg)])
def test_lpips_is_plain_torch_code_on_both_runtimes(
    monkeypatch: pytest.MonkeyPatch, pair: Any, runtime: Any, net: Any, metric: Any
) -> None:
    monkeypatch.setattr(features, "runtime", lambda: runtime)
    assert metric(*pair) == pytest.approx(plain_lpips(*pair, net), abs=1e-5)
    assert metric(pair[0], pair[0]) == 0


@pytest.mark.usefixtures("with_made_weights")
@pytest.mark.parametrize("runtime", RUNTIMES)
def test_dists_is_plain_torch_code_on_both_runtimes(
    monkeypatch: pytest.MonkeyPatch, pair: Any, runtime: Any
) -> None:
    a, b = pair
    monkeypatch.setattr(features, "runtime", lambda: runtime)
    assert dists(a, b) == pytest.approx(plain_dists(a, b), abs=1e-5)
    assert dists(a, a) == 0
    assert 0 < dists(a, a // 2 + b // 2) < dists(a, b)
    assert dists(a, b) == pytest.approx(dists(b, a), abs=1e-9)
    dot = a.copy()
    dot[30, 30, 1] ^= 1
    assert dists(a, dot) == pytest.approx(plain_dists(a, dot), abs=1e-9)
    assert dists(a, dot) > 0
    gray = a[:, :, 0], b[:, :, 0]
    assert dists(*gray) == pytest.approx(dists(*(np.stack([t] * 3, -1) for t in gray)), abs=1e-9)


@pytest.mark.usefixtures("with_made_weights")
@pytest.mark.parametrize("name", ["lpips", "lpips-vgg", "dists"])
def test_too_small_images_are_an_error_and_the_smallest_is_none(name: Any, pair: Any) -> None:
    metric = METRICS[name]
    side = metric.smallest
    assert np.isfinite(metric.function(*(t[:side, :side] for t in pair)))
    with pytest.raises(ImageError, match=f"{side} x {side}"):
        metric.function(*(t[: side - 1, :side] for t in pair))


@published("alex", "vgg")
def test_lpips_is_that_of_the_training_loss(tmp_path: Path, pair: Any) -> None:
    pytest.importorskip(
        "safetensors", reason="the training loss reads its weights from a safetensors file"
    )
    from training.losses.lpips import lpips as training_lpips
    from training.losses.trunks import load_trunks, save_published

    save_published(tmp_path / "lpips.safetensors")
    alex, vgg = load_trunks(tmp_path / "lpips.safetensors", "cpu", torch.float32)
    original, changed = map(tensor, pair)
    assert lpips(*pair) == pytest.approx(
        float(training_lpips(alex, original, changed)[0]), abs=1e-3
    )  # weights in float16
    assert lpips_vgg(*pair) == pytest.approx(
        float(training_lpips(vgg, original, changed)[0]), abs=1e-3
    )


def torchvision_with_vgg16() -> Any:
    """As much of torchvision as DISTS_pytorch asks for, with VGG16's published weights."""
    layers, used = [], iter(weights.load_network("vgg").convolutions)
    for width in (
        64,
        64,
        "pool",
        128,
        128,
        "pool",
        256,
        256,
        256,
        "pool",
        512,
        512,
        512,
        "pool",
        512,
        512,
        512,
        "pool",
    ):
        if width == "pool":
            layers.append(torch.nn.MaxPool2d(2, 2))
            continue
        kernel, bias = map(torch.tensor, next(used))
        layer = torch.nn.Conv2d(kernel.shape[1], width, 3, padding=1)
        layer.weight.data, layer.bias.data = kernel, bias
        layers += [layer, torch.nn.ReLU()]
    models = types.SimpleNamespace(
        vgg16=lambda pretrained: types.SimpleNamespace(features=torch.nn.Sequential(*layers))
    )
    return types.SimpleNamespace(models=models, transforms=None)


@published("vgg", "dists")
def test_dists_is_that_of_its_authors(monkeypatch: pytest.MonkeyPatch, pair: Any) -> None:
    spec = importlib.util.find_spec("DISTS_pytorch")
    if spec is None:
        pytest.skip("the package dists-pytorch is not installed")
    monkeypatch.setitem(sys.modules, "torchvision", torchvision_with_vgg16())
    path = Path(spec.submodule_search_locations[0])
    module = types.ModuleType("authors")
    exec(compile((path / "DISTS_pt.py").read_text(), "DISTS_pt.py", "exec"), module.__dict__)
    model = module.DISTS(load_weights=False)
    theirs = torch.load(path / "weights.pt", map_location="cpu", weights_only=True)
    model.alpha.data, model.beta.data = theirs["alpha"], theirs["beta"]
    ours = [torch.tensor(t).view(1, -1, 1, 1) for t in weights.load_dists()]
    assert torch.equal(ours[0], theirs["alpha"])
    assert torch.equal(ours[1], theirs["beta"])
    assert dists(*pair) == pytest.approx(model(*map(tensor, pair)).item(), abs=1e-5)
