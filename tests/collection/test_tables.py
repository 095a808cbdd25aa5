"""One Parquet file into another: the pictures of its columns are changed, all else is kept."""

import io
import json
import tracemalloc
from dataclasses import replace
from typing import Any

import pytest

from helpers.shards import CHANGE, picture, shortened
from latentpress.collection import tables
from latentpress.collection.members import Change, is_ltp
from latentpress.collection.tables import change_table
from latentpress.collection.unit import Made, Row
from latentpress.errors import FormatError, ImageError, UsageError

pyarrow = pytest.importorskip("pyarrow")
import pyarrow.parquet as parquet  # noqa: E402

STRUCT = pyarrow.struct([("bytes", pyarrow.binary()), ("path", pyarrow.string())])
SAID = {
    "huggingface": json.dumps(
        {"info": {"features": {"image": {"_type": "Image"}, "label": {"dtype": "int64"}}}}
    )
}


def written(table: Any, **options: Any) -> bytes:
    stream = io.BytesIO()
    parquet.write_table(table, stream, **options)
    return stream.getvalue()


def made(many: int = 10, said: bool = True, **options: Any) -> bytes:
    """A table as `datasets` writes it."""
    images = [{"bytes": picture(i), "path": f"{i}.jpg"} for i in range(many)]
    columns = {
        "image": pyarrow.array(images, STRUCT),
        "label": pyarrow.array(range(many)),
        "caption": pyarrow.array(["a"] * many),
    }
    table = pyarrow.table(columns)
    return written(table.replace_schema_metadata(SAID) if said else table, **options)


def changed(
    data: bytes, change: Change = CHANGE, columns: tuple[str, ...] = ()
) -> tuple[bytes, list[Row]]:
    output = io.BytesIO()
    rows = list(change_table(io.BytesIO(data), output, change, columns))
    return output.getvalue(), rows


@pytest.mark.parametrize("said", [True, False], ids=["said", "seen"])
def test_pictures_are_changed_and_the_rest_is_kept(said: bool) -> None:
    data, rows = changed(made(said=said))
    before, after = (parquet.read_table(io.BytesIO(each)) for each in (made(said=said), data))
    assert after.schema.equals(before.schema, check_metadata=True)
    assert after.drop_columns("image") == before.drop_columns("image")
    expected = [
        {"bytes": shortened("", "", picture(i)).data, "path": f"{i}.ltp"} for i in range(10)
    ]
    assert after["image"].to_pylist() == expected
    assert [row.member for row in rows] == [f"image[{i}]" for i in range(10)]
    assert rows[3].source_bytes == len(picture(3))
    assert rows[3].output_bytes == 23


def test_a_plain_column_of_bytes_and_one_that_is_asked_for() -> None:
    columns = {
        "a": [b"text", b"more"],
        "jpg": [picture(1), None],
        "other": [picture(2), picture(3)],
    }
    table = written(pyarrow.table(columns))
    data, rows = changed(table)
    assert [row.member for row in rows] == ["jpg[0]", "other[0]", "other[1]"]
    for columns_asked in (("jpg",), ("jpg", "jpg")):
        data, rows = changed(table, columns=columns_asked)
        assert [row.member for row in rows] == ["jpg[0]"]
    after = parquet.read_table(io.BytesIO(data)).to_pydict()
    assert after["other"] == columns["other"]
    assert after["jpg"][1] is None
    with pytest.raises(
        UsageError, match="no column 'image' holds bytes; those that do are a, jpg, other"
    ):
        changed(table, columns=("image",))


def test_the_same_table_gives_the_same_bytes_in_the_same_row_groups() -> None:
    source = made(100, row_group_size=30, compression="zstd")
    first, second = changed(source)[0], changed(source)[0]
    assert first == second
    about = parquet.ParquetFile(io.BytesIO(first)).metadata
    assert [about.row_group(i).num_rows for i in range(about.num_row_groups)] == [30, 30, 30, 10]
    assert about.row_group(0).column(0).compression == "ZSTD"


def test_a_broken_picture_is_kept_and_told() -> None:
    images = [
        {"bytes": picture(1), "path": None},
        {"bytes": b"broken", "path": "b.jpg"},
        {"bytes": None, "path": "c.jpg"},
        None,
    ]
    table = written(
        pyarrow.table({"image": pyarrow.array(images, STRUCT)}).replace_schema_metadata(SAID)
    )
    data, rows = changed(table)
    after = parquet.read_table(io.BytesIO(data))["image"].to_pylist()
    assert after == [{"bytes": shortened("", "", picture(1)).data, "path": None}, *images[1:]]
    assert [row.error for row in rows] == [
        "",
        "image[1]: no picture; it is kept as it is",
        "image[2]: names the file c.jpg, holds no bytes; it is kept as it is",
    ]


def test_a_value_too_large_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LATENTPRESS_MAX_MEMBER_BYTES", "2000")
    large = picture(1) + bytes(3000)
    data, rows = changed(written(pyarrow.table({"image": [large, picture(2)]})))
    assert parquet.read_table(io.BytesIO(data))["image"][0].as_py() == large
    assert "more than the limit of 2,000" in rows[0].error
    assert not rows[1].error


def test_tables_without_pictures_and_without_rows() -> None:
    with pytest.raises(
        ImageError, match=r"no column holds pictures; its columns are a \(int64\), b \(binary\)"
    ):
        changed(written(pyarrow.table({"a": [1], "b": [b"text"]})))
    data, rows = changed(made(0))
    assert not rows
    assert parquet.read_table(io.BytesIO(data)).num_rows == 0


def test_what_is_no_table() -> None:
    data = made()
    for broken in (b"", b"PAR1", data[:-20], b"\xff\xd8" * 100):
        with pytest.raises(FormatError, match="no Parquet file, or a damaged one"):
            changed(broken)


def test_damage_in_the_middle_is_one_error() -> None:
    data = bytearray(made(200, row_group_size=100, compression="zstd"))
    half = len(data) // 2
    data[half : half + 2000] = bytes(2000)
    with pytest.raises(
        FormatError, match=r"the table is damaged in or behind row 1?\d?\d, in row group [01]: "
    ):
        changed(bytes(data))


def test_ltp_columns_are_found_by_what_they_hold() -> None:
    table = written(pyarrow.table({"jpg": [picture(1)], "pressed": [b"LTP\1 and more"]}))
    change = replace(
        CHANGE, looks=is_ltp, press=lambda name, output, data: shortened(name, output, picture(1))
    )
    assert [row.member for row in changed(table, change)[1]] == ["pressed[0]"]


def test_a_picture_that_was_kept_before_the_others_is_kept_on_the_way_back() -> None:
    table = written(pyarrow.table({"image": [picture(1), b"LTP\1 and more", b"text"]}))
    change = replace(
        CHANGE,
        looks=is_ltp,
        press=lambda name, output, data: shortened(
            name, output, picture(2) if is_ltp(data) else data
        ),
    )
    data, rows = changed(table, change)
    after = parquet.read_table(io.BytesIO(data))["image"].to_pylist()
    assert after == [picture(1), shortened("", "", picture(2)).data, b"text"]
    assert [(row.member, bool(row.error)) for row in rows] == [
        ("image[1]", False),
        ("image[2]", True),
    ]


def test_memory_is_not_that_of_all_that_some_rows_become(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As pictures, which .ltp files of a few kB each become: 64 large ones are more than a column
    of Arrow can hold at once.
    """
    monkeypatch.setattr(tables, "GROUP_BYTES", 4 << 20)
    large = lambda name, output, data: Made(bytes(1 << 20), fields={"output": output})
    columns = {"a": [picture(i) for i in range(60)], "b": [picture(0)] * 60, "n": range(60)}
    source = written(pyarrow.table(columns), row_group_size=40)
    tracemalloc.start()
    data, rows = changed(source, replace(CHANGE, press=large), ("a", "b"))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 16 << 20  # of 120 MiB
    assert [row.member for row in rows[:3]] == ["a[0]", "b[0]", "a[1]"]
    after = parquet.read_table(io.BytesIO(data))
    assert after["n"].to_pylist() == list(range(60))
    assert {len(value.as_py()) for value in after["a"]} == {1 << 20}
    groups = parquet.ParquetFile(io.BytesIO(data)).metadata
    assert {groups.row_group(i).num_rows for i in range(groups.num_row_groups)} <= {1, 2, 3}


def test_a_column_may_begin_with_many_rows_that_hold_nothing() -> None:
    columns = {"image": [*[None] * 300, picture(1)], "other": [b"text"] * 301}
    table = written(pyarrow.table(columns), row_group_size=100)
    assert [row.member for row in changed(table)[1]] == ["image[300]"]
