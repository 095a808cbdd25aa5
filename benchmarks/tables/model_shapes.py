"""How large the shipped models are: python -m benchmarks.tables.model_shapes [SPACE ...]

A row a file: weights, and multiplications a pixel of the picture, in thousands. Both follow from
the files themselves; nothing is timed. Biases and scales count as weights. docs/models has the
tables, and tests/docs/test_cards.py holds them to this.
"""

import sys
from collections.abc import Iterable
from math import prod

from latentpress import models
from latentpress.entropy.multistage_passes import PASSES, passes
from latentpress.runtimes.onnx_file import Graph, read_graph
from latentpress.spaces import SPACES, Space

# latent positions in a position of z, each way
HYPER = 4


def weights(graph: Graph) -> int:
    return sum(a.size for a in graph.constants.values() if a.size > 1)


def multiplications(graph: Graph, factor: int) -> float:
    """Multiplications of the convolutions, a pixel of the picture. factor: pixels a latent
    position, each way.
    """
    spacing = {
        name: float({"pixels": 1, "z": HYPER * factor}.get(name, factor)) for name in graph.inputs
    }
    shapes = {name: a.shape for name, a in graph.constants.items()}
    total = 0.0
    for node in graph.nodes:
        [out] = node.outputs[:1]
        known = [spacing[name] for name in node.inputs if name in spacing]
        if node.op == "Cast" and node.inputs[0] in shapes:
            shapes[out] = shapes[node.inputs[0]]
            continue
        spacing[out] = known[0]
        if node.op == "Conv":
            spacing[out] *= node.attributes["strides"][0]
            total += prod(shapes[node.inputs[1]]) / spacing[out] ** 2
        elif node.op == "DepthToSpace":
            spacing[out] /= node.attributes["blocksize"]
    return total


def prior_row(space: Space) -> tuple[int, float]:
    """Weights of a multistage prior and its multiplications a pixel; a pass of stride s has 1 / s^2
    of the positions.
    """
    a = models.arrays(space.name, "prior.npz")
    hidden = a["second"].shape[1]
    each = [
        (p.inputs + 1) * hidden + hidden**2 + 2 * hidden + 2 * (p.inputs + 1)
        for p in passes(space.channels)
    ]
    share = [1 / s**2 for _, _, s in PASSES] * space.channels
    named = ("first", "first_bias", "second", "second_bias", "head", "linear", "head_bias")
    return sum(a[name].size for name in named), sum(
        n * f for n, f in zip(each, share, strict=True)
    ) / space.factor**2


def rows(spaces: Iterable[Space]) -> list[tuple[str, int, float, int]]:
    """(file, weights, multiplications a pixel, bytes) of each file that computes."""
    out = []
    for space in spaces:
        for name in models.manifest(space.name)["sha256"]:
            data = models.read_file(space.name, name)
            if name.endswith(".onnx"):
                graph = read_graph(data)
                out.append(
                    (
                        f"{space.name}/{name}",
                        weights(graph),
                        multiplications(graph, space.factor),
                        len(data),
                    )
                )
            elif name == "prior.npz":
                out.append((f"{space.name}/{name}", *prior_row(space), len(data)))
    return out


def table(spaces: Iterable[Space]) -> str:
    lines = ["| file | weights | thousand multiplications a pixel | bytes |", "|---|---|---|---|"]
    lines += [
        f"| `{name}` | {n:,} | {m / 1000:.2f} | {size:,} |" for name, n, m, size in rows(spaces)
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    print(table([s for s in SPACES if s.name in sys.argv[1:] or not sys.argv[1:]]))
