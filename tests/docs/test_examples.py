"""The examples of the README, the first page, the guide and the tutorials run as they stand.

A page is a test: its blocks run from top to bottom in a folder of its own, those in Python in one
namespace, those of the shell that call latentpress in bash. The folder holds photo.jpg and photos/:
two of the photographs of samples/, at a quarter of their size. Above a block may stand

    <!-- not run: REASON -->    it needs what a test has not: a network, gigabytes, minutes
    <!-- needs: LIBRARY -->     the page is skipped where this optional library is missing
"""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from PIL import Image

import latentpress
from helpers.paths import ROOT, SAMPLES

DOCS = ROOT / "docs"
PAGES = [
    ROOT / "README.md",
    *(
        page
        for where in ("index.md", "guide/*.md", "tutorials/*.md")
        for page in sorted(DOCS.glob(where))
    ),
]
MOST_NOT_RUN = 6  # of all pages together
FENCE = re.compile(
    r"(?:^ *<!-- (?P<comment>(?:not run|needs): .+?) -->\n)?"
    r"^(?P<indent> *)```(?P<language>\w+).*\n(?P<body>(?:.*\n)*?)(?P=indent)```$",
    re.M,
)
CALL = re.compile(r"(?:^\s*(?:\w+=\S+ )*|\| )latentpress\b", re.M)
# is left out: the tests run with what is installed
INSTALL = re.compile(r"^(?:python -m )?pip install .*$", re.M)
SECONDS = 600  # of one block, should it hang


class Block(NamedTuple):
    line: int
    language: str
    text: str
    not_run: str
    needs: str


def blocks(page: Path) -> Iterator[Block]:
    """The blocks of a page that can be run, those that are not to be run among them."""
    text = page.read_text(encoding="utf-8")
    for found in FENCE.finditer(text):
        kind, _, words = (found["comment"] or "").partition(": ")
        lines = [line.removeprefix(found["indent"]) for line in found["body"].splitlines()]
        if found["language"] == "console":
            lines = [line.removeprefix("$ ") for line in lines if line.startswith("$ ")]
        code = "\n".join(lines)
        if found["language"] == "python" or (
            found["language"] in ("sh", "console") and CALL.search(code)
        ):
            number = text.count("\n", 0, found.start("body"))
            yield Block(
                number,
                found["language"],
                code,
                words * (kind == "not run"),
                words * (kind == "needs"),
            )


def run_shell(block: Block, folder: Path) -> None:
    bash = shutil.which("bash")
    if bash is None:
        pytest.skip("bash is not here")
    environment = dict(
        os.environ, HF_HUB_OFFLINE="1", PATH=f"{folder / '.bin'}{os.pathsep}{os.environ['PATH']}"
    )
    command = [bash, "-ec", INSTALL.sub("", block.text)]
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=SECONDS
    )
    assert done.returncode == 0, f"line {block.line}: {block.text}\n{done.stdout}{done.stderr}"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, to work in, with photographs and the command of this interpreter."""
    (tmp_path / "photos").mkdir()
    for name in ("astronaut.jpg", "coffee.jpg"):
        with Image.open(SAMPLES / name) as image:
            image.reduce(4).save(tmp_path / "photos" / name, quality=95)
    shutil.copy(tmp_path / "photos" / "coffee.jpg", tmp_path / "photo.jpg")
    command = tmp_path / ".bin" / "latentpress"
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m latentpress "$@"\n')
    command.chmod(0o755)
    monkeypatch.setenv("PYTHONPATH", str(Path(latentpress.__file__).parents[1]))
    monkeypatch.chdir(tmp_path)
    return tmp_path


# of Ray's data library, which copies its own settings by their old names
@pytest.mark.filterwarnings(r"ignore::DeprecationWarning:ray\.data\.context")
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_examples_of_a_page_run(
    page: Path, folder: Path, request: pytest.FixtureRequest
) -> None:
    namespace: dict[str, Any] = {"__name__": "example"}
    for block in blocks(page):
        if block.not_run:
            continue
        for library in block.needs.split():
            pytest.importorskip(library)
            if library == "moto":  # an S3 server of this test, with the bucket photos
                request.getfixturevalue("served")
        if block.language == "python":
            # so that a traceback names the line of the page
            padded = "\n" * block.line + block.text
            exec(compile(padded, str(page), "exec"), namespace)
        else:
            run_shell(block, folder)


def test_hardly_any_example_is_not_run() -> None:
    left_out = [
        f"{page.name}, line {block.line}: {block.not_run}"
        for page in PAGES
        for block in blocks(page)
        if block.not_run
    ]
    assert len(left_out) <= MOST_NOT_RUN, left_out


def test_guide_and_tutorials_have_examples() -> None:
    without = [
        page.name
        for page in PAGES
        if page.parent.name in ("guide", "tutorials") and not list(blocks(page))
    ]
    assert not without
