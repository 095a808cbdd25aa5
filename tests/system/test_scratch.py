"""Arrays on disk come back as they were, as often as they are asked for, from one file."""

import gc
import os
import signal
import tempfile
import threading
from typing import Any

import numpy as np
import pytest

from latentpress.errors import DiskFullError, OutputError
from latentpress.system import scratch


def arrays(seed: int) -> list[Any]:
    rng = np.random.default_rng(seed)
    return [rng.normal(size=(2, rows, 5)).astype(np.float32) for rows in (3, 1, 4)]


def holds(kept: scratch.Kept, seed: int) -> bool:
    return all(np.array_equal(a, b) for a, b in zip(kept, arrays(seed), strict=True))


def test_arrays_come_back_twice_and_may_be_changed() -> None:
    kept = scratch.Kept(iter(arrays(0)))
    for array in kept:
        array += 1
    assert holds(kept, 0)


def test_all_that_is_kept_at_a_time_shares_one_file_which_then_is_gone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    gc.collect()
    opened, temporary = [], tempfile.TemporaryFile
    monkeypatch.setattr(
        "tempfile.TemporaryFile", lambda **how: opened.append(temporary(**how)) or opened[-1]
    )
    kept = [scratch.Kept(arrays(i)) for i in range(20)]
    assert len(opened) == 1
    assert all(holds(kept[i], i) for i in range(20))
    del kept
    gc.collect()
    again = scratch.Kept(arrays(1))
    assert len(opened) == 2
    assert opened[0].closed
    assert np.array_equal(next(iter(again)), arrays(1)[0])


@pytest.mark.parametrize("by_position", [False, True])  # as on Windows
def test_threads_do_not_disturb_each_other(
    monkeypatch: pytest.MonkeyPatch, by_position: bool
) -> None:
    if by_position:
        for name in ("pread", "pwrite"):
            monkeypatch.delattr(os, name, raising=False)
    wrong = []

    def work(seed: int) -> None:
        kept = scratch.Kept(arrays(seed))
        for _ in range(50):
            if not holds(kept, seed):
                wrong.append(seed)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes are not forked here")
@pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")
def test_a_forked_process_keeps_in_a_file_of_its_own_and_reads_what_was_kept_before() -> None:
    before = scratch.Kept(arrays(0))
    read, written = os.pipe()
    child_read, child_written = os.pipe()
    child = os.fork()
    if child == 0:
        signal.alarm(30)
        own = scratch.Kept(arrays(1))
        os.write(written, b"1")
        os.read(child_read, 1)
        os._exit(holds(own, 1) and all(holds(before, 0) for _ in range(300)))
    os.read(read, 1)
    own = scratch.Kept(arrays(2))
    os.write(child_written, b"1")
    try:
        assert all(holds(before, 0) for _ in range(300))
        assert holds(own, 2)
    finally:
        _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 1
    for end in (read, written, child_read, child_written):
        os.close(end)


def test_a_full_disk_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(scratch.Unnamed, "_write_some", full)
    with pytest.raises(DiskFullError, match="the disk is full"):
        scratch.Scratch().write(arrays(0)[0])


def test_where_no_folder_takes_temporary_files_memory_does(monkeypatch: pytest.MonkeyPatch) -> None:
    gc.collect()
    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.setattr(tempfile, "_candidate_tempdir_list", lambda: ["/nowhere"])
    if hasattr(os, "memfd_create"):
        assert holds(scratch.Kept(arrays(0)), 0)
    gc.collect()
    monkeypatch.delattr(os, "memfd_create", raising=False)
    with pytest.raises(OutputError, match="temporary"):
        scratch.Kept(arrays(0))
