"""What never fires is left out of an export, and is there again when training goes on."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from training.lp1.blocks import Residual
from training.lp1.codec import Codec
from training.lp1.halo import halo
from training.lp1.pruning import MULTIPLE, RARELY, activity, blocks_of, hidden_channels, prune
from training.lp1.shape import Shape

pytest.importorskip("onnx", reason="export needs onnx")

SMALL = Shape(
    analysis="conv:8:8:4 dense down:32 dense:2 down:16",
    synthesis="mix:32 dense:2 up:32 dense up:8 depthwise",
    latent=24,
    hyper=8,
    features=16,
    context=16,
)
ALIVE = [8, 3, 0, 20, 0, 0, 5]  # channels of each block of SMALL that can fire


def with_dead_channels(seed: int = 0) -> Codec:
    """A model of the shape SMALL whose blocks have ALIVE channels, in places drawn at random."""
    torch.manual_seed(seed)
    net = Codec(SMALL).eval()
    for (_, _, block), alive in zip(blocks_of(net), ALIVE, strict=True):
        block.b.bias.data.normal_()
        dead = torch.randperm(block.a.out_channels)[alive:]
        block.a.weight.data[dead] = 0
        block.a.bias.data[dead] = -1.0
    return net


def run(net: Codec) -> torch.Tensor:
    """What analysis and synthesis make of random pictures, in one row."""
    x = torch.rand(2, 3, 48, 64, generator=torch.Generator().manual_seed(1)) * 2 - 1
    with torch.inference_mode():
        y = net.ga(x)
        return torch.cat([y.flatten(), net.gs(y).flatten()])


def shares() -> list[torch.Tensor]:
    """How often channels of `with_dead_channels` fire."""
    net = with_dead_channels()
    return [(block.a.bias.detach() > -1).double() for _, _, block in blocks_of(net)]


def test_a_pruned_model_computes_the_same() -> None:
    net = with_dead_channels()
    want = run(net)
    prune(net, shares())
    # The channels of blocks where some fire, up to a multiple; the others are gone.
    assert hidden_channels(net) == [8, MULTIPLE, 32, MULTIPLE]
    assert isinstance(net.ga.deep[4], nn.Identity)
    torch.testing.assert_close(run(net), want, atol=1e-4, rtol=1e-4)


def test_channels_that_fire_rarely_are_left_out() -> None:
    net = with_dead_channels()
    drawn = [torch.full_like(share, RARELY / 2) for share in shares()]
    drawn[1][:20] = RARELY * 2
    prune(net, drawn)
    assert hidden_channels(net) == [32]


def test_a_block_that_nothing_can_stand_in_for_keeps_some_channels() -> None:
    net = with_dead_channels()
    blocks = [i for i, part in enumerate(net.gs.trunk) if isinstance(part, Residual)]
    net.gs.trunk[blocks[0] - 1] = nn.ReLU()  # a bias does not go through it
    net.gs.trunk[0] = nn.ReLU()
    prune(net, [torch.zeros_like(share) for share in shares()])
    assert net.gs.trunk[blocks[0]].a.out_channels == MULTIPLE


def test_fewer_blocks_see_less_far() -> None:
    net = with_dead_channels()
    before = halo(net)
    prune(net, [torch.zeros_like(share) for share in shares()])
    assert halo(net) < before


def test_scales_are_folded_where_channels_are_left_out() -> None:
    shape = Shape(
        analysis="conv:8:8:4 dense down:32 dense down:16",
        synthesis="mix:32 dense up:32 up:8",
        scales=True,
        latent=24,
    )
    torch.manual_seed(3)
    net = Codec(shape).eval()
    for name, p in net.named_parameters():
        if ".scale_" in name:
            p.data.uniform_(0.5, 1.5)
    found = []
    for _, _, block in blocks_of(net):
        block.a.weight.data[MULTIPLE // 2 :] = 0
        block.a.bias.data[MULTIPLE // 2 :] = -1
        found.append((block.a.bias.detach() > -1).double())
    want = run(net)
    prune(net, found)
    torch.testing.assert_close(run(net), want, atol=1e-4, rtol=1e-4)


def test_activity_is_how_often_a_channel_is_above_zero(packs: Path) -> None:
    net = with_dead_channels()
    found = activity(net, packs, batches=1, side=128)
    for share, alive in zip(found, shares(), strict=True):
        assert not share[alive == 0].any()
        assert share.max() <= 1
    assert found[0].max() > 0.05


def test_the_shipped_model_is_read_back_at_full_width() -> None:
    pytest.importorskip("onnxruntime", reason="the package's model is run by it")
    from latentpress import models
    from training.lp1.shipped import shipped_codec

    net = shipped_codec()
    assert net.shape == Shape()
    full = hidden_channels(Codec())
    assert hidden_channels(net) == full
    x = np.random.default_rng(2).integers(0, 256, (1, 64, 96, 3), np.uint8)
    [y] = models.run("lp1", "analysis.onnx", "cpu", pixels=x)
    with torch.inference_mode():
        given = net.ga(torch.from_numpy(x).permute(0, 3, 1, 2).float() / 127.5 - 1).numpy()
    assert np.abs(given - y).max() < 2e-2 * np.abs(y).max()  # bfloat16 on some machines
    # What the export left out is there, fresh, and adds nothing yet.
    adds_nothing = [(block.b.weight == 0).all(-1).all(-1).all(0) for _, _, block in blocks_of(net)]
    assert any(bool(silent.any()) for silent in adds_nothing)
    for _, _, block in blocks_of(net):
        assert block.a.weight.flatten(1).abs().amax(1).min() > 0
