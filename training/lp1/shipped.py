"""Read the shipped ONNX model back into torch, to go on training from it."""

import numpy as np
import onnx
import torch
from onnx import numpy_helper
from torch import Tensor

from training.grids import SIGMA_MIN
from training.lp1.codec import Codec
from training.lp1.export import OUT
from training.lp1.integer import LAYERS, LOG_SIGMA_UNIT, IntegerLayer, real_layer


def load_shipped() -> dict[str, Tensor]:
    """The state of a `Codec` with the weights in src/latentpress/models/lp1.

    The transforms are float16 there, the prior's layers integers.
    """
    net = Codec()
    found: dict[str, np.ndarray] = {}
    for path in OUT.glob("*.onnx"):
        found |= {t.name: numpy_helper.to_array(t) for t in onnx.load(path).graph.initializer}
    with np.load(OUT / "levels.npz") as file:
        levels = dict(file)
    state = net.state_dict()
    names = [k for k in state if k.startswith(("ga.", "gs.", "prior.ha."))]
    as_float = lambda name: torch.from_numpy(found[name].astype(np.float32))
    net.load_state_dict({k: as_float(k).view(state[k].shape) for k in names}, strict=False)
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
