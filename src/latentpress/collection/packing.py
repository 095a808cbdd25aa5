"""Latents of a tree: each file becomes an .ltps file of its own, or all are put into one."""

from __future__ import annotations

import io
import math
import posixpath
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from latentpress.collection.faults import naming
from latentpress.collection.tasks import FileTask, Made, kept_store
from latentpress.collection.unit import Unit
from latentpress.errors import ImageError, UsageError
from latentpress.latents.writer import Writer

LTPS = ".ltps"
Latent = tuple[str, dict[str, Any] | None, Any]


@dataclass(frozen=True)
class Reading:
    """How the latents of a file are read. space: what the numbers are taken for; None for what each
    file says. codec, model, device: of photographs.
    """

    space: str | None
    codec: str | None = None
    model: str | None = None
    device: str = "auto"

    def latents(self, unit: Unit, data: bytes) -> Iterator[Latent]:
        """Name, metadata and numbers of each latent of a file. The names are those of the files
        within the tree, without the suffix; metadata are in the .json file beside it. ImageError.
        """
        from latentpress.latents.conversion import read, read_metadata, space_of

        beside = posixpath.splitext(unit.key)[0] + ".json"
        store = kept_store(unit.root)
        with naming(unit.source):
            metadata = None
            if store.entry(beside) is not None:
                metadata = read_metadata(store.read(beside), posixpath.basename(beside))
            space = self.space or self.codec or space_of(unit.key, data)
            codec, model, device = self.codec, self.model, self.device
            yield from read(data, unit.key, metadata, space, codec, model, device)


@dataclass(frozen=True)
class Exactness:
    """How exact latents are kept: one of them, as of `latentpress.latents.save`."""

    max_error: float | None = None
    rmse: float | None = None
    quality: float | None = None
    lossless: bool = False


def check(space: str | None, exactness: Exactness) -> None:
    """UsageError where no file could be packed so."""
    Writer(io.BytesIO(), space=space, **vars(exactness))


@dataclass(frozen=True, kw_only=True)
class Pack(FileTask):
    """Files of latents, or photographs -> an .ltps file each."""

    reading: Reading
    exactness: Exactness

    def request(self) -> dict[str, object]:
        """As of Task."""
        reading = {key: value for key, value in vars(self.reading).items() if key != "device"}
        return {"command": "latents pack", **reading, **vars(self.exactness)}

    def works_alone(self, units: Sequence[Unit]) -> bool:
        """As of Task: photographs go through torch."""
        return self.reading.codec is not None

    def make(self, unit: Unit, data: bytes) -> Made:
        """As of FileTask."""
        from latentpress.latents.conversion import space_of

        stream = io.BytesIO()
        shapes = []
        with naming(unit.source):
            space = self.reading.space or self.reading.codec or space_of(unit.key, data)
        with Writer(stream, space=space, **vars(self.exactness)) as writer:
            for name, metadata, latent in self.reading.latents(unit, data):
                add(writer, unit, name, metadata, latent)
                shapes.append(list(latent.shape))
        return Made(stream.getvalue(), fields={"space": space, "shapes": shapes})

    def check(self, data: bytes) -> None:
        """As of FileTask."""
        from latentpress.latents.reader import Reader

        with tempfile.TemporaryDirectory() as folder:  # a Reader has a file that it opens itself
            path = Path(folder) / f"checked{LTPS}"
            path.write_bytes(data)
            with Reader(path) as reader:
                for n in range(len(reader)):
                    reader.read(n)


def add(
    writer: Writer, unit: Unit, name: str, metadata: dict[str, Any] | None, latent: Any
) -> None:
    """Add a latent of a file. ImageError where it cannot be one."""
    try:
        writer.add(latent, name=name, metadata=metadata)
    except UsageError as error:  # here it is the file that is wrong
        raise ImageError(f"{unit.source}: {error}") from error


@dataclass(frozen=True)
class Packed:
    """What was put into a file: latents, and the numbers in them."""

    latents: int
    numbers: int


def pack_together(
    units: Sequence[Unit], reading: Reading, writer: Writer, advance: Callable[[], None]
) -> Packed:
    """Put the latents of all files into one that is being written. A file that fails ends that.

    Raises:
        ImageError: it cannot be read, or holds no latents.
        OutputError: as of Writer.
    """
    count = numbers = 0
    for unit in units:
        data = kept_store(unit.root).read(unit.key)
        for name, metadata, latent in reading.latents(unit, data):
            add(writer, unit, name, metadata, latent)
            count += 1
            numbers += math.prod(latent.shape)
        advance()
    return Packed(count, numbers)
