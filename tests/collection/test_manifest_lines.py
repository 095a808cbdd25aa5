"""The lines of a manifest as they are read, and sizes as people read them."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from latentpress.collection.lines import parsed, split
from latentpress.collection.sizes import change, larger_words, size_words

GOOD: dict[str, Any] = {
    "source": "a.jpg",
    "output": "a.ltp",
    "source_bytes": 9,
    "output_bytes": 0,
    "metrics": {"psnr": 30.0},
}
NO_LINES = [
    {**GOOD, "source": 3},
    {**GOOD, "member": None},
    {**GOOD, "output": ["a.ltp"]},
    {**GOOD, "version": 1},
    {**GOOD, "request": {}},
    {**GOOD, "source_bytes": -1},
    {**GOOD, "output_bytes": 0.5},
    {**GOOD, "output_bytes": None},
    {**GOOD, "metrics": [30.0]},
    {"run": None},
    {"run": "compress"},
    {"run": {"asked": 3}},
    ["source"],
    "source",
    None,
]


def line(value: Any) -> bytes:
    return json.dumps(value).encode() + b"\n"


@pytest.mark.parametrize("value", NO_LINES)
def test_what_is_no_line_of_a_manifest_is_left_out(value: Any) -> None:
    run = {"run": {"asked": {"quality": 30}}}
    deep = b"[" * 100_000 + b"\n"
    assert list(parsed([line(run), line(value), b"{\n", deep, line(GOOD)])) == [run, GOOD]


def test_a_torn_last_line_is_left_out() -> None:
    assert list(parsed([line(GOOD), line(GOOD)[:-1]])) == [GOOD]


@given(st.lists(st.sampled_from([b"", b"a", b"\n", b"bc\n", b"\n\nd", b"e\nf\n"])))
def test_lines_are_whole_however_a_file_is_cut(chunks: list[bytes]) -> None:
    whole = b"".join(chunks)
    assert list(split(chunks)) == whole.splitlines(keepends=True)


def test_sizes_are_told_in_units_of_a_thousand() -> None:
    sizes = (0, 999, 1000, 1051, 999_949, 999_950, 10**6, 25 * 10**8, 10**13)
    assert [size_words(size) for size in sizes] == [
        "0 bytes",
        "999 bytes",
        "1.0 kB",
        "1.1 kB",
        "999.9 kB",
        "1.0 MB",
        "1.0 MB",
        "2.5 GB",
        "10.0 TB",
    ]


def test_what_became_of_a_size() -> None:
    assert change(1000, 250) == "1.0 kB to 250 bytes, 4.0 times smaller"
    assert change(1000, 1500) == "1.0 kB to 1.5 kB, 1.5 times larger"
    assert change(7, 7) == "7 bytes to 7 bytes, 1.0 times smaller"
    assert change(0, 0) == "0 bytes to 0 bytes"
    assert change(7, 0) == "7 bytes to 0 bytes, 7.0 times smaller"
    assert larger_words(1000, 1500, is_written=True) == (
        "1,500 bytes are more than the input's 1,000"
    )
    assert larger_words(9, 10, is_written=False).endswith("input's 9; not written")
