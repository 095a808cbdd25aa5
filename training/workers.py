"""Data-parallel training on the cores of one machine: a process a core, one thread each, gradients averaged.

Two processes of one thread learn from about 1.4 times as many pixels a second as one process of two threads (2 cores):
nobody waits for the other inside a layer, only once a step.
"""
import os
import signal
import tempfile
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

PATIENCE = timedelta(minutes=30)    # one may evaluate, or be stopped for a while, before the others give up


def _enter(rank: int, job: Callable[..., None], count: int, store: str, args: Any) -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # what torch sends when the parent is gone; under `nohup ... &` it would be ignored
    dist.init_process_group("gloo", init_method=f"file://{store}", rank=rank, world_size=count, timeout=PATIENCE)
    torch.set_num_threads(max(1, (os.cpu_count() or 1) // count))
    job(args)
    dist.barrier()
    dist.destroy_process_group()


def run(job: Callable[..., None], count: int, args: Any) -> None:
    """job(args) in `count` processes that can average; job must be a function of a module."""
    if count == 1:
        return job(args)
    with tempfile.TemporaryDirectory() as folder:
        torch.multiprocessing.spawn(_enter, (job, count, f"{folder}/store", args), nprocs=count)


def rank() -> int:
    return dist.get_rank() if dist.is_initialized() else 0


def count() -> int:
    return dist.get_world_size() if dist.is_initialized() else 1


def mean(values: list[float]) -> list[float]:
    """The mean over the processes, the same floats in every one."""
    numbers = torch.tensor(values, dtype=torch.float64)
    if count() > 1:
        dist.all_reduce(numbers)
    return (numbers / count()).tolist()


def average_gradients(parameters: list[Tensor]) -> None:
    grads = [p.grad for p in parameters if p.grad is not None]
    for g, m in zip(grads, average_tensors(grads), strict=True):
        g.copy_(m)


def average_tensors(tensors: list[Tensor]) -> list[Tensor]:
    """The mean over the processes, in bfloat16: half the bytes to move, and the gradients were computed in it."""
    if count() == 1:
        return tensors
    flat = torch.cat([t.reshape(-1).to(torch.bfloat16) for t in tensors])
    dist.all_reduce(flat)
    return [f.view_as(t) for f, t in zip(flat.div_(count()).split([t.numel() for t in tensors]), tensors, strict=True)]
