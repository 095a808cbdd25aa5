"""Each part of the loss against a plain, slow form of it."""

import numpy as np
import pytest
import torch
from torch import Tensor

from training.losses import pixels
from training.losses.discriminator import (
    PATCH,
    Discriminator,
    deceiving,
    liveliness,
    telling_apart,
)
from training.losses.layer_distance import LEAST, LayerDistance
from training.losses.lpips import lpips, random_phase
from training.losses.parts import SQUARES, Distances, LossShape, Parts, curve, weighted
from training.losses.trunks import Trunk, random_weights
from training.losses.wasserstein import LEAST as LEAST_VARIANCE
from training.losses.wasserstein import halve, levels_of, statistics, wasserstein


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.fixture(scope="module")
def trunks() -> tuple[Trunk, Trunk]:
    weights = random_weights(16)
    return (
        Trunk("alex", weights, "cpu", torch.float32),
        Trunk("vgg", weights, "cpu", torch.float32),
    )


def plain_lpips(f: Tensor, g: Tensor, w: Tensor) -> Tensor:
    unit = lambda t: t / (t.square().sum(1, keepdim=True).sqrt() + 1e-10)
    return ((unit(f) - unit(g)).square() * w[:, None, None]).sum(1).mean((1, 2))


def plain_texture(f: Tensor, g: Tensor) -> Tensor:
    mf, mg = f.mean((2, 3)), g.mean((2, 3))
    centered_f, centered_g = f - mf[:, :, None, None], g - mg[:, :, None, None]
    covariance = (centered_f * centered_g).mean((2, 3))
    variances = (centered_f**2 + centered_g**2).mean((2, 3))
    structure = (2 * covariance + LEAST) / (variances + LEAST)
    means = (2 * mf * mg + LEAST) / (mf**2 + mg**2 + LEAST)
    return 1 - (means + structure).mean(1) / 2


def test_layer_distance_and_its_gradient_are_those_of_autograd() -> None:
    f, g, w = noise(3, 6, 5, 7), noise(3, 6, 5, 7, seed=1), noise(6, seed=2)
    plain = lambda t: torch.stack([plain_lpips(f, t, w), plain_texture(f, t)])
    assert torch.allclose(LayerDistance.apply(g, f, w), plain(g), atol=1e-6)
    for weights in (torch.tensor([1.0, 0.0]), torch.tensor([0.3, 2.0])):
        each = weights[:, None] * torch.tensor([1.0, 2.0, -1.0])
        a, b = g.clone().requires_grad_(), g.clone().requires_grad_()
        (plain(a) * each).sum().backward()
        (LayerDistance.apply(b, f, w) * each).sum().backward()
        assert torch.allclose(a.grad, b.grad, atol=1e-6)


def test_texture_distance_sees_lost_contrast_and_no_difference_in_equal_maps() -> None:
    m, w = noise(1, 5, 24, 24), torch.ones(5)
    flat = m.mean((2, 3), keepdim=True).expand_as(m)
    assert LayerDistance.apply(m, m, w).flatten().tolist() == pytest.approx([0, 0], abs=1e-6)
    # Means agree and structure is gone; then half the contrast: 2 * .5 / (1 + .25) = .8.
    assert float(LayerDistance.apply(flat, m, w)[1]) == pytest.approx(0.5, abs=2e-3)
    assert float(LayerDistance.apply((m + flat) / 2, m, w)[1]) == pytest.approx(0.1, abs=2e-3)


def test_lpips_is_the_sum_over_layers_and_moves_only_the_reconstruction(
    trunks: tuple[Trunk, Trunk],
) -> None:
    x, x_hat = noise(2, 3, 64, 64), noise(2, 3, 64, 64, seed=1).requires_grad_()
    for trunk in trunks:
        layers = zip(trunk(x), trunk(x_hat), trunk.linear, strict=True)
        want = sum(plain_lpips(f, g, w) for f, g, w in layers)
        got = lpips(trunk, x, x_hat)
        torch.testing.assert_close(got, want)
        (gradient,) = torch.autograd.grad(got.sum(), x_hat)
        assert gradient.abs().max() > 0


def test_a_random_phase_is_a_cut_of_both_pictures_and_takes_every_value() -> None:
    x = torch.arange(100.0).view(1, 1, 10, 10).expand(1, 3, 10, 10)
    seen = set()
    for seed in range(60):
        torch.manual_seed(seed)
        a, b = random_phase(x, x + 1000)
        top, left = divmod(int(a[0, 0, 0, 0]), 10)
        torch.testing.assert_close(a, x[:, :, top : top + 7, left : left + 7])
        torch.testing.assert_close(b, a + 1000)
        seen.add((top, left))
    assert len(seen) == 16


def test_halving_is_the_binomial_filter_of_every_second_place() -> None:
    t = noise(1, 2, 8, 6)
    padded = torch.nn.functional.pad(t, (1, 1, 1, 1), mode="replicate")
    kernel = torch.tensor([1.0, 2.0, 1.0]) / 4
    window = torch.outer(kernel, kernel)
    want = torch.stack(
        [
            (padded[:, :, i : i + 3, j : j + 3] * window).sum((2, 3))
            for i in range(0, 8, 2)
            for j in range(0, 6, 2)
        ],
        2,
    ).view(1, 2, 4, 3)
    torch.testing.assert_close(halve(t), want)


def test_wasserstein_distortion_is_that_of_slow_windows() -> None:
    f, g = noise(2, 3, 16, 16), noise(2, 3, 16, 16, seed=1) * 2
    total = 0.0
    for maps in zip(*(statistics(t, 2) for t in (f, g)), strict=True):
        total = total + (maps[0] - maps[1]).square().mean((1, 2, 3))
    torch.testing.assert_close(wasserstein(f, g, 2), total)
    # The windows of two halvings, as the weights of one place.
    weights = torch.stack(
        [halve(halve(torch.eye(256)[i].view(1, 1, 16, 16)))[0, 0, 2, 1] for i in range(256)]
    ).view(16, 16)
    assert float(weights.sum()) == pytest.approx(1)
    mean, deviation = statistics(f, 2)
    want_mean = (f[0, 0] * weights).sum()
    variance = (f[0, 0] ** 2 * weights).sum() - want_mean**2
    assert float(mean[0, 0, 2, 1]) == pytest.approx(float(want_mean), abs=1e-6)
    want_deviation = (float(variance) + LEAST_VARIANCE) ** 0.5 - LEAST_VARIANCE**0.5
    assert float(deviation[0, 0, 2, 1]) == pytest.approx(want_deviation, abs=1e-5)


def test_wasserstein_distortion_forgives_moved_texture_but_not_in_text() -> None:
    f = noise(1, 4, 64, 64)
    moved = f.roll((3, 5), (2, 3))
    exact = wasserstein(f, moved, 0)
    assert float(exact) == pytest.approx(float((f - moved).square().mean()))
    alike = wasserstein(f, moved, 4)
    assert alike < 0.02 * exact
    assert wasserstein(f, f * 0.5, 4) > 10 * alike
    text = torch.ones(1, 1, 128, 128)
    torch.testing.assert_close(wasserstein(f, moved, 4, text), exact)
    torch.testing.assert_close(wasserstein(f, moved, 4, text * 0), alike)


def test_levels_of_sigma_follow_the_strides() -> None:
    assert levels_of([1, 2, 4, 8, 16], 8.0) == [3, 2, 1, 0, 0]


def test_wasserstein_distortion_has_a_finite_gradient_on_flat_maps() -> None:
    g = torch.full((1, 2, 16, 16), 0.3, requires_grad=True)
    wasserstein(torch.full((1, 2, 16, 16), 0.7), g, 3).sum().backward()
    assert g.grad is not None
    assert g.grad.isfinite().all()


def test_distances_of_pixels() -> None:
    x, x_hat = noise(2, 3, 32, 32), noise(2, 3, 32, 32, seed=1)
    d = (x_hat - x).numpy().astype(float)
    mse = pixels.squared_error(x, x_hat).numpy()
    np.testing.assert_allclose(mse, (d**2).mean((1, 2, 3)), rtol=1e-5)
    mask = (noise(2, 1, 32, 32, seed=2) > 0.7).float()
    text = pixels.text_error(x, x_hat, mask).numpy()
    np.testing.assert_allclose(text, (np.abs(d) * mask.numpy()).mean((1, 2, 3)), rtol=1e-5)
    want = np.zeros(2)
    for k in (2, 4, 8, 16, 32):
        means = d.reshape(2, 3, 32 // k, k, 32 // k, k).mean((3, 5))
        want += np.abs(means).mean((1, 2, 3)) / 5
    np.testing.assert_allclose(pixels.coarse_error(x, x_hat).numpy(), want, rtol=1e-5)


def test_far_outside_the_range_squared_error_pulls_gently() -> None:
    x = torch.zeros(1, 3, 4, 4)
    far = torch.full_like(x, 3.0, requires_grad=True)
    pixels.squared_error(x, far).sum().backward()
    assert far.grad is not None
    torch.testing.assert_close(far.grad.sum(), torch.tensor(0.01))


def test_the_loss_is_the_formula_of_its_module() -> None:
    parts = Parts(*(torch.tensor([0.1 * (i + 1)]) for i in range(len(Parts._fields))))
    shape = LossShape(
        lpips_alex=1, lpips_vgg=2, texture=3, wasserstein=4, text=5, coarse=6, balance=0.5
    )
    distance = 1 * 0.2 + 2 * 0.3 + 3 * 0.4 + 4 * 0.5 + 5 * 0.6 + 6 * 0.7
    for rate in (0.035, 1.0):
        squared = 0.058 * rate**1.85 / (1 + 0.45 * rate**1.2) * SQUARES * 0.1
        perceptual = 20 * rate**1.7 / (1 + 0.68 * rate**1.2) * distance
        got = weighted(shape, parts, torch.tensor([0.25]), torch.tensor([rate]))
        assert float(got) == pytest.approx((squared + perceptual + 0.25) / rate**0.5, rel=1e-5)
    assert float(curve((2, 1, 0, 1), torch.tensor(3.0))) == 6


def test_only_the_parts_that_are_asked_for_are_computed(trunks: tuple[Trunk, Trunk]) -> None:
    x, x_hat = noise(1, 3, 64, 64), noise(1, 3, 64, 64, seed=1)
    text = torch.ones(1, 1, 64, 64)
    shape = LossShape(lpips_alex=0, lpips_vgg=0, texture=0, wasserstein=1, text=1)
    parts = Distances(shape, *trunks, [x])(x, x_hat, text)
    nonzero = {name for name, part in parts._asdict().items() if float(part)}
    assert nonzero == {"mse", "wasserstein", "text"}
    # With text everywhere, the mean of the layers' relative squared errors.
    pairs = zip(trunks[1](x), trunks[1](x_hat), strict=True)
    want = np.mean([float((f - g).square().mean() / f.square().mean()) for f, g in pairs])
    assert float(parts.wasserstein) == pytest.approx(want, rel=1e-4)


def test_vgg16_sees_a_window_at_a_random_place_and_the_other_parts_the_whole(
    trunks: tuple[Trunk, Trunk],
) -> None:
    x, x_hat = noise(2, 3, 128, 160), noise(2, 3, 128, 160, seed=1)
    text = (noise(2, 1, 128, 160, seed=2) > 0.5).float()
    every = {"wasserstein": 1.0, "text": 1.0, "coarse": 1.0}
    whole = Distances(LossShape(**every), *trunks, [x])
    part = Distances(LossShape(window=0.5, **every), *trunks, [x])
    whole.phase = part.phase = False
    torch.manual_seed(5)
    found = part(x, x_hat, text)
    torch.manual_seed(5)
    top, left = (int(torch.randint(n, (1,))) for n in (128 - 64 + 1, 160 - 80 + 1))
    cut = [t[:, :, top : top + 64, left : left + 80] for t in (x, x_hat, text)]
    in_window, outside = whole(*cut), whole(x, x_hat, text)
    for name in Parts._fields:
        of_vgg = name in ("lpips_vgg", "texture", "wasserstein")
        want = getattr(in_window if of_vgg else outside, name)
        torch.testing.assert_close(getattr(found, name), want, msg=name)


def test_the_discriminator_judges_patches_and_never_text() -> None:
    torch.manual_seed(0)
    net = Discriminator(latent=5, width=4)
    y_hat = noise(2, 5, 4, 3).requires_grad_()
    logits = net(noise(2, 3, 64, 48), y_hat, torch.tensor([0.0, 1.0]))
    assert logits.shape == (2, 1, 4, 3)
    logits.sum().backward()
    assert y_hat.grad is None
    text = torch.zeros(2, 1, 64, 48)
    text[:, :, :PATCH, :PATCH] = 1
    moved = logits.detach().clone()
    moved[:, :, 0, 0] += 5
    x = noise(2, 3, 64, 48)
    torch.testing.assert_close(deceiving(moved, text, x), deceiving(logits.detach(), text, x))
    assert (deceiving(moved, text * 0, x) < deceiving(logits.detach(), text * 0, x)).all()
    assert telling_apart(moved * 0 + 9, moved * 0 - 9) < 1e-3


def test_flat_patches_do_not_count_for_the_discriminator() -> None:
    x = torch.full((1, 3, 2 * PATCH, PATCH), 0.5)
    x[:, :, PATCH:] += 0.1 * noise(1, 3, PATCH, PATCH)
    flat, busy = liveliness(x).flatten().tolist()
    assert flat < 1e-3
    assert busy > 0.5
