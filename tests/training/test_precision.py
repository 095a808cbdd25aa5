"""What bfloat16 would spoil is computed in float32 under autocast, too."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from training import precision
from training.losses.discriminator import Discriminator
from training.lp1.blocks import Conv, HaarConv, Layout
from training.lp1.codec import Codec
from training.lp1.panel import Panel
from training.lp1.shape import Shape
from training.lp1.speed import choose_layout
from training.optimizers.flat import ALIGNED, FlatParameters

SHAPE = Shape(
    analysis="conv:8:8:4 dense down:12 down:16",
    synthesis="mix:16 up:12 dense up:8",
    latent=24,
    hyper=8,
    features=16,
    context=16,
    masking=True,
)


class Fixed(nn.Module):
    """Gives the same whatever comes in."""

    def __init__(self, out: Tensor) -> None:
        super().__init__()
        self.out = out

    def forward(self, _: Tensor) -> Tensor:
        return self.out


def bfloat16() -> Any:
    return torch.autocast("cpu", torch.bfloat16)


@pytest.mark.parametrize("prior", ["checkerboard", "grid"])
def test_gains_and_the_prior_do_not_depend_on_autocast(prior: str) -> None:
    torch.manual_seed(0)
    net = Codec(Shape(**{**vars(SHAPE), "prior": prior}))
    y = torch.randn(2, 24, 4, 4) * 30
    net.ga, net.gs = Fixed(y), Fixed(torch.zeros(1))
    x, level = torch.zeros(2, 3, 64, 64), torch.tensor([1.3, 5.7])
    plain = net(x, level, hard=True)
    with bfloat16():
        cast = net(x, level, hard=True)
    assert torch.equal(plain.y_hat, cast.y_hat)
    assert torch.equal(plain.bits, cast.bits)


def test_linear_paths_do_not_depend_on_autocast() -> None:
    torch.manual_seed(0)
    net = Codec(SHAPE)
    for part in (net.gs.coarse[0], net.gs.fine[5], net.ga.deep[-1]):
        nn.init.zeros_(part.weight)
        nn.init.zeros_(part.bias)
    x, y = torch.randn(1, 3, 64, 64), torch.randn(1, 24, 4, 4) * 20
    plain = net.ga(x), net.gs(y)
    with bfloat16():
        cast = net.ga(x), net.gs(y)
    for a, b in zip(plain, cast, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-6, atol=1e-6)


def test_folded_weights_do_not_depend_on_autocast() -> None:
    torch.manual_seed(0)
    for before in (True, False):
        many = (6, 8 * 4) if before else (6 * 4, 8)
        conv = HaarConv(Shape(haar=True, scales=True), *many, 2, before)
        plain = conv.folded()
        with bfloat16():
            cast = conv.folded()
        assert all(torch.equal(a, b) for a, b in zip(plain, cast, strict=True))


def test_spectral_norms_do_not_depend_on_autocast() -> None:
    weights = []
    for context in (precision.float32("cpu"), bfloat16()):
        torch.manual_seed(0)
        net = Discriminator(latent=5, width=8)
        with context:
            net(torch.rand(1, 3, 32, 32), torch.rand(1, 5, 2, 2), torch.tensor([0.5]))
        weights.append([layer.parametrizations.weight[0]._u for layer in net.down])
    assert all(torch.equal(a, b) for a, b in zip(*weights, strict=True))


def test_the_panel_leaves_cudnn_on(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []

    def sums(self: Panel, net: Codec, x: Tensor, level: float) -> Tensor:
        seen.append((torch.backends.cudnn.enabled, torch.backends.cudnn.benchmark))
        return torch.ones(6)

    monkeypatch.setattr(Panel, "_sums", sums)
    panel = Panel.__new__(Panel)
    panel.batches, panel.count = [torch.zeros(1)], 1
    panel.judge(Codec(SHAPE))
    assert set(seen) == {(True, False)}


def test_depthwise_convolutions_give_the_same_in_either_layout(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Layout, "plain", False)
    torch.manual_seed(0)
    conv = Conv(Shape(), 8, 8, 3, groups=8)
    FlatParameters(conv)
    x = torch.randn(2, 8, 6, 7).contiguous(memory_format=torch.channels_last)
    want = conv(x)
    told = []

    def convolve(x: Tensor, weight: Tensor, *rest: Any, **more: Any) -> Tensor:
        told.append((x.is_contiguous(), weight.stride()))
        return real(x, weight, *rest, **more)

    real = nn.functional.conv2d
    monkeypatch.setattr(nn.functional, "conv2d", convolve)
    Layout.plain = True
    torch.testing.assert_close(conv(x), want)
    assert told == [(True, (9, 9, 3, 1))]  # what torch's own kernel for planes asks for
    assert choose_layout("cpu", channels=8, side=8, n=1).startswith("depthwise: planes ")


def test_parameters_begin_where_kernels_read_fast() -> None:
    net = Codec(SHAPE)
    flat = FlatParameters(net)
    firsts = {batch.start for batch in flat.batches}
    for start, _ in flat.places:
        assert start % ALIGNED == 0 or (start not in firsts and start < flat.rest)
    assert all(start % ALIGNED == 0 for start in firsts)
    assert flat.rest % ALIGNED == 0
    owned = sum(stop - start for start, stop in flat.places)
    assert owned == sum(p.numel() for p in net.parameters())
    assert len(flat.values) >= owned
