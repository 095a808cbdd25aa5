"""Reports of a benchmark run: one self-contained HTML page, an Excel workbook, or Markdown with its
curves beside it.

derived.py          what follows from a run, as every report tells it
text_tables.py      the same as cells and sentences; number_format.py: how numbers are written
curves.py           rate-distortion curves as SVG (axes.py, style.py)
gallery.py          pictures at matched bytes (crops.py, embed.py)
page.py             HTML; workbook.py: Excel; markdown.py: Markdown
"""

from collections.abc import Callable
from pathlib import Path

from latentpress.bench.report.derived import Story
from latentpress.bench.rows import Run
from latentpress.errors import UsageError
from latentpress.system.files import atomic_write, check_output

GALLERY = 6  # images
SUFFIXES = (".html", ".xlsx", ".md")


def write_report(
    run: Run,
    output: Path,
    *,
    images: int = GALLERY,
    overwrite: bool = False,
    advance: Callable[[], None] = lambda: None,
) -> list[Path]:
    """Write a run's report, its format told by the suffix of `output` (SUFFIXES); return the files
    written.

    images: of the HTML page's gallery, 0 for none; advance(): called for each. Markdown writes its
    curves as SVG files beside it. Raises UsageError for another suffix, a run without rows or a
    missing library, OutputError, ImageError where kept files are gone.
    """
    if output.suffix.lower() not in SUFFIXES:
        raise UsageError(f"{output}: a report is {', '.join(SUFFIXES[:-1])} or {SUFFIXES[-1]}")
    check_output(output, overwrite=overwrite)
    story = Story(run)
    if not story.means:
        raise UsageError(
            f"{run.folder} has no setting that every image has been through: let `latentpress "
            "bench` finish it first"
        )
    if output.suffix.lower() == ".md":
        from latentpress.bench.report.markdown import markdown

        text, curves = markdown(story, output.stem)
        for name, svg in curves.items():
            atomic_write(output.parent / name, svg.encode(), overwrite=overwrite)
        atomic_write(output, text.encode(), overwrite=overwrite)
        return [output, *(output.parent / name for name in curves)]
    if output.suffix.lower() == ".xlsx":
        from latentpress.bench.report.workbook import workbook

        atomic_write(output, workbook(story), overwrite=overwrite)
    else:
        from latentpress.bench.report.gallery import gallery
        from latentpress.bench.report.page import html

        atomic_write(
            output,
            html(story, gallery(story, images, advance), images).encode(),
            overwrite=overwrite,
        )
    return [output]
