"""Graphs on torch: on CUDA or MPS where torch is what a user has, and on the CPU."""

import os
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from latentpress.runtimes.torch_graph import TorchGraph

PROCESS = os.getpid()


class OnTorch:
    """A graph without gradients. device: cpu, cuda or mps. precision: of the convolutions,
    float32, float16 or bfloat16.
    """

    def __init__(self, data: bytes, device: str, precision: str) -> None:
        if os.getpid() != PROCESS:  # in a forked process torch waits for threads that it lacks
            torch.set_num_threads(1)
        self._device = device
        self._graph = TorchGraph(
            data, torch.round, device=device, dtype=getattr(torch, precision), casts=True
        )

    def run(self, feeds: Mapping[str, NDArray[Any]], *, frugal: bool = False) -> list[NDArray[Any]]:
        """As of RunningGraph."""
        with torch.inference_mode():
            writable = {k: np.require(v, requirements="W") for k, v in feeds.items()}  # for torch
            tensors = {k: torch.from_numpy(v).to(self._device) for k, v in writable.items()}
            outputs = [t.contiguous().cpu().numpy() for t in self._graph(**tensors)]
        return outputs
