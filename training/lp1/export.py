"""Write the shipped model:  python -m training.lp1.export RUN

RUN is the output folder of a training run, or folder:NAME of a run of pairs.

torch weights -> src/latentpress/models/lp1/: five ONNX graphs, levels.npz (gains, integer tables a level) and
model.json (SHA-256 of each file). Then checks the shipped form: the integer prior equals a float64 evaluation of the
same integers to the last one, and the transforms equal torch within float16.
"""

import hashlib
import json
import sys
from pathlib import Path

import numpy as np
import onnxruntime as ort
import torch
from onnx import TensorProto

from training.grids import SIGMA_MIN
from training.lp1.checkpoint import load_run
from training.lp1.codec import Codec
from training.lp1.halo import halo
from training.lp1.integer import LAYERS, LOG_SIGMA_UNIT, IntegerLayer, integer_layer
from training.lp1.onnx_graph import Graph
from training.lp1.prior import Prior
from training.lp1.shape import LEVELS

OUT = Path(__file__).parents[2] / "src/latentpress/models/lp1"
FLOAT, UINT8 = TensorProto.FLOAT, TensorProto.UINT8
DECODER_FILES = (
    "features.onnx",
    "context.onnx",
    "synthesis.onnx",
    "levels.npz",
)  # what the file's model hash covers


def export_transforms(net: Codec, out: Path = OUT) -> None:
    """Write analysis.onnx, synthesis.onnx and hyper_analysis.onnx of a model into a folder."""
    m, z = net.shape.latent, net.shape.hyper
    g = Graph()
    x = g.node("Transpose", g.node("Cast", "pixels", to=FLOAT), perm=[0, 3, 1, 2])
    x = g.node("Sub", g.node("Mul", x, g.scalar(2 / 255)), g.scalar(1))
    g.save(
        str(out / "analysis.onnx"),
        {"pixels": (UINT8, [1, "H", "W", 3])},
        {"y": (g.module(x, net.ga, "ga"), FLOAT, [1, m, "h", "w"])},
    )
    g = Graph()
    x = g.node("Add", g.node("Mul", g.module("y", net.gs, "gs"), g.scalar(127.5)), g.scalar(127.5))
    x = g.node("Round", g.node("Clip", x, g.scalar(0), g.scalar(255)))
    x = g.node("Cast", g.node("Transpose", x, perm=[0, 2, 3, 1]), to=UINT8)
    g.save(
        str(out / "synthesis.onnx"),
        {"y": (FLOAT, [1, m, "h", "w"])},
        {"pixels": (x, UINT8, [1, "H", "W", 3])},
    )
    g = Graph()
    g.save(
        str(out / "hyper_analysis.onnx"),
        {"y": (FLOAT, [1, m, "h", "w"])},
        {"z": (g.module("y", net.prior.ha, "prior.ha"), FLOAT, [1, z, "hz", "wz"])},
    )


def export_prior(prior: Prior, layers: dict[str, IntegerLayer]) -> None:
    def conv(g: Graph, x: str, layer: str, name: str = "") -> str:
        name = name or layer
        return g.integer_convolution(x, name, layers[layer].weights[name], getattr(prior, name))

    m, z, f = prior.ctx_a.in_channels, prior.hs1.in_channels, prior.hs3.in_channels
    g = Graph()
    t = g.activation(
        g.shuffle(g.rescale(conv(g, "z", "hs1"), "hs1", layers["hs1"], bias="bias"), 2)
    )
    t = g.activation(g.shuffle(g.rescale(conv(g, t, "hs2"), "hs2", layers["hs2"]), 2))
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
    number = lambda t: t.detach().double().cpu().numpy()
    eighths = lambda a: np.round(a / LOG_SIGMA_UNIT).astype(np.int32)
    np.savez_compressed(
        OUT / "levels.npz",
        gain=number(net.gain).astype(np.float32),
        inverse=number(net.inverse).astype(np.float32),
        scale_offset=eighths(number(net.gain)),  # (LEVELS, M) log gain, in 1/8 of a scale step
        z_scale=eighths(
            number(net.prior.z_log_sigma) - np.log(SIGMA_MIN)
        ),  # (LEVELS, Z) scale of z, likewise
        bias=layers["hs1"].bias,  # (LEVELS, 4 * FEATURES)
        hs1_shift=layers["hs1"].shift,
    )


def check(net: Codec, layers: dict[str, IntegerLayer]) -> None:
    """The shipped graphs against torch and against float64."""
    rng = np.random.default_rng(0)
    run = lambda name, **feeds: ort.InferenceSession(
        OUT / name, providers=["CPUExecutionProvider"]
    ).run(None, feeds)
    z = np.clip(np.round(rng.laplace(0, 4, (1, net.shape.hyper, 5, 7))), -127, 127).astype(
        np.float32
    )
    white = np.round(rng.uniform(-127, 127, (1, net.shape.latent, 20, 28))).astype(np.float32)
    bias = layers["hs1"].bias[LEVELS // 2].reshape(1, -1, 1, 1)

    def conv64(x: torch.Tensor, layer: str, name: str = "") -> torch.Tensor:
        name = name or layer
        weight, like = (
            torch.from_numpy(layers[layer].weights[name]).double(),
            getattr(net.prior, name),
        )
        return torch.nn.functional.conv2d(x, weight, padding=like.padding, dilation=like.dilation)

    def scale64(x: torch.Tensor, layer: str, b: np.ndarray) -> torch.Tensor:
        scale = 2.0 ** -torch.from_numpy(layers[layer].shift).double().view(1, -1, 1, 1)
        return ((x + torch.from_numpy(b).double().view(1, -1, 1, 1)) * scale).round()

    act64, up = lambda t: t.clamp(0, 255), lambda t: torch.nn.functional.pixel_shuffle(t, 2)
    f = act64(up(scale64(conv64(torch.from_numpy(z).double(), "hs1"), "hs1", bias)))
    f = act64(up(scale64(conv64(f, "hs2"), "hs2", layers["hs2"].bias)))
    f = act64(scale64(conv64(f, "hs3"), "hs3", layers["hs3"].bias))
    head1 = scale64(conv64(f, "head1"), "head1", layers["head1"].bias)
    w = torch.from_numpy(white).double()
    h = conv64(w, "ctx", "ctx_a") + conv64(w, "ctx", "ctx_b") + conv64(f, "ctx", "ctx_f")
    h = act64(scale64(h, "ctx", layers["ctx"].bias))
    h = act64(scale64(conv64(h, "mix"), "mix", layers["mix"].bias))
    head2 = scale64(conv64(h, "head2"), "head2", layers["head2"].bias)
    features, head = run("features.onnx", z=z, bias=bias.astype(np.float32))
    (context,) = run("context.onnx", features=features, white=white)
    for name, a, b in (
        ("features", features, f),
        ("head", head, head1),
        ("context", context, head2),
    ):
        if not np.array_equal(a, b.numpy()):
            raise SystemExit(f"{name}: the shipped integers differ from float64's")
    with torch.inference_mode():
        x = rng.integers(0, 256, (1, 64, 96, 3), dtype=np.uint8)
        y = net.ga(torch.from_numpy(x).permute(0, 3, 1, 2).float() / 127.5 - 1).numpy()
        error = np.abs(run("analysis.onnx", pixels=x)[0] - y).max() / np.abs(y).max()
        pixels = (
            (net.gs(torch.from_numpy(y)).clamp(-1, 1) * 127.5 + 127.5)
            .round()
            .permute(0, 2, 3, 1)
            .numpy()
        )
        levels = np.abs(run("synthesis.onnx", y=y)[0] - pixels).max()
        real = (
            net.prior.hyper_features(
                torch.from_numpy(z), net.prior.level_bias[LEVELS // 2][None]
            ).numpy()
            * 32
        )
        drift = np.abs(features - real).max()
    print(
        f"exact prior: equal; features against torch: {drift:.0f} of 255; "
        f"analysis off by {error:.1e} of its range; synthesis by {levels:.0f} levels"
    )


def main() -> None:
    """Export a run's averaged weights."""
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    net = load_run(sys.argv[1])
    OUT.mkdir(parents=True, exist_ok=True)
    layers = {name: integer_layer(net.prior, name) for name in LAYERS}
    export_transforms(net)
    export_prior(net.prior, layers)
    export_levels(net, layers)
    shipped = sorted(p for p in OUT.glob("*") if p.suffix in (".onnx", ".npz"))
    digest = {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in shipped}
    covered = "".join(digest[name] for name in DECODER_FILES).encode()
    model = {
        "space": "lp1",
        "model_hash": hashlib.sha256(covered).hexdigest()[:8],
        "halo": halo(net),
        "sha256": digest,
    }
    (OUT / "model.json").write_text(json.dumps(model, indent=1) + "\n")
    check(net, layers)
    print(model["model_hash"], sum(p.stat().st_size for p in OUT.glob("*")), "bytes")


if __name__ == "__main__":
    main()
