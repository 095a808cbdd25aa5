"""Where int8 on the runtime native loses quality, layer by layer:

    python -m training.trials.rounding_for_int8 PHOTOGRAPHS [RANGES]

RANGES is a ranges.json, that of the package by default. A row for every convolution that takes
bytes: the mean squared error of what its side gives, beside the one in floats, where this one
convolution alone has its inputs in bytes, its weights in the nearest levels, or its weights in the
levels that RANGES says. Then the same of all of them at once. The analysis gives latents, whose
error is told in millionths, of the channels that files use; the synthesis gives pixels, whose error
is told in squared levels before they are rounded, of latents decoded at quality 100.
"""

import base64
import json
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from latentpress import codec, models
from latentpress.runtimes.choice import PRECISION_VARIABLE
from latentpress.runtimes.native import layers
from training.lp1.ranges import crops
from training.lp1.rounding import LARGEST, exact_levels
from training.lp1.watched import Watched

COUNT = 12  # crops, others than the first ones that `training.lp1.ranges` takes
USED = 0.01  # mean size of a decoded channel from which on it counts
KINDS = ("inputs", "nearest levels", "levels of the file", "both")


class Side:
    """A transform whose convolutions take bytes as they are asked to."""

    def __init__(self, name: str, ranges: dict[str, Any]) -> None:
        steps = {k: np.array(v, np.float32) for k, v in ranges["steps"].items()}
        self.network = layers.read(models.read_file("lp1", name), steps)
        self.layers = dict(zip(Watched(name).ends, self.network.layers, strict=True))
        self.names = [name for name, layer in self.layers.items() if layer.is_bytes]
        self.weights = {k: self.rounded(k, ranges.get("turned", {}).get(k)) for k in self.names}

    def rounded(self, name: str, bits: str | None) -> tuple[Tensor, Tensor]:
        """A convolution's weights in the nearest levels, and in those that bits say."""
        layer = self.layers[name]
        steps = self.network.tensors[layer.source].steps
        assert steps is not None
        exact = exact_levels(layer.weight, steps)
        nearest = np.rint(exact)
        turned = np.zeros(exact.size, np.uint8)
        if bits:
            packed = np.frombuffer(base64.b64decode(bits), np.uint8)
            turned = np.unpackbits(packed, count=exact.size, bitorder="little")
        chosen = nearest + turned.reshape(exact.shape) * np.where(exact > nearest, 1, -1)
        # of a level, a convolution's output and input channel
        largest = np.abs(layer.weight * steps[:, None, None]).max((1, 2, 3), keepdims=True)
        unit = largest / LARGEST / steps[:, None, None]
        return torch.tensor(nearest * unit).float(), torch.tensor(chosen * unit).float()

    def run(self, x: Tensor, kinds: dict[str, str]) -> Tensor:
        """What the transform gives; kinds: of KINDS, by the convolutions that take bytes."""
        network = self.network
        values = {network.input: x * network.factor + network.offset}
        for name, layer in self.layers.items():
            source, kind = values[layer.source], kinds.get(name, "")
            weight = torch.tensor(layer.weight.astype(np.float32))
            tensor = network.tensors[layer.source]
            if kind in ("inputs", "both") and layer.source != network.input:
                assert tensor.steps is not None
                step = torch.tensor(tensor.steps)[:, None, None]
                low = -round(tensor.zero)
                source = (source / step).round().clamp(low, low + 255) * step
            if kind in KINDS[1:]:
                weight = self.weights[name][kind != "nearest levels"]
            bias = torch.tensor(np.asarray(layer.bias, np.float32))
            out = F.conv2d(source, weight, bias, layer.stride, layer.pad)
            out = F.pixel_shuffle(out, layer.shuffle)
            out = out + values[layer.added] if layer.added else out
            values[layer.output] = out.relu() if layer.is_relu else out
        return values[network.output]


def table(side: Side, pictures: list[Tensor], unit: Tensor) -> None:
    """Print a side's rows. unit: what the error is multiplied with before it is squared."""
    exact = [side.run(x, {}) for x in pictures]
    for name in (*side.names, "all"):
        errors = []
        for kind in KINDS:
            kinds = dict.fromkeys(side.names if name == "all" else [name], kind)
            both = zip(pictures, exact, strict=True)
            errors.append(
                np.mean([float(((side.run(x, kinds) - y) * unit).square().mean()) for x, y in both])
            )
        print(f"| {name} | " + " | ".join(f"{e:.4f}" for e in errors) + " |", flush=True)


@torch.no_grad()
def main() -> None:
    """Print the table."""
    os.environ[PRECISION_VARIABLE] = "float"
    given = sys.argv[2:] or [models.FOLDER / "lp1" / models.RANGES]
    ranges = json.loads(Path(given[0]).read_text(encoding="utf-8"))
    pictures = list(crops(Path(sys.argv[1]), 2 * COUNT))[1::2]
    files = [codec.compress(one, quality=100, content="photo") for one in pictures]
    latents = np.stack([codec.decode_latent(file) for file in files])
    used = np.abs(latents).mean((0, 2, 3)) > USED
    scale = 1000 * used * np.sqrt(used.size / used.sum())
    print("| convolution | " + " | ".join(KINDS) + " |")
    print("|---" * (1 + len(KINDS)) + "|")
    as_pixels = [torch.tensor(one.copy()).permute(2, 0, 1)[None].float() for one in pictures]
    table(Side("analysis.onnx", ranges), as_pixels, torch.tensor(scale).float()[:, None, None])
    as_latents = [torch.tensor(one)[None].float() for one in latents]
    table(Side("synthesis.onnx", ranges), as_latents, torch.tensor(127.5))


if __name__ == "__main__":
    main()
