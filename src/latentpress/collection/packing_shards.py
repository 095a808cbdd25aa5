"""All latents of a tree into numbered .ltps files of one size, recorded as each is full, so that a
run that was ended goes on.

The manifest has a line {"begun": FILE} for each file before it is there, and, once it is full, a
line for each source with how many of its latents the file holds (and, where members of one name
came before it, as in a table, how many: "again"), then {"shard": FILE} with its bytes. What the
last run under the same request recorded is not packed again.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

from latentpress import __version__
from latentpress.collection.faults import ENDING, naming, sentence
from latentpress.collection.find import MANIFEST, is_archive
from latentpress.collection.manifest import Manifest, fingerprint, open_manifest
from latentpress.collection.packing import Latent, Reading, add, latents_of
from latentpress.collection.tasks import kept_store
from latentpress.collection.unit import Unit, joined
from latentpress.errors import OutputError
from latentpress.latents.shards import ShardWriter
from latentpress.system.stores import FolderStore, ObjectStore, Store, open_file, open_store

ANEW = "--overwrite begins anew"
SHARD = re.compile(r"[0-9]+\.ltps", re.ASCII)


def _key(source: str, member: str, again: int) -> int:
    """Of a file of latents; again: how many members of that name came before it."""
    return hash((source, member, again))


@dataclass
class Earlier:
    """What earlier runs packed. files: bytes by name. begun: files that may be there without being
    of these. counts: latents by `_key`. whole: of those the ones that are packed to their end.
    versions: hashes, by that of the source.
    """

    files: dict[str, int] = field(default_factory=dict)
    begun: set[str] = field(default_factory=set)
    counts: dict[int, int] = field(default_factory=dict)
    whole: set[int] = field(default_factory=set)
    versions: dict[int, int] = field(default_factory=dict)
    request: str = ""
    _waiting: list[Mapping[str, Any]] = field(default_factory=list)

    def add(self, line: Mapping[str, Any]) -> None:
        """Take a line of the manifest into account."""
        if "run" in line:
            if line["run"].get("begins"):
                self.forget()
            self.request = str(line["run"].get("request"))
            self._waiting = []  # of a file whose lines were not all written
        elif "begun" in line:
            self.begun.add(str(line["begun"]))
        elif "shard" in line:
            self.files[str(line["shard"])] = int(line["output_bytes"])
            for row in self._waiting:
                self._add_source(row)
            self._waiting = []
        elif "latents" in line:
            self._waiting.append(line)

    def forget(self) -> None:
        """Begin anew: what is there may be replaced."""
        self.begun |= self.files.keys()
        for known in (self.files, self.counts, self.whole, self.versions):
            known.clear()

    def _add_source(self, line: Mapping[str, Any]) -> None:
        key = _key(line["source"], line.get("member", ""), line.get("again", 0))
        self.counts[key] = self.counts.get(key, 0) + int(line["latents"])
        if line.get("ends"):
            self.whole.add(key)
        self.versions[hash(line["source"])] = hash(line["version"])

    def check(self, store: Store, request: str) -> None:
        """OutputError where a run under this request cannot go on from here."""
        if self.files and self.request != request:
            raise OutputError(
                f"{store.url}: holds shards that were asked for otherwise: name another folder; "
                f"{ANEW}"
            )
        for name, size in self.files.items():
            entry = store.entry(name)
            if entry is None or entry.size != size:
                raise OutputError(
                    f"{joined(store.url, name)}: is not there as the manifest has it; {ANEW}"
                )


@dataclass
class Packed:
    """What was put into files. kept: latents that earlier runs had packed. failed: files that were
    not taken. numbers: in the latents that were put. files, size: of all runs, the bytes too.
    written: bytes of this run's files.
    """

    latents: int = 0
    numbers: int = 0
    kept: int = 0
    failed: int = 0
    files: int = 0
    size: int = 0
    written: int = 0


class ShardPacking:
    """A run that packs into shards.

    Args:
        folder: of the shards and the manifest.
        shard_size: as of `ShardWriter`.
        reading: how latents are read.
        how: as of `ShardWriter`; with "overwrite" the run begins anew.
        columns: of the pictures in tables.
        told: is called with a sentence for each file that fails.
    """

    def __init__(
        self,
        folder: str,
        shard_size: int,
        reading: Reading,
        how: Mapping[str, Any],
        columns: Sequence[str] = (),
        told: Callable[[str], None] = lambda text: None,
    ) -> None:
        self._folder, self._shard_size, self._reading, self._how = folder, shard_size, reading, how
        self._columns, self._told = columns, told
        self._packed = Packed()
        self._rows: list[dict[str, Any]] = []
        self._earlier = Earlier()
        self._begun = ""

    def run(self, units: Iterable[Unit], advance: Callable[[], None]) -> Packed:
        """Pack what was not packed before.

        Raises:
            OutputError: the shards that are there are others, or cannot be written; a source, or
                a file beside it, was changed since it was packed.
        """
        asked = {key: value for key, value in self._how.items() if key != "overwrite"}
        reading = {key: value for key, value in vars(self._reading).items() if key != "device"}
        asked |= {**reading, "shard_size": self._shard_size, "columns": list(self._columns)}
        request = fingerprint(asked)
        store = open_store(self._folder)
        with closing(open_manifest(store)) as manifest:
            if isinstance(store, FolderStore):
                store.tidy(MANIFEST)
            for line in manifest.lines():
                self._earlier.add(line)
            if self._how.get("overwrite"):
                self._earlier.forget()
            else:
                self._earlier.check(store, request)
            begins = not self._earlier.files
            told = {"version": __version__, "request": request, "asked": asked, "begins": begins}
            manifest.append([{"run": told}])
            written = self._write(units, manifest, advance)
            left = self._earlier.begun - self._earlier.files.keys() - written
            for name in filter(SHARD.fullmatch, left):  # of a run that was begun anew
                if isinstance(store, FolderStore | ObjectStore):
                    store.remove(name)
        self._packed.size = self._packed.written + sum(self._earlier.files.values())
        self._packed.files += len(self._earlier.files)
        return self._packed

    def _write(
        self, units: Iterable[Unit], manifest: Manifest, advance: Callable[[], None]
    ) -> set[str]:
        """Pack into further files; their names."""
        shards = ShardWriter(
            self._folder,
            self._shard_size,
            first=len(self._earlier.files),
            replaceable=self._earlier.begun,
            **self._how,
        )
        with shards:
            for unit in units:
                version = self._earlier.versions.get(hash(unit.source))
                if version not in (None, hash(unit.version)):
                    raise OutputError(
                        f"{unit.source}: was changed, or a file beside it, since it was packed; "
                        f"{ANEW}"
                    )
                for member, again, latents in self._sources(unit):
                    self._put(unit, member, again, latents, shards, manifest)
                advance()
        if self._rows:
            self._record(shards, manifest)
        self._packed.files = len(shards.files)
        self._packed.written = sum(file.stat().st_size for file in shards.files)
        return {file.name for file in shards.files}

    def _sources(self, unit: Unit) -> Iterator[tuple[str, int, Iterator[Latent]]]:
        """The files of latents in a unit that were not packed whole: name within it, how many of
        that name came before, latents.
        """
        if not is_archive(unit.key):
            if not self._is_kept(unit, "", 0):
                yield "", 0, latents_of(unit, self._reading)
            return
        seen = Counter[str]()
        with open_file(kept_store(unit.root), unit.key) as stream, naming(unit.source):
            for sample in self._reading.samples(unit, stream, self._columns):
                again = seen[sample.name]
                seen[sample.name] += 1
                if not self._is_kept(unit, sample.name, again):
                    yield sample.name, again, self._reading.of_sample(unit, sample)

    def _is_kept(self, unit: Unit, member: str, again: int) -> bool:
        key = _key(unit.source, member, again)
        if key in self._earlier.whole:
            self._packed.kept += self._earlier.counts[key]
        return key in self._earlier.whole

    def _put(
        self,
        unit: Unit,
        member: str,
        again: int,
        latents: Iterator[Latent],
        shards: ShardWriter,
        manifest: Manifest,
    ) -> None:
        """Add the latents of a file that are not packed yet."""
        source = joined(unit.source, member) if member else unit.source
        kept = self._earlier.counts.get(_key(unit.source, member, again), 0)
        row: dict[str, Any] = {"source": unit.source, **({"member": member} if member else {})}
        row |= {"again": again} if again else {}
        row |= {"latents": 0, "error": "", "version": unit.version}
        try:
            for number, (name, metadata, latent) in enumerate(latents):
                if number < kept:
                    self._packed.kept += 1
                    continue
                if self._rows and not shards.is_open:  # full, and not with the last one of a file
                    self._record(shards, manifest)
                    row = {**row, "latents": 0}
                if not shards.is_open:
                    self._begin(shards, manifest)
                add(shards, source, name, metadata, latent)
                if not row["latents"]:
                    self._rows.append(row)
                row["latents"] += 1
                self._packed.latents += 1
                self._packed.numbers += math.prod(latent.shape)
            row["ends"] = True
        except (*ENDING, OutputError):
            raise
        except Exception as fault:
            self._told(sentence(source, fault))
            self._packed.failed += 1
        if self._rows and not shards.is_open:
            self._record(shards, manifest)

    def _begin(self, shards: ShardWriter, manifest: Manifest) -> None:
        """Tell of a file before it is there."""
        name = shards.begin().name
        if name != self._begun:  # and not again after what was no latent
            manifest.append([{"begun": name}])
        self._begun = name

    def _record(self, shards: ShardWriter, manifest: Manifest) -> None:
        """Tell what the file that is full holds."""
        file = shards.files[-1]
        about = {"shard": file.name, "output_bytes": file.stat().st_size}
        lines = [{**row, "output": file.name} for row in self._rows]
        manifest.append([*lines, about])
        self._rows = []
