"""One Parquet file -> another, the pictures of its columns changed and all else kept, some rows at
a time.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, BinaryIO

from latentpress.collection.members import KEPT, Change, is_image, pressed
from latentpress.collection.unit import Row
from latentpress.errors import FormatError, ImageError, UsageError, first_line
from latentpress.system.members import check_size

if TYPE_CHECKING:
    import pyarrow

BATCH_BYTES = 1 << 25  # about what is read at a time
MOST_ROWS = 64  # and at most so many rows
GROUP_BYTES = 1 << 26  # what is written at a time, where a row group does not end before
BUFFER_BYTES = 1 << 20
PAGE_ROWS = 16  # after so many rows a page that is large enough ends: a reader holds pages whole
# as a file's metadata calls it -> as it is asked for
CODECS = {"UNCOMPRESSED": "NONE"} | {name: name for name in ("GZIP", "BROTLI", "LZ4", "ZSTD")}


def change_table(
    source: BinaryIO, output: BinaryIO, change: Change, columns: Sequence[str] = ()
) -> Iterator[Row]:
    """Write the table that `source` becomes, and tell of each picture in it as they come, by its
    column and row ("image[17]").

    Columns of pictures hold bytes, or, as `datasets` keeps them, structs of bytes and a path, whose
    path gets the new suffix. A picture that fails is kept as it is. The same table gives the same
    bytes with the same version of pyarrow. Memory is that of the source's largest page, which some
    writers make as large as a row group.

    Args:
        source: a Parquet file that can seek.
        output: where to write; only written to.
        change: what is done.
        columns: of the pictures; () for those that hold some.

    Raises:
        FormatError: the file is damaged; then `output` is not whole.
        ImageError: no column holds pictures.
        UsageError: a column that is asked for is not there, or pyarrow is not.
    """
    parquet = parquet_module()
    table = open_table(source)
    names = picture_columns(table, change, columns)
    row = 0
    with parquet.ParquetWriter(output, table.schema_arrow, **_properties(table, names)) as writer:
        for group in range(table.metadata.num_row_groups):
            pending: list[pyarrow.RecordBatch] = []
            for batch in batches(table, group, row):
                for part in _parts(batch, names, row, change):
                    if isinstance(part, Row):
                        yield part
                        continue
                    pending.append(part)
                    if sum(each.nbytes for each in pending) > GROUP_BYTES:
                        _write(writer, pending)
                row += batch.num_rows
            _write(writer, pending)


def parquet_module() -> Any:
    """pyarrow.parquet; UsageError where it is not installed."""
    try:
        import pyarrow.parquet
    except ImportError as error:
        raise UsageError("Parquet files need pyarrow: pip install 'latentpress[data]'") from error
    return pyarrow.parquet


def picture_columns(table: Any, change: Change, asked: Sequence[str] = ()) -> list[str]:
    """The columns of a table that hold pictures: those asked for, else those that the table says
    are pictures, else those with one among the first values. UsageError for one that is asked for
    and is not there; ImageError where there are none.
    """
    schema = table.schema_arrow
    holding = [field.name for field in schema if _holds_bytes(field.type)]
    if asked:
        for name in asked:
            if name not in holding:
                raise UsageError(
                    f"no column {name!r} holds bytes; those that do are "
                    f"{', '.join(holding) or 'none'}"
                )
        return list(dict.fromkeys(asked))
    said = [name for name in said_to_be_pictures(schema.metadata) if name in holding]
    found = said or [name for name in holding if _holds_pictures(table, name, change)]
    if not found:
        raise ImageError(
            "no column holds pictures; its columns are "
            + ", ".join(f"{field.name} ({field.type})" for field in schema)
        )
    return found


def said_to_be_pictures(metadata: dict[bytes, bytes] | None) -> list[str]:
    """The columns that `datasets` wrote down as pictures in a schema's metadata."""
    try:
        features = json.loads((metadata or {})[b"huggingface"])["info"]["features"]
        return [name for name, value in features.items() if value.get("_type") == "Image"]
    except (KeyError, ValueError, TypeError, AttributeError, RecursionError):
        return []


def value_of(value: Any) -> tuple[bytes | None, str | None]:
    """(bytes, path) of a value of a column of pictures, each None where it is not there."""
    if isinstance(value, dict):
        return value.get("bytes"), value.get("path")
    return value, None


def open_table(source: BinaryIO) -> Any:
    """A Parquet file that can seek, as pyarrow opens it. FormatError where it is none; UsageError
    where pyarrow is not installed.
    """
    parquet = parquet_module()
    try:
        return parquet.ParquetFile(source, buffer_size=BUFFER_BYTES, pre_buffer=False)
    except (OSError, ValueError) as error:  # pyarrow's errors are both
        raise FormatError(f"no Parquet file, or a damaged one: {first_line(error)}") from error


def _holds_bytes(kind: Any) -> bool:
    import pyarrow.types as types

    if types.is_struct(kind):
        place = kind.get_field_index("bytes")
        return place >= 0 and _holds_bytes(kind.field(place).type)
    return bool(types.is_binary(kind) or types.is_large_binary(kind))


def _holds_pictures(table: Any, name: str, change: Change) -> bool:
    """Whether a picture is among the first values of a column: a picture that failed, or that was
    not to become larger, may stand before those that were changed.
    """
    row = 0
    for group in range(table.metadata.num_row_groups):
        for batch in batches(table, group, row, [name]):
            values = [data for value in batch.column(0) if (data := value_of(value.as_py())[0])]
            if values:
                return any(map(change.looks, values))
            row += batch.num_rows
    return False


def batches(
    table: Any, group: int, row: int, columns: Sequence[str] | None = None
) -> Iterator[Any]:
    """The rows of a row group, some at a time. FormatError where they are damaged."""
    about = table.metadata.row_group(group)
    rows = max(1, about.num_rows)
    size = min(MOST_ROWS, max(1, BATCH_BYTES * rows // max(1, about.total_byte_size)))
    try:
        yield from table.iter_batches(size, row_groups=[group], columns=columns)
    except (OSError, ValueError) as error:
        raise FormatError(
            f"the table is damaged in or behind row {row}, in row group {group}: "
            f"{first_line(error)}"
        ) from error


def _parts(
    batch: pyarrow.RecordBatch, names: Sequence[str], row: int, change: Change
) -> Iterator[pyarrow.RecordBatch | Row]:
    """Some rows with their pictures changed, in parts, as these may be much larger than before;
    before each part what is told of its pictures. row: the number of the first.
    """
    new: dict[str, list[Any]] = {name: [] for name in names}
    begin = 0
    size = 0
    for i in range(batch.num_rows):
        for name in names:
            value, about = _value(batch[name][i].as_py(), f"{name}[{row + i}]", change)
            new[name].append(value)
            size += len(value_of(value)[0] or b"")
            if about is not None:
                yield about
        if size > GROUP_BYTES:
            yield _with(batch.slice(begin, i + 1 - begin), new)
            begin = i + 1
            size = 0
    if begin < batch.num_rows:
        yield _with(batch.slice(begin), new)


def _with(batch: pyarrow.RecordBatch, columns: dict[str, list[Any]]) -> pyarrow.RecordBatch:
    """Rows with other values in some columns, which are empty afterwards."""
    import pyarrow

    for name, values in columns.items():
        place = batch.schema.get_field_index(name)
        field = batch.schema.field(place)
        batch = batch.set_column(place, field, pyarrow.array(values, type=field.type))
        values.clear()
    return batch


def _value(value: Any, member: str, change: Change) -> tuple[Any, Row | None]:
    """A value of a column of pictures -> what takes its place, and what is told of it."""
    data, path = value_of(value)
    if data is None and path is None:
        return value, None
    if data is None:
        return value, change.failed(member, 0, f"names the file {path}, holds no bytes; {KEPT}")
    try:
        check_size(len(data))
    except ImageError as error:
        return value, change.failed(member, len(data), f"{error}; {KEPT}")
    if not change.looks(data) and is_image(data):  # kept when the others were changed
        return value, None
    new_path = (change.renamed(path) or path) if path is not None else None
    new, row = pressed(change, member, new_path or f"{member}{change.suffix}", data)
    if new is None:
        return value, row
    if not isinstance(value, dict):
        return new, row
    return {**value, "bytes": new, **({"path": new_path} if "path" in value else {})}, row


def _properties(table: Any, names: Sequence[str]) -> dict[str, Any]:
    """How the source was written, as far as it can be written again: the compression of each
    column, and dictionaries and statistics of those that hold no pictures.
    """
    about = table.metadata
    group = about.row_group(0) if about.num_row_groups else None
    columns = [group.column(i) for i in range(about.num_columns)] if group else []
    others = [c for c in columns if c.path_in_schema.split(".")[0] not in names]
    return {
        "write_batch_size": PAGE_ROWS,
        "compression": {c.path_in_schema: CODECS.get(c.compression, "SNAPPY") for c in columns}
        or "SNAPPY",
        "use_dictionary": [c.path_in_schema for c in others if "RLE_DICTIONARY" in c.encodings],
        "write_statistics": [c.path_in_schema for c in others if c.is_stats_set],
    }


def _write(writer: Any, pending: list[Any]) -> None:
    """Write some rows as one row group, and forget them."""
    import pyarrow

    if pending:
        writer.write_table(pyarrow.Table.from_batches(pending))
        pending.clear()
