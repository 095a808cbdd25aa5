"""Which files of results/ the documents quote, and what is wrong with it.

A table of measured figures has, on the line right above it, `<!-- source: results/FILE.csv -->`;
several files are separated by commas. The named files must be here, have a sidecar
(`provenance.py`) and be made with the models that are shipped. tests/docs/test_results.py asks.
"""

import argparse
import re
from collections.abc import Callable
from pathlib import Path

from benchmarks.provenance import RESULTS, ROOT, outdated, read

MARKER = re.compile(r"^<!-- source: (.+?) -->$")
MENTION = re.compile(r"results/[\w./-]*\w")
FIGURE = re.compile(r"\d*\.\d+")
MANY = 6  # cells of a table with decimal figures, from which on it is one of measured figures


def documents(root: Path = ROOT) -> list[Path]:
    """README.md and all pages of docs/."""
    return [root / "README.md", *sorted((root / "docs").rglob("*.md"))]


def sources(text: str) -> list[str]:
    """The files that the markers of a page name, in order."""
    found = [match[1] for line in text.splitlines() if (match := MARKER.match(line.strip()))]
    return [name.strip() for names in found for name in names.split(",")]


def mentions(text: str) -> set[str]:
    """The paths below results/ that a page names, in markers or elsewhere, without what is below a
    run's folder.
    """
    return {"/".join(Path(path).parts[:2]) for path in MENTION.findall(text)}


def tables(text: str) -> list[tuple[str, list[str]]]:
    """Of each table its lines, and the line right above it."""
    found: list[tuple[str, list[str]]] = []
    above, inside = "", False
    for line in text.splitlines():
        if line.startswith("|"):
            if not inside:
                found.append((above.strip(), []))
            found[-1][1].append(line)
        above, inside = line, line.startswith("|")
    return found


def unmarked(text: str) -> list[str]:
    """The heads of tables with many decimal figures above which no marker stands."""
    cells = lambda lines: [
        cell for line in lines for cell in line.split("|") if FIGURE.search(cell)
    ]
    return [
        lines[0]
        for above, lines in tables(text)
        if len(cells(lines)) >= MANY and not MARKER.match(above)
    ]


def complaint(name: str, root: Path = ROOT) -> str:
    """What is wrong with a source that a marker names; empty where nothing is."""
    file = root / name
    if not (name.startswith("results/") and file.is_file()):
        return f"{name} is missing"
    try:
        told = read(file)
    except OSError:
        return f"{name} has no sidecar"
    except KeyError as missing:
        return f"{name} has a sidecar without {missing}"
    return "; ".join(f"{name}: {reason}" for reason in outdated(told["model"]))


def fill(page: Path, name: str, rows: list[list[str]], which: int = 0) -> None:
    """Put a table, its head first, into a page in place of one whose marker names just this file:
    the first, or a later one.
    """
    lines = page.read_text(encoding="utf-8").splitlines()
    marker = f"<!-- source: {name} -->"
    places = [i for i, line in enumerate(lines) if line == marker]
    if which >= len(places):
        raise SystemExit(f"{page} has no line {marker}: put it where the table belongs")
    start = places[which] + 1
    end = next((i for i in range(start, len(lines)) if not lines[i].startswith("|")), len(lines))
    cells = [rows[0], ["---"] * len(rows[0]), *rows[1:]]
    lines[start:end] = ["| " + " | ".join(row) + " |" for row in cells]
    page.write_text("\n".join(lines) + "\n", encoding="utf-8", newline="\n")


def fill_by_command(doc: str | None, name: str, *tables: Callable[[Path], list[list[str]]]) -> None:
    """The command `[FILE] [--page PAGE]` that puts the tables of results/NAME.csv into
    docs/measurements/NAME.md, in the order of their markers.
    """
    parser = argparse.ArgumentParser(
        description=doc, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("file", type=Path, nargs="?", default=RESULTS / f"{name}.csv")
    parser.add_argument("--page", type=Path, default=ROOT / "docs" / "measurements" / f"{name}.md")
    options = parser.parse_args()
    for i, table in enumerate(tables):
        fill(options.page, f"results/{options.file.name}", table(options.file), i)
    print(options.page)
