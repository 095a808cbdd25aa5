"""Steps of every mode: they learn, are the same again, and survive what a long run meets."""

import copy
import dataclasses
import gc
import weakref
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from training.data.packs import LPIPS
from training.data.pages import Pages
from training.data.plan import Planner
from training.data.store import Store, load_held_out, load_store
from training.losses.parts import Distances, LossShape
from training.losses.trunks import Trunk, load_trunks
from training.lp1 import capture
from training.lp1.capture import CaptureError, Pool
from training.lp1.learner import COUNTERS, Learner
from training.lp1.linear_start import begin_linear, blocks
from training.lp1.panel import Panel
from training.lp1.rehearsal import rehearse
from training.lp1.shape import LEVELS, Shape
from training.lp1.speed import operations_per_pixel, parts_of_a_step
from training.lp1.variant import Variant, read_variants
from training.optimizers.soap import Soap

SHAPE = Shape(
    analysis="conv:8:8:4 dense down:12 dense down:16",
    synthesis="mix:16 dense up:12 dense up:8",
    latent=24,
    hyper=8,
    features=16,
    context=16,
)
VARIANTS = Path(__file__).parents[2] / "training/lp1/variants"
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
    "leak": dataclasses.replace(BASE, shape=dataclasses.replace(SHAPE, leak=0.01)),
    "centered": dataclasses.replace(BASE, shape=dataclasses.replace(SHAPE, centered=True)),
    "grid": dataclasses.replace(BASE, shape=dataclasses.replace(SHAPE, prior="grid")),
    "synthesis": dataclasses.replace(BASE, learn=("gs", "inverse")),
    "discriminator": dataclasses.replace(
        BASE,
        learn=("gs",),
        loss=LossShape(adversarial=0.1, adversarial_from=0.0),
        discriminator_width=8,
        discriminator_rate=1e-4,
    ),
    "int8": dataclasses.replace(BASE, shape=dataclasses.replace(SHAPE, int8=True)),
    "natural": dataclasses.replace(
        BASE,
        shape=dataclasses.replace(SHAPE, masking=True),
        learn=("gs",),
        hard=True,
        loss=LossShape(wasserstein=0.3, text=1.0, adversarial=0.1, adversarial_from=0.0),
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


class Captured(TorchDispatchMode):
    """Refuses what a captured graph cannot hold, and remembers what it reads and leaves.

    Refused are questions to the device, numbers of the host's own, decompositions of matrices
    (their libraries wait for the device), and tensors that are not on the device.
    """

    REFUSED = (
        "_local_scalar_dense",
        "nonzero",
        "masked_select",
        "equal",
        "lift_fresh",
        "unique",
        "_unique2",
        "bincount",
        "repeat_interleave",
    )
    DECOMPOSING = ("linalg_", "_linalg_", "cholesky", "geqrf", "orgqr", "ormqr", "lu_", "svd")

    def __init__(self, device: str = "cpu") -> None:
        super().__init__()
        self.device = device
        self.made: list[weakref.ref[torch.Tensor]] = []
        self.storages: set[int] = set()
        self.read: set[int] = set()
        self.calls = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = func.overloadpacket.__name__
        fine = name == "linalg_vector_norm"
        if name in self.REFUSED or (name.startswith(self.DECOMPOSING) and not fine):
            raise AssertionError(f"the host asks for {func}")
        self.calls += 1
        taken = [t for t in tree_leaves((args, kwargs)) if isinstance(t, torch.Tensor)]
        out = func(*args, **(kwargs or {}))
        given = [t for t in tree_leaves(out) if isinstance(t, torch.Tensor)]
        for t in (*taken, *given):
            if t.device.type != self.device:
                raise AssertionError(f"{func}: a tensor of {tuple(t.shape)} on {t.device}")
        for t in taken:
            if t.untyped_storage()._cdata not in self.storages:
                self.read.add(t.untyped_storage()._cdata)
        for t in given:
            if t.untyped_storage()._cdata not in self.read:
                self.storages.add(t.untyped_storage()._cdata)
                self.made.append(weakref.ref(t))
        return out


@pytest.mark.parametrize("mode", MODES)
def test_a_step_holds_nothing_that_a_graph_cannot(place: dict[str, Any], mode: str) -> None:
    one = learner(place, MODES[mode])
    one.step(0.0)
    with Captured():
        one.compute()
        one.update()
    with pytest.raises(AssertionError, match="the host asks"), Captured():
        float(one.usual)
    with pytest.raises(AssertionError, match="the host asks"), Captured():
        torch.linalg.qr(torch.eye(3))


@pytest.mark.parametrize("mode", MODES)
def test_every_tensor_of_a_step_is_on_the_device(place: dict[str, Any], mode: str) -> None:
    """The device is played by torch's "meta": what a step makes elsewhere cannot hide."""
    variant = MODES[mode]
    planner = Planner(place["store"], LEVELS, variant.painted, 3)
    distances = Distances(variant.loss, place["alex"], place["vgg"], place["held"])
    distances.alex, distances.vgg = (on_meta(place[name]) for name in ("alex", "vgg"))
    distances.units = [unit.to("meta") for unit in distances.units]
    one = Learner(variant, "meta", place["store"].pixels.to("meta"), planner, distances)
    for size in ((2, 64), (1, 96)):
        one.prepare(size)
        one.send(size)
        with Captured("meta") as seen:
            one.compute()
            one.update()
        assert seen.calls > 500
    one.optimizer.refresh(1)
    with pytest.raises(AssertionError, match="on cpu"), Captured("meta"):
        one.usual + torch.zeros(())


def on_meta(trunk: Trunk) -> Trunk:
    moved = copy.copy(trunk)
    for name in ("kernels", "biases", "linear"):
        setattr(moved, name, [t.to("meta") for t in getattr(trunk, name)])
    moved.shift, moved.scale = trunk.shift.to("meta"), trunk.scale.to("meta")
    return moved


@pytest.mark.parametrize("mode", MODES)
def test_steps_use_the_same_tensors_and_leave_none_behind(place: dict[str, Any], mode: str) -> None:
    one = learner(place, MODES[mode])
    one.step(0.0)
    places = {name: t.data_ptr() for name, t in one.tensors().items()}
    reads = []
    for _ in range(2):
        with Captured() as seen:
            one.compute()
            one.update()
        gc.collect()
        kept = [t for t in (ref() for ref in seen.made) if t is not None]
        assert not kept, [tuple(t.shape) for t in kept]
        reads.append(seen.read)
    assert reads[0] == reads[1]
    assert places == {name: t.data_ptr() for name, t in one.tensors().items()}


class Eager(Pool):
    """Captures nothing, and tells how often it was asked to."""

    def __init__(self, part: Callable[[], None] | None = None) -> None:
        super().__init__()
        self.part, self.asked = part, 0

    def capture(self, part: Callable[[], None]) -> Callable[[], None]:
        self.asked += 1
        return self.part or (lambda: part())


@pytest.mark.parametrize("mode", MODES)
def test_a_rehearsal_tries_every_size_and_is_forgotten(place: dict[str, Any], mode: str) -> None:
    one, other = learner(place, MODES[mode]), learner(place, MODES[mode])
    one.pool = Eager()
    found = rehearse(one, graphs=True)
    assert [row.size for row in found] == [(n, side) for _, n, side in one.variant.crops]
    assert all(row.eager > 0 and row.captured > 0 for row in found)
    assert one.pool.asked == 1 + len(found)  # the update does not depend on the size
    for name, t in one.tensors().items():
        assert torch.equal(t, other.tensors()[name]), name
    plans = [a.planner.draw(3, 64) for a in (one, other)]
    assert (plans[0].integers == plans[1].integers).all()


def test_a_graph_that_does_something_else_is_refused(place: dict[str, Any]) -> None:
    one = learner(place, BASE)
    one.pool = Eager(lambda: None)
    with pytest.raises(CaptureError, match="from the graph"):
        rehearse(one, graphs=True)


def test_without_cuda_a_capture_is_told(place: dict[str, Any]) -> None:
    if torch.cuda.is_available():
        pytest.skip("CUDA captures")
    with pytest.raises(CaptureError):
        Pool().capture(lambda: None)


def test_a_capture_that_fails_is_told_though_the_device_then_refuses(
    place: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: Callable[[], None]) -> Callable[[], None]:
        monkeypatch.setattr(one, "finish", lambda: 1 / 0)
        raise CaptureError("no")

    one = learner(place, BASE)
    one.pool = Eager()
    monkeypatch.setattr(one.pool, "capture", fail)
    with pytest.raises(CaptureError, match="no"):
        rehearse(one, graphs=True)


class FakeGraph:
    """In the place of `torch.cuda.graph`, whose end hides what went wrong inside."""

    captures: ClassVar[list[tuple[Any, ...]]] = []

    def __init__(self, graph: Any, pool: Any, stream: Any, capture_error_mode: str) -> None:
        self.captures.append((pool, stream, capture_error_mode))

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: Any, *_: Any) -> None:
        if kind is not None:
            raise RuntimeError("operation failed due to a previous error during capture")


def test_graphs_share_a_pool_that_a_first_one_keeps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "graph", FakeGraph)
    monkeypatch.setattr(torch.cuda, "CUDAGraph", lambda: SimpleNamespace(replay=lambda: "played"))
    monkeypatch.setattr(torch.cuda, "graph_pool_handle", lambda: (7, 7))
    monkeypatch.setattr(torch.cuda, "current_stream", lambda: "side")
    monkeypatch.setattr(torch.cuda, "default_stream", lambda: "default")
    monkeypatch.setattr(capture, "_nearly_nothing", lambda: None)
    pool = Pool()
    assert pool.capture(lambda: None)() == "played"  # type: ignore[func-returns-value]
    assert pool.anchor is not None
    pool.capture(lambda: None)
    assert FakeGraph.captures == 3 * [((7, 7), "side", "thread_local")]
    with pytest.raises(CaptureError, match="ZeroDivisionError: division by zero"):
        pool.capture(lambda: 1 / 0)  # type: ignore[arg-type,return-value]


def test_bases_are_turned_as_often_as_there_is_time(place: dict[str, Any]) -> None:
    one = learner(place, MODES["soap"])
    soap = one.optimizer.all[1]
    assert isinstance(soap, Soap)
    for between, every in ((10.0, 10), (200.0, 40), (1e6, 100)):
        one.optimizer.pace(20.0, lambda _, between=between: between)  # type: ignore[misc]
        assert soap.every == every
        assert not soap.by_cholesky
    one.optimizer.pace(20.0, lambda _: 200.0 - 150 * soap.by_cholesky)
    assert soap.by_cholesky
    assert soap.every == 10


def test_a_learner_that_skips_returns_to_its_average(place: dict[str, Any]) -> None:
    one = learner(place, BASE)
    train(one, 6)
    one.recover()
    assert torch.equal(one.flat.values, one.average)
    assert all(float(t.abs().max()) == 0 for t in one.optimizer.state.values())
    one.step(0.1)
    assert one.flat.values.isfinite().all()
    assert float(one.rate) == pytest.approx(BASE.rate / 2)


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


def test_a_natural_look_starts_from_the_shipped_model(
    place: dict[str, Any], tmp_path: Path
) -> None:
    pytest.importorskip("onnx", reason="the shipped model is ONNX")
    pytest.importorskip("onnxruntime", reason="training.lp1.export needs it")
    from training.lp1.centers import begin_centers
    from training.lp1.export import check_same_files, export_synthesis
    from training.lp1.shipped import load_shipped

    (variant,) = read_variants(VARIANTS / "natural.toml").values()
    one = learner(place, dataclasses.replace(variant, crops=((0.0, 1, 64),)))
    state = load_shipped()
    one.start_from(state)
    one.step(0.5)
    one.step(0.5)
    row = dict(zip(COUNTERS, one.take_counters().tolist(), strict=True))
    assert row["skipped"] == 0
    assert row["adversarial"] > 0
    after = one.net.state_dict()
    moved = {name for name, t in state.items() if not torch.equal(t, after[name])}
    assert {name.split(".")[0] for name in moved} == {"gs"}
    assert "gs.coarse.0.weight" in moved
    with torch.no_grad():  # as a checkpoint keeps it
        for p in one.net.parameters():
            p.copy_(p.half().float())
    check_same_files(one.net)
    shape = dataclasses.replace(variant.shape, centered=True)
    centered = learner(place, dataclasses.replace(variant, shape=shape))
    centered.start_from(one.net.state_dict())
    assert centered.fresh == []  # means are no weights
    begin_centers(centered.net, [torch.rand(1, 3, 64, 64)], [torch.tensor([3.0])])
    check_same_files(centered.net)
    export_synthesis(one.net, tmp_path / "natural.onnx")
    assert (tmp_path / "natural.onnx").stat().st_size > 5_000_000
    with torch.no_grad():
        one.net.inverse += 0.01
    with pytest.raises(SystemExit, match="inverse is not the package's"):
        check_same_files(one.net)
    # The discriminator must not outweigh what keeps a picture faithful, at 150 : 1 : .008.
    assert pytest.approx(variant.loss.squared[0], rel=1e-4) == 150 / 65025


def test_parts_begin_fresh_where_the_variant_says_so(place: dict[str, Any]) -> None:
    source = learner(place, BASE).net.state_dict()
    other = dataclasses.replace(
        BASE,
        shape=dataclasses.replace(SHAPE, prior="grid"),
        fresh=("prior",),
        learn=("prior",),
    )
    one = learner(place, other)
    with torch.no_grad():
        for t in source.values():
            t += 0.01
    one.start_from(source)
    assert {name.split(".")[0] for name in one.fresh} == {"prior"}
    torch.testing.assert_close(one.net.state_dict()["gs.coarse.0.bias"], source["gs.coarse.0.bias"])
    before = {name: t.clone() for name, t in one.net.state_dict().items()}
    one.step(0.5)
    after = one.net.state_dict()
    assert {n.split(".")[0] for n in before if not torch.equal(before[n], after[n])} == {"prior"}
    with pytest.raises(ValueError, match="prior"):  # another one
        learner(place, dataclasses.replace(other, fresh=())).start_from(source)


@pytest.mark.parametrize("field", ["learn", "fresh"])
def test_a_part_that_is_none_is_told(place: dict[str, Any], field: str) -> None:
    with pytest.raises(ValueError, match="'piror' is no part of the codec"):
        learner(place, dataclasses.replace(BASE, **{field: ("gs", "piror")}))


def test_weights_of_another_shape_are_told_and_a_discriminator_stays_fresh(
    place: dict[str, Any],
) -> None:
    mode = MODES["discriminator"]
    wider = dataclasses.replace(mode.shape, features=2 * mode.shape.features)
    one = learner(place, mode)
    other = learner(place, dataclasses.replace(mode, shape=wider, discriminator_width=16))
    with pytest.raises(ValueError, match=r"prior\.level_bias has the shape .*, the network's"):
        other.start_from(one.net.state_dict())
    assert one.discriminator is not None
    state = one.discriminator.state_dict()
    before = other.flat_discriminator.values.clone()
    assert not other.start_discriminator(state)
    assert torch.equal(before, other.flat_discriminator.values)
    assert one.start_discriminator(state)


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
