"""Which kernels the parts of a step are made of, and how long the device computes them.

A part that is timed alone waits for the host, kernel after kernel; in a captured step nothing does.
"""

from collections.abc import Callable, Mapping
from typing import NamedTuple

from torch.profiler import ProfilerActivity, profile

from training.lp1.speed import synchronize

TOLD, NAME = 15, 90  # kernels that are told of a step, letters of their names
RECORDED = {  # of a device: what is recorded, and where its time stands
    "cuda": (ProfilerActivity.CUDA, "self_device_time_total"),
    "cpu": (ProfilerActivity.CPU, "self_cpu_time_total"),
}


class Spent(NamedTuple):
    """What all runs of a kernel took together; on a processor, of an operator."""

    name: str
    runs: int
    milliseconds: float


def spent(job: Callable[[], object], device: str) -> list[Spent]:
    """The kernels that a job ran, the longest first."""
    activity, time = RECORDED[device]
    synchronize(device)
    with profile(activities=[activity], acc_events=True) as recorded:
        job()
        synchronize(device)
    rows = [Spent(r.key, r.count, getattr(r, time) / 1000) for r in recorded.key_averages()]
    return sorted((row for row in rows if row.milliseconds), key=lambda row: -row.milliseconds)


def together(rows: list[Spent]) -> tuple[int, float]:
    """How many kernels ran, and their milliseconds."""
    return sum(row.runs for row in rows), sum(row.milliseconds for row in rows)


def as_lines(parts: Mapping[str, tuple[int, float]], step: list[Spent]) -> str:
    """For a reader: a line for all parts, then the longest kernels of a step."""
    shown = [f"{name} {count} kernels {ms:.2f} ms" for name, (count, ms) in parts.items()]
    rows = [f"    {row.milliseconds:7.3f} ms {row.runs:5} x {row.name[:NAME]}" for row in step]
    return "\n".join([", ".join(shown), *rows[:TOLD]])
