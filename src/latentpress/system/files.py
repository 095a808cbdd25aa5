"""Whole files or none: every output is written beside its place under another name and moved there
when it is complete.
"""

from __future__ import annotations

import contextlib
import errno
import io
import os
import stat
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NoReturn

from latentpress.errors import DiskFullError, OutputError
from latentpress.system.places import Elsewhere, elsewhere, located, path_name

REASONS = {
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "the disk quota is used up",
    errno.EACCES: "no permission to write there",
    errno.EPERM: "no permission to write there",
    errno.EROFS: "the file system is read-only",
    errno.ENOENT: "the folder does not exist",
    errno.ENOTDIR: "a part of the path is a file, not a folder",
    errno.EISDIR: "is a folder, not a file",
    errno.ENAMETOOLONG: "the name is too long",
    errno.EFBIG: "too large for this file system",
}
# Windows says the same of a file that a program holds open, as a spreadsheet its table
ON_WINDOWS = {
    errno.EACCES: "no permission to write there, or another program has it open",
    errno.EINVAL: "no name that Windows allows",
}
TEMPORARY, TEMPORARY_SUFFIX = ".latentpress-", ".tmp"
FULL = (errno.ENOSPC, errno.EDQUOT)
FAR = 1 << 43  # bytes, behind the end of any file: what Windows locks, nobody else can read

Like = str | os.PathLike[str] | tuple[str | os.PathLike[str], ...] | None


class OutputStream(io.BufferedRandom):
    """A buffered file without a descriptor: Pillow then writes through Python, where a full disk is
    an OSError with its errno.
    """

    def fileno(self) -> NoReturn:
        """Refused: there is no descriptor."""
        raise io.UnsupportedOperation("fileno")


@contextlib.contextmanager
def replacing(
    path: str | os.PathLike[str], *, overwrite: bool, like: Like = None
) -> Iterator[BinaryIO]:
    """Open a temporary file in the folder of `path`; move it to `path` when the block ends, delete
    it when the block fails.

    A symbolic link stays and its target is written. A new file gets the permissions of the umask,
    but for others and the group none that the file `like`, or one of several, does not give them; a
    replaced one keeps its own. Of two concurrent writers each writes a whole file; without
    `overwrite` exactly one of them succeeds. Raises OutputError, in one sentence that names the
    file. What lies behind a URL is replaced at the end, too, and an existing one looked for at the
    beginning alone.
    """
    path = located(path)
    place = elsewhere(path)
    if place is not None:
        with _sending(place, overwrite) as stream:
            yield stream
        return
    name = os.fspath(path)
    if "\0" in name:
        raise OutputError(f"{name!r}: a name cannot hold a null character")
    temporary = None
    try:
        target = os.path.realpath(name)
        mode = _check(name, target, overwrite)
        temporary = os.path.join(
            os.path.dirname(target), f"{TEMPORARY}{os.urandom(8).hex()}{TEMPORARY_SUFFIX}"
        )
        descriptor = os.open(
            temporary,
            os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0),
            _permissions(like),
        )
        locked(descriptor)  # by which `remove_stale` knows that it is being written
        with OutputStream(io.FileIO(descriptor, "r+b")) as stream:
            yield stream
        if mode is not None:
            os.chmod(temporary, mode)
        _move(temporary, target, overwrite)
        temporary = None
    except FileExistsError:
        raise OutputError(f"{name}: exists already, and overwriting was not asked for") from None
    except OSError as error:
        raise output_error(name, error) from None
    finally:
        if temporary is not None:
            # no call before unlink, not even of suppress(): a signal that came while the stream was
            # closed is raised at the next one
            try:  # noqa: SIM105
                os.unlink(temporary)
            except OSError:
                pass


@contextlib.contextmanager
def _sending(place: Elsewhere, overwrite: bool) -> Iterator[BinaryIO]:
    """As of `replacing`: a file on disk, which is sent when the block ends."""
    import tempfile  # which takes a while, and few commands need

    place.check(overwrite)
    try:
        with tempfile.TemporaryDirectory(prefix="latentpress-") as folder:
            file = Path(folder, "output")
            with OutputStream(io.FileIO(file, "x+b")) as stream:
                yield stream
            place.save(file)
    except OSError as error:
        raise output_error(f"{place}: {tempfile.gettempdir()}", error) from None


def output_error(path: str | os.PathLike[str], error: OSError) -> OutputError:
    """What the system said of writing to `path`, in one sentence that names the file."""
    kind = DiskFullError if error.errno in FULL else OutputError
    reasons = REASONS | ON_WINDOWS if sys.platform == "win32" else REASONS
    return kind(
        f"{path_name(path)}: "
        f"{reasons.get(error.errno or 0) or error.strerror or str(error) or type(error).__name__}"
    )


def _permissions(like: Like) -> int:
    """What a new file is opened with: read and write for all (the umask takes away from it), for
    the group and others as far as the files `like` let them.
    """
    mode = 0o666
    for file in like if isinstance(like, tuple) else (like,):
        if file is None or elsewhere(file) is not None:
            continue
        with contextlib.suppress(OSError):
            status = os.stat(file)
            if stat.S_ISREG(status.st_mode):
                mode &= 0o600 | status.st_mode
    return mode


def atomic_write(
    path: str | os.PathLike[str],
    data: bytes,
    *,
    overwrite: bool = False,
    like: Like = None,
) -> None:
    """Write `data` to `path`, all of it or nothing; the rules and the OutputError of
    `replacing`.
    """
    with replacing(path, overwrite=overwrite, like=like) as stream:
        stream.write(data)


def check_output(path: str | os.PathLike[str], *, overwrite: bool = False) -> None:
    """Raise the OutputError that `replacing` would raise now, before the work that makes the output
    is done.
    """
    with contextlib.suppress(UntouchedError), replacing(path, overwrite=overwrite):
        raise UntouchedError


def locked(descriptor: int) -> bool:
    """Whether this process alone has the open file from now on, as far as the system can tell. It
    was opened just now.
    """
    return _lock(descriptor) is not False


def _lock(descriptor: int) -> bool | None:
    """As of `locked`; None where the system cannot tell, as on a file system without locks."""
    try:
        if sys.platform == "win32":
            import msvcrt

            os.lseek(descriptor, FAR, os.SEEK_SET)
            try:
                msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
            finally:
                os.lseek(descriptor, 0, os.SEEK_SET)
        else:
            import fcntl

            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):  # the latter on Windows
        return False
    except (ImportError, OSError):
        return None
    return True


def remove_stale(folder: str | os.PathLike[str]) -> None:
    """Remove the temporary files in a folder that were left by a process that was killed: no other
    one has them open and locked. Nothing happens where the system has no locks.
    """
    try:
        with os.scandir(folder) as found:
            names = [entry.path for entry in found if _is_temporary(entry.name)]
    except OSError:
        return
    for name in names:
        with contextlib.suppress(OSError):
            if sys.platform == "win32":  # which deletes no file that a process has open
                os.unlink(name)
                continue
            descriptor = os.open(name, os.O_RDWR)
            try:
                if _lock(descriptor):
                    os.unlink(name)
            finally:
                os.close(descriptor)


def _is_temporary(name: str) -> bool:
    return name.startswith(TEMPORARY) and name.endswith(TEMPORARY_SUFFIX)


class UntouchedError(Exception):
    """Leaves `replacing` before anything is moved."""


def _check(name: str, target: str, overwrite: bool) -> int | None:
    """Return the permission bits of the file to be replaced, None when there is none."""
    try:
        status = os.stat(target)
    except FileNotFoundError:
        if name.endswith((os.sep, "/")):
            raise OutputError(f"{name}: is a folder, not a file") from None
        return None
    if stat.S_ISDIR(status.st_mode):
        raise OutputError(f"{name}: is a folder, not a file")
    # a rename would replace a device such as /dev/null by a file
    if not stat.S_ISREG(status.st_mode):
        raise OutputError(f"{name}: is a device or a pipe, not a file")
    if not overwrite:
        raise FileExistsError
    if not os.access(target, os.W_OK):
        raise PermissionError(errno.EACCES, "no permission")
    return stat.S_IMODE(status.st_mode)


def _move(temporary: str, target: str, overwrite: bool) -> None:
    """Rename; without `overwrite` through a hard link, which fails when another writer was
    faster.
    """
    if not overwrite:
        try:
            os.link(temporary, target)
        except FileExistsError:
            raise
        except (OSError, AttributeError, NotImplementedError):  # a file system without hard links
            if os.path.lexists(target):
                raise FileExistsError from None
        else:
            os.unlink(temporary)
            return
    os.replace(temporary, target)
