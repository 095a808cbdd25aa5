"""Batches of `map_batches`: a dict of NumPy arrays or an Arrow table, whose columns are read value
by value and written whole.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from latentpress.errors import UsageError

if TYPE_CHECKING:
    import pyarrow

Batch: TypeAlias = "dict[str, Any] | pyarrow.Table"
ERROR = "error"  # the column of sentences, "" of a row that went well


def rows_of(batch: Batch, column: str) -> Iterator[Any]:
    """The values of a column, one after the other: bytes, texts, arrays, or None. Of a struct with
    `bytes`, as data sets of Hugging Face hold pictures, these.

    Raises:
        UsageError: there is no such column, or the batch is of another format.
    """
    names = names_of(batch)
    if column not in names:
        raise UsageError(f"the batch has no column {column!r}; it has {', '.join(names)}")
    for value in batch[column]:
        plain = value if isinstance(batch, dict) else value.as_py()
        if isinstance(plain, Mapping):
            plain = plain.get("bytes") or plain.get("path")
        yield plain


def names_of(batch: Batch) -> list[str]:
    """The columns. UsageError where the batch is neither a dict nor an Arrow table."""
    if isinstance(batch, dict):
        return list(batch)
    if hasattr(batch, "column_names"):
        return list(batch.column_names)
    raise UsageError(
        "map_batches takes batch_format='numpy' or 'pyarrow' here; this batch is of type "
        f"{type(batch).__name__}"
    )


def errors_of(batch: Batch) -> Iterator[str]:
    """The sentence that each row carries from an earlier step, "" where there is none."""
    if ERROR in names_of(batch):
        return (value or "" for value in rows_of(batch, ERROR))
    return iter(lambda: "", None)


def with_columns(batch: Batch, columns: Mapping[str, Sequence[Any]], without: str = "") -> Batch:
    """The batch with further columns, which take the place of those of their names.

    columns: of bytes, texts, arrays or integers; one kind in each. without: a column that is left
    out.
    """
    kept = [name for name in names_of(batch) if name != without and name not in columns]
    if isinstance(batch, dict):
        return {**{name: batch[name] for name in kept}, **_arrays(columns)}
    table = batch.select(kept)
    for name, values in columns.items():
        table = table.append_column(name, _arrow(values))
    return table


def _arrays(columns: Mapping[str, Sequence[Any]]) -> dict[str, Any]:
    """NumPy's columns: integers as such, of all else objects."""
    return {name: _array(values) for name, values in columns.items()}


def _array(values: Sequence[Any]) -> Any:
    if all(isinstance(value, int) for value in values):
        return np.array(values, np.int64)
    made = np.empty(len(values), object)
    for i, value in enumerate(values):  # at once, arrays of one shape would become one
        made[i] = value
    return made


def _arrow(values: Sequence[Any]) -> Any:
    """Arrow's column; arrays become Ray's tensors of variable shape."""
    import pyarrow

    if any(isinstance(value, np.ndarray) for value in values):
        from ray.data.extensions import ArrowVariableShapedTensorArray

        return ArrowVariableShapedTensorArray.from_numpy(_array(values))
    kinds = {int: pyarrow.int64(), bytes: pyarrow.binary(), str: pyarrow.string()}
    return pyarrow.array(values, kinds[type(values[0])] if values else pyarrow.null())
