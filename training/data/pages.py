"""Painted pages: drawn by processes beside the training loop, which never waits for them.

Before a step the loop takes pages that are ready (`training.data.painter`), about as many as a step
sees, and copies them into the store, each in the place of the oldest. Where painters are slow,
pages are seen more than once.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch

from training.data.painter import FREE, READY, SLOTS, open_slots
from training.data.painters import paint
from training.data.painters.fonts import Fonts
from training.data.store import PAGE, Store, rgbx

FIRST = 16  # pages that are there before the first step
TAKEN = 2  # new pages before a step, at most: more would be replaced unseen
ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}  # of a painter


class Pages:
    """The painted pages of a store.

    Args:
        store: Its pages are written.
        archive: Fonts, see `training.data.painters.fonts`.
        painters: Processes. Without any, every page is painted here and now, and stays.
        seed: Of the generators.
    """

    def __init__(self, store: Store, archive: Path | None, painters: int, seed: int) -> None:
        self.store = store
        self.painted = 0
        self.processes: list[subprocess.Popen[bytes]] = []
        self.folder = tempfile.TemporaryDirectory()
        painters = min(painters, SLOTS) if store.pages else 0
        if painters:
            self._start(archive, painters, seed)
        random = np.random.default_rng(seed)
        fonts = Fonts.found(archive)
        first = min(FIRST, store.pages) if painters else store.pages
        for index in range(first):
            page = rgbx(paint(random, PAGE, fonts)).ravel().copy()
            store.page(index).copy_(torch.from_numpy(page))
        for index in range(first, store.pages):
            store.page(index).copy_(store.page(index % first))

    def _start(self, archive: Path | None, painters: int, seed: int) -> None:
        path = Path(self.folder.name) / "slots"
        self.states, self.slots = open_slots(path, "w+")
        pinned = self.store.pixels.is_cuda
        self.staging = torch.empty(SLOTS, PAGE * PAGE, dtype=torch.int32, pin_memory=pinned)
        self.staged = self.staging.numpy()
        self.copied: list[Any] = [None] * SLOTS
        fonts = [str(archive)] if archive else []
        root = Path(__file__).parents[2]
        for index in range(painters):
            numbers = [str(n) for n in (index, painters, seed + 1000 + index)]
            command = [sys.executable, "-m", "training.data.painter", str(path), *numbers, *fonts]
            process = subprocess.Popen(command, cwd=root, env=os.environ | ONE_THREAD)
            self.processes.append(process)

    def refresh(self, most: int = TAKEN) -> None:
        """Take at most so many new pages that are ready. Returns at once where there are none.

        NumPy copies them, not torch, whose threads would spin for cores that painters have.
        """
        if not self.processes:
            return
        for slot in np.flatnonzero(self.states == READY)[:most].tolist():
            before = self.copied[slot]
            if before is not None and not before.query():
                continue  # the copy of the page before has not run yet
            page = self.slots[slot].view(np.int32).reshape(-1)
            np.copyto(self.staged[slot], page)
            place = self.store.page(self.painted % self.store.pages)
            place.copy_(self.staging[slot], non_blocking=True)
            if place.is_cuda:
                self.copied[slot] = torch.cuda.Event()
                self.copied[slot].record()
            self.painted += 1
            self.states[slot] = FREE

    def close(self) -> None:
        """End the painters."""
        for process in self.processes:
            process.terminate()
        for process in self.processes:
            process.wait(10)
        self.processes = []
        self.folder.cleanup()
