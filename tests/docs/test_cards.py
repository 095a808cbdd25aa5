"""The cards of the shipped models and the pages of the method name what is there."""

import re
from pathlib import Path

import pytest

from benchmarks.tables.model_shapes import rows, table
from helpers.paths import ROOT
from latentpress.models import manifest
from latentpress.spaces import LP1, STABLE_DIFFUSION, Space

CARDS = {"lp1.md": (LP1,), "stable-diffusion.md": STABLE_DIFFUSION}
PAGES = sorted((ROOT / "docs" / "how-it-works").glob("*.md"))
# what a page calls a file: a module of the package, or a path from the root
NAMED = re.compile(r"`((?:[\w-]+/)*[\w-]+\.(?:py|npz|onnx|json))`")
ROOTS = ("", "src/latentpress", "src/latentpress/entropy", "src/latentpress/models/lp1")


@pytest.mark.parametrize("card", CARDS)
def test_the_sizes_on_a_card_are_those_of_the_files(card: str) -> None:
    text = (ROOT / "docs" / "models" / card).read_text(encoding="utf-8")
    assert table(CARDS[card]) in text, "print it anew: python -m benchmarks.tables.model_shapes"


def test_the_card_is_of_the_shipped_model() -> None:
    text = (ROOT / "docs" / "models" / "lp1.md").read_text(encoding="utf-8")
    assert f"| model | {manifest('lp1')['model_hash']} " in text


@pytest.mark.parametrize("space", [LP1, *STABLE_DIFFUSION], ids=lambda space: space.name)
def test_multiplications_are_those_of_convolutions_counted_by_hand(space: Space) -> None:
    counted = {name.split("/")[1]: m for name, _, m, _ in rows([space])}
    # 64 to 512 at 1/64, 128 to 512 at 1/32, a 3 x 3 of 128 and 128 to 640 at 1/16 of the side
    if space is LP1:
        by_hand = 64 * 512 / 64**2 + 128 * 512 / 32**2 + (9 * 128 * 128 + 128 * 640) / 16**2
        assert counted["features.onnx"] == pytest.approx(by_hand)
    else:  # C + 1 to 64, six of 64 to 64, 64 to C, all 3 x 3 at 1/8 of the side
        by_hand = 9 * 64 * (2 * space.channels + 1 + 6 * 64) / 8**2
        assert counted["restoration.onnx"] == pytest.approx(by_hand)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_files_that_a_page_names_are_there(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for name in NAMED.findall(text):
        assert any((ROOT / root / name).exists() for root in ROOTS) or "SPACE" in name, name


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_papers_that_a_page_cites_are_listed(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    listed = set(
        re.findall(
            r'<a id="r(\d+)">',
            (ROOT / "docs/how-it-works/references.md").read_text(encoding="utf-8"),
        )
    )
    cited = re.findall(r"\[\[(\d+)\]\]\(references\.md#r(\d+)\)", text)
    assert all(shown == target and target in listed for shown, target in cited)
