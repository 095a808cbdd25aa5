"""Links between the documents lead to a file and to a heading that are there."""

import re
from pathlib import Path

import pytest

from helpers.paths import ROOT

PAGES = sorted(
    [
        *ROOT.glob("*.md"),
        *(page for folder in ("docs", "training", "web") for page in (ROOT / folder).rglob("*.md")),
    ]
)
PAGES = [page for page in PAGES if "node_modules" not in page.parts]
CODE = re.compile(r"^ *```.*?^ *```", re.DOTALL | re.MULTILINE)
LINK = re.compile(r"\]\(([^)\s]+)\)")
REFERENCE = ROOT / "docs" / "reference"  # its headings are written from docstrings


def anchor(heading: str) -> str:
    """What a heading is called in an address."""
    words = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).replace("`", "").replace("*", "")
    return re.sub(r"\s", "-", re.sub(r"[^\w\s-]", "", words).strip().lower())


def anchors(page: Path) -> set[str]:
    """All that a page can be entered at."""
    text = CODE.sub("", page.read_text(encoding="utf-8"))
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {*map(anchor, headings), *re.findall(r' id="([^"]+)"', text)}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(page: Path) -> None:
    for link in LINK.findall(CODE.sub("", page.read_text(encoding="utf-8"))):
        if "://" in link:
            continue
        path, _, fragment = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), link
        if fragment and target.suffix == ".md" and REFERENCE not in target.parents:
            assert fragment in anchors(target), link
