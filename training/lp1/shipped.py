"""Read the shipped ONNX model back into torch, to go on training from it."""
import numpy as np
import onnx
import torch
from onnx import numpy_helper

from export import OUT
from integer import LAYERS, LOG_SIGMA_UNIT, IntegerLayer, real_layer
from networks import SIGMA_MIN, Codec


def load_shipped(net: Codec) -> None:
    """Fill net with the weights in src/latentpress/models/lp1 (float16 transforms, integer prior)."""
    found: dict[str, np.ndarray] = {}
    for path in OUT.glob("*.onnx"):
        found |= {t.name: numpy_helper.to_array(t) for t in onnx.load(path).graph.initializer}
    levels = dict(np.load(OUT / "levels.npz"))
    state = net.state_dict()
    names = [k for k in state if k.startswith(("ga.", "gs.", "prior.ha."))]
    net.load_state_dict({k: torch.from_numpy(found[k].astype(np.float32)) for k in names}, strict=False)
    for layer, (convolutions, _) in LAYERS.items():
        if layer == "hs1":
            bias, shift = levels["bias"], levels["hs1_shift"]
        else:
            bias, shift = found[f"prior.{layer}.bias"].ravel(), -np.log2(found[f"prior.{layer}.scale"].ravel())
        weights = {c: found[f"prior.{c}.weight"] for c, _, _ in convolutions}
        real_layer(net.prior, layer, IntegerLayer(weights, bias, np.round(shift).astype(np.int32)))
    with torch.no_grad():
        net.gain.copy_(torch.from_numpy(levels["gain"]))
        net.inverse.copy_(torch.from_numpy(levels["inverse"]))
        net.prior.z_log_sigma.copy_(torch.from_numpy((levels["z_scale"] * LOG_SIGMA_UNIT + np.log(SIGMA_MIN)).astype(np.float32)))
