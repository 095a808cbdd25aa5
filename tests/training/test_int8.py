"""The int8 phase imitates what the package's int8 computes, learns it, and its limits come out."""

import re
from pathlib import Path

import numpy as np
import pytest
import torch

from training.lp1.blocks import Conv
from training.lp1.codec import Codec
from training.lp1.int8 import WEIGHT_MAX, Bytes, begin_int8, limits_of, weight_levels
from training.lp1.shape import LEVELS, Shape

TOY = Shape(
    analysis="conv:8:8:4 dense down:12 dense down:16 depthwise",
    synthesis="mix:16 dense up:12 dense up:8",
    latent=24,
    hyper=8,
    features=16,
    context=16,
    int8=True,
)


def toy() -> Codec:
    torch.manual_seed(0)
    net = Codec(TOY).eval()
    generator = torch.Generator().manual_seed(1)
    pictures = [torch.rand(2, 3, 64, 64, generator=generator) for _ in range(3)]
    begin_int8(net, pictures, [torch.tensor([1.0, 5.0])] * 3)
    return net


def test_bytes_are_where_the_shipped_ranges_are() -> None:
    pytest.importorskip("onnxruntime", reason="training.lp1.ranges needs it")
    from training.lp1.ranges import BLOCKS

    net = Codec(Shape(int8=True))
    names = [name for name, m in net.named_modules() if isinstance(m, Conv)]
    want = {name for name in names if re.search(BLOCKS, name)}
    assert set(limits_of(net)) == want


def test_a_convolution_in_bytes_is_one_of_integers() -> None:
    net = toy()
    conv = net.gs.trunk[1].a
    x = torch.randn(1, 16, 6, 7)
    low, high = limits_of(net)["gs.trunk.1.a"]["input"]
    step = (high - low) / 255
    zero = round(-low / step)
    levels = (x / step).round().add(zero).clamp(0, 255) - zero
    rows, scale = weight_levels(conv.weight)
    assert float(rows.detach().abs().max()) == WEIGHT_MAX
    whole = torch.nn.functional.conv2d(levels.double(), rows.double(), padding=1)
    want = whole * (scale.double() * step)[:, None, None] + conv.bias.double()[:, None, None]
    torch.testing.assert_close(conv(x).double(), want, rtol=1e-4, atol=1e-4)


def test_limits_learn_and_gradients_pass() -> None:
    net = toy()
    conv = net.gs.trunk[1].b
    assert isinstance(conv.bytes, Bytes)
    x = torch.randn(1, 16, 6, 7).abs().requires_grad_()
    conv(x).square().sum().backward()
    assert x.grad is not None
    assert float(x.grad.abs().sum()) > 0
    assert conv.weight.grad is not None
    for number in (1, 2, 3):  # the input's lowest is 0
        assert float(conv.bytes.limits.grad[number].abs()) > 0


def test_torch_computes_what_the_package_does_in_int8(tmp_path: Path) -> None:
    ort = pytest.importorskip("onnxruntime", reason="the package's int8 runs on it")
    pytest.importorskip("onnx", reason="export needs onnx")
    from latentpress.runtimes.quantize import WEIGHT_MAX_IN_PAIRS, Ranges, quantized
    from training.lp1.export import export_transforms

    assert WEIGHT_MAX_IN_PAIRS == WEIGHT_MAX
    net = toy()
    with torch.no_grad():
        for p in net.parameters():  # as the file has them
            if p.ndim != 1 or len(p) != 4:
                p.copy_(p.half().float())
    export_transforms(net, tmp_path)
    ranges = {
        name: Ranges(tuple(one["input"]), tuple(one["output"]))  # type: ignore[arg-type]
        for name, one in limits_of(net).items()
    }
    data = quantized((tmp_path / "synthesis.onnx").read_bytes(), ranges, WEIGHT_MAX_IN_PAIRS)
    session = ort.InferenceSession(data, providers=["CPUExecutionProvider"])
    y = torch.randn(1, 24, 4, 5, generator=torch.Generator().manual_seed(2)) * 3
    (there,) = session.run(None, {"y": y.numpy()})
    with torch.no_grad():
        exact = Codec(Shape(**{**vars(TOY), "int8": False})).eval()
        exact.load_state_dict(net.state_dict(), strict=False)
        here, plain = (
            (one.gs(y) * 127.5 + 127.5).clamp(0, 255).permute(0, 2, 3, 1).numpy()
            for one in (net, exact)
        )
    lost = np.abs(here - plain).mean()
    apart = np.abs(here - there).mean()
    assert np.abs(here - there).max() <= 2
    assert apart < 0.5  # pixels are rounded there
    assert lost > 0


def test_a_run_goes_on_in_int8(packs: Path, tmp_path: Path) -> None:
    from test_run import TINY, log, run

    from training.lp1.checkpoint import load_run

    file = tmp_path / "tiny.toml"
    file.write_text(TINY.replace("down:16", "down:16 dense"))
    first, second = tmp_path / "first", tmp_path / "second"
    run(packs, first, "--variant", file, "--steps", 3, "--pages", 2)
    options = ("--continue", first, "--phase", "int8", "--pages", 2)
    shown = run(packs, second, *options, "--steps", 20)
    assert "limits of int8 from 64 crops" in shown
    assert log(second, "panel")[-1]["steps"] == 20
    net = load_run(str(second))
    found = limits_of(net)
    assert {name.rsplit(".", 1)[0] for name in found} == {"ga.deep.4", "gs.trunk.3"}
    assert all(low <= 0 < high for one in found.values() for low, high in one.values())
    assert len(net.gain) == LEVELS
    shown = run(packs, tmp_path / "third", "--continue", second, "--steps", 1, "--pages", 2)
    assert "momenta" in shown
    assert "limits of int8" not in shown
