"""What layers of bytes read, and which way their weights are rounded for it."""

from base64 import b64encode

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from latentpress.runtimes.native import layers
from training.lp1.limits import to_levels
from training.lp1.rounding import exact_levels, least_error_levels, turned_bits
from training.lp1.watched import Feed, Watched

PATCHES = 150  # of a tensor and crop, whose products are summed


class Inputs:
    """What a layer of bytes reads: the sums of the products of its numbers."""

    def __init__(self, layer: layers.Layer, network: layers.Network) -> None:
        tensor = network.tensors[layer.source]
        assert tensor.steps is not None
        self._layer = layer
        self._steps = tensor.steps
        self._is_signed = tensor.zero != 0
        self._are_pixels = layer.source == network.input and network.is_of_pixels
        size = layer.weight[0].size
        self._sums = np.zeros((size, size))
        self._count = 0

    def add(self, rng: np.random.Generator, x: NDArray[np.float32]) -> None:
        """Of a picture (C, H, W), at PATCHES places."""
        steps, layer = self._steps.astype(np.float32), self._layer
        if self._are_pixels:
            x = x / steps[:, None, None]
        else:
            x = to_levels(x.reshape(len(x), -1), steps, self._is_signed).reshape(x.shape)
        borders = (0, 0), (layer.pad, layer.pad), (layer.pad, layer.pad)
        windows = sliding_window_view(np.pad(x, borders), layer.kernel, (1, 2))
        windows = windows[:, :: layer.stride, :: layer.stride]
        at = [rng.integers(0, size, PATCHES) for size in windows.shape[1:3]]
        patches = windows[:, at[0], at[1]].transpose(1, 0, 2, 3).reshape(PATCHES, -1)
        self._sums += patches.T @ patches
        self._count += PATCHES

    def turned(self) -> NDArray[np.uint8]:
        """The bits of the layer's weights, as of `layers.pack`."""
        exact = exact_levels(self._layer.weight, self._steps).reshape(-1, len(self._sums))
        return turned_bits(exact, least_error_levels(exact, self._sums / self._count))


def turned(
    graph: Watched, rng: np.random.Generator, feeds: list[Feed], steps: dict[str, list[float]]
) -> dict[str, str]:
    """{convolution: bits of its weights, in base64}, of those that take bytes."""
    network = layers.read(graph.data, {k: np.array(v, np.float32) for k, v in steps.items()})
    found = {
        name: Inputs(layer, network)
        for name, layer in zip(graph.ends, network.layers, strict=True)
        if layer.is_bytes
    }
    for feed in feeds:
        values = graph.values(feed)
        for name, inputs in found.items():
            inputs.add(rng, values[graph.ends[name][0]][0])
    return {name: b64encode(inputs.turned().tobytes()).decode() for name, inputs in found.items()}
