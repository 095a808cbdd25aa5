"""Painted pages come from processes that nobody waits for."""

import time
from pathlib import Path

import torch

from training.data.pages import Pages
from training.data.store import load_store


def test_without_painters_every_page_is_painted_at_once_and_stays(packs: Path) -> None:
    store = load_store(packs, "cpu", pages=3)
    pages = Pages(store, None, painters=0, seed=2)
    first = store.page(2).clone()
    assert first.unique().numel() > 1 or store.page(1).unique().numel() > 1
    pages.refresh()
    assert torch.equal(first, store.page(2))
    assert pages.painted == 0
    pages.close()


def test_painters_replace_the_oldest_pages_and_end(packs: Path) -> None:
    store = load_store(packs, "cpu", pages=2)
    pages = Pages(store, None, painters=2, seed=3)
    before = [store.page(i).clone() for i in range(2)]
    deadline = time.monotonic() + 60
    while pages.painted < 2 and time.monotonic() < deadline:
        pages.refresh()
        time.sleep(0.02)
    processes = pages.processes
    pages.close()
    assert pages.painted >= 2
    assert all(not torch.equal(a, store.page(i)) for i, a in enumerate(before))
    assert all(process.poll() is not None for process in processes)
