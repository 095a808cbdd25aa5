"""Write the shipped model:  python -m training.lp1.export RUN

RUN is the output folder of a training run, or folder:NAME of a run of pairs.

torch weights -> src/latentpress/models/lp1/: five ONNX graphs, levels.npz (gains, integer tables a
level) and model.json (SHA-256 of each file). Then checks the shipped form: the integer prior equals
a float64 evaluation of the same integers to the last one, and the transforms equal torch within
float16.
"""

import argparse
import copy
import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
import torch
from numpy.typing import NDArray
from onnx import TensorProto
from torch import Tensor

from training.grids import ACT, ACT_MAX, SIGMA_MIN, WHITE_MAX, Z_MAX
from training.lp1.centers import centered
from training.lp1.checkpoint import load_run
from training.lp1.codec import Codec
from training.lp1.halo import halo
from training.lp1.integer import LAYERS, LOG_SIGMA_UNIT, IntegerLayer, integer_layer
from training.lp1.onnx_graph import Graph
from training.lp1.prior import Prior
from training.lp1.pruning import activity, hidden_channels, prune, replace
from training.lp1.shape import LEVELS

OUT = Path(__file__).parents[2] / "src/latentpress/models/lp1"
FLOAT, UINT8 = TensorProto.FLOAT, TensorProto.UINT8
# What the file's model hash covers.
DECODER_FILES = ("features.onnx", "context.onnx", "synthesis.onnx", "levels.npz")
MIDDLE = LEVELS // 2  # the level that is checked


def export_transforms(net: Codec, out: Path = OUT) -> None:
    """Write analysis.onnx, synthesis.onnx and hyper_analysis.onnx of a model into a folder."""
    m = net.shape.latent
    z = net.shape.hyper
    g = Graph()
    x = g.node("Transpose", g.node("Cast", "pixels", to=FLOAT), perm=[0, 3, 1, 2])
    x = g.node("Sub", g.node("Mul", x, g.scalar(2 / 255)), g.scalar(1))
    g.save(
        str(out / "analysis.onnx"),
        {"pixels": (UINT8, [1, "H", "W", 3])},
        {"y": (g.module(x, net.ga, "ga"), FLOAT, [1, m, "h", "w"])},
    )
    export_synthesis(net, out / "synthesis.onnx")
    g = Graph()
    g.save(
        str(out / "hyper_analysis.onnx"),
        {"y": (FLOAT, [1, m, "h", "w"])},
        {"z": (g.module("y", net.prior.ha, "prior.ha"), FLOAT, [1, z, "hz", "wz"])},
    )


def export_synthesis(net: Codec, path: Path) -> None:
    """Write the synthesis of a model as an ONNX graph."""
    g = Graph()
    x = g.node("Add", g.node("Mul", g.module("y", net.gs, "gs"), g.scalar(127.5)), g.scalar(127.5))
    x = g.node("Round", g.node("Clip", x, g.scalar(0), g.scalar(255)))
    x = g.node("Cast", g.node("Transpose", x, perm=[0, 2, 3, 1]), to=UINT8)
    g.save(
        str(path),
        {"y": (FLOAT, [1, net.shape.latent, "h", "w"])},
        {"pixels": (x, UINT8, [1, "H", "W", 3])},
    )


def check_same_files(net: Codec) -> None:
    """Hold a second synthesis against the package's model, whose files it will decode.

    Raises:
        SystemExit: More than the synthesis was trained.
    """
    from training.lp1.shipped import load_shipped

    plain = copy.deepcopy(net)
    for conv in centered(plain):
        replace(conv, *(t.detach() for t in conv.folded()))
    state = plain.state_dict()
    for name, of_package in load_shipped().items():
        if name.startswith("gs."):
            continue
        if name not in state or state[name].shape != of_package.shape:
            raise SystemExit(f"{name} is not of the package's model")
        if not torch.allclose(state[name], of_package, rtol=2e-3, atol=1e-4):  # it was float16
            raise SystemExit(f"{name} is not the package's: files would decode to something else")


def export_prior(prior: Prior, layers: dict[str, IntegerLayer]) -> None:
    """Write features.onnx and context.onnx, whose inputs, weights and outputs are integers.

    Args:
        prior: For the geometry of its convolutions.
        layers: In integers, by the names of LAYERS.
    """
    m = prior.ctx_a.in_channels
    z = prior.hs1.in_channels
    f = prior.hs3.in_channels

    def conv(g: Graph, x: str, layer: str, name: str = "") -> str:
        name = name or layer
        return g.integer_convolution(x, name, layers[layer].weights[name], getattr(prior, name))

    g = Graph()
    t = g.rescale(conv(g, "z", "hs1"), "hs1", layers["hs1"], bias="bias")
    t = g.activation(g.shuffle(t, 2))
    t = g.rescale(conv(g, t, "hs2"), "hs2", layers["hs2"])
    t = g.activation(g.shuffle(t, 2))
    t = g.activation(g.rescale(conv(g, t, "hs3"), "hs3", layers["hs3"]))
    head = g.rescale(conv(g, t, "head1"), "head1", layers["head1"])
    g.save(
        str(OUT / "features.onnx"),
        {"z": (FLOAT, [1, z, "hz", "wz"]), "bias": (FLOAT, [1, 4 * f, 1, 1])},
        {"features": (t, FLOAT, [1, f, "h", "w"]), "head": (head, FLOAT, [1, 2 * m, "h", "w"])},
    )
    g = Graph()
    h = g.node("Add", conv(g, "white", "ctx", "ctx_a"), conv(g, "white", "ctx", "ctx_b"))
    h = g.node("Add", h, conv(g, "features", "ctx", "ctx_f"))
    h = g.activation(g.rescale(h, "ctx", layers["ctx"]))
    h = g.activation(g.rescale(conv(g, h, "mix"), "mix", layers["mix"]))
    head = g.rescale(conv(g, h, "head2"), "head2", layers["head2"])
    g.save(
        str(OUT / "context.onnx"),
        {"features": (FLOAT, [1, f, "h", "w"]), "white": (FLOAT, [1, m, "h", "w"])},
        {"head": (head, FLOAT, [1, 2 * m, "h", "w"])},
    )


def export_levels(net: Codec, layers: dict[str, IntegerLayer]) -> None:
    """Write levels.npz, what depends on the level; all but hs1_shift have a row a level.

    gain, inverse: float32 (LEVELS, M), logarithms. scale_offset (LEVELS, M), z_scale (LEVELS, Z):
    int32, the logarithms of the gain and of the scale of z, in eighths of a scale index. bias:
    int32 (LEVELS, 4 * features). hs1_shift: int32 (4 * features,).
    """
    number = lambda t: t.detach().double().cpu().numpy()
    eighths = lambda a: np.round(a / LOG_SIGMA_UNIT).astype(np.int32)
    np.savez_compressed(
        OUT / "levels.npz",
        gain=number(net.gain).astype(np.float32),
        inverse=number(net.inverse).astype(np.float32),
        scale_offset=eighths(number(net.gain)),
        z_scale=eighths(number(net.prior.z_log_sigma) - np.log(SIGMA_MIN)),
        bias=layers["hs1"].bias,
        hs1_shift=layers["hs1"].shift,
    )


def run(name: str, **feeds: NDArray[Any]) -> list[NDArray[Any]]:
    """The outputs of an exported graph."""
    return ort.InferenceSession(OUT / name, providers=["CPUExecutionProvider"]).run(None, feeds)


class Float64Prior:
    """The integer prior in float64, which holds all sums: what the shipped graphs must give.

    Args:
        prior: For the geometry of its convolutions.
        layers: In integers, by the names of LAYERS.
    """

    def __init__(self, prior: Prior, layers: dict[str, IntegerLayer]) -> None:
        self.prior = prior
        self.layers = layers

    def convolution(self, x: Tensor, layer: str, name: str = "") -> Tensor:
        """One convolution of a layer, the one of its name if there are several."""
        name = name or layer
        weight = torch.from_numpy(self.layers[layer].weights[name]).double()
        like = getattr(self.prior, name)
        return torch.nn.functional.conv2d(x, weight, padding=like.padding, dilation=like.dilation)

    def rescale(self, x: Tensor, layer: str, bias: NDArray[Any] | None = None) -> Tensor:
        """round(2^-shift * (x + bias)), with the layer's bias where no other is given."""
        column = lambda a: torch.from_numpy(a).double().view(1, -1, 1, 1)
        scale = 2.0 ** -column(self.layers[layer].shift)
        return ((x + column(self.layers[layer].bias if bias is None else bias)) * scale).round()

    def features(self, z: Tensor, bias: NDArray[Any]) -> tuple[Tensor, Tensor]:
        """z (1, Z, h / 4, w / 4) and the level's bias -> features (1, F, h, w), the first head."""
        shuffle = lambda t: torch.nn.functional.pixel_shuffle(t, 2)
        f = clip(shuffle(self.rescale(self.convolution(z, "hs1"), "hs1", bias)))
        f = clip(shuffle(self.rescale(self.convolution(f, "hs2"), "hs2")))
        f = clip(self.rescale(self.convolution(f, "hs3"), "hs3"))
        return f, self.rescale(self.convolution(f, "head1"), "head1")

    def context(self, f: Tensor, white: Tensor) -> Tensor:
        """Features and whitened anchors (1, M, h, w) -> the second head."""
        h = self.convolution(white, "ctx", "ctx_a") + self.convolution(white, "ctx", "ctx_b")
        h = clip(self.rescale(h + self.convolution(f, "ctx", "ctx_f"), "ctx"))
        h = clip(self.rescale(self.convolution(h, "mix"), "mix"))
        return self.rescale(self.convolution(h, "head2"), "head2")


def clip(t: Tensor) -> Tensor:
    """The hidden activations' clipped ReLU, in integers."""
    return t.clamp(0, ACT_MAX)


def check_prior(
    net: Codec, layers: dict[str, IntegerLayer], rng: np.random.Generator
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Compare the shipped prior with float64's on random integers.

    Returns:
        z, and the features that the shipped graph makes of it.

    Raises:
        SystemExit: An integer differs.
    """
    z = np.clip(np.round(rng.laplace(0, 4, (1, net.shape.hyper, 5, 7))), -Z_MAX, Z_MAX)
    z = z.astype(np.float32)
    white = np.round(rng.uniform(-WHITE_MAX, WHITE_MAX, (1, net.shape.latent, 20, 28)))
    white = white.astype(np.float32)
    bias = layers["hs1"].bias[MIDDLE].reshape(1, -1, 1, 1)
    features, head = run("features.onnx", z=z, bias=bias.astype(np.float32))
    (context,) = run("context.onnx", features=features, white=white)
    exact = Float64Prior(net.prior, layers)
    f, head1 = exact.features(torch.from_numpy(z).double(), bias)
    head2 = exact.context(f, torch.from_numpy(white).double())
    pairs = {"features": (features, f), "head": (head, head1), "context": (context, head2)}
    for name, (found, expected) in pairs.items():
        if not np.array_equal(found, expected.numpy()):
            raise SystemExit(f"{name}: the shipped integers differ from float64's")
    return z, features


@torch.inference_mode()
def check(net: Codec, layers: dict[str, IntegerLayer]) -> None:
    """Compare the shipped graphs with torch and with float64, and print how far they are.

    Raises:
        SystemExit: The integer prior is not exact.
    """
    rng = np.random.default_rng(0)
    z, features = check_prior(net, layers, rng)
    x = rng.integers(0, 256, (1, 64, 96, 3), dtype=np.uint8)
    y = net.ga(torch.from_numpy(x).permute(0, 3, 1, 2).float() / 127.5 - 1).numpy()
    error = np.abs(run("analysis.onnx", pixels=x)[0] - y).max() / np.abs(y).max()
    x_hat = net.gs(torch.from_numpy(y)).clamp(-1, 1) * 127.5 + 127.5
    pixels = x_hat.round().permute(0, 2, 3, 1).numpy()
    levels = np.abs(run("synthesis.onnx", y=y)[0] - pixels).max()
    real = net.prior.hyper_features(torch.from_numpy(z), net.prior.level_bias[MIDDLE][None])
    drift = np.abs(features - real.numpy() * ACT).max()
    print(
        f"exact prior: equal; features against torch: {drift:.0f} of {ACT_MAX}; "
        f"analysis off by {error:.1e} of its range; synthesis by {levels:.0f} levels"
    )


def main() -> None:
    """Export a run's averaged weights."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("run", help="output folder of a run, or folder:NAME of a run of pairs")
    parser.add_argument(
        "--synthesis",
        type=Path,
        metavar="FILE",
        help="write the synthesis alone, for the files of the package's model",
    )
    parser.add_argument(
        "--packs", type=Path, help="leave out of the residual blocks what never fires on these"
    )
    args = parser.parse_args()
    net = load_run(args.run)
    if args.synthesis:
        check_same_files(net)  # at its full width
    if args.packs:
        prune(net, activity(net, args.packs))
        print("inside the blocks that are left:", *hidden_channels(net))
    if args.synthesis:
        export_synthesis(net, args.synthesis)
        print(f"{args.synthesis}: {args.synthesis.stat().st_size} bytes")
        return
    OUT.mkdir(parents=True, exist_ok=True)
    layers = {name: integer_layer(net.prior, name) for name in LAYERS}
    export_transforms(net)
    export_prior(net.prior, layers)
    export_levels(net, layers)
    (OUT / "ranges.json").unlink(missing_ok=True)  # of another model; training.lp1.ranges measures
    shipped = sorted(p for p in OUT.glob("*") if p.suffix in (".onnx", ".npz"))
    digest = {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in shipped}
    covered = "".join(digest[name] for name in DECODER_FILES).encode()
    model = {
        "space": "lp1",
        "model_hash": hashlib.sha256(covered).hexdigest()[:8],
        "halo": halo(net),
        "sha256": digest,
    }
    (OUT / "model.json").write_text(json.dumps(model, indent=1) + "\n", encoding="utf-8")
    check(net, layers)
    print(model["model_hash"], sum(p.stat().st_size for p in OUT.glob("*")), "bytes")


if __name__ == "__main__":
    main()
