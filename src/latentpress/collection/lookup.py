"""A picture that a row of a manifest names: of a folder, a ZIP file, a shard or a table."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping
from typing import Any, BinaryIO

from latentpress.collection.archives import is_table
from latentpress.collection.tables import batches, open_table, value_of
from latentpress.collection.tasks import kept_store
from latentpress.errors import ImageError
from latentpress.system.stores import is_zip, open_file
from latentpress.system.tars import TarReader, inflated

ZIP = re.compile(r"\.zip(?=/)", re.IGNORECASE)  # within the name of a picture in a ZIP file


def source_of(row: Mapping[str, Any]) -> bytes:
    """The bytes of a row's source. ImageError where they are not there any more."""
    root, key = _split(str(row["source"]))
    return _read(root, key, row.get("member"))


def output_of(row: Mapping[str, Any], url: str, archive: str = "") -> bytes:
    """The bytes of a row's output. url: of the store of the outputs. archive: the one that holds
    it there, "" where none does. ImageError as above.
    """
    if not archive:
        return _read(url, str(row["output"]), None)
    # what is in a table keeps its place, what is in a shard has a name of its own
    return _read(url, archive, row["member"] if is_table(archive) else row["output"])


def _split(name: str) -> tuple[str, str]:
    """The store of a file and its key there."""
    found = ZIP.search(name)
    if found and is_zip(name[: found.end()]):
        return name[: found.end()], name[found.end() + 1 :]
    root, key = posixpath.split(name)
    return root or ".", key


def _read(root: str, key: str, member: str | None) -> bytes:
    store = kept_store(root)
    if member is None:
        return store.read(key)
    with open_file(store, key) as stream:
        return _of_table(stream, member) if is_table(key) else _of_shard(stream, member)


def _of_shard(stream: BinaryIO, name: str) -> bytes:
    reader = TarReader(inflated(stream, stream))
    for member in reader:
        if member.is_file and member.name == name:
            return reader.read(member)
    raise ImageError(f"holds no {name}")


def _of_table(stream: BinaryIO, member: str) -> bytes:
    """member: as "image[17]"."""
    column, _, number = member.removesuffix("]").rpartition("[")
    table = open_table(stream)
    row = 0
    for group in range(table.metadata.num_row_groups):
        many = table.metadata.row_group(group).num_rows
        for batch in batches(table, group, row, [column]) if int(number) < row + many else ():
            if int(number) < row + batch.num_rows:
                data, _ = value_of(batch.column(0)[int(number) - row].as_py())
                return data or b""
            row += batch.num_rows
        row += many
    raise ImageError(f"holds no {member}")
