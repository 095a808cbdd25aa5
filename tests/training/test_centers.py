"""Convolutions whose inputs are centered: the same function, whose weights move no mean."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from training.lp1.blocks import Conv
from training.lp1.centers import begin_centers, centered, has_centers
from training.lp1.checkpoint import load_run, save_weights
from training.lp1.codec import Codec
from training.lp1.pruning import blocks_of, hidden_channels, prune
from training.lp1.shape import Shape
from training.lp1.variant import Variant

SMALL = Shape(
    analysis="conv:8:8:4 dense down:16 dense down:16 depthwise",
    synthesis="mix:16 dense up:16 up:8 dense",
    latent=24,
    hyper=8,
    features=16,
    context=16,
)
CENTERED = replace(SMALL, centered=True)


def pictures() -> tuple[list[Tensor], list[Tensor]]:
    """Bright ones, so that no map is about zero, and their levels."""
    generator = torch.Generator().manual_seed(1)
    x = 0.7 + 0.3 * torch.rand(4, 3, 64, 64, generator=generator)
    return [x], [torch.linspace(0, 6, 4)]


def both() -> tuple[Codec, Codec]:
    """A plain model, and a centered one with its weights."""
    torch.manual_seed(0)
    plain = Codec(SMALL).eval()
    for part in plain.modules():
        if isinstance(part, Conv):
            part.bias.data.normal_(std=0.3)
    other = Codec(CENTERED).eval()
    other.load_state_dict(plain.state_dict(), strict=False)
    begin_centers(other, *pictures())
    return plain, other


def run(net: Codec) -> Tensor:
    """What the transforms make of a picture, in one row."""
    x = torch.rand(1, 3, 64, 80, generator=torch.Generator().manual_seed(2)) * 2 - 1
    with torch.inference_mode():
        y = net.ga(x)
        return torch.cat([y.flatten(), net.gs(y).flatten()])


def mean_of(net: Codec, conv: Conv) -> Tensor:
    """Of each output of a convolution, over `pictures` and all places but the border."""
    seen: list[Tensor] = []
    hook = conv.register_forward_hook(lambda _module, _inputs, output: seen.append(output))
    [x], [level] = pictures()
    with torch.no_grad():
        net(x * 2 - 1, level, hard=True)
    hook.remove()
    return seen[0][:, :, 2:-2, 2:-2].mean((0, 2, 3))


def test_a_centered_model_computes_the_same() -> None:
    plain, other = both()
    assert has_centers(other)
    assert all(conv.mean.any() for conv in centered(other))
    torch.testing.assert_close(run(other), run(plain), atol=1e-4, rtol=1e-4)


def test_a_step_of_a_weight_leaves_the_mean_of_the_outputs() -> None:
    moved = []
    for net in both():
        conv = net.ga.deep[0]  # whose input stays the same
        before = mean_of(net, conv)
        conv.weight.data += 0.1
        moved.append((mean_of(net, conv) - before).abs().max())
    plain, other = moved
    assert plain > 1
    assert other < 0.05


def test_centers_are_folded_where_channels_are_left_out() -> None:
    plain, other = both()
    shares = [torch.zeros(block.a.out_channels) for _, _, block in blocks_of(plain)]
    for share in shares:
        share[: len(share) // 2] = 1
    for net in (plain, other):
        prune(net, shares)
    assert hidden_channels(other) == hidden_channels(plain)
    torch.testing.assert_close(run(other), run(plain), atol=1e-4, rtol=1e-4)


def test_centers_come_back_with_the_weights(tmp_path: Path) -> None:
    _, other = both()
    save_weights(other.state_dict(), Variant(shape=CENTERED), tmp_path)
    back = load_run(str(tmp_path))
    assert has_centers(back)
    torch.testing.assert_close(run(back), run(other), atol=1e-2, rtol=1e-2)


@pytest.mark.parametrize("words", ["haar", "scales"])
def test_centers_go_with_other_forms_of_a_convolution(words: str) -> None:
    torch.manual_seed(0)
    shape = replace(CENTERED, synthesis="mix:16 dense up:16 up:8 dense", **{words: True})
    net = Codec(shape).eval()
    want = run(net)
    begin_centers(net, *pictures())
    torch.testing.assert_close(run(net), want, atol=1e-4, rtol=1e-4)
