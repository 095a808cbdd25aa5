"""What is done with a unit: read, press, write; a row for it."""

from __future__ import annotations

import hashlib
import io
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from latentpress.collection.archives import (
    change_archive,
    check_archive,
    checksum_of,
)
from latentpress.collection.faults import ENDING, naming, sentence
from latentpress.collection.find import LTP, image_suffixes, is_archive
from latentpress.collection.members import Change, Press, is_image, is_ltp
from latentpress.collection.request import Request
from latentpress.collection.sizes import larger_words
from latentpress.collection.unit import Made, Row, Unit, joined
from latentpress.container import Header, read_header
from latentpress.errors import LatentpressError, OutputError
from latentpress.options import EncodeOptions
from latentpress.system.malloc import make_room
from latentpress.system.once import once
from latentpress.system.sources import Named
from latentpress.system.stores import FolderStore, ObjectStore, Store, open_file, open_store

kept_store: Callable[[str], Store] = once(open_store)  # one a process


@dataclass(frozen=True)
class FileTask:
    """A task that makes one output of one file; `make` says how.

    output: the URL of the store that it writes to. overwrite: whether an output that is there, and
    that is no earlier run's, may be replaced. keep_suffix: of the names in archives, as of
    `find.Naming`. columns: of the pictures in tables, () for those that hold some.
    """

    output: str
    overwrite: bool = False
    keep_suffix: bool = False
    columns: tuple[str, ...] = ()

    def make(self, unit: Unit, data: bytes) -> Made:
        """The output of a file's bytes. What it raises is told of that file alone, but for
        ENDING.
        """
        raise NotImplementedError

    def check(self, data: bytes) -> None:
        """Decode what an output holds; it raises where that is not possible."""
        raise NotImplementedError

    def change(self, unit: Unit, press: Press) -> Change:
        """What is done with the pictures of an archive."""
        raise NotImplementedError

    def undone(self, unit: Unit, press: Press) -> Change:
        """Which pictures of an archive are outputs; `press` is given each."""
        raise NotImplementedError

    def request(self) -> dict[str, object]:
        """As of Task."""
        return {"keep_suffix": self.keep_suffix, "columns": self.columns}

    def pixels(self, unit: Unit) -> int:
        """As of Task: of the picture in a local file."""
        from latentpress.image.picture import count_pixels

        if is_archive(unit.key):
            return 0
        store = kept_store(unit.root)
        return count_pixels(store.path(unit.key)) if isinstance(store, FolderStore) else 0

    def works_alone(self, units: Sequence[Unit]) -> bool:
        """As of Task."""
        return False

    def __call__(self, unit: Unit) -> list[Row]:
        """As of Task."""
        begin = time.perf_counter()
        damage = ""
        if unit.expected:
            damage = self._damage(unit)
            if not damage:
                return []
        if is_archive(unit.key):
            return self._archive(unit, damage)
        source = output = b""
        made = Made(None)
        error = ""
        try:
            source = kept_store(unit.root).read(unit.key)
            made = self.make(unit, source)
            if made.data is not None:
                output = made.data
                self._write(unit, output)
            elif unit.replace:
                self._remove(unit)
        except ENDING:
            raise
        except Exception as fault:  # of a million pictures one finds what nobody expected
            error, output = sentence(unit.source, fault), b""
        written = bool(output)
        return [
            Row(
                source=unit.source,
                version=unit.version,
                output="" if error else unit.output,
                source_bytes=len(source) or unit.size,
                output_bytes=len(output),
                source_sha256=hashlib.sha256(source).hexdigest() if source else "",
                output_sha256=hashlib.sha256(output).hexdigest() if written else "",
                seconds=time.perf_counter() - begin,
                error=error,
                notices=(*([damage] if damage else []), *(() if error else made.notices)),
                fields={} if error else made.fields,
            )
        ]

    def _archive(self, unit: Unit, damage: str) -> list[Row]:
        """As of Task, of a shard or a table."""
        rows = (
            [failed(unit, f"{unit.source}: would be written over itself")]
            if same_place(unit, self.output)
            else self.of_archive(unit)
        )
        return [*rows[:-1], replace(rows[-1], notices=(damage,) if damage else ())]

    def of_archive(self, unit: Unit) -> list[Row]:
        """Make the output of a shard or a table; a row for each picture, the last for the unit."""
        return change_archive(
            unit,
            kept_store(unit.root),
            kept_store(self.output),
            self.change(unit, self.pressing(unit)),
            columns=self.columns,
            may_replace=unit.replace or self.overwrite,
        )

    def pressing(self, unit: Unit) -> Press:
        """What makes the output of a picture of an archive."""

        def press(name: str, output: str, data: bytes) -> Made:
            member = replace(unit, root=unit.source, key=name, output=output, size=len(data))
            return self.make(member, data)

        return press

    def _damage(self, unit: Unit) -> str:
        """What is wrong with the output that is there, "" where it is the expected one."""
        if unit.made_of:
            try:
                with open_file(kept_store(unit.root), unit.key) as stream:
                    is_same = checksum_of(stream) == unit.made_of
            except (LatentpressError, OSError) as fault:
                return sentence(unit.source, fault)
            if not is_same:
                return f"{unit.source} was changed: made anew"
        if is_archive(unit.output):

            def check(name: str, output: str, data: bytes) -> Made:
                if not change.looks(data):  # kept as it was: the checksum knows what is damaged
                    return Made(None)
                with naming(joined(unit.output, name)):
                    self.check(data)
                return Made(None)

            change = self.undone(unit, check)
            return check_archive(unit, kept_store(self.output), change, self.columns)
        try:
            data = kept_store(self.output).read(unit.output)
            if hashlib.sha256(data).hexdigest() != unit.expected:
                return f"{unit.output} was not as the manifest has it: made anew"
            with naming(unit.output):
                self.check(data)
        except ENDING:
            raise
        except Exception as fault:  # as above
            return f"{sentence(unit.output, fault)}: made anew"
        return ""

    def _write(self, unit: Unit, data: bytes) -> None:
        """Write the output, unless the same is there. OutputError where something else is that may
        not be replaced.
        """
        store = kept_store(self.output)
        if same_place(unit, self.output):
            raise OutputError(f"{unit.source}: would be written over itself")
        if not (unit.replace or self.overwrite) and store.entry(unit.output) is not None:
            if store.read(unit.output) == data:  # by a run that was killed before it told so
                return
            raise OutputError(
                f"{joined(self.output, unit.output)}: exists already, and is not what an earlier "
                "run wrote: --overwrite replaces it, --skip-existing keeps it"
            )
        root = kept_store(unit.root)
        if isinstance(store, FolderStore) and isinstance(root, FolderStore):
            store.write(unit.output, data, like=root.path(unit.key))
        else:
            store.write(unit.output, data)

    def _remove(self, unit: Unit) -> None:
        """Delete what an earlier run made of it, where now nothing is to be there. OutputError."""
        store = kept_store(self.output)
        if isinstance(store, FolderStore | ObjectStore) and not same_place(unit, self.output):
            store.remove(unit.output)


def failed(unit: Unit, error: str) -> Row:
    """The row of a unit that was not read."""
    return Row(unit.source, unit.version, source_bytes=unit.size, error=error)


def same_place(unit: Unit, output: str) -> bool:
    """Whether the output would be the file itself."""
    source, target = kept_store(unit.root), kept_store(output)
    if isinstance(source, FolderStore) and isinstance(target, FolderStore):
        places = (source.path(unit.key), target.path(unit.output))
        return os.path.realpath(places[0]) == os.path.realpath(places[1])
    return joined(source.url, unit.key) == joined(target.url, unit.output)


@dataclass(frozen=True, kw_only=True)
class Compress(FileTask):
    """Image files -> .ltp files.

    options: the encoder's, without a function for its progress. asked: a quality or a target.
    skip_larger: an output that is larger than its source is not written. tell_larger: it is told.
    metrics: names of metrics that the file is graded by, once decoded. skips_metrics: whether one
    for which a picture is too small is left out, and no error.
    """

    options: EncodeOptions = field(default_factory=EncodeOptions)
    asked: Request = field(default_factory=Request)
    skip_larger: bool = False
    tell_larger: bool = True
    metrics: tuple[str, ...] = ()
    skips_metrics: bool = False

    def request(self) -> dict[str, object]:
        """As of Task."""
        options: dict[str, Any] = {
            key: value
            for key, value in vars(self.options).items()
            if key not in ("quality", "progress", "device")
        }
        return {
            **super().request(),
            "command": "compress",
            **options,
            **vars(self.asked),
            "skip_larger": self.skip_larger,
            "metrics": self.metrics,
        }

    def change(self, unit: Unit, press: Press) -> Change:
        """As of FileTask."""
        suffixes = image_suffixes()
        return Change(press, suffixes, LTP, self.keep_suffix, is_image, unit.source)

    def undone(self, unit: Unit, press: Press) -> Change:
        """As of FileTask."""
        return Change(press, frozenset({LTP}), "", looks=is_ltp, archive=unit.output)

    def works_alone(self, units: Sequence[Unit]) -> bool:
        """As of Task."""
        from latentpress.parts import parts_of

        options = self.options
        parts = parts_of(options.space)
        return options.optimizes_latent or parts.works_alone(options.device, encoding=True)

    def make(self, unit: Unit, data: bytes) -> Made:
        """As of FileTask."""
        from latentpress.image.picture import read_picture
        from latentpress.screen.layer import share_of

        options = self.options
        # errors of reading name the file themselves
        picture = read_picture(Named(data, unit.source), strict=options.strict, strip=options.strip)
        make_room(picture.width * picture.height)
        with naming(unit.source):
            file, found = self.asked.file(picture, options)
            values = self._graded(picture, file) if self.metrics else {}
        notices = [*picture.notices, *found]
        is_larger = len(file) > len(data)
        if is_larger and (self.tell_larger or self.skip_larger):
            notices.append(larger_words(len(data), len(file), is_written=not self.skip_larger))
        header = read_header(file)
        fields = {
            "width": picture.width,
            "height": picture.height,
            "bpp": round(8 * len(file) / (picture.width * picture.height), 5),
            "quality": header.quality,
            "metadata_bytes": sum(header.metadata.values()),
            "screen_share": round(share_of(header, file), 4),
            **({"metrics": values} if values else {}),
        }
        is_skipped = is_larger and self.skip_larger
        if is_skipped:
            fields["skipped"] = True
        return Made(None if is_skipped else file, tuple(notices), fields)

    def _graded(self, picture: Any, file: bytes) -> dict[str, float | str]:
        """The metrics of a file against its picture, in RGB."""
        import math

        import numpy as np

        from latentpress import codec
        from latentpress.metrics import METRICS, assess

        decoded = codec.decompress(file, model=self.options.model, device=self.options.device)
        original = np.asarray(picture.image.convert("RGB"))
        least = min(original.shape[:2])
        fitting = [
            key for key in self.metrics if not self.skips_metrics or least >= METRICS[key].smallest
        ]
        values = assess(original, np.asarray(decoded.convert("RGB")), fitting)
        return {key: v if math.isfinite(v) else str(v) for key, v in values.items()}

    def check(self, data: bytes) -> None:
        """As of FileTask."""
        from latentpress import codec

        codec.decompress(data, model=self.options.model, device=self.options.device)


@dataclass(frozen=True, kw_only=True)
class Decompress(FileTask):
    """.ltp files -> image files, whose format the name of the output tells.

    model, device: as `latentpress.decompress` takes them. suffix: of the outputs in archives.
    """

    suffix: str = ".png"

    model: str | None = None
    device: str = "auto"

    def request(self) -> dict[str, object]:
        """As of Task."""
        return {
            **super().request(),
            "command": "decompress",
            "model": self.model,
            "suffix": self.suffix,
        }

    def change(self, unit: Unit, press: Press) -> Change:
        """As of FileTask."""
        return Change(press, frozenset({LTP}), self.suffix, self.keep_suffix, is_ltp, unit.source)

    def undone(self, unit: Unit, press: Press) -> Change:
        """As of FileTask."""
        return Change(press, frozenset({self.suffix}), LTP, archive=unit.output)

    def pixels(self, unit: Unit) -> int:
        """As of Task: of the header."""
        header = _header(unit)
        return header.width * header.height if header else 0

    def works_alone(self, units: Sequence[Unit]) -> bool:
        """As of Task."""
        from latentpress.parts import parts_of

        spaces = {header.latent_space for header in map(_header, units) if header}
        return any(parts_of(space).works_alone(self.device, encoding=False) for space in spaces)

    def make(self, unit: Unit, data: bytes) -> Made:
        """As of FileTask."""
        from latentpress import codec
        from latentpress.image.streamed import save_decoded

        stream = io.BytesIO()
        with naming(unit.source):
            header = read_header(data)
            make_room(header.width * header.height)
            with codec.decoding(data, model=self.model, device=self.device) as decoded:
                notices = save_decoded(decoded, stream, unit.output)
        fields: dict[str, object] = {"width": header.width, "height": header.height}
        return Made(stream.getvalue(), notices, fields)

    def check(self, data: bytes) -> None:
        """As of FileTask."""
        from latentpress.image.picture import read_picture

        read_picture(data)


def _header(unit: Unit) -> Header | None:
    """Of a local .ltp file; None where it cannot be read, which is told when the file is."""
    store = kept_store(unit.root)
    if not isinstance(store, FolderStore) or is_archive(unit.key):
        return None
    try:
        return read_header(store.path(unit.key))
    except (LatentpressError, OSError):
        return None
