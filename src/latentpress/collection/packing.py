"""Latents of a tree: each file becomes an .ltps file of its own, or all are put into one."""

from __future__ import annotations

import hashlib
import io
import math
import posixpath
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, Protocol, cast

from latentpress.collection.archives import (
    Output,
    checksum_of,
    is_table,
    make_of_archive,
)
from latentpress.collection.faults import ENDING, naming, sentence
from latentpress.collection.find import LTP, image_suffixes, is_archive, suffix_of
from latentpress.collection.members import LEFT_OUT, is_image, is_ltp
from latentpress.collection.samples import (
    COMPANIONS,
    Sample,
    metadata_of,
    samples_of_shard,
    samples_of_table,
)
from latentpress.collection.tasks import FileTask, kept_store
from latentpress.collection.unit import Made, Row, Unit, joined
from latentpress.errors import FormatError, ImageError, UsageError
from latentpress.latents.conversion import LATENTS, PHOTOGRAPHS, space_of
from latentpress.latents.writer import Writer
from latentpress.system.stores import Entry, FolderStore, ObjectStore, Store, open_file
from latentpress.system.tars import inflated

LTPS = ".ltps"
Latent = tuple[str, dict[str, Any] | None, Any]


class Adding(Protocol):
    """A Writer, or a ShardWriter."""

    def add(self, latent: Any, *, name: str = "", metadata: dict[str, Any] | None = None) -> int:
        """One latent (C, H, W) behind the others; the bytes it took."""
        ...


def packed_suffixes(codec: str | None) -> frozenset[str]:
    """Suffixes, in lower case, of the files that are taken: with a codec all that `compress` takes,
    without one the usual photographs, for which a codec is then asked.
    """
    return frozenset(LATENTS) | (image_suffixes() if codec else frozenset(PHOTOGRAPHS))


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
        within the tree, without the suffix; metadata are in the files beside it, as of
        `samples.metadata_of`. ImageError.
        """
        store = kept_store(unit.root)
        with naming(unit.source):
            beside = {name: store.read(entry.key) for name, entry in companions(store, unit.key)}
            about = metadata_of(beside, posixpath.splitext(unit.key)[0])
            yield from self._read(unit.key, data, about)

    def samples(
        self, unit: Unit, stream: BinaryIO, columns: Sequence[str] = ()
    ) -> Iterator[Sample]:
        """The files of latents and the photographs in an archive."""
        if is_table(unit.key):
            return samples_of_table(stream, columns, lambda data: is_ltp(data) or is_image(data))
        return samples_of_shard(inflated(stream, stream), packed_suffixes(self.codec))

    def of_sample(self, unit: Unit, sample: Sample) -> Iterator[Latent]:
        """As `latents`, of a file in an archive."""
        with naming(joined(unit.source, sample.name)):
            if sample.problem:
                raise ImageError(sample.problem)
            yield from self._read(sample.name, sample.data, sample.metadata)

    def space_of(self, name: str, data: bytes) -> str:
        """The space of the latents of a file. FormatError where its header is damaged."""
        return self.space or self.codec or space_of(name, data)

    def _read(self, name: str, data: bytes, metadata: dict[str, Any] | None) -> Iterator[Latent]:
        from latentpress.latents.conversion import read

        space = self.space_of(name, data)
        name = name if "." in posixpath.basename(name) else f"{name}."  # of a row without a path
        yield from read(data, name, metadata, space, self.codec, self.model, self.device)


def companions(store: Store, key: str) -> Iterator[tuple[str, Entry]]:
    """What says something of a file of latents: the files beside it, by their suffixes."""
    stem = posixpath.splitext(key)[0]
    for name in COMPANIONS:
        entry = store.entry(f"{stem}.{name}")
        if entry is not None:
            yield name, entry


def with_companions(found: Iterable[Unit | Row]) -> Iterator[Unit | Row]:
    """What was found, each file's version with those of its companions, so that a latent is packed
    again where its caption is another one. Not of an object store, which each would ask for.
    """
    for item in found:
        if isinstance(item, Unit) and not is_archive(item.key):
            store = kept_store(item.root)
            if not isinstance(store, ObjectStore):
                beside = [f"{name} {e.version}" for name, e in companions(store, item.key)]
                item = replace(item, version=" ".join([item.version, *beside]))
        yield item


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
        return {
            **super().request(),
            "command": "latents pack",
            **reading,
            **vars(self.exactness),
        }

    def of_archive(self, unit: Unit) -> list[Row]:
        """As of FileTask: a row for each of its latents."""
        return make_of_archive(
            unit,
            kept_store(unit.root),
            kept_store(self.output),
            partial(self._packed, unit),
            may_replace=unit.replace or self.overwrite,
        )

    def _packed(self, unit: Unit, stream: BinaryIO, output: Output) -> Iterator[Row | str]:
        """Write the .ltps file of an archive; its rows and its checksum."""
        digest = checksum_of(stream)
        stream.seek(0)
        count = 0
        with ExitStack() as stack:
            writer: Writer | None = None
            for sample in self.reading.samples(unit, stream, self.columns):
                if writer is None:
                    space = self.reading.space_of(sample.name, sample.data)
                    writer = Writer(cast(BinaryIO, output), space=space, **vars(self.exactness))
                    stack.enter_context(writer)
                row = _row(writer, self.reading, unit, sample)
                count += not row.error
                yield row
                problem = row.error
            if not count:
                reason = f": {problem}" if writer else ""
                raise ImageError(f"{unit.source}: no latent can be read of it{reason}")
        yield digest

    def works_alone(self, units: Sequence[Unit]) -> bool:
        """As of Task: photographs go through torch."""
        return self.reading.codec is not None

    def make(self, unit: Unit, data: bytes) -> Made:
        """As of FileTask."""
        stream = io.BytesIO()
        shapes = []
        with naming(unit.source):
            space = self.reading.space_of(unit.key, data)
        with Writer(stream, space=space, **vars(self.exactness)) as writer:
            for name, metadata, latent in self.reading.latents(unit, data):
                add(writer, unit.source, name, metadata, latent)
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
    writer: Adding, source: str, name: str, metadata: dict[str, Any] | None, latent: Any
) -> int:
    """Add a latent of a file; the bytes it took. ImageError where it cannot be one."""
    try:
        return writer.add(latent, name=name, metadata=metadata)
    except UsageError as error:  # here it is the file that is wrong
        raise ImageError(f"{source}: {error}") from error


def _row(writer: Writer, reading: Reading, unit: Unit, sample: Sample) -> Row:
    """Add the latents of a file in an archive; its row."""
    begin = time.perf_counter()
    size, error = 0, ""
    source = joined(unit.source, sample.name)
    try:
        for name, metadata, latent in reading.of_sample(unit, sample):
            size += add(writer, source, name, metadata, latent)
    except ENDING:
        raise
    except Exception as fault:
        error = f"{sentence(source, fault)}; {LEFT_OUT}"
    return Row(
        unit.source,
        unit.version,
        member=sample.name,
        output="" if error else posixpath.splitext(sample.name)[0],
        source_bytes=len(sample.data),
        output_bytes=0 if error else size,
        source_sha256=hashlib.sha256(sample.data).hexdigest(),
        seconds=time.perf_counter() - begin,
        error=error,
    )


def common_space(units: Iterable[Unit], columns: Sequence[str] = ()) -> str:
    """The space of the latents of files and archives, of all of which that can be read it is the
    same; else raw.
    """
    spaces = set()
    for space in _spaces(units, columns):
        spaces.add(space)
        if len(spaces) > 1 or "raw" in spaces:
            return "raw"
    return spaces.pop() if spaces else "raw"


def _spaces(units: Iterable[Unit], columns: Sequence[str]) -> Iterator[str]:
    reading = Reading(None)
    for unit in units:
        store = kept_store(unit.root)
        with suppress(FormatError, ImageError):  # which is told where the latents are read
            if is_archive(unit.key):
                with open_file(store, unit.key) as stream:
                    for sample in reading.samples(unit, stream, columns):
                        with suppress(FormatError):
                            yield space_of(sample.name, sample.data)
            elif isinstance(store, FolderStore):
                yield space_of(unit.key, store.path(unit.key))
            else:
                data = store.read(unit.key) if suffix_of(unit.key) == LTP else b""
                yield space_of(unit.key, data)


def latents_of(unit: Unit, reading: Reading) -> Iterator[Latent]:
    """The latents of a file, which is read when the first is asked for. ImageError."""
    yield from reading.latents(unit, kept_store(unit.root).read(unit.key))


@dataclass
class Packed:
    """What was put into a file: latents, and the numbers in them."""

    latents: int = 0
    numbers: int = 0


def pack_together(
    units: Sequence[Unit],
    reading: Reading,
    writer: Adding,
    advance: Callable[[], None],
    columns: Sequence[str] = (),
) -> Packed:
    """Put the latents of all files, and of all in archives, into what is being written.

    Raises:
        ImageError: one cannot be read, or holds no latents.
        OutputError: as of Writer.
    """
    packed = Packed()

    def put(source: str, latents: Iterator[Latent]) -> None:
        for name, metadata, latent in latents:
            add(writer, source, name, metadata, latent)
            packed.latents += 1
            packed.numbers += math.prod(latent.shape)

    for unit in units:
        if is_archive(unit.key):
            with open_file(kept_store(unit.root), unit.key) as stream, naming(unit.source):
                for sample in reading.samples(unit, stream, columns):
                    put(joined(unit.source, sample.name), reading.of_sample(unit, sample))
        else:
            put(unit.source, latents_of(unit, reading))
        advance()
    return packed
