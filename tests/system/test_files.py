"""Outputs are whole or absent, whatever fails on the way."""

import errno
import gc
import inspect
import itertools
import os
import pathlib
import stat
import sys
import tempfile
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from latentpress.errors import OutputError
from latentpress.system.files import (
    atomic_write,
    check_output,
    locked,
    remove_stale,
    replacing,
)

try:
    import fcntl
except ImportError:
    fcntl = None  # type: ignore[assignment]


def files(folder: Any) -> Any:
    return sorted(os.listdir(folder))


def test_writes_the_bytes_and_leaves_nothing_else(tmp_path: Path) -> None:
    atomic_write(tmp_path / "a.ltp", b"abc")
    assert (tmp_path / "a.ltp").read_bytes() == b"abc"
    assert files(tmp_path) == ["a.ltp"]


def test_keeps_an_existing_file_unless_told_otherwise(tmp_path: Path) -> None:
    path = tmp_path / "a.ltp"
    path.write_bytes(b"old")
    with pytest.raises(OutputError, match=r"a\.ltp: exists already"):
        atomic_write(path, b"new")
    assert path.read_bytes() == b"old"
    atomic_write(path, b"new", overwrite=True)
    assert path.read_bytes() == b"new"
    assert files(tmp_path) == ["a.ltp"]


@pytest.mark.parametrize("failure", [KeyboardInterrupt, SystemExit, ZeroDivisionError])
@pytest.mark.parametrize("before", [None, b"old"])
def test_an_interrupted_block_changes_nothing(tmp_path: Path, failure: Any, before: Any) -> None:
    path = tmp_path / "a.ltp"
    if before is not None:
        path.write_bytes(before)

    def write_half() -> None:
        with replacing(path, overwrite=True) as stream:
            stream.write(b"half")
            stream.flush()
            raise failure

    with pytest.raises(failure):
        write_half()
    assert files(tmp_path) == ([] if before is None else ["a.ltp"])
    assert before is None or path.read_bytes() == before


@pytest.mark.parametrize("overwrite", [False, True])
def test_an_interrupt_at_the_rename_leaves_no_temporary_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, overwrite: Any
) -> None:
    def interrupt(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace" if overwrite else "link", interrupt)
    with pytest.raises(KeyboardInterrupt):
        atomic_write(tmp_path / "a.ltp", b"abc", overwrite=overwrite)
    assert files(tmp_path) == []


class Interrupted(BaseException):
    pass


@pytest.mark.parametrize("write", [check_output, lambda path: atomic_write(path, b"abc")])
def test_a_signal_at_the_entry_of_any_function_leaves_no_temporary_file(
    tmp_path: Path, write: Any
) -> None:
    """There the interpreter raises what a handler of signals raises: at the first call, the second,
    ... of Python functions.
    """
    path, interrupted = tmp_path / "a.ltp", True
    number = 0
    while interrupted:
        number += 1
        interrupted = _interrupted_at(number, write, path)
        gc.collect()
        assert files(tmp_path) in ([], ["a.ltp"])
        path.unlink(missing_ok=True)
    assert number > 5


def _interrupted_at(number: Any, write: Any, path: Any) -> Any:
    calls = itertools.count(1)

    def profile(frame: Any, event: Any, _: Any) -> None:
        # of one that goes on a profiler's exception skips its `finally`
        generator = frame.f_code.co_flags & inspect.CO_GENERATOR
        if event == "call" and not generator and next(calls) == number:
            raise Interrupted

    sys.setprofile(profile)
    try:
        write(path)
    except Interrupted:
        return True
    finally:
        sys.setprofile(None)
    return False


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_full_disk_is_one_sentence_and_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, overwrite: Any
) -> None:
    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("latentpress.system.files.OutputStream.write", full)
    with pytest.raises(OutputError, match=r"^[^\n]*a\.ltp: the disk is full$"):
        atomic_write(tmp_path / "a.ltp", b"abc", overwrite=overwrite)
    assert files(tmp_path) == []


def test_a_real_full_device_is_reported_when_the_buffer_is_flushed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not os.path.exists("/dev/full"):
        pytest.skip("no /dev/full here")
    temporary_is_full = lambda path, flags, mode: open_("/dev/full", os.O_RDWR)
    open_ = os.open
    monkeypatch.setattr(os, "open", temporary_is_full)
    with pytest.raises(OutputError, match="the disk is full"):
        atomic_write(tmp_path / "a.ltp", b"abc")
    assert files(tmp_path) == []


def test_a_folder_is_not_a_file(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    for path in (tmp_path / "folder", f"{tmp_path}/folder/", f"{tmp_path}/new/"):
        with pytest.raises(OutputError, match="is a folder"):
            atomic_write(path, b"", overwrite=True)


def test_a_missing_folder_a_file_as_folder_and_impossible_names(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    for path, reason in [
        (tmp_path / "none" / "a", "folder does not exist"),
        (tmp_path / "file" / "a", "not a folder"),
        (tmp_path / ("a" * 300), "name is too long"),
        (f"{tmp_path}/a\0b", "null character"),
    ]:
        with pytest.raises(OutputError, match=reason):
            atomic_write(path, b"")


def test_the_longest_name_is_possible(tmp_path: Path) -> None:
    atomic_write(tmp_path / ("a" * 255), b"abc")
    assert files(tmp_path) == ["a" * 255]


def test_a_device_is_never_replaced() -> None:
    with pytest.raises(OutputError, match="device or a pipe"):
        atomic_write(os.devnull, b"", overwrite=True)
    assert stat.S_ISCHR(os.stat(os.devnull).st_mode)


@pytest.fixture
def unprivileged() -> Any:
    """A folder of this user, in which the test runs without root's rights."""
    if not hasattr(os, "geteuid"):
        pytest.skip("POSIX permissions")
    root = os.geteuid() == 0
    with tempfile.TemporaryDirectory() as name:
        os.chmod(name, 0o755)
        if root:
            os.chown(name, 65534, -1)
            os.seteuid(65534)
        try:
            yield pathlib.Path(name)
        finally:
            if root:
                os.seteuid(0)
            os.chmod(name, 0o755)


def test_no_permission_to_write_into_the_folder(unprivileged: Any) -> None:
    atomic_write(unprivileged / "old", b"old")
    unprivileged.chmod(0o500)
    for name in ("old", "new"):
        with pytest.raises(OutputError, match=f"{name}: no permission"):
            atomic_write(unprivileged / name, b"", overwrite=True)
    assert files(unprivileged) == ["old"]
    assert (unprivileged / "old").read_bytes() == b"old"


@pytest.mark.parametrize(
    ("number", "told"),
    [(errno.EACCES, "or another program has it open"), (errno.EINVAL, "no name that Windows")],
)
def test_what_windows_means_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, told: str
) -> None:
    def refuses(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    (tmp_path / "table.csv").touch()
    monkeypatch.setattr(os, "replace", refuses)
    monkeypatch.setattr(sys, "platform", "win32")
    with pytest.raises(OutputError, match=rf"table\.csv: .*{told}"):
        atomic_write(tmp_path / "table.csv", b"", overwrite=True)


def test_a_read_only_file_is_not_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "old"
    path.write_bytes(b"old")
    path.chmod(0o400)
    # root may write it: let the system answer as it would to anybody else
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(OutputError, match="old: no permission"):
        atomic_write(path, b"", overwrite=True)
    assert path.read_bytes() == b"old"


@pytest.mark.parametrize(
    ("code", "reason"), [(errno.EACCES, "no permission"), (errno.EROFS, "read-only")]
)
def test_a_refused_temporary_file_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: Any, reason: Any
) -> None:
    def refuse(*_: Any) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(OutputError, match=reason) as info:
        atomic_write(tmp_path / "a", b"")
    assert info.value.__suppress_context__


def test_a_folder_that_even_root_cannot_write_to() -> None:
    if not os.path.isdir("/proc/self"):
        pytest.skip("no /proc here")
    with pytest.raises(OutputError, match="/proc/self/a"):
        atomic_write("/proc/self/a", b"")


@pytest.mark.skipif(os.name == "nt", reason="POSIX permissions")
def test_what_is_made_of_several_files_is_as_private_as_each(tmp_path: Path) -> None:
    for name, mode in (("a", 0o644), ("b", 0o640), ("c", 0o604)):
        (tmp_path / name).touch()
        (tmp_path / name).chmod(mode)
    atomic_write(tmp_path / "d", b"", like=(tmp_path / "a", tmp_path / "b"))
    atomic_write(tmp_path / "e", b"", like=(tmp_path / "b", tmp_path / "none", tmp_path / "c"))
    assert stat.S_IMODE((tmp_path / "d").stat().st_mode) & 0o007 == 0
    assert stat.S_IMODE((tmp_path / "e").stat().st_mode) == 0o600


@pytest.mark.skipif(os.name == "nt", reason="POSIX permissions")
@pytest.mark.parametrize("umask", [0o022, 0o077, 0o002])
def test_permissions_follow_the_umask_and_stay_when_replaced(tmp_path: Path, umask: Any) -> None:
    path = tmp_path / "a"
    before = os.umask(umask)
    try:
        atomic_write(path, b"")
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o666 & ~umask
    path.chmod(0o640)
    atomic_write(path, b"", overwrite=True)
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


@pytest.mark.parametrize("exists", [False, True])
def test_a_symbolic_link_stays_and_its_target_is_written(tmp_path: Path, exists: Any) -> None:
    (tmp_path / "elsewhere").mkdir()
    target, link = tmp_path / "elsewhere" / "target", tmp_path / "link"
    if exists:
        target.write_bytes(b"old")
    link.symlink_to(target)
    atomic_write(link, b"new", overwrite=exists)
    assert link.is_symlink()
    assert target.read_bytes() == b"new"
    assert files(tmp_path / "elsewhere") == ["target"]


def test_without_hard_links_the_rules_are_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unsupported(*_: Any) -> None:
        raise OSError(errno.EPERM, "no hard links")

    monkeypatch.setattr(os, "link", unsupported)
    atomic_write(tmp_path / "a", b"abc")
    with pytest.raises(OutputError, match="exists already"):
        atomic_write(tmp_path / "a", b"new")
    assert (tmp_path / "a").read_bytes() == b"abc"
    assert files(tmp_path) == ["a"]


@pytest.mark.parametrize("overwrite", [False, True])
def test_of_concurrent_writers_one_whole_file_remains(tmp_path: Path, overwrite: Any) -> None:
    path, outcomes, ready = tmp_path / "a", [], threading.Barrier(8)

    def write(letter: Any) -> None:
        ready.wait()
        try:
            atomic_write(path, letter * 100_000, overwrite=overwrite)
            outcomes.append(letter)
        except OutputError:
            pass

    threads = [threading.Thread(target=write, args=(bytes([65 + i]),)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    data = path.read_bytes()
    assert len(data) == 100_000
    assert set(data) == {data[0]}
    assert len(outcomes) == (8 if overwrite else 1)
    assert overwrite or data[:1] == outcomes[0]
    assert files(tmp_path) == ["a"]


def test_check_output_touches_nothing(tmp_path: Path) -> None:
    path = tmp_path / "a"
    check_output(path)
    assert files(tmp_path) == []
    path.write_bytes(b"old")
    with pytest.raises(OutputError, match="exists already"):
        check_output(path)
    check_output(path, overwrite=True)
    assert path.read_bytes() == b"old"
    assert files(tmp_path) == ["a"]


class LocksOfWindows(SimpleNamespace):
    """msvcrt as far as locks need it: a byte at a time, which nobody else can read or write."""

    LK_NBLCK = 2

    def locking(self, descriptor: int, mode: int, count: int) -> None:
        place = os.lseek(descriptor, 0, os.SEEK_CUR)
        assert (mode, count) == (self.LK_NBLCK, 1)
        assert place > 2**42  # behind all that is read
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise PermissionError(errno.EACCES, "Permission denied") from None


@pytest.mark.skipif(fcntl is None, reason="there the locks are Windows' own")
def test_a_lock_of_windows_keeps_others_out_and_the_place_in_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setitem(sys.modules, "fcntl", None)
    monkeypatch.setitem(sys.modules, "msvcrt", LocksOfWindows())
    (tmp_path / "a").write_bytes(b"abc")
    with open(tmp_path / "a", "rb") as first, open(tmp_path / "a", "rb") as second:
        assert locked(first.fileno())
        assert not locked(second.fileno())
        assert (first.read(), second.read()) == (b"abc", b"abc")
    with open(tmp_path / "a", "rb") as third:
        assert locked(third.fileno())
    atomic_write(tmp_path / "b", b"123")
    assert (tmp_path / "b").read_bytes() == b"123"


def test_windows_removes_what_no_process_has_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unlink(path: str) -> None:
        if "open" in Path(path).name:
            raise PermissionError(errno.EACCES, "another process has it open")
        really(path)

    really = os.unlink
    for name in ("open", "left"):
        (tmp_path / f".latentpress-{name}.tmp").touch()
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setitem(sys.modules, "fcntl", None)
    monkeypatch.setattr(os, "unlink", unlink)
    remove_stale(tmp_path)
    assert files(tmp_path) == [".latentpress-open.tmp"]


@pytest.mark.skipif(fcntl is None, reason="Windows' file systems have locks")
def test_where_nobody_can_tell_who_writes_a_file_it_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none(*_: object) -> None:
        raise OSError(errno.ENOTSUP, "a file system without locks")

    (tmp_path / ".latentpress-0.tmp").touch()
    with monkeypatch.context() as without:
        without.setattr(fcntl, "flock", none)
        remove_stale(tmp_path)
    assert files(tmp_path) == [".latentpress-0.tmp"]
    remove_stale(tmp_path)
    assert files(tmp_path) == []
