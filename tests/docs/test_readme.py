"""README stays one screen, and what it and its neighbors point to is there."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

import latentpress
from helpers.paths import ROOT

LINES, BYTES, COLUMNS = 90, 250_000, 100  # most of README, of a picture of it, of a line of prose
PAGES = (
    "README.md",
    "CONTRIBUTING.md",
    "RELEASING.md",
    "SECURITY.md",
    "CHANGELOG.md",
    "docs/index.md",
)
TARGET = re.compile(r"\]\(([^)\s#]+)")
CODE = re.compile(r"```.*?```", re.DOTALL)


def targets(page: Path) -> Iterator[str]:
    """What the page's links and pictures point to within the checkout."""
    for target in TARGET.findall(CODE.sub("", page.read_text(encoding="utf-8"))):
        if "://" not in target:
            yield target


def prose(page: Path) -> list[str]:
    """The page's lines without tables, code, and lines that a link alone makes long."""
    lines = CODE.sub("", page.read_text(encoding="utf-8")).splitlines()
    return [line for line in lines if not line.startswith("|") and "](http" not in line]


def test_readme_is_one_screen() -> None:
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= LINES


@pytest.mark.parametrize("name", PAGES)
def test_links_lead_somewhere(name: str) -> None:
    page = ROOT / name
    missing = [target for target in targets(page) if not (page.parent / target).exists()]
    assert missing == []


@pytest.mark.parametrize("name", PAGES)
def test_prose_is_wrapped(name: str) -> None:
    assert [line for line in prose(ROOT / name) if len(line) > COLUMNS] == []


def test_the_pictures_are_small_and_wide_enough() -> None:
    pictures = [
        ROOT / target
        for target in targets(ROOT / "README.md")
        if target.endswith((".jpg", ".png", ".webp"))
    ]
    assert {picture.name for picture in pictures} == {"comparison.jpg", "web.jpg"}
    for picture in pictures:
        assert picture.stat().st_size <= BYTES
        with Image.open(picture) as image:
            assert 1000 <= image.width <= 2000


def test_a_change_is_one_line() -> None:
    log = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    released = log[log.index("## ") :].splitlines()
    assert [
        line
        for line in released
        if line and not line.startswith(("#", "- ")) and not line.endswith(":")
    ] == []
    assert [line for line in released if len(line) > COLUMNS] == []


def test_the_citation_names_the_version() -> None:
    assert f"version: {latentpress.__version__}\n" in (ROOT / "CITATION.cff").read_text(
        encoding="utf-8"
    )
