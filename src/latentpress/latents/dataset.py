"""A torch Dataset over .ltps files."""

import bisect
import operator
import os
from collections import OrderedDict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from torch.utils.data import Dataset

from latentpress.errors import UsageError
from latentpress.latents.reader import Reader
from latentpress.system.sources import visible

Source = str | os.PathLike[str]
OPEN = 100  # files at a time; a process may have 1,024 on Linux by default, 256 on macOS


class LatentDataset(Dataset[Any]):  # type: ignore[misc]  # torch is not here when types are checked
    """The latents of one .ltps file, of several, or of all in a folder and its subfolders, as
    tensors (C, H, W). Works in a DataLoader with workers: each process opens the files for itself.

    Args:
        source: a path, or paths.
        transform: called with (tensor, Info) for each item; what it returns is the item. None gives
            the tensor.
        dtype: of the tensors; None for that of the file.

    Raises:
        UsageError: there is no file, or the files hold different spaces.

    Example:
        >>> data = LatentDataset("latents/", dtype=torch.float16)  # doctest: +SKIP
    """

    def __init__(
        self,
        source: Source | Sequence[Source],
        *,
        transform: Callable[[Any, Any], Any] | None = None,
        dtype: Any = None,
    ) -> None:
        sources = [source] if isinstance(source, str | os.PathLike) else list(source)
        files = [
            f
            for s in sources
            for f in (visible(Path(s), "*.ltps") if Path(s).is_dir() else [Path(s)])
        ]
        if not files:
            raise UsageError(f"no .ltps file in {', '.join(map(str, sources)) or 'an empty list'}")
        self.transform = transform
        self.dtype = dtype
        self.files = files
        self._open: OrderedDict[int, Reader] = OrderedDict()  # in the order of their use
        self._ends: list[int] = []
        spaces = set()
        for which in range(len(files)):
            reader = self._reader(which)
            spaces.add(reader.space)
            self._ends.append((self._ends[-1] if self._ends else 0) + len(reader))
        if len(spaces) > 1:
            raise UsageError(
                "the files hold latents of different spaces: take one Dataset for each"
            )
        self.space = spaces.pop()

    def _reader(self, which: int) -> Reader:
        """Of a file. One that is not among the last OPEN is closed when no thread reads it."""
        reader = self._open.pop(which, None)
        if reader is None:
            reader = Reader(self.files[which], torch=True)
        self._open[which] = reader
        while len(self._open) > OPEN:
            self._open.popitem(last=False)
        return reader

    def __len__(self) -> int:
        return self._ends[-1]

    def __getitem__(self, n: int) -> Any:
        n = operator.index(n)
        if not -len(self) <= n < len(self):
            raise IndexError(f"the Dataset holds {len(self)} latents; there is no number {n}")
        n %= len(self)
        which = bisect.bisect_right(self._ends, n)
        tensor, info = self._reader(which).read(n - (self._ends[which - 1] if which else 0))
        if self.dtype is not None:
            tensor = tensor.to(self.dtype)
        return tensor if self.transform is None else self.transform(tensor, info)
