"""Latents into many .ltps files of one size."""

from __future__ import annotations

import os
from collections.abc import Container
from pathlib import Path
from types import TracebackType
from typing import Any

from latentpress.errors import OutputError, UsageError
from latentpress.latents.writer import Writer
from latentpress.system.files import output_error
from latentpress.system.places import as_path

DIGITS = 6  # of the names of the files


class ShardWriter:
    """Latents of one space into files of a folder, in the order of `add`: 000000.ltps, 000001.ltps
    and so on. Each file is there when it is full, and the last one when the block ends.

    Args:
        folder: is made where it is not there.
        shard_size: bytes; with the latent that reaches it a file is full.
        first: the number of the first file.
        replaceable: names of files that may be replaced.
        **how: space, one of max_error, rmse, quality and lossless, and overwrite, as of `Writer`.

    Raises:
        UsageError: the arguments contradict each other.
        OutputError: a file exists already or cannot be written.

    Example:
        >>> with ShardWriter("set", 10**8, space="sd15", rmse=0.02) as writer:  # doctest: +SKIP
        ...     writer.add(latent, name="0001", metadata={"caption": "a squirrel"})
    """

    def __init__(
        self,
        folder: str | os.PathLike[str],
        shard_size: int,
        *,
        first: int = 0,
        replaceable: Container[str] = (),
        **how: Any,
    ) -> None:
        if shard_size < 1:
            raise UsageError(f"a shard has 1 byte or more, not {shard_size}")
        if how.get("append"):
            raise UsageError("latents are appended to one file, not to shards")
        self.folder = as_path(os.fspath(folder))
        self.shard_size = shard_size
        self.files: list[Path] = []
        self._first = first
        self._replaceable = replaceable
        self._how = how
        self._current: Writer | None = None
        self._size = 0
        self._is_entered = False
        Writer(self.folder, **how)  # whose arguments are checked before the work begins

    def __enter__(self) -> ShardWriter:
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise output_error(self.folder, error) from error
        self._is_entered = True
        return self

    def add(self, latent: Any, *, name: str = "", metadata: dict[str, Any] | None = None) -> int:
        """One latent (C, H, W), a NumPy array or a torch tensor, behind the others.

        Args:
            latent: as of `Writer.add`.
            name: of the latent.
            metadata: a JSON object.

        Returns:
            The bytes it took.
        """
        if not self._is_entered:
            raise UsageError("a ShardWriter is used in a with block")
        if self._current is None:
            self.begin()
        assert self._current is not None
        try:
            size = self._current.add(latent, name=name, metadata=metadata)
        except BaseException as error:
            if not self._size:  # a file without a latent is none
                self._close(type(error), error, error.__traceback__)
            raise
        self._size += size
        if self._size >= self.shard_size:
            self._close(None, None, None)
        return size

    def begin(self) -> Path:
        """Open the next file, where none is open, for the latents that are added then; `add` does
        so by itself. Its path, where it is once it is full. OutputError.
        """
        path = self.folder / f"{self._first + len(self.files):0{DIGITS}}.ltps"
        overwrite = self._how.get("overwrite") or path.name in self._replaceable
        if path.exists() and not overwrite:
            raise OutputError(f"{path}: exists already, and overwriting was not asked for")
        self._current = Writer(path, **{**self._how, "overwrite": overwrite}).__enter__()
        self.files.append(path)
        return path

    @property
    def is_open(self) -> bool:
        """Whether the last of the files is not full yet."""
        return self._current is not None

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._is_entered = False
        self._close(kind, error, trace)

    def _close(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        current, self._current, self._size = self._current, None, 0
        if current is not None:
            file = self.files.pop()
            current.__exit__(kind, error, trace)
            if kind is None:
                self.files.append(file)
