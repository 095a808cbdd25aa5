"""Leave out of a model's residual blocks what never fires, before it is exported.

A channel between the two convolutions of a block can die in training: its ReLU is zero everywhere,
and no gradient brings it back. It costs as much time as any other. What is left decodes the same
pictures; `training.lp1.shipped` gives the model its full width again, to go on training.
"""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import torch
from torch import Tensor, nn

from training.data.batches import Crops
from training.lp1.blocks import Conv, Depthwise, Residual
from training.lp1.codec import Codec
from training.lp1.shape import LEVELS

RARELY = 1e-4  # of the positions; what fires less often is left out
MULTIPLE = 16  # channels: kernels compute so many at once, so that fewer save nothing
BATCHES, CROPS, SIDE = 60, 8, 256  # that channels are watched on


def blocks_of(net: Codec) -> Iterator[tuple[nn.Sequential, int, Residual | Depthwise]]:
    """The residual blocks of the transforms whose activation is a ReLU, with their places."""
    for parts in (net.ga.deep, net.gs.trunk):
        for i, part in enumerate(parts):
            if isinstance(part, Residual | Depthwise) and isinstance(part.act, nn.ReLU):
                yield parts, i, part


@torch.no_grad()
def activity(net: Codec, packs: Path, batches: int = BATCHES, side: int = SIDE) -> list[Tensor]:
    """How often each channel inside a block is above zero, a tensor (hidden,) in [0, 1] a block.

    Args:
        net: A model, all of whose blocks still have their full width.
        packs: Training pictures. All levels are drawn.
        batches: Of CROPS crops.
        side: Of a crop, in pixels.
    """
    crops = Crops(packs, seed=3)
    blocks = [block for _, _, block in blocks_of(net)]
    counts = [torch.zeros(block.a.out_channels, dtype=torch.float64) for block in blocks]
    positions = [0] * len(blocks)

    def watch(index: int, _module: nn.Module, _inputs: object, output: Tensor) -> None:
        counts[index] += (output > 0).sum((0, 2, 3))
        positions[index] += output[:, 0].numel()

    hooks = [block.a.register_forward_hook(partial(watch, i)) for i, block in enumerate(blocks)]
    generator = torch.Generator().manual_seed(0)
    for _ in range(batches):
        x = crops.batch(CROPS, side)
        net(x * 2 - 1, torch.rand(CROPS, generator=generator) * (LEVELS - 1), hard=True)
    for hook in hooks:
        hook.remove()
    return [count / n for count, n in zip(counts, positions, strict=True)]


def prune(net: Codec, shares: list[Tensor]) -> None:
    """Narrow a model's blocks to the channels that fire, in place; drop blocks where none does.

    A dropped block still adds the bias of its last convolution, which the part before it takes
    over.

    Args:
        net: A model.
        shares: Of `activity`.
    """
    for (parts, i, block), share in zip(list(blocks_of(net)), shares, strict=True):
        alive = int((share >= RARELY).sum())
        if not alive and give_bias(parts, i, block.b.folded()[1].detach()):
            parts[i] = nn.Identity()
            continue
        count = min(len(share), max(1, -(-alive // MULTIPLE)) * MULTIPLE)
        narrow(block, share.topk(count).indices.sort().values)


def give_bias(parts: nn.Sequential, index: int, bias: Tensor) -> bool:
    """Let a part before `index` add a bias (C,) to what it hands on. False where none can."""
    for part in reversed(parts[:index]):
        if isinstance(part, nn.PixelShuffle):
            bias = bias.repeat_interleave(part.upscale_factor**2)
        elif isinstance(part, Residual | Depthwise) or type(part) is Conv:
            conv = part.b if isinstance(part, Residual | Depthwise) else part
            weight, before = conv.folded()
            replace(conv, weight.detach(), before.detach() + bias)
            return True
        elif not isinstance(part, nn.Identity):
            return False
    return False


def narrow(block: Residual | Depthwise, kept: Tensor) -> None:
    """Leave the channels `kept` (n,) between a block's two convolutions."""
    (weight, bias), (after, last) = block.a.folded(), block.b.folded()
    replace(block.a, weight.detach()[kept], bias.detach()[kept])
    replace(block.b, after.detach()[:, kept], last.detach())


def replace(conv: Conv, weight: Tensor, bias: Tensor) -> None:
    """Give a convolution other weights, as they are once its factors are folded."""
    for name in ("scale_in", "scale_out", "mean"):
        if hasattr(conv, name):
            delattr(conv, name)
    conv.out_channels, conv.in_channels = len(weight), weight.shape[1] * conv.groups
    conv.weight, conv.bias = nn.Parameter(weight.clone()), nn.Parameter(bias.clone())


def hidden_channels(net: Codec) -> list[int]:
    """How many channels each block has inside, the analysis' blocks first."""
    return [block.a.out_channels for _, _, block in blocks_of(net)]
