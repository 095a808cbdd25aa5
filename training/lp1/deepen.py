"""Give a model another residual block: put it into networks.py, then python training/deepen.py OLD.safetensors NEW.safetensors gs.trunk.7

The last argument is the new block's name; several may follow each other, in order. A new block begins as the identity (its last convolution
is 0), so pictures and rates stay as they are until it is trained.
"""
import sys

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from networks import Codec


def deepen(old: dict[str, Tensor], blocks: list[str]) -> dict[str, Tensor]:
    """The state of a Codec with the named blocks ("gs.trunk.7"), from that of a Codec without them."""
    state, moved = Codec().state_dict(), {k: v.float() for k, v in old.items()}
    for block in blocks:
        part, place = block.rsplit(".", 1)
        moved = {_after(name, part, int(place)): value for name, value in moved.items()}
        for kind in ("weight", "bias"):
            state[f"{block}.b.{kind}"].zero_()
    if extra := moved.keys() - state.keys():
        raise ValueError(f"networks.py has no {sorted(extra)[0]}")
    return state | moved


def _after(name: str, part: str, place: int) -> str:
    """The name of a parameter once a block has been put into `part` at `place`."""
    if not name.startswith(f"{part}."):
        return name
    index, rest = name.removeprefix(f"{part}.").split(".", 1)
    return f"{part}.{int(index) + (int(index) >= place)}.{rest}"


if __name__ == "__main__":
    torch.manual_seed(0)
    deeper = deepen(load_file(sys.argv[1]), sys.argv[3:])
    save_file({k: v.contiguous() for k, v in deeper.items()}, sys.argv[2])
