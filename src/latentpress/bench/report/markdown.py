"""The report as Markdown, for a repository: the same tables, the curves as SVG files beside it.

Above each table of figures stands `<!-- source: RUN/rows.csv -->`.
"""

import re
from collections.abc import Sequence

from latentpress.bench.report import text_tables
from latentpress.bench.report.derived import Story
from latentpress.bench.report.page import draw
from latentpress.bench.rows import ROWS
from latentpress.metrics.display import title

PAIR = 2  # charts in a row


def markdown(story: Story, stem: str) -> tuple[str, dict[str, str]]:
    """(the text, its curves: file name -> SVG). stem: of the file that is written; the curves are
    called stem-metric.svg.
    """
    source = f"<!-- source: {_comment((story.run.folder / ROWS).as_posix())} -->"
    command = _comment(story.run.info["command"])
    curves = {m: svg for m in story.metrics if (svg := draw(story, m, alone=True))}
    names = {m: f"{stem}-{m}.svg" for m in curves}
    lines = [
        f"# {_literal(text_tables.heading(story))}",
        "",
        f"<!-- Made by `latentpress report`; do not edit. {command} -->",
        "",
        text_tables.subtitle(story),
        "",
        *(f"**{s}**\n" for s in (*text_tables.headline(story), *text_tables.notices(story))),
    ]
    charts = _charts([(title(m), names[m]) for m in curves])
    lines += [
        "## Rate and distortion",
        "",
        "Every point is the mean over "
        f"{text_tables.images(story)} of one setting; bits per pixel are "
        "8 x file bytes / pixels of the original. Up and to the left is better.",
        "",
        *charts,
    ]
    if text := text_tables.lossless(story):
        lines += [text, ""]
    for m in text_tables.matrices(story):
        lines += [f"## Bytes that {m['label']} needs at equal quality", "", "The mean over the "
"qualities that both curves reach (BD-rate); "
                  "in brackets which those are, and how much of its own range. Nothing is "
"extrapolated.", ""]  # fmt: skip
        rows = [[row["label"], *(f"**{c['text']}** ({c['overlap']})" if c["text"] else "no common "
"quality" for c in row["cells"])]
                for row in m["rows"]]  # fmt: skip
        lines += [source, *_table(["against", *(f"by {c}" for c in m["columns"])], rows), ""]
    if story.levels:
        lines += ["Mean bytes an image that each codec needs to reach the quality of one of our "
"settings; “–” where its own settings "
                  "do not reach it:", ""]  # fmt: skip
    for t in text_tables.levels(story):
        rows = [[f"{row['label']} {row['source']}", *row["cells"]] for row in t["rows"]]
        lines += [source, *_table([t["metric"], *t["columns"]], rows), ""]
    layers = text_tables.layers(story)
    if layers["rows"]:
        lines += ["## Screen layers", "", layers["note"], ""]
        lines += [source, *_table(layers["columns"], layers["rows"]), ""]
    speed = text_tables.speed(story)
    numbers = text_tables.numbers(story)
    lines += [
        "## Speed and memory",
        "",
        f"{text_tables.machine(story)}.",
        "",
        source,
        *_table(speed["columns"], speed["rows"]),
        "",
    ]
    lines += [
        "## All means",
        "",
        source,
        *_table(numbers["columns"], [row["cells"] for row in numbers["rows"]]),
        "",
    ]
    made = [
        f"- {term}: {_code(text) if term == 'command' else _literal(text)}"
        for term, text in text_tables.made(story)
    ]
    lines += ["## How it was made", "", *made, ""]
    codecs = [[c["label"], c["version"], c["settings"]] for c in story.codecs.values()]
    lines += [source, *_table(["codec", "version", "settings"], codecs)]
    return "\n".join(lines) + "\n", {names[m]: svg for m, svg in curves.items()}


def _charts(charts: Sequence[tuple[str, str]]) -> list[str]:
    """Pictures in rows of two, as a table: GitHub has no other way to lay them side by side."""
    cells = [f"![{text}]({file})" for text, file in charts] + [""] * (-len(charts) % PAIR)
    rows = ["| " + " | ".join(cells[i : i + PAIR]) + " |" for i in range(0, len(cells), PAIR)]
    return ["|" + " |" * PAIR, "|" + "---|" * PAIR, *rows, ""] if rows else []


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    lines = ["| " + " | ".join(_cell(cell) for cell in row) + " |" for row in (columns, *rows)]
    return [lines[0], "|" + "---|" * len(columns), *lines[1:]]


def _cell(text: str) -> str:
    """Within a table: as `_literal`, but bold stays."""
    return re.sub(r"[\\`\[\]|]", r"\\\g<0>", _line(text)).replace("<", "&lt;")


def _literal(text: str) -> str:
    """A text with names, which come from outside, of which nothing is taken for markup."""
    return re.sub(r"[\\`*\[\]]", r"\\\g<0>", _line(text)).replace("<", "&lt;")


def _code(text: str) -> str:
    """Within a line, set as code: between more backticks than it has in a row."""
    ticks = "`" * (1 + max(map(len, re.findall("`+", text)), default=0))
    space = " " if len(ticks) > 1 else ""
    return f"{ticks}{space}{_line(text)}{space}{ticks}"


def _comment(text: str) -> str:
    """Within an HTML comment, which two hyphens and a > would end."""
    return _line(text).replace(">", "&gt;")


def _line(text: str) -> str:
    return " ".join(text.splitlines())
