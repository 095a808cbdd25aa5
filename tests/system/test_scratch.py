"""Arrays on disk come back as they were, as often as they are asked for, from one file."""

import gc
import tempfile
import threading
from typing import Any

import numpy as np
import pytest

from latentpress.errors import DiskFullError
from latentpress.system import scratch


def arrays(seed: int) -> list[Any]:
    rng = np.random.default_rng(seed)
    return [rng.normal(size=(2, rows, 5)).astype(np.float32) for rows in (3, 1, 4)]


def test_arrays_come_back_twice_and_may_be_changed() -> None:
    kept = scratch.Kept(iter(arrays(0)))
    for array in kept:
        array += 1
    assert all(np.array_equal(a, b) for a, b in zip(kept, arrays(0), strict=True))


def test_all_that_is_kept_at_a_time_shares_one_file_which_then_is_gone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    gc.collect()
    opened, temporary = [], tempfile.TemporaryFile
    monkeypatch.setattr(
        scratch.tempfile, "TemporaryFile", lambda: opened.append(temporary()) or opened[-1]
    )
    kept = [scratch.Kept(arrays(i)) for i in range(20)]
    assert len(opened) == 1
    assert all(
        np.array_equal(a, b) for i in range(20) for a, b in zip(kept[i], arrays(i), strict=True)
    )
    del kept
    gc.collect()
    again = scratch.Kept(arrays(1))
    assert len(opened) == 2
    assert opened[0].closed
    assert np.array_equal(next(iter(again)), arrays(1)[0])


def test_threads_do_not_disturb_each_other() -> None:
    wrong = []

    def work(seed: int) -> None:
        kept = scratch.Kept(arrays(seed))
        for _ in range(50):
            if not all(np.array_equal(a, b) for a, b in zip(kept, arrays(seed), strict=True)):
                wrong.append(seed)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_a_full_disk_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    class Full:
        def close(self) -> None:
            pass

        def seek(self, *_: object) -> None:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(scratch.tempfile, "TemporaryFile", Full)
    with pytest.raises(DiskFullError, match="the disk is full"):
        scratch.Scratch().write(arrays(0)[0])
