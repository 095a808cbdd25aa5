"""The notebook: entries of one form, all in the list, and nowhere else a trial without a script."""

import datetime
import re
from pathlib import Path

import pytest

from helpers.notebook import NO_SCRIPT, complaints
from helpers.paths import ROOT

NOTEBOOK = ROOT / "docs" / "notebook"
INDEX = NOTEBOOK / "index.md"
ENTRIES = sorted(path for path in NOTEBOOK.glob("*.md") if path != INDEX)
ROW = re.compile(r"^\| (\d{4}-\d\d-\d\d) \[[^]]+\]\(([^)]+)\) \| (.+) \|$", re.MULTILINE)
PAGES = sorted(
    path
    for folder in ("docs", "results", "training", "benchmarks")
    for path in (ROOT / folder).rglob("*.md")
    if NOTEBOOK not in path.parents and path.name != "changelog.md"
)
COMPLETE = f"""# A trial

**Question**: which?

{NO_SCRIPT}

**Model and data**: this.

**Verdict**: taken. It serves.

## Table

| a | b |
|---|---|
| 1 | 2 |
"""


@pytest.mark.parametrize("path", ENTRIES, ids=lambda path: path.stem)
def test_an_entry_is_named_by_date_and_has_the_heads_and_a_table(path: Path) -> None:
    date, title = path.stem[:10], path.stem[10:]
    datetime.date.fromisoformat(date)
    assert re.fullmatch(r"(-[a-z0-9]+)+", title)
    assert complaints(path.read_text(encoding="utf-8")) == []


def test_every_entry_is_in_the_list_once_newest_first() -> None:
    rows = ROW.findall(INDEX.read_text(encoding="utf-8"))
    assert sorted(name for _, name, _ in rows) == [path.name for path in ENTRIES]
    assert all(name.startswith(date) for date, name, _ in rows)
    dates = [date for date, _, _ in rows]
    assert dates == sorted(dates, reverse=True)
    assert all(re.match("taken|given up|open", verdict) for _, _, verdict in rows)


def test_the_list_gives_the_verdicts_of_the_entries() -> None:
    for _, name, verdict in ROW.findall(INDEX.read_text(encoding="utf-8")):
        page = (NOTEBOOK / name).read_text(encoding="utf-8")
        told = re.search(r"^\*\*Verdict\*\*: (taken|given up|open)", page, re.MULTILINE)
        assert told is not None, name
        assert verdict.startswith(told[1]), name


def test_the_lists_own_template_is_complete() -> None:
    template = INDEX.read_text(encoding="utf-8").split("```markdown\n")[1].split("```")[0]
    assert complaints(template) == []


@pytest.mark.parametrize(
    "lost",
    ["# A trial\n", "**Question**: ", NO_SCRIPT, "**Model and data**: ", "taken", "| 1 | 2 |\n"],
)
def test_what_an_entry_lacks_is_told(lost: str) -> None:
    assert complaints(COMPLETE) == []
    assert len(complaints(COMPLETE.replace(lost, ""))) == 1


def test_another_wording_of_the_missing_script_is_told() -> None:
    page = COMPLETE + "\n**Cannot be repeated**, since the script is gone.\n"
    assert complaints(page) == [
        "This is not the fixed sentence: **Cannot be repeated**, since the script is gone."
    ]


@pytest.mark.parametrize(
    "path", [ROOT / "README.md", *PAGES], ids=lambda path: str(path.relative_to(ROOT))
)
def test_no_page_outside_the_notebook_rests_on_what_was_not_kept(path: Path) -> None:
    assert "not kept" not in " ".join(path.read_text(encoding="utf-8").split())
