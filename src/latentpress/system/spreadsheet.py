"""Tables as an Excel file: numbers as numbers, every text as a text, for names of files come from
outside.
"""

import io
import math
import re
from collections.abc import Iterable, Sequence
from importlib.util import find_spec
from typing import Any

from latentpress.errors import UsageError

WIDTHS = 9, 46  # letters: least and greatest width of a column
MAX_TITLE = 31  # letters of a sheet's name, Excel's own limit
# XML 1.0, 2.2; the half of a pair: a byte that is no text
NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
REPLACEMENT = "\ufffd"


def check_openpyxl() -> None:
    """Raise the UsageError of `write_sheets`, before the work whose result is to be written."""
    if find_spec("openpyxl") is None:
        raise UsageError(
            "Excel files need openpyxl: pip install 'latentpress[bench]', or choose another format"
        )


def write_sheets(sheets: Iterable[tuple[str, Sequence[Sequence[Any]]]]) -> bytes:
    """(name, rows) of each sheet, its first row the header -> the bytes of an .xlsx file.
    UsageError without openpyxl.

    An infinite or undefined number becomes a text, for Excel has none; a character that XML cannot
    hold becomes U+FFFD.
    """
    check_openpyxl()
    from openpyxl import Workbook
    from openpyxl.styles import Font
    from openpyxl.utils import get_column_letter

    book = Workbook()
    book.remove(book.active)
    for name, rows in sheets:
        sheet = book.create_sheet("".join("-" if c in "[]:*?/\\" else c for c in name)[:MAX_TITLE])
        for i, row in enumerate(rows, 1):
            for j, value in enumerate(row, 1):
                _fill(sheet.cell(i, j), value)
        for cell in sheet[1]:
            cell.font = Font(bold=True)
        sheet.freeze_panes = "B2"
        for i in range(1, sheet.max_column + 1):
            longest = max((len(_text(row[i - 1])) for row in rows if len(row) >= i), default=0)
            sheet.column_dimensions[get_column_letter(i)].width = min(
                max(longest + 2, WIDTHS[0]), WIDTHS[1]
            )
    stream = io.BytesIO()
    book.save(stream)
    return stream.getvalue()


def _fill(cell: Any, value: Any) -> None:
    if isinstance(value, float) and not math.isfinite(value):
        value = str(value)
    if not isinstance(value, str):
        cell.value = value
        return
    cell.value = NOT_XML.sub(REPLACEMENT, value)
    cell.data_type = "s"  # openpyxl takes =1+1 for a formula and #N/A for an error
    # Excel's own mark: a text also after the cell was edited
    cell.quotePrefix = value[:1] in "=+-@" and value != ""


def _text(value: Any) -> str:
    return f"{value:.5g}" if isinstance(value, float) else str("" if value is None else value)
