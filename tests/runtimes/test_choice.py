"""Which runtime a graph gets: what is asked for, what is installed, what the processor can do."""

import sys
import types
from pathlib import Path

import numpy as np
import pytest

from latentpress import codec, models
from latentpress.errors import UsageError
from latentpress.runtimes import choice, native, on_openvino, processor
from latentpress.runtimes.choice import EXACT, OWN_FLOATS, OWN_INTEGERS, Choice, choose
from latentpress.runtimes.on_native import NativeGraph
from latentpress.runtimes.running import open_graph

VNNI, AMX = {"avx512_vnni"}, {"avx512_vnni", "amx_bf16"}


@pytest.fixture(autouse=True)
def nothing_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(choice.RUNTIME_VARIABLE, raising=False)
    monkeypatch.delenv(choice.PRECISION_VARIABLE, raising=False)


def machine(
    monkeypatch: pytest.MonkeyPatch,
    flags: set[str],
    packages: tuple[str, ...] = (),
    how: int = native.NOTHING,
) -> None:
    """how: of convolution.h, what the package's library would multiply by."""
    monkeypatch.setattr(processor, "flags", lambda: frozenset(flags))
    library = types.SimpleNamespace(instructions=lambda: how)
    has_bytes = how not in (native.NOTHING, native.AVX2_ALONE)
    monkeypatch.setattr(native, "library", lambda: library if has_bytes else None)
    has_floats = how == native.AVX2_ALONE
    monkeypatch.setattr(native, "float_library", lambda: library if has_floats else None)
    monkeypatch.setattr(choice, "is_installed", lambda name: name in packages)


def chosen(device: str = "cpu", good: bool = True) -> tuple[str, str, str]:
    found = choose(device, int8_is_good=good)
    return found.runtime, found.device, found.precision


def test_processor_and_packages_decide(monkeypatch: pytest.MonkeyPatch) -> None:
    machine(monkeypatch, set())
    assert chosen() == ("onnxruntime", "cpu", "float32")
    machine(monkeypatch, {"asimddp"})
    assert chosen() == ("onnxruntime", "cpu", "int8")
    machine(monkeypatch, AMX)
    assert chosen() == ("onnxruntime", "cpu", "int8")
    assert chosen(good=False) == ("onnxruntime", "cpu", "float32")
    machine(monkeypatch, VNNI, ("openvino",))
    assert chosen() == ("onnxruntime", "cpu", "int8")
    machine(monkeypatch, AMX, ("openvino",))
    assert chosen() == chosen("auto") == ("openvino", "cpu", "bfloat16")
    machine(monkeypatch, AMX, ("openvino",), how=native.VNNI_AND_AMX)
    assert chosen() == chosen("auto") == ("native", "cpu", "int8")
    assert chosen(good=False) == ("openvino", "cpu", "bfloat16")
    machine(monkeypatch, {"avx2", "fma"}, how=native.AVX2_ALONE)
    assert chosen() == chosen("auto", good=False) == ("native", "cpu", "float32")
    machine(monkeypatch, {"avx2", "fma", "avx_vnni"}, how=native.AVX2_AND_VNNI)
    assert chosen() == chosen("auto") == ("native", "cpu", "int8")
    assert chosen(good=False) == ("native", "cpu", "float32")


ASKED = [
    ("", "float", ("onnxruntime", "cpu", "float32")),
    ("", "int8", ("onnxruntime", "cpu", "int8")),
    ("", "half", ("openvino", "cpu", "bfloat16")),
    ("onnxruntime", "", ("onnxruntime", "cpu", "float32")),
    ("onnxruntime", "int8", ("onnxruntime", "cpu", "int8")),
    ("openvino", "", ("openvino", "cpu", "bfloat16")),
    ("openvino", "float", ("openvino", "cpu", "float32")),
    ("OpenVINO", "INT8", ("openvino", "cpu", "int8")),
    ("torch", "", ("torch", "cpu", "float32")),
    ("torch", "half", ("torch", "cpu", "bfloat16")),
]


@pytest.mark.parametrize(("runtime", "precision", "expected"), ASKED)
def test_the_environment_is_obeyed(
    monkeypatch: pytest.MonkeyPatch, runtime: str, precision: str, expected: tuple[str, str, str]
) -> None:
    machine(monkeypatch, AMX, ("openvino", "torch"))
    monkeypatch.setattr(choice, "torch_has", lambda device, **_: device == "cpu")
    monkeypatch.setenv(choice.RUNTIME_VARIABLE, runtime)
    monkeypatch.setenv(choice.PRECISION_VARIABLE, precision)
    assert chosen(good=False) == expected


ASKED_WITHOUT_AVX512 = [
    ("", "float", native.AVX2_ALONE, ("native", "cpu", "float32")),
    ("", "int8", native.AVX2_ALONE, ("onnxruntime", "cpu", "int8")),
    ("native", "", native.AVX2_ALONE, ("native", "cpu", "float32")),
    ("", "float", native.AVX2_AND_VNNI, ("native", "cpu", "float32")),
    ("", "int8", native.AVX2_AND_VNNI, ("native", "cpu", "int8")),
    ("native", "", native.AVX2_AND_VNNI, ("native", "cpu", "int8")),
    ("native", "float", native.AVX2_AND_VNNI, ("native", "cpu", "float32")),
]


@pytest.mark.parametrize(("runtime", "precision", "how", "expected"), ASKED_WITHOUT_AVX512)
def test_the_environment_is_obeyed_without_avx512(
    monkeypatch: pytest.MonkeyPatch,
    runtime: str,
    precision: str,
    how: int,
    expected: tuple[str, str, str],
) -> None:
    machine(monkeypatch, {"avx2", "fma", "avx_vnni"}, how=how)
    monkeypatch.setenv(choice.RUNTIME_VARIABLE, runtime)
    monkeypatch.setenv(choice.PRECISION_VARIABLE, precision)
    assert chosen() == expected


def test_floats_asked_for_are_no_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    if native.library() is None:
        pytest.skip("no library, or nothing for bytes")
    data, steps = models.read_file("lp1", "analysis.onnx"), models.steps("lp1")
    for precision, has_bytes in (("int8", True), ("float32", False)):
        found = open_graph(data, Choice("native", "cpu", precision, ""), 1, {}, steps)
        assert isinstance(found, NativeGraph)
        assert any(layer.is_bytes for layer in found._network.layers) is has_bytes
        assert found._how == (native.best() if has_bytes else native.AVX2_ALONE)


ASKED_WITH_A_LIBRARY = [
    ("", "", ("native", "cpu", "int8")),
    ("", "int8", ("native", "cpu", "int8")),
    ("", "float", ("native", "cpu", "float32")),
    ("native", "", ("native", "cpu", "int8")),
    ("native", "float", ("native", "cpu", "float32")),
    ("onnxruntime", "", ("onnxruntime", "cpu", "int8")),
    ("openvino", "", ("openvino", "cpu", "bfloat16")),
]


@pytest.mark.parametrize(("runtime", "precision", "expected"), ASKED_WITH_A_LIBRARY)
def test_the_environment_is_obeyed_where_the_library_is(
    monkeypatch: pytest.MonkeyPatch, runtime: str, precision: str, expected: tuple[str, str, str]
) -> None:
    machine(monkeypatch, AMX, ("openvino",), how=native.VNNI_AND_AMX)
    monkeypatch.setenv(choice.RUNTIME_VARIABLE, runtime)
    monkeypatch.setenv(choice.PRECISION_VARIABLE, precision)
    assert chosen() == expected


REFUSED = [
    (
        "tensorrt",
        "",
        "cpu",
        "LATENTPRESS_RUNTIME is one of native, onnxruntime, openvino, torch, not 'tensorrt'",
    ),
    ("", "int4", "cpu", "LATENTPRESS_PRECISION is one of float, half, int8, not 'int4'"),
    ("openvino", "", "cpu", r"openvino is not installed: pip install 'latentpress\[openvino\]'"),
    ("torch", "", "cpu", "torch is not installed"),
    (
        "native",
        "",
        "cpu",
        "native needs a processor with AVX2, and the package's C library",
    ),
    ("", "half", "cpu", "openvino is not installed"),
    (
        "onnxruntime",
        "half",
        "cpu",
        "LATENTPRESS_PRECISION=half needs the runtime openvino or torch",
    ),
    ("", "", "cuda", "device 'cuda' needs a torch that has it, or an onnxruntime build with CUDA"),
    ("", "", "tpu", "unknown device 'tpu': choose one of auto, cpu, cuda, mps"),
]


@pytest.mark.parametrize(("runtime", "precision", "device", "sentence"), REFUSED)
def test_what_cannot_be_done_is_a_sentence(
    monkeypatch: pytest.MonkeyPatch, runtime: str, precision: str, device: str, sentence: str
) -> None:
    machine(monkeypatch, VNNI)
    monkeypatch.setattr("onnxruntime.get_available_providers", lambda: ["CPUExecutionProvider"])
    monkeypatch.setenv(choice.RUNTIME_VARIABLE, runtime)
    monkeypatch.setenv(choice.PRECISION_VARIABLE, precision)
    with pytest.raises(UsageError, match=sentence):
        choose(device, int8_is_good=True)


def test_devices_of_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    machine(monkeypatch, AMX, ("torch", "openvino"))
    monkeypatch.setattr("onnxruntime.get_available_providers", lambda: ["CPUExecutionProvider"])
    monkeypatch.delitem(sys.modules, "torch", raising=False)
    assert chosen("auto") == ("openvino", "cpu", "bfloat16")  # torch is not imported for a look
    torch = types.ModuleType("torch")
    torch.cuda = types.SimpleNamespace(is_available=lambda: True)  # type: ignore[attr-defined]
    torch.backends = types.SimpleNamespace(mps=types.SimpleNamespace(is_available=lambda: True))
    monkeypatch.setitem(sys.modules, "torch", torch)
    assert chosen("auto") == chosen("cuda") == ("torch", "cuda", "float16")
    assert chosen("mps") == ("torch", "mps", "float32")
    assert chosen("cpu") == ("openvino", "cpu", "bfloat16")
    monkeypatch.setenv(choice.RUNTIME_VARIABLE, "torch")
    monkeypatch.setenv(choice.PRECISION_VARIABLE, "int8")
    with pytest.raises(UsageError, match="int8 is not for the runtime torch"):
        choose("cuda", int8_is_good=True)


def test_flags_are_read_as_linux_writes_them(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    for text, byte, amx in (
        ("processor\t: 0\nflags\t\t: fpu avx_vnni amx_bf16\nbugs\t: x\n", True, True),
        ("processor\t: 0\nFeatures\t: fp asimd asimddp\n", True, False),
        ("processor\t: 0\nflags\t\t: fpu avx2\n", False, False),
    ):
        (tmp_path / "cpuinfo").write_text(text)
        monkeypatch.setattr(processor, "CPUINFO", tmp_path / "cpuinfo")
        processor.flags.cache_clear()
        assert processor.has_byte_dot_product() is byte
        assert processor.has_amx_bfloat16() is amx
    monkeypatch.setattr(processor, "CPUINFO", tmp_path / "missing")
    processor.flags.cache_clear()
    assert processor.flags() == frozenset()
    processor.flags.cache_clear()


def test_a_runtime_that_is_broken_falls_back_unless_it_was_asked_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    machine(monkeypatch, AMX, ("openvino",))
    monkeypatch.setitem(sys.modules, "openvino", None)  # importing it fails
    monkeypatch.setattr(on_openvino, "_core", on_openvino._core.__wrapped__)  # nothing is kept
    monkeypatch.setattr(models, "_opened", models._opened.__wrapped__)  # nothing is kept
    assert models.graph("lp1", "synthesis.onnx", "auto").__class__.__name__ == "OnnxruntimeGraph"
    monkeypatch.setenv(choice.RUNTIME_VARIABLE, "openvino")
    with pytest.raises(RuntimeError, match=r"lp1/synthesis\.onnx: .*openvino"):
        models.graph("lp1", "synthesis.onnx", "auto")


@pytest.mark.parametrize("has_library", [True, False])
def test_the_prior_runs_where_integers_are_exact(
    has_library: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if has_library and not choice.native.library():
        pytest.skip("no library, or nothing for bytes")
    if not has_library:
        for name in ("library", "float_library"):
            monkeypatch.setattr(choice.native, name, lambda: None)
    monkeypatch.setenv(choice.PRECISION_VARIABLE, "int8")
    seen: dict[str, set[choice.Choice]] = {}
    original = models._opened

    def opened(space: str, name: str, found: choice.Choice, *rest: object) -> object:
        seen.setdefault(name, set()).add(found)
        return original(space, name, found, *rest)

    monkeypatch.setattr(models, "_opened", opened)
    codec.decompress(codec.compress(np.zeros((40, 40, 3), np.uint8), content="photo"))
    assert {one.precision for name in models.TRANSFORMS for one in seen.pop(name)} == {"int8"}
    integers, floats = (OWN_INTEGERS, OWN_FLOATS) if has_library else (EXACT, EXACT)
    expected = {name: {integers} for name in models.INTEGERS}
    assert seen == expected | {models.HYPER_ANALYSIS: {floats}}


@pytest.mark.parametrize("runtime", ["", "native", "openvino", "torch", "onnxruntime"])
def test_only_onnx_runtime_is_asked_for_with_the_prior(
    runtime: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for how in (native.VNNI_AND_AMX, native.AVX2_AND_VNNI, native.AVX2_ALONE, native.NOTHING):
        machine(monkeypatch, AMX, how=how)
        monkeypatch.setenv(choice.RUNTIME_VARIABLE, runtime)
        is_own = runtime != "onnxruntime" and how != native.NOTHING
        assert choice.choose_prior(has_integers=True) == (OWN_INTEGERS if is_own else EXACT)
