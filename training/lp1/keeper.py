"""Writes what a run leaves: the log, the averaged weights and the momenta, beside the loop.

The loop hands over copies that the device makes when it comes to them; a thread waits for them
and writes. What an output folder may hold is bounded, so that all of it comes back.
"""

import json
import queue
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from training.lp1.checkpoint import (
    FILE_BYTES,
    bytes_of,
    half,
    pack_state,
    save_weights,
    write_replacing,
)
from training.lp1.learner import Learner

MOST_FILES, MOST_BYTES = 8, 64 * 2**20
LOG = "log.jsonl"
DISCRIMINATOR = "discriminator"  # NAME-discriminator.safetensors, where there is one


class Copy:
    """A device's tensor on its way to the host."""

    def __init__(self, tensor: Tensor) -> None:
        self.event: Any = None
        if not tensor.is_cuda:
            self.tensor = tensor.clone()
            return
        self.tensor = torch.empty(tensor.shape, dtype=tensor.dtype, pin_memory=True)
        self.tensor.copy_(tensor, non_blocking=True)
        self.event = torch.cuda.Event()
        self.event.record()

    def arrived(self) -> bool:
        """Whether `get` would not wait."""
        return self.event is None or self.event.query()

    def get(self) -> Tensor:
        """The tensor on the host."""
        if self.event is not None:
            self.event.synchronize()
        return self.tensor


class Keeper:
    """Writes into a folder, in a thread of its own.

    Args:
        folder: Made where it is missing.
        quiet: Writes and prints nothing (the other processes of a data-parallel run).
    """

    def __init__(self, folder: Path, quiet: bool = False) -> None:
        self.folder, self.quiet = folder, quiet
        self.files: dict[str, list[Path]] = {}
        self.failure: BaseException | None = None
        self.jobs: queue.Queue[Callable[[], None] | None] = queue.Queue()
        self.thread = threading.Thread(target=self._work, daemon=True)
        self.thread.start()
        if not quiet:
            folder.mkdir(parents=True, exist_ok=True)
            (folder / LOG).write_text("", encoding="utf-8")

    def _work(self) -> None:
        while (job := self.jobs.get()) is not None:
            try:
                job()
            except BaseException as error:  # told at the end; training goes on
                self.failure = error

    def log(self, kind: str, line: str, **values: Any) -> None:
        """Print a line, and append values to the log as JSON."""
        if self.quiet:
            return
        print(line, flush=True)
        with (self.folder / LOG).open("a", encoding="utf-8") as file:
            file.write(json.dumps({"kind": kind, **values}) + "\n")

    def keep(self, learner: Learner, name: str, momenta: bool) -> None:
        """Write a learner's averaged weights as NAME-*, and its momenta, when they have come."""
        if self.quiet:
            return
        average = Copy(learner.average)
        state = {key: Copy(t) for key, t in learner.optimizer.state.items()} if momenta else {}
        judge = learner.discriminator.state_dict() if learner.discriminator and momenta else {}
        copies = {key: Copy(t) for key, t in judge.items()}
        self.jobs.put(lambda: self._write(learner, name, average, state, copies))

    def _write(
        self,
        learner: Learner,
        name: str,
        average: Copy,
        state: dict[str, Copy],
        judge: dict[str, Copy],
    ) -> None:
        flat = average.get()
        weights = {key: t.detach() for key, t in learner.net.state_dict().items()}
        parameters = dict(learner.net.named_parameters())
        for key, (start, _) in zip(learner.flat.names, learner.flat.places, strict=True):
            p = parameters[key]
            weights[key] = torch.as_strided(flat, p.shape, p.stride(), start)
        if not self._fits(name, 2 * sum(t.numel() for t in weights.values())):
            return
        self.files[name] = save_weights(weights, learner.variant, self.folder, name)
        if state:
            packed = pack_state({key: copy.get() for key, copy in state.items()})
            path = self.folder / f"{name}-momenta.safetensors"
            write_replacing(packed, path, {"steps": str(learner.steps)})
            self.files[f"{name}-momenta"] = [path]
        if judge:
            path = self.folder / f"{name}-{DISCRIMINATOR}.safetensors"
            write_replacing(half({key: copy.get() for key, copy in judge.items()}), path, {})
            self.files[f"{name}-{DISCRIMINATOR}"] = [path]

    def _fits(self, name: str, size: int) -> bool:
        """Whether weights of a size still fit into the folder beside the log and a table."""
        others = [p for key, paths in self.files.items() if key != name for p in paths]
        files = 3 + len(others) + -(-size // FILE_BYTES)
        return files <= MOST_FILES and bytes_of(others) + size + 2 * 10**6 <= MOST_BYTES

    def close(self) -> None:
        """Wait until all is written.

        Raises:
            RuntimeError: Something could not be written.
        """
        self.jobs.put(None)
        self.thread.join()
        if self.failure is not None:
            raise RuntimeError("a checkpoint could not be written") from self.failure
