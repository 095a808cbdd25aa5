"""The priors of the Stable Diffusion spaces: their optimizer, and the shipped ones in torch."""

import io

import numpy as np
import pytest
import torch

from latentpress import models
from latentpress.entropy.factorized import bits_of
from latentpress.entropy.multistage import FINE, MultistageCoder, table_numbers
from latentpress.entropy.multistage_network import FILE
from latentpress.spaces import space_of_codec
from training.sd_priors.export import Part, integer_layer, packed
from training.sd_priors.networks import Prior, fit_linear
from training.sd_priors.shipped import load_shipped
from training.sd_priors.whitened_adam import BETAS, EPSILON, WhitenedAdam, inverse_root

SPACES = pytest.mark.parametrize("space", ["sd15", "flux1"])


def test_whitened_adam_goes_down_a_valley_that_adam_crawls_along() -> None:
    rng = torch.Generator().manual_seed(3)
    mixed = torch.randn(4096, 12, generator=rng) * torch.logspace(0, -1.5, 12)
    x = mixed @ torch.linalg.qr(torch.randn(12, 12, generator=rng))[0] + 0.5
    want = (mixed / mixed.std(0)).sum(1, keepdim=True) + 2
    ones = torch.cat([x, torch.ones(len(x), 1)], 1)
    left = {}
    for name, root in (("adam", None), ("whitened", inverse_root(ones.T @ ones))):
        layer = torch.nn.Linear(12, 1)
        layer.weight.data.zero_()
        layer.bias.data.zero_()
        optimizer = WhitenedAdam([(layer, 1.0, root)])
        for _ in range(150):
            layer.zero_grad()
            (layer(x) - want).square().mean().backward()
            optimizer.step(0.05)
        left[name] = float((layer(x) - want).detach().square().mean())
    assert left["whitened"] < 0.05 * left["adam"]


@pytest.mark.parametrize("bias", [True, False])
def test_whitened_adam_without_moments_is_adam(bias: bool) -> None:
    torch.manual_seed(0)
    a, b = (torch.nn.Linear(5, 3, bias=bias) for _ in range(2))
    b.load_state_dict(a.state_dict())
    x = torch.randn(20, 5)
    ours = WhitenedAdam([(a, 0.5, None)])
    theirs = torch.optim.Adam(b.parameters(), 0.005, BETAS, EPSILON)
    for _ in range(5):
        for layer in (a, b):
            layer.zero_grad()
            layer(x).square().mean().backward()
        ours.step(0.01)
        theirs.step()
    torch.testing.assert_close(a.state_dict(), b.state_dict())


def test_the_inverse_root_whitens() -> None:
    mixed = np.random.default_rng(4).normal(0, 1, (2000, 4)) @ np.diag([1, 2, 0.7, 1.5])
    x = torch.cat([torch.from_numpy(mixed), torch.ones(2000, 1)], 1)
    root = inverse_root(x.T @ x).double()
    torch.testing.assert_close(root, root.T)
    white = x @ root
    torch.testing.assert_close(white.T @ white / 2000, torch.eye(5).double(), atol=2e-3, rtol=0)


@SPACES
def test_a_shipped_prior_read_back_estimates_the_bits_of_its_integers(space: str) -> None:
    prior = load_shipped(space)
    rng = np.random.default_rng(5)
    y = rng.normal(0, 1, (prior.channels, 10, 12)).repeat(4, 1).repeat(4, 2)
    y = (y + rng.normal(0, 0.1, y.shape)).astype(np.float32)
    coder = MultistageCoder(space_of_codec(space), 40)
    with torch.inference_mode():
        step = torch.tensor([coder.step / FINE], dtype=torch.float32)
        bits, _ = prior(torch.from_numpy(y)[None], step, hard=True)
    modeled = coder.model(y)
    # A file's tables may be others: it adapts them to a latent unlike the trained ones.
    chosen = table_numbers(modeled.scale_eighths, 0)
    each = [bits_of(modeled.symbols[chosen == t], int(t)).sum() for t in np.unique(chosen)]
    assert abs(float(sum(each)) / float(bits.sum()) - 1) < 0.01


@SPACES
def test_a_shipped_prior_read_back_and_exported_again_has_the_shipped_integers(space: str) -> None:
    shipped = models.arrays(space, FILE)
    with np.load(io.BytesIO(packed(load_shipped(space)))) as file:
        again = dict(file)
    assert list(again) == list(shipped)
    assert all(again[name].dtype == shipped[name].dtype for name in shipped)
    for name in ("mean", "head", "linear", "head_bias", "head_shift", "log_steps"):
        np.testing.assert_array_equal(again[name], shipped[name], err_msg=name)
    same = again["second_shift"] == shipped["second_shift"]  # where rounding did not move it
    assert same.mean() > 0.95
    np.testing.assert_array_equal(
        again["second"].transpose(0, 2, 1)[same], shipped["second"].transpose(0, 2, 1)[same]
    )


def test_a_part_that_cannot_be_summed_exactly_is_refused() -> None:
    part = Part(np.full((1, 300), 32767.0), 1.0, 255, 32767)
    with pytest.raises(SystemExit, match="not exact"):
        integer_layer([part], np.zeros(1), 1.0)


def test_a_fitted_prior_beats_a_fresh_one() -> None:
    torch.manual_seed(6)
    coarse = torch.randn(6, 4, 6, 6)
    smooth = torch.nn.functional.interpolate(coarse, size=(24, 24), mode="bicubic")
    y = smooth + 0.05 * torch.randn(6, 4, 24, 24)
    prior = Prior(4, hidden=8)
    step = torch.full((6,), 0.25)
    with torch.inference_mode():
        fresh, _ = prior(y, step, hard=True)
    fit_linear(prior, y)
    with torch.inference_mode():
        fitted, y_hat = prior(y, step, hard=True)
    assert float(fitted.sum()) < 0.8 * float(fresh.sum())
    assert float((y_hat - y).abs().max()) <= 0.1251
