"""Which numbers a part of a step is computed in.

Networks and feature extractors run in bfloat16 under autocast. What a bfloat16 would spoil (the
prior, the linear paths, folded weights, losses) asks for `float32`.
"""

import contextlib
from typing import Any

import torch

AUTOCAST = ("cuda", "cpu")


def bfloat16(device: str) -> Any:
    """Autocast for the networks where the device computes in bfloat16 itself.

    Weights that were cast are not kept: a captured graph must hold their casting.
    """
    if device not in AUTOCAST:
        return contextlib.nullcontext()
    native = getattr(torch.cpu, "_is_avx512_bf16_supported", lambda: False)
    enabled = device != "cpu" or native()
    return torch.autocast(device, torch.bfloat16, enabled=enabled, cache_enabled=False)


def float32(device: str) -> Any:
    """No autocast inside one. On CUDA convolutions of float32 keep 11 bits of their factors."""
    if device not in AUTOCAST:
        return contextlib.nullcontext()
    return torch.autocast(device, enabled=False)
