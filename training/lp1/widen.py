"""Give a model more channels: set M in networks.py, then python training/widen.py OLD.safetensors NEW.safetensors

Channels die while a model is young: where every symbol is 0, synthesis learns nothing from them, and PSNR stops at what as many
principal components of 16 x 16 blocks give as there are channels alive. The dead ones stay as they are: their means, which the prior
predicts, have come to steer the picture at low rates. The new channels begin as the best linear code of what the old
model leaves: reduced-rank regression of its error on the blocks of the picture.
"""
import math
import sys
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from data import Crops
from networks import LEVELS, RATES, Codec, M
from train import LAMBDA


def blocks(x: Tensor) -> Tensor:
    """(N, 3, 16 h, 16 w) -> (N h w, 768) in the order of a 16 x 16 convolution's weights."""
    n, c, h, w = x.shape
    return x.reshape(n, c, h // 16, 16, w // 16, 16).permute(0, 2, 4, 1, 3, 5).reshape(-1, 768).double()


def gain_at(rate: float) -> float:
    """Steps a unit of an orthonormal coefficient of pixels in [-1, 1] where a small step, squared, costs what it saves in bits."""
    return math.sqrt(LAMBDA(rate) * 65025 * math.log(2) * 256 / (24 * 768))


@torch.inference_mode()
def linear_code(net: Codec, crops: Crops, rank: int, batches: int) -> tuple[Tensor, Tensor, Tensor]:
    """Encoder (rank, 768), orthonormal decoder (768, rank) and standard deviations (rank,) of the old model's error."""
    xx, rx = torch.zeros(768, 768, dtype=torch.double), torch.zeros(768, 768, dtype=torch.double)
    y_scale = (net.gain[-1] + net.inverse[-1]).exp()[:, None, None]
    for _ in range(batches):
        x = crops.batch(8, 256) * 2 - 1
        b, r = blocks(x), blocks(x - net.gs(net.ga(x) * y_scale))
        xx, rx = xx + b.T @ b, rx + r.T @ b
    ridge = 1e-4 * xx.trace() / 768 * torch.eye(768, dtype=torch.double)
    w = torch.linalg.solve(xx + ridge, rx.T).T
    variances, u = torch.linalg.eigh(w @ xx @ w.T)
    u = u[:, -rank:].flip(1)
    encoder = u.T @ w
    sigma = (encoder @ (xx / (batches * 8 * 256)) @ encoder.T).diagonal().sqrt()
    share = float(variances[-rank:].sum() / variances.sum())
    print(f"rank {rank} holds {share:.0%} of the linearly predictable error; sigma {sigma[0]:.2f} to {sigma[-1]:.2f}")
    return encoder.float(), u.float(), sigma.float()


def widen(old: dict[str, Tensor], crops: Crops, batches: int = 60) -> dict[str, Tensor]:
    """The state of a Codec of M channels that begins with the channels of an old one; crops: what the new ones are fitted to."""
    net = Codec()
    state = net.state_dict()
    few = old["gain"].shape[1]
    for part in ("ga.linear.weight", "ga.linear.bias", "gs.linear.0.weight"):   # silent until they are fitted
        state[part].zero_()
    for name, value in old.items():
        new, value = state[name], value.float()
        if new.shape == value.shape:
            new.copy_(value)
        elif name.startswith("prior.head"):         # (mu, log sigma) halves, M rows each
            new.view(2, M, *new.shape[1:])[:, :few] = value.view(2, few, *value.shape[1:])
        else:                                       # more inputs or more outputs
            new[tuple(slice(n) for n in value.shape)] = value
    new = torch.arange(few, M)
    gain = torch.tensor([math.log(r) for r in map(gain_at, RATES)])[:, None].expand(LEVELS, len(new))
    state["gain"][:, new], state["inverse"][:, new] = gain, -gain
    last = f"ga.deep.{len(net.ga.deep) - 1}"
    for rows in (state[f"{last}.weight"], state[f"{last}.bias"]):
        rows[new] = 0
    for head in ("prior.head1", "prior.head2"):
        for rows in (state[f"{head}.weight"], state[f"{head}.bias"]):
            rows[new], rows[new + M] = 0, 0
    for columns in ("prior.ha.0.weight", "prior.ctx_a.weight", "prior.ctx_b.weight", "gs.trunk.0.weight"):
        state[columns][:, new] = torch.randn_like(state[columns][:, new]) * 0.01
    encoder, decoder, sigma = linear_code(net, crops, len(new), batches)
    state["ga.linear.weight"][new] = encoder.view(-1, 3, 16, 16)
    state["gs.linear.0.weight"][:, new] = decoder[:, :, None, None]
    state["prior.head1.bias"][new + M] = sigma.log()
    return state


if __name__ == "__main__":
    torch.manual_seed(0)
    data = Path(__file__).parents[2] / "shared/data/train"
    save_file({k: v.contiguous() for k, v in widen(load_file(sys.argv[1]), Crops(str(data), 0)).items()}, sys.argv[2])
