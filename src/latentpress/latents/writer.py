"""Write a .ltps file: latents one by one, the whole file or none."""

from __future__ import annotations

import os
from contextlib import AbstractContextManager, ExitStack, nullcontext, suppress
from types import TracebackType
from typing import Any, BinaryIO

import google_crc32c
import numpy as np

from latentpress.errors import FormatError, OutputError, UsageError, prefixed
from latentpress.latents import index, record
from latentpress.latents.dtypes import as_array
from latentpress.latents.precision import Precision
from latentpress.system.files import UntouchedError, locked, output_error, replacing
from latentpress.system.places import elsewhere, located, path_name

COPY_BYTES = 1 << 20


class Writer:
    """Latents of one space into one file, in the order of `add`; the file is there when the block
    ends, and not when it fails.

    Args:
        file: a path, or an empty open file that can be written and sought.
        space: "sd15", "sdxl", "sd3", "flux1", or "raw" (None): any numbers.
        max_error: as in `save`; exactly one of it, rmse, quality and lossless, for all latents.
        rmse: as in `save`.
        quality: as in `save`.
        lossless: as in `save`.
        overwrite: replace a file that is there.
        append: the latents of the file that is there come first, as they were coded.

    Raises:
        UsageError: the arguments contradict each other.
        OutputError: the file exists already or cannot be written.

    Example:
        >>> with Writer("set.ltps", space="sd15", rmse=0.02) as writer:  # doctest: +SKIP
        ...     writer.add(latent, name="0001", metadata={"caption": "a squirrel"})
    """

    def __init__(
        self,
        file: str | os.PathLike[str] | BinaryIO,
        *,
        space: str | None = None,
        max_error: float | None = None,
        rmse: float | None = None,
        quality: float | None = None,
        lossless: bool = False,
        overwrite: bool = False,
        append: bool = False,
    ) -> None:
        self.precision = Precision(max_error, rmse, quality, lossless)
        self.space = index.space_id(space)
        self.file = file = located(file)
        self._name = os.fspath(file) if isinstance(file, (str, os.PathLike)) else ""
        if self.space == index.RAW and quality is not None:
            raise UsageError(
                "quality is a step in a named space; for raw latents say max_error or rmse in "
                "their own unit"
            )
        self.overwrite = overwrite
        self.append = append
        self._stack = ExitStack()
        self._rows = bytearray()
        self._stream: BinaryIO | None = None

    def __enter__(self) -> Writer:
        if self.append and elsewhere(self._name) is not None:
            raise UsageError(f"{path_name(self._name)}: latents are appended to local files alone")
        appends = bool(self.append and self._name) and os.path.exists(self._name)
        self._rows = bytearray()
        with ExitStack() as stack:
            # locked until the stack ends, which closes it when the new file has taken its place
            old = stack.enter_context(self._old()) if appends else None
            stream = stack.enter_context(self._opened(self.overwrite or appends))
            self._header = index.write_header(stream, self.space)
            if old is not None:
                self._take(old, stream)
                if os.name == "nt":  # which replaces no open file
                    old.close()
            self._stack = stack.pop_all()
        self._stream = stream
        return self

    def _old(self) -> BinaryIO:
        """The file that is there, opened and locked. OutputError where another process has it, or
        where it cannot be opened.
        """
        try:
            old = open(self._name, "rb")  # noqa: SIM115  closed by who appends
        except OSError as error:
            raise output_error(self._name, error) from error
        if locked(old.fileno()) and _is_at(old, self._name):
            return old
        old.close()
        raise OutputError(f"{self._name}: another process is appending to it")

    def _opened(self, overwrite: bool) -> AbstractContextManager[BinaryIO]:
        if isinstance(self.file, (str, os.PathLike)):
            return replacing(self.file, overwrite=overwrite)
        return nullcontext(self.file)

    def _take(self, old: BinaryIO, stream: BinaryIO) -> None:
        """The latents of the file that is there come first."""
        try:
            present = index.read_index(old, os.fstat(old.fileno()).st_size)
        except FormatError as error:
            raise prefixed(self._name, error) from error
        if present.space != self.space:
            raise UsageError(
                f"{self._name} holds latents of space {index.space_name(present.space)}: "
                "append only such"
            )
        self._copy(old, stream, present)
        self._rows += present.rows.tobytes()

    def add(self, latent: Any, *, name: str = "", metadata: dict[str, Any] | None = None) -> int:
        """One latent (C, H, W), a NumPy array or a torch tensor, behind the others; the bytes it
        took.
        """
        if self._stream is None:
            raise UsageError("a Writer is used in a with block")
        array, kind = as_array(latent)
        body = record.pack(array, kind, self.space, self.precision, name, metadata)
        if len(body) > index.MAX_RECORD_BYTES:
            raise UsageError(
                f"a latent takes {len(body)} bytes, more than the format's "
                f"{index.MAX_RECORD_BYTES}: cut it into parts"
            )
        row = np.array([(self._end + len(body), google_crc32c.value(body))], index.ROW)
        try:
            self._drop_rest(self._stream)
            self._stream.write(body)
        except OSError as error:
            raise output_error(self._name, error) from error
        self._rows += row.tobytes()
        return len(body)

    @property
    def _end(self) -> int:
        """Where the last whole record ends."""
        return index.end_of(np.frombuffer(self._rows[-index.ROW.itemsize :], index.ROW))

    def _drop_rest(self, stream: BinaryIO) -> None:
        """Take off what stands behind the last whole record: one whose writing was interrupted."""
        if stream.tell() != self._end:
            stream.seek(self._end)
            stream.truncate()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if (
            kind is not None
            # the block's own error goes on as it is: within `replacing` one of the system would be
            # taken for the output's
        ):
            self._stream = None
            untouched = UntouchedError()
            with suppress(OutputError):  # of a disk too full to close the file that is deleted now
                self._stack.__exit__(UntouchedError, untouched, None)
            return
        if self._stream is not None:
            try:
                self._drop_rest(self._stream)
                index.write_index(self._stream, self._header, np.frombuffer(self._rows, index.ROW))
            except BaseException as failure:
                self._stack.__exit__(type(failure), failure, failure.__traceback__)
                raise
        self._stream = None
        self._stack.__exit__(None, None, None)

    @staticmethod
    def _copy(old: BinaryIO, stream: BinaryIO, present: index.Index) -> None:
        """The old records, as they are."""
        left = index.end_of(present.rows) - index.HEADER.size
        old.seek(index.HEADER.size)
        while left:
            block = old.read(min(left, COPY_BYTES))
            stream.write(block)
            left -= len(block)


def _is_at(file: BinaryIO, path: str) -> bool:
    """Whether this open file is the one that lies there, and no other took its place."""
    try:
        return os.path.samestat(os.fstat(file.fileno()), os.stat(path))
    except FileNotFoundError:
        return False
