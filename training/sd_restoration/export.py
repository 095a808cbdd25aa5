"""Write shipped restorations: python -m training.sd_restoration.export sd15   (after the prior's)

runs/restoration/SPACE.pt -> src/latentpress/models/SPACE/restoration.onnx, float16 weights, and its SHA-256 in model.json. Checks that it
equals torch within float16.
"""

import hashlib
import json
import sys

import numpy as np
import onnxruntime as ort
import torch
from onnx import TensorProto

from latentpress.spaces import space_of_codec
from latentpress.transforms.restoration import FILE
from training.lp1.onnx_graph import Graph
from training.sd_priors.export import OUT
from training.sd_restoration.data import OUT as RUNS
from training.sd_restoration.network import Restoration


def main() -> None:
    for name in sys.argv[1:]:
        channels, folder = space_of_codec(name).channels, OUT / name
        net = Restoration(channels)
        net.load_state_dict(torch.load(RUNS / f"{name}.pt"))
        g = Graph()
        h = g.node("Relu", g.module(g.module("x", net.first, "first"), net.blocks, "blocks"))
        g.save(
            str(folder / FILE),
            {"x": (TensorProto.FLOAT, [1, channels + 1, "h", "w"])},
            {"f": (g.module(h, net.last, "last"), TensorProto.FLOAT, [1, channels, "h", "w"])},
        )
        data = (folder / FILE).read_bytes()
        card = json.loads((folder / "model.json").read_text())
        card["sha256"][FILE] = hashlib.sha256(data).hexdigest()
        (folder / "model.json").write_text(json.dumps(card, indent=1) + "\n")
        x = np.random.default_rng(0).normal(0, 1, (1, channels + 1, 20, 28)).astype(np.float32)
        with torch.inference_mode():
            expected = net.correction(torch.from_numpy(x)).numpy()
        found = ort.InferenceSession(data, providers=["CPUExecutionProvider"]).run(None, {"x": x})[
            0
        ]
        parameters, error = (
            sum(p.numel() for p in net.parameters()),
            np.abs(found - expected).max() / np.abs(expected).max(),
        )
        print(name, len(data), "bytes,", parameters, f"parameters, off by {error:.1e} of its range")


if __name__ == "__main__":
    main()
