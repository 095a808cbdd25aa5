"""Read the shipped ONNX model back into torch, to go on training from it."""

import re

import numpy as np
import onnx
import torch
from onnx import numpy_helper
from torch import Tensor

from training.grids import SIGMA_MIN
from training.lp1.codec import Codec
from training.lp1.export import OUT
from training.lp1.integer import LAYERS, LOG_SIGMA_UNIT, IntegerLayer, real_layer

INSIDE = re.compile(r"\.(spatial|a|b)\.(weight|bias)$")  # of a residual block


def whole(name: str, found: dict[str, np.ndarray], fresh: Tensor) -> Tensor:
    """A parameter of a transform at its full width.

    What `training.lp1.pruning` left out of a residual block begins fresh, and what its last
    convolution makes of that is zero, so that the model computes what the shipped one does.

    Args:
        name: Of the parameter.
        found: The shipped parameters.
        fresh: It, as it would begin.

    Raises:
        KeyError: It is missing, and not inside a residual block.
    """
    if name not in found and not INSIDE.search(name):
        raise KeyError(name)
    out = torch.zeros_like(fresh) if ".b." in name else fresh.clone()
    if name in found:
        given = torch.from_numpy(found[name].astype(np.float32))
        if given.numel() == fresh.numel():
            return given.view(fresh.shape)
        out[tuple(map(slice, given.shape))] = given
    return out


def load_shipped(revive: bool = True) -> dict[str, Tensor]:
    """The state of a `Codec` with the weights in src/latentpress/models/lp1.

    The transforms are float16 there, the prior's layers integers. See `whole` for channels that
    are not shipped; what they begin with is always the same.

    Args:
        revive: Whether they begin fresh. Else they are zero, get no gradient and stay so.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        net = Codec()
    found: dict[str, np.ndarray] = {}
    for path in OUT.glob("*.onnx"):
        found |= {t.name: numpy_helper.to_array(t) for t in onnx.load(path).graph.initializer}
    with np.load(OUT / "levels.npz") as file:
        levels = dict(file)
    state = net.state_dict()
    names = [k for k in state if k.startswith(("ga.", "gs.", "prior.ha."))]
    fresh = {k: state[k] if revive else torch.zeros_like(state[k]) for k in names}
    net.load_state_dict({k: whole(k, found, t) for k, t in fresh.items()}, strict=False)
    for layer, (convolutions, _) in LAYERS.items():
        if layer == "hs1":
            bias, shift = levels["bias"], levels["hs1_shift"]
        else:
            bias = found[f"prior.{layer}.bias"].ravel()
            shift = -np.log2(found[f"prior.{layer}.scale"].ravel())
        weights = {c: found[f"prior.{c}.weight"] for c, _, _ in convolutions}
        real_layer(net.prior, layer, IntegerLayer(weights, bias, np.round(shift).astype(np.int32)))
    z_log_sigma = levels["z_scale"] * LOG_SIGMA_UNIT + np.log(SIGMA_MIN)
    with torch.no_grad():
        net.gain.copy_(torch.from_numpy(levels["gain"]))
        net.inverse.copy_(torch.from_numpy(levels["inverse"]))
        net.prior.z_log_sigma.copy_(torch.from_numpy(z_log_sigma.astype(np.float32)))
    return net.state_dict()


def shipped_codec() -> Codec:
    """The shipped model in torch, to be looked at and not trained."""
    net = Codec().eval()
    net.load_state_dict(load_shipped())
    return net
