"""The samples of an archive: each picture with the caption, the label and the other metadata that
stand beside it.
"""

from __future__ import annotations

import json
import math
import posixpath
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO

from latentpress.collection.members import Change, is_image, is_ltp
from latentpress.collection.tables import batches, open_table, picture_columns, value_of
from latentpress.collection.unit import Made
from latentpress.errors import ImageError, LatentpressError
from latentpress.latents.conversion import read_metadata
from latentpress.system.members import check_size, label_number, leads_out, sample_key
from latentpress.system.tars import TarReader

TEXT_FIELDS = {"txt": "caption", "cls": "label"}  # webdataset's names -> those of metadata
JSON_FIELD = "json"
COMPANIONS = (JSON_FIELD, *TEXT_FIELDS)


@dataclass(frozen=True)
class Sample:
    """A file of a sample. name: its own, with its suffix. problem: why it cannot be read, "" where
    it can.
    """

    name: str
    data: bytes
    metadata: dict[str, Any] | None = None
    problem: str = ""


def metadata_of(companions: Mapping[str, bytes], name: str) -> dict[str, Any] | None:
    """What the files beside a picture say of it, by their suffixes: "json" an object, "txt" a
    caption, "cls" a label, which is a whole number where it reads as one. None without them. The
    mark by which Windows tells UTF-8 is no part of any.

    name: of the picture without its suffix, for messages. ImageError where they are not that.
    """
    if not companions:
        return None
    found: dict[str, Any] = {}
    if JSON_FIELD in companions:
        label = f"{posixpath.basename(name)}.{JSON_FIELD}"
        found |= read_metadata(companions[JSON_FIELD], label)
    for field, key in TEXT_FIELDS.items():
        if field in companions:
            try:
                text = companions[field].decode("utf-8-sig").strip()
            except UnicodeDecodeError as error:
                raise ImageError(f"{posixpath.basename(name)}.{field} is no UTF-8") from error
            number = label_number(text) if field == "cls" else None
            found.setdefault(key, text if number is None else number)
    return found


def samples_of_shard(stream: BinaryIO, suffixes: frozenset[str]) -> Iterator[Sample]:
    """Of a .tar shard in its order. FormatError where it is damaged, ImageError where it cannot be
    read.

    suffixes: of the files that are wanted, in lower case, with their dots.
    """
    reader = TarReader(stream)
    wanted: list[tuple[str, bytes, str]] = []
    companions: dict[str, bytes] = {}
    current = ""
    for member in reader:
        key, field = sample_key(member.name) or ("", "")
        if not member.is_file or not key or leads_out(member.name):
            continue
        if key != current:
            yield from _joined(wanted, companions, current)
            wanted, companions, current = [], {}, key
        is_wanted = posixpath.splitext(member.name)[1].lower() in suffixes
        if not is_wanted and field.lower() not in COMPANIONS:
            continue
        data, problem = b"", ""
        try:
            check_size(member.size)
        except ImageError as error:
            problem = str(error)
        else:
            data = reader.read(member)  # where it cannot be read, nor can the shard
        if is_wanted:
            wanted.append((member.name, data, problem))
        elif not problem:
            companions[field.lower()] = data
    yield from _joined(wanted, companions, current)


def _joined(
    wanted: Sequence[tuple[str, bytes, str]], companions: Mapping[str, bytes], key: str
) -> Iterator[Sample]:
    try:
        metadata, broken = metadata_of(companions, key), ""
    except ImageError as error:
        metadata, broken = None, str(error)
    for name, data, problem in wanted:
        yield Sample(name, data, metadata, problem or broken)


def samples_of_table(
    stream: BinaryIO, columns: Sequence[str] = (), looks: Callable[[bytes], bool] = is_image
) -> Iterator[Sample]:
    """Of a Parquet file, a row each for each column of pictures; the other columns are the
    metadata, as far as JSON can say their values. Errors as of `tables.change_table`.
    """
    table = open_table(stream)
    change = Change(lambda name, output, data: Made(None), frozenset(), looks=looks)
    pictures = picture_columns(table, change, columns)
    row = 0
    for group in range(table.metadata.num_row_groups):
        for batch in batches(table, group, row):
            for values in batch.to_pylist():
                about = {k: plain(v) for k, v in values.items() if k not in pictures}
                metadata = {k: v for k, v in about.items() if v is not None}
                for column in pictures:
                    yield from _of_row(values[column], column, row, len(pictures) > 1, metadata)
                row += 1


def _of_row(
    value: Any, column: str, row: int, several: bool, metadata: dict[str, Any]
) -> Iterator[Sample]:
    data, path = value_of(value)
    if data is None and path is None:
        return
    suffix = ".ltp" if is_ltp(data or b"") else ""
    name = posixpath.basename(path) if path else f"{row:08}{suffix}"
    name = f"{column}/{name}" if several else name
    problem = ""
    if data is None:
        problem = f"names the file {path}, holds no bytes"
    else:
        try:
            check_size(len(data))
        except LatentpressError as error:
            problem = str(error)
    yield Sample(name, data or b"", metadata, problem)


def plain(value: Any) -> Any:
    """A value as JSON has it; None of what it has not, as bytes and dates."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, str | bool | int):
        return value
    try:
        return json.loads(json.dumps(value, allow_nan=False))
    except (TypeError, ValueError):
        return None
