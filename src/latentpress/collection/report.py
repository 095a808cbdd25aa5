"""The report of a run over folders: one HTML file that says how many, how much smaller, and shows
the worst pictures.
"""

from __future__ import annotations

import heapq
import io
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from html import escape
from pathlib import Path
from typing import Any

from latentpress.collection.faults import FAULTS
from latentpress.collection.lookup import output_of, source_of
from latentpress.collection.manifest import open_manifest
from latentpress.collection.sizes import change, size_words
from latentpress.errors import ImageError, UsageError
from latentpress.names import as_text
from latentpress.system.files import atomic_write, check_output, output_error
from latentpress.system.stores import open_store
from latentpress.system.urls import shown

WORST = 10
SIDE = 640  # pixels of the longer side of a picture on the page, at most
MOST_ERRORS = 200  # that are listed
ARCHIVE = "archive"  # of a line here: the archive among the outputs that holds the picture
BPP = "bpp"  # what tells the worst where no metric was asked for

BEGINNING = "<!doctype html>\n<html lang='en' data-made-by='latentpress'>"

STYLE = """
:root{color-scheme:light dark;--ground:#fff;--line:#d9dce1;--text:#1a1c20;--dim:#5a6068}
@media(prefers-color-scheme:dark){:root{--ground:#14161a;--line:#383d45;--text:#e9ebee;
--dim:#a3aab4}}
body{margin:0 auto;max-width:1180px;padding:24px 20px 60px;background:var(--ground);
color:var(--text);font:16px/1.55 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif}
h1{font-size:1.7rem;margin:0 0 6px;overflow-wrap:anywhere}
h2{font-size:1.3rem;margin:44px 0 8px;padding-top:14px;border-top:1px solid var(--line)}
h3{font-size:1rem;margin:30px 0 4px;overflow-wrap:anywhere}
.dim{color:var(--dim)}
table{border-collapse:collapse;font-variant-numeric:tabular-nums}
th,td{padding:4px 16px 4px 0;text-align:right;border-bottom:1px solid var(--line)}
th:first-child,td:first-child{text-align:left}
.wide{overflow-x:auto}
.pair{display:grid;grid-template-columns:1fr 1fr;gap:10px}
.pair figure{margin:0}
.pair img{width:100%;height:auto;border-radius:4px;display:block}
figcaption{color:var(--dim);font-size:.9rem}
li{overflow-wrap:anywhere}
@media(max-width:640px){.pair{grid-template-columns:1fr}}
"""


@dataclass
class Column:
    """A number that pictures have. worst: the greatest of them, or the least. total, count: of
    those that are finite.
    """

    lower_is_worse: bool
    total: float = 0.0
    count: int = 0
    least: float = math.inf
    greatest: float = -math.inf

    def add(self, value: float) -> None:
        """Take a picture into account."""
        if math.isfinite(value):
            self.total += value
            self.count += 1
        self.least = min(self.least, value)
        self.greatest = max(self.greatest, value)


@dataclass
class Story:
    """What the last line of each picture tells. before, after: bytes of the pictures. archives:
    that hold some of them, with the bytes of these. layers: pictures that have a screen layer. by:
    what tells the worst.
    """

    pictures: int = 0
    before: int = 0
    after: int = 0
    archives: int = 0
    archives_before: int = 0
    archives_after: int = 0
    left: int = 0
    layers: int = 0
    columns: dict[str, Column] = field(default_factory=dict)
    errors: list[str] = field(default_factory=list)
    failed: int = 0
    worst: list[Mapping[str, Any]] = field(default_factory=list)
    by: str = BPP


def told(lines: Callable[[], Iterable[Mapping[str, Any]]]) -> Story:
    """What the lines of a manifest, which are read twice, come to. Memory: two numbers a file, the
    lines of one archive, and the worst.
    """
    from latentpress.metrics import METRICS

    last: dict[int, int] = {}  # a source -> the number of its last line
    metrics: dict[str, bool] = {}  # in the order in which they were asked for, last
    for n, line in enumerate(_of_files(lines())):
        if "run" in line:
            asked = line["run"].get("asked", {}).get("metrics") or []
            metrics = {key: METRICS[key].direction == "higher" for key in asked if key in METRICS}
        elif not line.get("member"):
            last[hash(line.get("source"))] = n
    story = Story(by=next(iter(metrics), BPP))
    story.columns = {key: Column(lower) for key, lower in {**metrics, BPP: False}.items()}
    worst: list[tuple[float, int, Mapping[str, Any]]] = []
    for n, row in enumerate(_counting(_of_files(lines()), last, story)):
        _count(story, row)
        if (badness := _badness(story, row)) is not None:
            heapq.heappush(worst, (badness, -n, row))
            if len(worst) > WORST:
                heapq.heappop(worst)
    story.worst = [row for _, _, row in sorted(worst, key=lambda one: one[:2], reverse=True)]
    return story


def _of_files(lines: Iterable[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    """Lines of runs and of files: not those of other kinds, as of `latents pack`."""
    for line in lines:
        if "run" in line or ("source_bytes" in line and "output_bytes" in line):
            yield line


def _counting(
    lines: Iterable[Mapping[str, Any]], last: Mapping[int, int], story: Story
) -> Iterator[Mapping[str, Any]]:
    """The lines that count: the last one of each file, and of an archive those of its pictures,
    which stand before its own. Archives are added to the story, too.
    """
    inside: list[Mapping[str, Any]] = []
    for n, row in enumerate(lines):
        if "run" in row:
            inside = []  # of an archive whose rows a run that was killed did not end
            continue
        if row.get("member"):
            inside.append(row)
            continue
        pictures = [one for one in inside if one.get("source") == row.get("source")]
        inside = [one for one in inside if one.get("source") != row.get("source")]
        if last.get(hash(row.get("source"))) != n:
            continue
        if "members" not in row:
            yield row
            continue
        story.archives += 1
        story.archives_before += row["source_bytes"]
        story.archives_after += row["output_bytes"]
        yield from ({**one, ARCHIVE: row["output"]} for one in pictures)


def _count(story: Story, row: Mapping[str, Any]) -> None:
    if row.get("error"):
        story.failed += 1
        if len(story.errors) < MOST_ERRORS:
            story.errors.append(str(row["error"]))
        return
    if not row.get("output_bytes"):
        story.left += 1
        return
    story.pictures += 1
    story.before += row["source_bytes"]
    story.after += row["output_bytes"]
    story.layers += bool(row.get("screen_share"))
    for key, column in story.columns.items():
        if (value := _value(row, key)) is not None:
            column.add(value)


def _value(row: Mapping[str, Any], key: str) -> float | None:
    value = row.get(BPP) if key == BPP else (row.get("metrics") or {}).get(key)
    return None if value is None else float(value)


def _badness(story: Story, row: Mapping[str, Any]) -> float | None:
    """The greater, the worse; None of a row without a picture."""
    value = _value(row, story.by) if row.get("output_bytes") else None
    if value is None:
        return None
    return -value if story.columns[story.by].lower_is_worse else value


def check_report(path: Path, overwrite: bool = False) -> None:
    """Find out whether a report can be written there, and make its folder. An earlier report may be
    replaced.

    Raises:
        UsageError: the name is no .html file's.
        OutputError: something else is there, or nothing can be written there.
    """
    if path.suffix.lower() not in (".html", ".htm"):
        raise UsageError(f"{path}: the report of folders is an .html file")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise output_error(path, error) from None
    check_output(path, overwrite=overwrite or _is_report(path))


def write_report(folder: str, path: Path, overwrite: bool = False) -> Story:
    """Write the report of a folder of outputs, by its manifest.

    Raises:
        OutputError, UsageError: as of `check_report`.
        ImageError: the manifest cannot be read.
    """
    check_report(path, overwrite)
    with closing(open_manifest(open_store(folder), read_only=True)) as manifest:
        story = told(manifest.lines)
    page = html(story, folder, f"Pictures in {shown(folder)}")
    atomic_write(path, page, overwrite=overwrite or _is_report(path))
    return story


def _is_report(path: Path) -> bool:
    try:
        with path.open("rb") as stream:
            return stream.read(len(BEGINNING)) == BEGINNING.encode()
    except (OSError, ImageError):  # the latter of a URL
        return False


def html(story: Story, output: str, heading: str) -> bytes:
    """The page. output: the URL of the outputs' store."""
    parts = [
        f"{BEGINNING}\n<meta charset='utf-8'>",
        "<meta name='viewport' content='width=device-width,initial-scale=1'>",
        f"<title>{_text(heading)}</title>\n<style>{STYLE}</style>",
        f"<main>\n<h1>{_text(heading)}</h1>",
        f"<p>{story.pictures:,} {'picture' if story.pictures == 1 else 'pictures'}, "
        f"{_text(change(story.before, story.after))}."
        f"{f' {story.layers:,} with a screen layer.' if story.layers else ''}"
        f"{f' {story.left:,} not written.' if story.left else ''}"
        f"{f' {story.failed:,} failed.' if story.failed else ''}{_archives(story)}</p>",
        _numbers(story),
    ]
    if story.worst:
        name = _name(story.by).partition(",")[0]
        parts.append(f"<h2>The worst {len(story.worst)} by {_text(name)}</h2>")
        if story.by == BPP:
            parts.append(
                "<p class='dim'>No metric was asked for; these took most bits a pixel.</p>"
            )
        parts += [_pair(row, output) for row in story.worst]
    if story.errors:
        items = "\n".join(f"<li>{_text(error)}</li>" for error in story.errors)
        more = story.failed - len(story.errors)
        parts.append(f"<h2>What failed</h2>\n<ul>\n{items}\n</ul>")
        parts.append(f"<p>And {more:,} more, which the manifest names.</p>" if more else "")
    return "\n".join([*parts, "</main>"]).encode()


def _archives(story: Story) -> str:
    if not story.archives:
        return ""
    many = "One archive holds" if story.archives == 1 else f"{story.archives:,} archives hold"
    size = change(story.archives_before, story.archives_after)
    return f" {many} pictures, {_text(size)} with all else in them."


def _numbers(story: Story) -> str:
    rows = []
    for key, column in story.columns.items():
        if not column.count:
            continue
        ends = (column.least, column.greatest)
        worst, best = ends if column.lower_is_worse else ends[::-1]
        cells = (column.total / column.count, worst, best)
        shown = "".join(f"<td>{_number(key, cell)}</td>" for cell in cells)
        rows.append(f"<tr><th scope='row'>{_text(_name(key))}</th>{shown}</tr>")
    head = "".join(f"<th scope='col'>{word}</th>" for word in ("mean", "worst", "best"))
    return (
        "<div class='wide' role='group' tabindex='0' aria-label='Means and ends'><table>"
        f"<tr><td></td>{head}</tr>\n" + "\n".join(rows) + "</table></div>"
    )


def _pair(row: Mapping[str, Any], output: str) -> str:
    numbers = [f"{row['width']} x {row['height']} pixels"] if "width" in row else []
    keys = [*(row.get("metrics") or {}), BPP]
    values = [(key, _value(row, key)) for key in keys]
    numbers += [_with_unit(key, value) for key, value in values if value is not None]
    if share := row.get("screen_share"):
        numbers.append(f"{100 * share:.1f} % of it a screen layer")
    name = "/".join(str(row[key]) for key in ("source", "member") if row.get(key))
    pressed = partial(output_of, row, output, row.get(ARCHIVE, ""))
    pictures = (
        _figure(partial(source_of, row), f"original, {size_words(row['source_bytes'])}"),
        _figure(pressed, f"pressed, {size_words(row['output_bytes'])}"),
    )
    return (
        f"<h3>{_text(name)}</h3>\n<p class='dim'>{_text(', '.join(numbers))}</p>\n"
        f"<div class='pair'>{''.join(pictures)}</div>"
    )


def _figure(read: Callable[[], bytes], caption: str) -> str:
    """A picture, small enough for the page; words where it cannot be opened."""
    try:
        uri = _shown(read())
    except FAULTS:
        return (
            f"<figure><figcaption>{_text(caption)}; it cannot be opened now</figcaption></figure>"
        )
    return (
        f"<figure><img src='{uri}' alt='{_text(caption)}'>"
        f"<figcaption>{_text(caption)}</figcaption></figure>"
    )


def _shown(data: bytes) -> str:
    from latentpress import codec
    from latentpress.bench.report.embed import data_uri
    from latentpress.image.picture import read_picture
    from latentpress.system.sources import LTP

    image = codec.decompress(data) if data.startswith(LTP) else read_picture(io.BytesIO(data)).image
    factor = max(1, -(-max(image.size) // SIDE))
    small = image.convert("RGB").reduce(factor)
    small.info = {}
    return data_uri(small, quality=90)


def _name(key: str) -> str:
    from latentpress.metrics.display import title

    return "bits per pixel" if key == BPP else title(key)


def _with_unit(key: str, value: float) -> str:
    from latentpress.metrics import METRICS
    from latentpress.metrics.display import metric_name

    if key not in METRICS:
        return f"{_number(key, value)} bits per pixel"
    unit = "" if "(" in metric_name(key) else METRICS[key].unit
    return f"{metric_name(key)} {_number(key, value)} {unit}".strip()


def _number(key: str, value: float | None) -> str:
    from latentpress.metrics.display import number

    return number(key, value)


def _text(text: object) -> str:
    r"""Text for the page: a byte of a name that is no UTF-8 is \xNN."""
    return escape(as_text(str(text)), quote=True)
