"""The format's pages: their code blocks as one namespace, their tables, their dumps."""

import re
import shlex
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from helpers.paths import ROOT

FOLDER = ROOT / "docs" / "formats"
PACKAGE = ROOT / "src" / "latentpress"
ROW = re.compile(r"^\|(.+)\|$", re.MULTILINE)


def load(file: str) -> dict[str, NDArray[Any]]:
    """The arrays of a shipped file; what the pages call `load`."""
    with np.load(PACKAGE / file) as arrays:
        return dict(arrays)


@cache
def session(graph: str) -> Any:
    import onnxruntime

    return onnxruntime.InferenceSession(str(PACKAGE / graph))


def run(graph: str, **inputs: NDArray[Any]) -> list[NDArray[Any]]:
    """The outputs of a shipped graph; what the pages call `run`."""
    return session(graph).run(None, {name: a.astype(np.float32) for name, a in inputs.items()})


def text_of(page: str) -> str:
    return (FOLDER / page).read_text(encoding="utf-8")


def blocks(page: str, language: str) -> list[str]:
    """The fenced blocks of a language ("" where none is named) on a page."""
    fenced = re.findall(r"^```(\w*)\n(.*?)^```$", text_of(page), re.MULTILINE | re.DOTALL)
    return [block for its_language, block in fenced if its_language == language]


@cache
def decoder() -> dict[str, Any]:
    """The names that the code of both pages defines, executed in order."""
    names: dict[str, Any] = {"np": np, "load": load, "run": run}
    for page in ("ltp.md", "ltps.md"):
        for i, block in enumerate(blocks(page, "python")):
            exec(compile(block, f"{page}, block {i + 1}", "exec"), names)
    return names


def table(page: str, first_column: str) -> list[list[str]]:
    """The cells of the first table whose first heading is this, without headings and rule."""
    text = text_of(page)
    start = re.search(rf"^\| {re.escape(first_column)} \|", text, re.MULTILINE)
    assert start is not None, f"{page} has no table {first_column!r}"
    whole = text[start.start() :].split("\n\n", 1)[0]
    return [[cell.strip() for cell in row.split("|")] for row in ROW.findall(whole)][2:]


def dumps(page: str) -> list[tuple[bytes, list[list[str]]]]:
    """The bytes of each hex dump of a page, and the table that takes them apart."""
    found = []
    for match in re.finditer(
        r"^```hexdump\n(.*?)^```\n\n(.*?)\n\n", text_of(page), re.MULTILINE | re.DOTALL
    ):
        data = b"".join(bytes.fromhex(line[10:49]) for line in match[1].splitlines())
        found.append(
            (data, [[cell.strip() for cell in row.split("|")] for row in ROW.findall(match[2])][2:])
        )
    return found


def files_of(page: str, folder: Path) -> None:
    """Run the commands of a page's blocks in a folder, but for those that only look."""
    programs = {"python": [sys.executable], "latentpress": [sys.executable, "-m", "latentpress"]}
    for block in blocks(page, ""):
        for command in re.findall(
            r"^(?:python|latentpress) .*?(?=\n(?:python|latentpress|xxd) |\Z)",
            block,
            re.MULTILINE | re.DOTALL,
        ):
            name, *arguments = shlex.split(command)
            subprocess.run(
                [*programs[name], *arguments],
                cwd=folder,
                check=True,
                capture_output=True,
                timeout=120,
            )
