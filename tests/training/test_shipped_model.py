"""The shipped lp1 can be read back into torch, exported again, and agrees with torch."""

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

import latentpress
from helpers.chunks import with_chunk
from latentpress import models
from latentpress.container import LATENT_HYPERPRIOR, unpack
from latentpress.entropy.rans import CRC_BYTES

onnx = pytest.importorskip("onnx", reason="export needs onnx")

from training.lp1.codec import Codec  # noqa: E402
from training.lp1.exactness import float_bits, float_prior  # noqa: E402
from training.lp1.export import Float64Prior  # noqa: E402
from training.lp1.integer import LAYERS, IntegerLayer, check, integer_layer  # noqa: E402
from training.lp1.pruning import blocks_of  # noqa: E402
from training.lp1.shape import LEVELS, Shape  # noqa: E402
from training.lp1.shipped import load_shipped, shipped_codec  # noqa: E402


@pytest.fixture(scope="module")
def net() -> Codec:
    return shipped_codec()


def as_input(image: NDArray[np.uint8]) -> torch.Tensor:
    return torch.from_numpy(image.copy()).permute(2, 0, 1)[None].float() / 127.5 - 1


def as_level(quality: float) -> torch.Tensor:
    return torch.tensor([quality / 100 * (LEVELS - 1)])


def test_the_state_is_of_a_whole_model(net: Codec) -> None:
    state = load_shipped()
    assert set(state) == set(net.state_dict())
    assert all(torch.equal(value, net.state_dict()[name]) for name, value in state.items())


@pytest.mark.parametrize("leak", [0.0, 0.01])
def test_channels_that_are_not_shipped_learn_again_or_stay_silent(net: Codec, leak: float) -> None:
    x = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0)) * 2 - 1
    pictures = []
    for revive in (True, False):
        one = Codec(Shape(leak=leak))
        one.load_state_dict(load_shipped(revive))
        coded = one(x, torch.tensor([3.0]), hard=True)
        (coded.x_hat.square().sum() + coded.bits.sum()).backward()
        pictures.append(coded.x_hat.detach())
        for _, _, block in blocks_of(one):
            silent = (block.b.weight == 0).all(3).all(2).all(0)
            assert bool(block.b.weight.grad[:, silent].any()) == (revive and bool(silent.any()))
            assert not block.a.weight.grad[silent].any()
            assert not block.a.bias.grad[silent].any()
    assert torch.equal(*pictures)


def test_reading_back_and_quantizing_again_gives_the_shipped_integers(net: Codec) -> None:
    found = {}
    for name in ("features.onnx", "context.onnx"):
        graph = onnx.load_from_string(models.read_file("lp1", name)).graph
        found |= {t.name: onnx.numpy_helper.to_array(t) for t in graph.initializer}
    for name in LAYERS:
        layer = integer_layer(net.prior, name)
        shift = layer.shift.reshape(-1, 1, 1, 1)
        scale = found[f"prior.{name}.scale"].reshape(-1, 1, 1, 1) * 2.0**shift
        for convolution, weight in layer.weights.items():
            real = found[f"prior.{convolution}.weight"].astype(float)
            assert np.abs(weight - np.round(real * scale)).max() <= 1


@pytest.mark.parametrize("quality", [20, 80])
def test_torch_estimates_the_bits_of_the_file(
    net: Codec, photo: NDArray[np.uint8], quality: int
) -> None:
    image = photo[:256, :384]
    with torch.inference_mode():
        x_hat, bits, _ = net(as_input(image), as_level(quality), hard=True)
    file = with_chunk(LATENT_HYPERPRIOR, Image.fromarray(image), quality)
    coded = 8 * (len(unpack(file)[1][LATENT_HYPERPRIOR]) - CRC_BYTES)
    assert abs(coded / float(bits) - 1) < 0.03
    decoded = np.asarray(latentpress.decompress(file))
    expected = (x_hat[0].permute(1, 2, 0) * 127.5 + 127.5).clamp(0, 255).numpy()
    assert np.abs(decoded - expected).mean() < 2


def test_a_prior_in_floats_needs_about_the_same_bits_and_is_gone_afterwards(
    net: Codec, photo: NDArray[np.uint8]
) -> None:
    image = photo[:128, :192]
    bits = lambda: float(net(as_input(image), as_level(50), hard=True).bits)
    with torch.inference_mode():
        before = bits()
        with float_prior():
            inside = bits()
        assert bits() == before
    assert inside == float_bits(net, image, 50)
    assert 0 < abs(inside / before - 1) < 0.01


def test_the_integer_prior_in_float64_is_about_that_of_torch(net: Codec) -> None:
    layers = {name: integer_layer(net.prior, name) for name in LAYERS}
    exact = Float64Prior(net.prior, layers)
    z = np.random.default_rng(7).laplace(0, 3, (1, net.shape.hyper, 3, 4)).round().clip(-127, 127)
    f, _ = exact.features(torch.from_numpy(z), layers["hs1"].bias[3])
    with torch.inference_mode():
        bias = net.prior.level_bias[3][None]
        expected = net.prior.hyper_features(torch.from_numpy(z).float(), bias)
    assert (f / 32 - expected).abs().max() <= 3 / 32
    assert (f / 32 - expected).abs().mean() < 0.1 / 32


def test_a_sum_that_could_leave_the_exact_integers_is_refused() -> None:
    weights = {"hs2": np.full((1, 300, 1, 1), 32767, np.int16)}
    layer = IntegerLayer(weights, np.zeros(1, np.int32), np.zeros(1, np.int32))
    with pytest.raises(ValueError, match="not exact"):
        check(layer, {"hs2": 255})
