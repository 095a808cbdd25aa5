"""A torch Dataset over pictures in shards and folders."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch.utils.data import Dataset

from latentpress.data.decoder import Decoder
from latentpress.errors import ImageError, LatentpressError, UsageError, prefixed
from latentpress.system.members import check_size, label_number, sample_key
from latentpress.system.sources import read_source, unreadable, visible
from latentpress.system.tars import TarReader

Source = str | os.PathLike[str]
UNPACK = "unpack it to a .tar, of which any picture can be read without the others"
OTHERS = {
    ".ltp": "name the folder that it lies in",
    ".gz": UNPACK,
    ".tgz": UNPACK,
    ".zip": "unpack it to a folder",
    ".parquet": "the library `datasets` opens tables, and ColumnDecoder their pictures",
}
Place = tuple[str, int, int]  # of a field: its name, where it begins, its bytes; a file: -1, -1


@dataclass(frozen=True)
class Sample:
    """What stands beside a picture.

    Attributes:
        key: its name up to the first dot, with the folders within the shard or the folder.
        fields: the bytes of the files that share its key, by what follows the first dot, as "txt",
            "cls" and "json".
    """

    key: str
    fields: dict[str, bytes]

    @property
    def caption(self) -> str:
        """The text of "txt", "" where there is none."""
        return self.fields.get("txt", b"").decode("utf-8-sig", "replace").strip()

    @property
    def label(self) -> int | None:
        """The number of "cls", None where there is none."""
        return label_number(self.fields.get("cls", b"").decode("utf-8-sig", "replace").strip())

    @property
    def metadata(self) -> dict[str, Any]:
        """The object of "json", empty where there is none. ValueError where it is no JSON."""
        return json.loads(self.fields["json"]) if "json" in self.fields else {}


# torch is not here when types are checked
class PictureDataset(Dataset[Any]):  # type: ignore[misc]
    """The pictures of .tar shards and of folders, each read without the others. Works in a
    DataLoader with workers. A shard is looked through once, its members' bytes unread.

    Args:
        source: a .tar file or a folder, or several; of a folder all .tar files in it, or where it
            has none, its files and those of its subfolders.
        form: of the pictures, as of `Decoder`.
        field: of the pictures; samples without it are left out.
        reduced: as of `Decoder`.
        transform: called with (picture, Sample) for each item; what it returns is the item. None
            gives the picture.

    Raises:
        UsageError: there is no picture, or a source is neither a shard nor a folder.
        FormatError: a shard is damaged.

    Example:
        >>> data = PictureDataset("pressed/", "torchrgb8")  # doctest: +SKIP
    """

    def __init__(
        self,
        source: Source | Sequence[Source],
        form: str = "torchrgb8",
        *,
        field: str = "ltp",
        reduced: bool = False,
        transform: Callable[[Any, Sample], Any] | None = None,
    ) -> None:
        sources = [source] if isinstance(source, str | os.PathLike) else list(source)
        self.decoder = Decoder(form, reduced=reduced)
        self.field = field
        self.transform = transform
        self._samples: list[tuple[str, str, tuple[Place, ...]]] = []  # file or folder, key, fields
        for each in sources:
            for shard, key, places in _samples(Path(each)):
                if any(name == field for name, _, _ in places):
                    self._samples.append((shard, key, places))
        if not self._samples:
            raise UsageError(
                f"no picture in {', '.join(map(str, sources)) or 'an empty list'}: no file with "
                f"the suffix .{field}"
            )

    def __len__(self) -> int:
        return len(self._samples)

    def __getitem__(self, n: int) -> Any:
        if not -len(self) <= n < len(self):
            raise IndexError(f"the Dataset holds {len(self)} pictures; there is no number {n}")
        shard, key, places = self._samples[n]
        wanted = [place for place in places if self.transform or place[0] == self.field]
        fields = {place[0]: _read(shard, key, place) for place in wanted}
        try:
            picture = self.decoder.decode(fields.pop(self.field))
        except LatentpressError as error:
            raise prefixed(f"{shard}, {key}.{self.field}", error) from error
        except OSError as error:  # Pillow's, of another format
            raise ImageError(f"{shard}, {key}.{self.field}: {error}") from error
        return picture if self.transform is None else self.transform(picture, Sample(key, fields))


def _samples(source: Path) -> Iterator[tuple[str, str, tuple[Place, ...]]]:
    """(shard or folder, key, fields) of all samples of a source, in its order."""
    if not source.is_dir():
        if other := OTHERS.get(source.suffix.lower()):
            raise UsageError(f"{source}: neither a .tar shard nor a folder: {other}")
        yield from _of_shard(source)
        return
    shards = visible(source, "*.tar")
    for shard in shards:
        yield from _of_shard(shard)
    if not shards:
        yield from _of_folder(source)


def _of_shard(shard: Path) -> Iterator[tuple[str, str, tuple[Place, ...]]]:
    try:
        with open(shard, "rb") as stream:
            members = (
                (member.name, member.offset, member.size)
                for member in TarReader(stream)
                if member.is_file
            )
            for key, places in _grouped(members):
                yield str(shard), key, places
    except OSError as error:
        raise unreadable(str(shard), error) from error
    except LatentpressError as error:
        raise prefixed(shard, error) from error


def _of_folder(folder: Path) -> Iterator[tuple[str, str, tuple[Place, ...]]]:
    names = sorted(path.relative_to(folder).as_posix() for path in visible(folder, "*.*"))
    for key, places in _grouped((name, -1, -1) for name in names):
        yield str(folder), key, places


def _grouped(members: Iterator[Place]) -> Iterator[tuple[str, tuple[Place, ...]]]:
    """(key, fields) of members that follow each other and share a key."""
    current: str | None = None
    places: list[Place] = []
    for name, offset, size in members:
        if (found := sample_key(name)) is None:
            continue
        if found[0] != current and current is not None:
            yield current, tuple(places)
            places = []
        current = found[0]
        places.append((found[1], offset, size))
    if current is not None:
        yield current, tuple(places)


def _read(shard: str, key: str, place: Place) -> bytes:
    """The bytes of a field. Opened each time: processes share no position."""
    name, offset, size = place
    if offset < 0:
        return read_source(Path(shard) / f"{key}.{name}")
    check_size(size)
    try:
        with open(shard, "rb") as stream:
            stream.seek(offset)
            return stream.read(size)
    except OSError as error:
        raise unreadable(shard, error) from error
