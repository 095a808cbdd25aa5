"""What training ships can be read back, exported again, and agrees with torch."""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

import latentpress
from helpers.chunks import with_chunk
from latentpress import models
from latentpress.container import LATENT_HYPERPRIOR, unpack
from latentpress.entropy.factorized import bits_of
from latentpress.entropy.multistage import FINE, MultistageCoder, table_numbers
from latentpress.entropy.rans import CRC_BYTES
from latentpress.spaces import space_of_codec, step_size
from latentpress.transforms.restoration import restore

torch = pytest.importorskip("torch", reason="training needs torch")
pytest.importorskip("onnx", reason="training needs onnx")
TRAINING = Path(__file__).parents[1] / "training"


@pytest.fixture(scope="module")
def modules() -> Any:
    sys.path.insert(0, str(TRAINING))
    import integer
    import networks
    import shipped

    net = networks.Codec().eval()
    shipped.load_shipped(net)
    yield {"networks": networks, "integer": integer, "net": net}
    sys.path.remove(str(TRAINING))


def test_reading_back_and_quantising_again_gives_the_shipped_integers(modules: Any) -> None:
    import onnx

    found = {}
    for name in ("features.onnx", "context.onnx"):
        graph = onnx.load_from_string(models.read_file("lp1", name)).graph
        found |= {t.name: onnx.numpy_helper.to_array(t) for t in graph.initializer}
    for name in modules["integer"].LAYERS:
        layer = modules["integer"].integer_layer(modules["net"].prior, name)
        for convolution, weight in layer.weights.items():
            real = found[f"prior.{convolution}.weight"].astype(float)
            scale = found[f"prior.{name}.scale"].reshape(-1, 1, 1, 1) * 2.0 ** layer.shift.reshape(-1, 1, 1, 1)
            assert np.abs(weight - np.round(real * scale)).max() <= 1


def test_torch_estimates_the_bits_of_the_file(modules: Any, photo: NDArray[np.uint8]) -> None:
    image = photo[:256, :384]
    x = torch.from_numpy(image.copy()).permute(2, 0, 1)[None].float() / 127.5 - 1
    for quality in (20, 80):
        with torch.inference_mode():
            x_hat, bits = modules["net"](x, torch.tensor([quality / 100 * (modules["networks"].LEVELS - 1)]), hard=True)
        file = with_chunk(LATENT_HYPERPRIOR, Image.fromarray(image), quality)
        coded = 8 * (len(unpack(file)[1][LATENT_HYPERPRIOR]) - CRC_BYTES)
        assert abs(coded / float(bits) - 1) < 0.03
        decoded = np.asarray(latentpress.decompress(file))
        expected = ((x_hat[0].permute(1, 2, 0) * 127.5 + 127.5).clamp(0, 255)).numpy()
        assert np.abs(decoded - expected).mean() < 2


def test_the_last_run_of_the_synthesis_sees_what_a_file_gives(modules: Any, photo: NDArray[np.uint8]) -> None:
    import quantised

    image, networks = photo[:256, :384], modules["networks"]
    net = networks.Codec()
    net.load_state_dict(modules["net"].state_dict())
    codec = quantised.Quantised(net)
    x = torch.from_numpy(image.copy()).permute(2, 0, 1)[None].float() / 127.5 - 1
    x_hat, bits = codec(x, torch.tensor([0.6 * (networks.LEVELS - 1)]), hard=True)
    file = latentpress.compress(image, quality=60)
    expected = (x_hat.detach()[0].permute(1, 2, 0) * 127.5 + 127.5).clamp(0, 255).numpy()
    assert np.abs(np.asarray(latentpress.decompress(file)) - expected).mean() < 0.6
    assert abs(8 * len(file) / float(bits) - 1) < 0.05
    x_hat.square().mean().backward()
    learning = {name.split(".")[0] for name, p in net.named_parameters() if p.grad is not None}
    assert learning == {"gs", "inverse"}


def test_a_sum_that_could_leave_the_exact_integers_is_refused(modules: Any) -> None:
    weights = {"hs2": np.full((1, 300, 1, 1), 32767, np.int16)}
    layer = modules["integer"].IntegerLayer(weights, np.zeros(1, np.int32), np.zeros(1, np.int32))
    with pytest.raises(ValueError, match="not exact"):
        modules["integer"].check(layer, {"hs2": 255})


def test_new_channels_take_from_the_error_and_leave_the_old_ones_alone(modules: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    import widen

    networks, generator = modules["networks"], torch.Generator().manual_seed(0)

    class Smooth:
        def batch(self, n: int, size: int) -> Any:
            coarse = torch.rand((n, 3, size // 8, size // 8), generator=generator)
            return torch.nn.functional.interpolate(coarse, size=size, mode="bilinear")

    torch.manual_seed(0)
    monkeypatch.setattr(networks, "M", few := 224)
    old = networks.Codec()
    monkeypatch.undo()
    new = networks.Codec()
    new.load_state_dict(widen.widen(old.state_dict(), Smooth(), batches=2))
    x = Smooth().batch(2, 64) * 2 - 1
    with torch.inference_mode():
        before, after = old.gs(old.ga(x)), new.gs(new.ga(x))
        assert ((after - x) ** 2).mean() < 0.9 * ((before - x) ** 2).mean()
        y = new.ga(x)
        y[:, few:] = 0
        assert torch.allclose(new.gs(y), before, atol=1e-4)


def test_a_new_block_leaves_the_pictures_alone(modules: Any) -> None:
    import deepen

    net, block = modules["networks"].Codec(), "gs.trunk.7"
    state = net.state_dict()
    for kind in ("weight", "bias"):
        state[f"{block}.b.{kind}"].zero_()
    after = {name: f"gs.trunk.{int(name.split('.')[2]) - 1}.{name.split('.', 3)[3]}"
             for name in state if name.startswith("gs.trunk.") and int(name.split(".")[2]) > 7}
    old = {after.get(name, name): value.clone() for name, value in state.items() if not name.startswith(f"{block}.")}
    new = modules["networks"].Codec()
    new.load_state_dict(deepen.deepen(old, [block]))
    y = torch.randn(1, len(new.gain[0]), 4, 6, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        assert torch.equal(new.gs(y), net.gs(y))
    with pytest.raises(ValueError, match="has no"):
        deepen.deepen(dict(state), [block])


def test_training_crops_keep_blocky_sources_halved_and_validation_apart() -> None:
    sys.path.insert(0, str(TRAINING))
    import data

    assert data.held_out(Path("cid22-025.jpg"))
    assert not data.held_out(Path("cid22-026.jpg"))
    assert not data.held_out(Path("clothing-025.jpg"))
    assert data.halve(np.arange(16, dtype=np.float32).reshape(4, 4, 1))[0, 0, 0] == 2.5


def test_synthetic_pages_are_pictures() -> None:
    import random

    sys.path.insert(0, str(TRAINING))
    from synthetic import page

    pages = [page(random.Random(seed), 128) for seed in range(5)]
    assert all(p.shape == (128, 128, 3) and p.dtype == np.uint8 for p in pages)
    assert sum(float(p.std()) > 5 for p in pages) >= 4


def test_texture_distance_sees_lost_contrast_and_no_difference_in_equal_maps(modules: Any) -> None:
    from layer_distance import LayerDistance

    m, w = torch.rand(1, 5, 24, 24, generator=torch.Generator().manual_seed(1)), torch.ones(1, 5, 1, 1)
    flat = m.mean((2, 3), keepdim=True).expand_as(m)
    assert LayerDistance.apply(m, m, w).tolist() == pytest.approx([0, 0], abs=1e-6)
    assert LayerDistance.apply(flat, m, w)[1] == pytest.approx(0.5, abs=2e-3)               # means agree, structure is gone
    assert LayerDistance.apply((m + flat) / 2, m, w)[1] == pytest.approx(0.1, abs=2e-3)     # 2 * .5 / (1 + .25) = .8


def test_layer_distance_is_lpips_of_a_layer_and_has_the_gradient_of_autograd(modules: Any) -> None:
    from layer_distance import LEAST, LayerDistance

    rng = torch.Generator().manual_seed(2)
    f, g, w = torch.rand(1, 6, 5, 7, generator=rng), torch.rand(1, 6, 5, 7, generator=rng), torch.rand(1, 6, 1, 1, generator=rng)

    def plain(g: Any) -> Any:
        unit = lambda t: t / (t.square().sum(1, keepdim=True).sqrt() + 1e-10)
        mf, mg, centre = f.mean((2, 3)), g.mean((2, 3)), lambda t: t - t.mean((2, 3), keepdim=True)
        structure = (2 * (centre(f) * centre(g)).mean((2, 3)) + LEAST) / (centre(f)**2 + centre(g)**2).mean((2, 3)).add(LEAST)
        means = (2 * mf * mg + LEAST) / (mf**2 + mg**2 + LEAST)
        return torch.stack([((unit(f) - unit(g)).square() * w).sum(1).mean(), 1 - (means + structure).mean() / 2])

    assert torch.allclose(LayerDistance.apply(g, f, w), plain(g), atol=1e-6)
    for weights in (torch.tensor([1.0, 0.0]), torch.tensor([0.3, 2.0])):
        a, b = g.clone().requires_grad_(), g.clone().requires_grad_()
        (plain(a) @ weights).backward()
        (LayerDistance.apply(b, f, w) @ weights).backward()
        assert torch.allclose(a.grad, b.grad, atol=1e-6)


def test_whitened_adam_goes_down_a_valley_that_adam_crawls_along(modules: Any) -> None:
    from whitened import WhitenedAdam, inverse_root

    rng = torch.Generator().manual_seed(3)
    mixed = torch.randn(4096, 12, generator=rng) * torch.logspace(0, -1.5, 12)
    x = mixed @ torch.linalg.qr(torch.randn(12, 12, generator=rng))[0] + 0.5
    want = (mixed / mixed.std(0)).sum(1, keepdim=True) + 2
    left = {}
    for name in ("adam", "whitened"):
        layer = torch.nn.Linear(12, 1)
        layer.weight.data.zero_()
        layer.bias.data.zero_()
        ones = torch.cat([x, torch.ones(len(x), 1)], 1)
        optimizer = WhitenedAdam([(layer, 1.0, inverse_root(ones.T @ ones) if name == "whitened" else None)])
        for _ in range(150):
            layer.zero_grad()
            (layer(x) - want).square().mean().backward()
            optimizer.step(0.05)
        left[name] = float((layer(x) - want).detach().square().mean())
    assert left["whitened"] < 0.05 * left["adam"]


def test_whitened_adam_without_moments_is_adam(modules: Any) -> None:
    from whitened import BETAS, EPSILON, WhitenedAdam

    a, b = (torch.nn.Linear(5, 3) for _ in range(2))
    b.load_state_dict(a.state_dict())
    x, ours, theirs = torch.randn(20, 5), WhitenedAdam([(a, 0.5, None)]), torch.optim.Adam(b.parameters(), 0.005, BETAS, EPSILON)
    for _ in range(5):
        for layer in (a, b):
            layer.zero_grad()
            layer(x).square().mean().backward()
        ours.step(0.01)
        theirs.step()
    torch.testing.assert_close(a.state_dict(), b.state_dict())


@pytest.mark.parametrize("space", ["sd15", "flux1"])
def test_a_shipped_prior_read_back_estimates_the_bits_of_its_integers(modules: Any, space: str) -> None:
    import shipped_priors

    prior = shipped_priors.load_shipped(space)
    rng = np.random.default_rng(5)
    y = rng.normal(0, 1, (prior.channels, 10, 12)).repeat(4, 1).repeat(4, 2) + rng.normal(0, 0.1, (prior.channels, 40, 48))
    coder = MultistageCoder(space_of_codec(space), 40)
    with torch.inference_mode():
        step = torch.tensor([coder.step / FINE], dtype=torch.float32)
        bits, _ = prior(torch.from_numpy(y.astype(np.float32))[None], step, hard=True)
    modelled = coder.model(y.astype(np.float32))
    chosen = table_numbers(modelled.scale_eighths, 0)  # a file's may be others: it adapts them to a latent unlike the trained ones
    coded = sum(float(bits_of(modelled.symbols[chosen == t], int(t)).sum()) for t in np.unique(chosen))
    assert abs(coded / float(bits.sum()) - 1) < 0.01


@pytest.mark.parametrize("space", ["sd15", "flux1"])
def test_a_shipped_restoration_read_back_gives_what_the_decoder_gives(modules: Any, space: str) -> None:
    import restoration_network

    y_hat = np.random.default_rng(6).normal(0, 1, (space_of_codec(space).channels, 12, 9)).astype(np.float32)
    net = restoration_network.Restoration(len(y_hat))
    restoration_network.load_shipped(net, space)
    with torch.inference_mode():
        z = net(torch.from_numpy(y_hat)[None], torch.tensor([step_size(10)]))[0].numpy()
    np.testing.assert_allclose(z, np.concatenate(list(restore(space_of_codec(space), [y_hat], 10)), axis=1), atol=1e-4)
