"""Steps of every mode: they learn, are the same again, and survive what a long run meets."""

import dataclasses
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from training.data.packs import LPIPS
from training.data.pages import Pages
from training.data.plan import Planner
from training.data.store import Store, load_held_out, load_store
from training.losses.parts import Distances, LossShape
from training.losses.trunks import load_trunks
from training.lp1.learner import COUNTERS, Learner
from training.lp1.linear_start import begin_linear, blocks
from training.lp1.panel import Panel
from training.lp1.shape import LEVELS, Shape
from training.lp1.speed import operations_per_pixel, parts_of_a_step
from training.lp1.variant import Variant

SHAPE = Shape(
    analysis="conv:8:8:4 dense down:12 dense down:16",
    synthesis="mix:16 dense up:12 dense up:8",
    latent=24,
    hyper=8,
    features=16,
    context=16,
)
BASE = Variant(
    shape=SHAPE,
    loss=LossShape(wasserstein=0.2, text=1.0, coarse=0.5),
    rate=2e-3,
    warm_up=5,
    crops=((0.0, 2, 64), (0.6, 1, 96)),
    painted=0.3,
)
MODES = {
    "muon": BASE,
    "adam": dataclasses.replace(BASE, optimizer="adam"),
    "soap": dataclasses.replace(BASE, optimizer="soap"),
    "masking": dataclasses.replace(BASE, shape=dataclasses.replace(SHAPE, masking=True)),
    "grid": dataclasses.replace(BASE, shape=dataclasses.replace(SHAPE, prior="grid")),
    "synthesis": dataclasses.replace(BASE, learn=("gs", "inverse")),
    "discriminator": dataclasses.replace(
        BASE,
        learn=("gs",),
        loss=LossShape(adversarial=0.1, adversarial_from=0.0),
        discriminator_width=8,
    ),
}


@pytest.fixture(scope="module")
def place(packs: Path) -> dict[str, Any]:
    store = load_store(packs, "cpu", pages=2)
    Pages(store, None, 0, seed=1).close()
    alex, vgg = load_trunks(packs / LPIPS, "cpu", torch.float32)
    return {"store": store, "alex": alex, "vgg": vgg, "held": load_held_out(packs)}


def learner(place: dict[str, Any], variant: Variant, seed: int = 3) -> Learner:
    torch.manual_seed(seed)
    store: Store = place["store"]
    planner = Planner(store, LEVELS, variant.painted, seed)
    distances = Distances(variant.loss, place["alex"], place["vgg"], place["held"])
    return Learner(variant, "cpu", store.pixels, planner, distances)


class NoAnswers(TorchDispatchMode):
    """Refuses what would make the host wait for a device, or send it numbers of its own."""

    REFUSED = (
        torch.ops.aten._local_scalar_dense,
        torch.ops.aten.nonzero,
        torch.ops.aten.masked_select,
        torch.ops.aten.equal,
        torch.ops.aten.lift_fresh,
    )

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func.overloadpacket in self.REFUSED:
            raise AssertionError(f"the host asks for {func}")
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("mode", MODES)
def test_a_step_asks_nothing_of_the_device(place: dict[str, Any], mode: str) -> None:
    one = learner(place, MODES[mode])
    one.step(0.0)
    with NoAnswers():
        one.compute()
        one.update()
    with pytest.raises(AssertionError, match="the host asks"), NoAnswers():
        float(one.usual)


def train(one: Learner, steps: int = 20) -> None:
    for step in range(steps):
        one.step(step / steps)


@pytest.mark.parametrize("mode", MODES)
def test_twenty_steps_learn_and_are_the_same_again(place: dict[str, Any], mode: str) -> None:
    states = []
    for _ in range(2):
        one = learner(place, MODES[mode])
        start = one.flat.values.clone()
        train(one)
        assert one.flat.values.isfinite().all()
        assert not torch.equal(start, one.flat.values)
        row = dict(zip(COUNTERS, one.take_counters().tolist(), strict=True))
        assert row["steps"] == 20
        assert row["skipped"] == 0
        assert row["bpp"] > 0
        states.append((one.flat.values, one.average, row))
    (a, b, c), (d, e, f) = states
    assert torch.equal(a, d)
    assert torch.equal(b, e)
    assert c == f


def test_two_hundred_steps_lower_the_loss_of_a_fresh_model(place: dict[str, Any]) -> None:
    one = learner(place, dataclasses.replace(BASE, crops=((0.0, 2, 64),), painted=0.0))
    losses = []
    for share in range(8):
        for _ in range(25):
            one.step(share / 8)
        row = dict(zip(COUNTERS, one.take_counters().tolist(), strict=True))
        losses.append(row["loss"] / row["steps"])
    assert losses[-1] < 0.85 * losses[0]


def test_only_what_shall_learn_is_moved(place: dict[str, Any]) -> None:
    one = learner(place, MODES["synthesis"])
    before = {name: t.clone() for name, t in one.net.state_dict().items()}
    train(one, 5)
    moved = {n for n, t in one.net.state_dict().items() if not torch.equal(t, before[n])}
    assert {name.split(".")[0] for name in moved} == {"gs", "inverse"}


def test_the_discriminator_learns_beside_the_synthesis(place: dict[str, Any]) -> None:
    one = learner(place, MODES["discriminator"])
    before = one.flat_discriminator.values.clone()
    train(one, 5)
    assert not torch.equal(before, one.flat_discriminator.values)
    row = dict(zip(COUNTERS, one.take_counters().tolist(), strict=True))
    assert 0.3 < row["adversarial"] / row["steps"] < 3


def test_a_spike_and_a_loss_that_is_no_number_are_skipped(place: dict[str, Any]) -> None:
    one = learner(place, dataclasses.replace(BASE, averaging=0.0))
    train(one, 5)
    one.take_counters()
    momentum = one.optimizer.state["muon.momentum"]
    for loss, gradient in ((float(one.usual) * 100, 1.0), (float("nan"), float("nan"))):
        momentum.zero_()
        one.optimizer.state["adam.mean"].zero_()
        before = one.flat.values.clone()
        one.flat.gradients.fill_(gradient)
        one.flat.loss.fill_(loss)
        one.update()
        assert torch.allclose(before, one.flat.values, atol=1e-4)
        assert float(momentum.abs().max()) == 0
    row = dict(zip(COUNTERS, one.take_counters().tolist(), strict=True))
    assert row["skipped"] == 2
    assert one.usual.isfinite()


def test_gradients_are_clipped_to_their_norm(place: dict[str, Any]) -> None:
    one = learner(place, dataclasses.replace(BASE, clip=0.5))
    one.step(0.0)
    one.flat.gradients.normal_().mul_(100)
    one.flat.loss.copy_(one.usual)
    one.update()
    assert float(one.flat.gradients.norm()) == pytest.approx(0.5, rel=1e-3)


def test_averaged_weights_are_lent_and_given_back(place: dict[str, Any]) -> None:
    one = learner(place, BASE)
    train(one, 8)
    raw = one.flat.values.clone()
    with one.averaged() as net:
        assert torch.equal(one.flat.values, one.average)
        assert net.gain.data_ptr() == one.net.gain.data_ptr()
    assert torch.equal(one.flat.values, raw)
    assert not torch.equal(one.average, raw)


def test_a_linear_start_is_a_codec_at_once(place: dict[str, Any]) -> None:
    variant = dataclasses.replace(BASE, shape=dataclasses.replace(SHAPE, latent=64))
    panel = Panel(place["held"], place["alex"], place["vgg"], "cpu")
    plain, linear = learner(place, variant), learner(place, variant)
    pictures = [place["held"][0].repeat(4, 1, 1, 1)]
    begin_linear(linear.net, variant.loss, pictures)
    before, after = panel.judge(plain.net), panel.judge(linear.net)
    assert [p.level for p in after] == [0, 2, 4, 6]
    assert after[-1].psnr > before[-1].psnr + 8
    assert after[0].bpp < after[1].bpp < after[2].bpp < after[3].bpp
    assert all(p.bpp > 0 and p.lpips >= 0 for p in after)


def test_blocks_are_in_the_order_of_a_convolution() -> None:
    x = torch.randn(2, 3, 32, 48)
    conv = torch.nn.Conv2d(3, 5, 16, 16, bias=False)
    want = conv(x).permute(0, 2, 3, 1).reshape(-1, 5)
    torch.testing.assert_close(blocks(x) @ conv.weight.view(5, -1).T, want, atol=1e-4, rtol=1e-4)


def test_a_profile_leaves_the_learner_as_it_was(place: dict[str, Any]) -> None:
    one = learner(place, BASE)
    before = one.flat.values.clone()
    parts = parts_of_a_step(one, repeats=1)
    assert set(parts) == {"crops", "networks", "losses", "gradients", "update", "step"}
    assert all(value > 0 for value in parts.values())
    assert torch.equal(before, one.flat.values)
    assert one.steps == 0
    assert all(float(t.abs().max()) == 0 for t in one.optimizer.state.values())


def test_operations_are_those_of_the_convolutions(place: dict[str, Any]) -> None:
    few = operations_per_pixel(learner(place, BASE))
    wide = dataclasses.replace(SHAPE, synthesis="mix:16 dense:9 up:12 dense:9 up:8")
    more = operations_per_pixel(learner(place, dataclasses.replace(BASE, shape=wide)))
    macs = 8 * 2 * 9 * 16**2 / 256 + 8 * 2 * 9 * 12**2 / 64  # eight more blocks at each scale
    assert more - few == pytest.approx(2 * 3 * macs, rel=0.01)
