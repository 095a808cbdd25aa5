"""Which runtime, device and precision a transform's graph gets, and why.

What the caller or the environment asks for is done or refused in a sentence. Where nothing is asked
for, what is installed and what the processor can do decide, so that a machine always chooses the
same. torch takes long to import: without being asked for it is taken only where the process has
imported it already.
"""

import sys
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from latentpress.errors import UsageError
from latentpress.runtimes import native
from latentpress.runtimes.processor import has_amx_bfloat16, has_byte_dot_product
from latentpress.system.environment import word

RUNTIME_VARIABLE = "LATENTPRESS_RUNTIME"
PRECISION_VARIABLE = "LATENTPRESS_PRECISION"
RUNTIMES = ("native", "onnxruntime", "openvino", "torch")
PRECISIONS = ("float", "half", "int8")
PROVIDERS = {"cuda": "CUDAExecutionProvider", "mps": "CoreMLExecutionProvider"}
CUDA_LIBRARY = "onnxruntime_providers_cuda"  # part of the name of a file
DEVICES = ("auto", "cpu", *PROVIDERS)


@dataclass(frozen=True)
class Choice:
    """runtime: one of RUNTIMES. device: cpu, cuda or mps. precision: float32, float16, bfloat16,
    int8, or int16 of a graph of whole numbers. why: half a sentence. is_asked: whether the runtime
    or the device was asked for, so that nothing may stand in for it.
    """

    runtime: str
    device: str
    precision: str
    why: str
    is_asked: bool = False

    def __str__(self) -> str:
        return f"{self.runtime} on {self.device} in {self.precision}: {self.why}"


EXACT = Choice("onnxruntime", "cpu", "float32", "integers in float32 are exact there")
OWN_INTEGERS = Choice("native", "cpu", "int16", "its sums of whole numbers are exact")
OWN_FLOATS = Choice("native", "cpu", "float32", "its sums are the fastest here")


def choose_prior(*, has_integers: bool) -> Choice:
    """What runs a graph of the prior: the package's own sums where they run, unless
    LATENTPRESS_RUNTIME asks for ONNX Runtime; both give the same integers.

    Args:
        has_integers: Whether the graph is one of whole numbers.

    Raises:
        UsageError: As of `choose`, for the environment.
    """
    if word(RUNTIME_VARIABLE, RUNTIMES) == "onnxruntime" or not native.usable():
        return EXACT
    return OWN_INTEGERS if has_integers else OWN_FLOATS


def choose(device: str, *, int8_is_good: bool) -> Choice:
    """What runs a transform's graph.

    Args:
        device: auto, cpu, cuda or mps.
        int8_is_good: Whether int8 costs the graph next to nothing in quality, so that it is taken
            unasked.

    Raises:
        UsageError: The device is unknown or not there, an environment variable is none of its
            words, or names a runtime that is not installed or does not know the precision.
    """
    if device not in DEVICES:
        raise UsageError(f"unknown device {device!r}: choose one of {', '.join(DEVICES)}")
    runtime, precision = word(RUNTIME_VARIABLE, RUNTIMES), word(PRECISION_VARIABLE, PRECISIONS)
    if runtime == "native":
        return on_native(device, precision, f"{RUNTIME_VARIABLE} asks for it", is_asked=True)
    if runtime == "torch":
        return on_torch(device, precision, f"{RUNTIME_VARIABLE} asks for it", is_asked=True)
    if runtime == "openvino":
        return on_openvino(device, precision, f"{RUNTIME_VARIABLE} asks for it", is_asked=True)
    where = provider_device(device, or_torch=not runtime)
    if where == "torch":
        return on_torch(device, precision, "the installed torch has the device", is_asked=True)
    if where == "cpu" and not runtime:
        if device == "auto" and precision != "int8" and torch_has("cuda", if_imported=True):
            return on_torch("cuda", precision, "torch is in use and has a CUDA device")
        if precision == "int8" and native.library():
            return on_native("cpu", precision, f"{PRECISION_VARIABLE} asks for it")
        if precision == "" and int8_is_good and native.library():
            return on_native("cpu", precision, f"the processor has {byte_instructions()}")
        if precision in ("", "half") and has_amx_bfloat16() and is_installed("openvino"):
            return on_openvino("cpu", precision, "the processor has AMX and OpenVINO is installed")
        if precision == "half":
            return on_openvino("cpu", precision, f"{PRECISION_VARIABLE} asks for it", is_asked=True)
        if precision in ("", "float") and native.usable():
            return on_native("cpu", "float", "the processor has AVX2 with FMA")
    return on_onnxruntime(where, precision, runtime, int8_is_good)


def provider_device(device: str, *, or_torch: bool) -> str:
    """cpu, cuda or mps where ONNX Runtime has that device; "torch" where torch alone has it.
    UsageError where neither has.
    """
    if device == "cpu" or (device == "auto" and not may_have_cuda()):
        return "cpu"
    import onnxruntime

    available = onnxruntime.get_available_providers()
    if device == "auto":
        return "cuda" if PROVIDERS["cuda"] in available else "cpu"
    if PROVIDERS[device] in available:
        return device
    if or_torch and torch_has(device):
        return "torch"
    raise UsageError(
        f"device {device!r} needs a torch that has it, or an onnxruntime build with "
        f"{PROVIDERS[device]}; this one has {', '.join(available)}"
    )


def may_have_cuda() -> bool:
    """Whether the installed ONNX Runtime has a library for CUDA; it is not imported."""
    return "onnxruntime" in sys.modules or _may_bring_cuda()


@cache  # a look at a folder for every picture otherwise
def _may_bring_cuda() -> bool:
    found = find_spec("onnxruntime")
    if found is None:
        return True
    folders = [Path(folder) / "capi" for folder in found.submodule_search_locations or ()]
    return any(True for folder in folders for _ in folder.glob(f"*{CUDA_LIBRARY}*"))


def is_installed(package: str) -> bool:
    """Whether a package can be found; it is not imported."""
    return package in sys.modules or find_spec(package) is not None


def torch_has(device: str, *, if_imported: bool = False) -> bool:
    """Whether torch is there with a device. if_imported: only where it is imported already."""
    if (if_imported and "torch" not in sys.modules) or not is_installed("torch"):
        return False
    import torch

    if device == "mps":
        return bool(torch.backends.mps.is_available())
    return device == "cpu" or bool(torch.cuda.is_available())


def byte_instructions() -> str:
    """What the package's own convolutions multiply bytes with, for people."""
    return "AVX-512 with VNNI" if native.has_avx512() else "AVX-VNNI"


def on_native(device: str, precision: str, why: str, *, is_asked: bool = False) -> Choice:
    """The package's own convolutions. UsageError where they cannot do what is asked for."""
    if not native.usable():
        raise UsageError(
            "the runtime native needs a processor with AVX2, and the package's C library, which "
            "GCC or clang has made; on Windows clang alone"
        )
    if device not in ("auto", "cpu"):
        raise UsageError(f"the runtime native runs on the CPU, not on {device!r}")
    kinds = {"int8": "int8", "float": "float32"} if native.library() else {"float": "float32"}
    if precision and precision not in kinds:
        raise UsageError(f"{PRECISION_VARIABLE}={precision} is not for the runtime native here")
    kind = kinds[precision] if precision else next(iter(kinds.values()))
    return Choice("native", "cpu", kind, why, is_asked)


def on_onnxruntime(where: str, precision: str, runtime: str, int8_is_good: bool) -> Choice:
    """ONNX Runtime on one of its devices."""
    asked = f"{RUNTIME_VARIABLE} asks for it" if runtime else ""
    if where != "cpu":
        if precision in ("half", "int8"):
            raise UsageError(f"{PRECISION_VARIABLE}={precision} is not for device {where!r}")
        return Choice("onnxruntime", where, "float32", asked or "the device")
    if precision == "half":
        raise UsageError(f"{PRECISION_VARIABLE}=half needs the runtime openvino or torch")
    if precision:
        kind = "int8" if precision == "int8" else "float32"
        return Choice("onnxruntime", where, kind, f"{PRECISION_VARIABLE} asks for it")
    if not has_byte_dot_product():
        reason = "the processor has no dot product of bytes"
        return Choice("onnxruntime", where, "float32", asked or reason)
    if int8_is_good:
        reason = "the processor has a dot product of bytes"
        return Choice("onnxruntime", where, "int8", asked or reason)
    reason = "in int8 it costs more quality than it may"
    return Choice("onnxruntime", where, "float32", asked or reason)


def on_openvino(device: str, precision: str, why: str, *, is_asked: bool = False) -> Choice:
    """OpenVINO on the CPU. UsageError where it is not installed or another device is asked for."""
    if not is_installed("openvino"):
        raise UsageError(
            "the runtime openvino is not installed: pip install 'latentpress[openvino]'"
        )
    if device not in ("auto", "cpu"):
        raise UsageError(f"the runtime openvino runs on the CPU, not on {device!r}")
    fastest = "bfloat16" if has_amx_bfloat16() else "float32"
    kind = {"": fastest, "float": "float32", "half": "bfloat16", "int8": "int8"}[precision]
    return Choice("openvino", "cpu", kind, why, is_asked)


def on_torch(device: str, precision: str, why: str, *, is_asked: bool = False) -> Choice:
    """Torch. UsageError where it is not installed, without the device, or int8 is asked for."""
    if not is_installed("torch"):
        raise UsageError("the runtime torch is not installed: pip install 'latentpress[sd]'")
    if precision == "int8":
        raise UsageError(f"{PRECISION_VARIABLE}=int8 is not for the runtime torch")
    if device == "auto":
        device = next(d for d in ("cuda", "mps", "cpu") if torch_has(d))
    elif not torch_has(device):
        raise UsageError(f"the installed torch has no device {device!r}")
    half = "bfloat16" if device == "cpu" else "float16"
    fastest = half if device == "cuda" else "float32"
    kind = {"": fastest, "float": "float32", "half": half}[precision]
    return Choice("torch", device, kind, why, is_asked)
