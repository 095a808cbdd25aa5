"""Write shipped restorations, after the priors of their spaces:

    python -m training.sd_restoration.export sd15

runs/restoration/SPACE.pt -> src/latentpress/models/SPACE/restoration.onnx, float16 weights, and its
SHA-256 in model.json. Prints how far it is from torch, which float16 explains.
"""

import argparse
import hashlib
import json
from pathlib import Path

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


def write_graph(net: Restoration, channels: int, path: Path) -> None:
    """Write a restoration's correction as ONNX.

    Its input x, (1, C + 1, h, w), is y_hat and the step's plane; its output f is (1, C, h, w).
    """
    g = Graph()
    h = g.module(g.module("x", net.first, "first"), net.blocks, "blocks")
    f = g.module(g.node("Relu", h), net.last, "last")
    g.save(
        str(path),
        {"x": (TensorProto.FLOAT, [1, channels + 1, "h", "w"])},
        {"f": (f, TensorProto.FLOAT, [1, channels, "h", "w"])},
    )


def distance(net: Restoration, channels: int, graph: bytes) -> float:
    """The largest difference between a graph and torch, as a share of torch's largest output."""
    x = np.random.default_rng(0).normal(0, 1, (1, channels + 1, 20, 28)).astype(np.float32)
    with torch.inference_mode():
        expected = net.correction(torch.from_numpy(x)).numpy()
    session = ort.InferenceSession(graph, providers=["CPUExecutionProvider"])
    found = session.run(None, {"x": x})[0]
    return float(np.abs(found - expected).max() / np.abs(expected).max())


def main() -> None:
    """Export the spaces that are named."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("spaces", nargs="+", metavar="SPACE")
    for name in parser.parse_args().spaces:
        channels = space_of_codec(name).channels
        folder = OUT / name
        net = Restoration(channels)
        net.load_state_dict(torch.load(RUNS / f"{name}.pt"))
        write_graph(net, channels, folder / FILE)
        data = (folder / FILE).read_bytes()
        card = json.loads((folder / "model.json").read_text(encoding="utf-8"))
        card["sha256"][FILE] = hashlib.sha256(data).hexdigest()
        (folder / "model.json").write_text(json.dumps(card, indent=1) + "\n", encoding="utf-8")
        parameters = sum(p.numel() for p in net.parameters())
        error = distance(net, channels, data)
        print(name, len(data), "bytes,", parameters, f"parameters, off by {error:.1e} of its range")


if __name__ == "__main__":
    main()
