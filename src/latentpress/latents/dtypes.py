"""The kinds of numbers a latent may hold: float32, float16, and bfloat16, which NumPy lacks and
which is shown as float32.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from latentpress.errors import UsageError

# ids of the file; never renumbered
FLOAT32 = 0
FLOAT16 = 1
BFLOAT16 = 2
NAMES = {FLOAT32: "float32", FLOAT16: "float16", BFLOAT16: "bfloat16"}
LARGEST = {
    FLOAT32: float(np.finfo(np.float32).max),
    FLOAT16: 65504.0,
    BFLOAT16: 3.3895313892515355e38,
}
# from one number to the next, relative
RELATIVE = {FLOAT32: 2.0**-23, FLOAT16: 2.0**-10, BFLOAT16: 2.0**-7}
BITS_TYPE: dict[int, np.dtype[Any]] = {
    FLOAT32: np.dtype("<u4"),
    FLOAT16: np.dtype("<u2"),
    BFLOAT16: np.dtype("<u2"),
}
Array = NDArray[Any]


def as_array(latent: Any) -> tuple[Array, int]:
    """A NumPy array or a torch tensor -> (float32 or float16 array, id). UsageError for other kinds
    of numbers.
    """
    if hasattr(latent, "detach"):  # a torch tensor, without importing torch
        latent = latent.detach().cpu()
        if str(latent.dtype) == "torch.bfloat16":
            torch = torch_module()
            # its own conversions may change the bits of a NaN
            bits = latent.contiguous().view(torch.int16).numpy().view(np.uint16)
            return from_bits(bits, BFLOAT16), BFLOAT16
        try:
            latent = latent.numpy()
        except (TypeError, RuntimeError) as error:  # of 8 bits, sparse, quantized
            layout = "" if str(latent.layout) == "torch.strided" else f" {latent.layout}"
            raise UsageError(
                "latents are dense tensors, float32, float16 or bfloat16, not "
                f"{latent.dtype}{layout}: convert them first"
            ) from error
    array = np.asarray(latent)
    if array.dtype == np.float32:
        return array, FLOAT32
    if array.dtype == np.float16:
        return array, FLOAT16
    raise UsageError(
        f"latents are float32, float16 or (torch) bfloat16, not {array.dtype}: convert them first"
    )


def round_to(values: NDArray[np.float64], kind: int) -> Array:
    """Real values -> the nearest numbers of the kind, clipped to its range; bfloat16 as float32.
    Ties go to even.
    """
    clipped = np.clip(values, -LARGEST[kind], LARGEST[kind])
    if kind == FLOAT16:
        return clipped.astype(np.float16)
    single = clipped.astype(np.float32)
    if kind == FLOAT32:
        return single
    bits = single.view(np.uint32)
    rounded = (bits + np.uint32(0x7FFF) + ((bits >> np.uint32(16)) & np.uint32(1))) & np.uint32(
        0xFFFF0000
    )
    return rounded.astype(np.uint32).view(np.float32)


def to_bits(array: Array, kind: int) -> Array:
    """The numbers' bits as little-endian unsigned integers of the kind's width."""
    if kind == FLOAT16:
        return array.view(np.uint16).astype("<u2")
    bits = array.view(np.uint32)
    return (bits >> np.uint32(16)).astype("<u2") if kind == BFLOAT16 else bits.astype("<u4")


def from_bits(bits: Array, kind: int) -> Array:
    """What `to_bits` saw."""
    if kind == FLOAT16:
        return bits.astype(np.uint16).view(np.float16)
    wide = bits.astype(np.uint32)
    return ((wide << np.uint32(16)) if kind == BFLOAT16 else wide).view(np.float32)


def torch_module() -> Any:
    """torch; UsageError where it is not installed."""
    try:
        import torch
    except ImportError as error:
        raise UsageError(
            "tensors need torch, which is not installed: pip install 'latentpress[sd]', or use "
            "NumPy arrays"
        ) from error
    return torch


def to_torch(array: Array, kind: int) -> Any:
    """The tensor over the array's memory; for bfloat16 a copy in that type."""
    torch = torch_module()
    if kind == BFLOAT16:
        return torch.from_numpy(to_bits(array, kind).astype(np.uint16).view(np.int16)).view(
            torch.bfloat16
        )
    return torch.from_numpy(array)
