"""Excel files: what goes in as a text comes back as that text."""

import io
import math
import sys

import pytest

from latentpress.errors import UsageError
from latentpress.system.spreadsheet import write_sheets


def test_a_name_is_a_text_whatever_it_looks_like() -> None:
    openpyxl = pytest.importorskip("openpyxl")
    names = ["=1+1.png", "+1", "-1", "@a", "#N/A", "a.png", ""]
    sheet = openpyxl.load_workbook(io.BytesIO(write_sheets([("a/b", [["image"], names])])))["a-b"]
    assert [cell.value or "" for cell in sheet[2]] == names
    assert {cell.data_type for cell in sheet[2] if cell.value} == {"s"}
    assert [cell.quotePrefix for cell in sheet[2]] == [True] * 4 + [False] * 3


def test_numbers_stay_numbers_and_what_excel_has_not_becomes_text() -> None:
    openpyxl = pytest.importorskip("openpyxl")
    rows = [["a", "b"], [2.5, None, 3, True, math.inf, -math.inf], [], ["after an empty row"]]
    sheet = openpyxl.load_workbook(io.BytesIO(write_sheets([("numbers", rows)]))).active
    assert [cell.value for cell in sheet[2]] == [2.5, None, 3, True, "inf", "-inf"]
    assert sheet["A4"].value == "after an empty row"


def test_characters_that_xml_cannot_hold_are_replaced() -> None:
    openpyxl = pytest.importorskip("openpyxl")
    sheet = openpyxl.load_workbook(
        io.BytesIO(
            write_sheets([("names", [["a\x01b", "c\udcff", "d\uffff", "\u00e4\U0001f981"]])])
        )
    ).active
    assert [cell.value for cell in sheet[1]] == [
        "a\ufffdb",
        "c\ufffd",
        "d\ufffd",
        "\u00e4\U0001f981",
    ]


def test_without_openpyxl_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "openpyxl", None)
    with pytest.raises(UsageError, match="pip install"):
        write_sheets([])
