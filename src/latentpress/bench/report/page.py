"""The report as one HTML page that needs no other file and no network."""

from collections.abc import Callable, Sequence
from importlib.resources import files
from typing import Any

from latentpress.bench.report import text_tables
from latentpress.bench.report.curves import chart, colors
from latentpress.bench.report.derived import LOG_METRICS, Story
from latentpress.bench.report.gallery import GAIN, Item
from latentpress.bench.report.style import css_class, marker
from latentpress.errors import UsageError
from latentpress.metrics.display import title

HERE = "latentpress.bench.report"


def html(story: Story, items: Sequence[Item], requested: int) -> str:
    """The page of a run. items: its gallery, of `requested` images that were asked for. UsageError
    without the extra `bench`.
    """
    try:
        from jinja2 import Environment, StrictUndefined
        from markupsafe import Markup
    except ImportError:
        raise UsageError(
            "the HTML report needs Jinja2: pip install 'latentpress[bench]', or write a .md report"
        ) from None
    read: Callable[[str], str] = lambda name: files(HERE).joinpath(name).read_text(encoding="utf-8")
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=False, keep_trailing_newline=True
    )
    story_of = story.series(next(iter(story.metrics))) if story.metrics else []
    dark = f"@media(prefers-color-scheme:dark){{{colors(story_of, True)}}}"
    style = read("page.css") + colors(story_of, False) + dark
    values: dict[str, Any] = {
        "style": Markup(style),
        "script": Markup(read("page.js")),
        "heading": text_tables.heading(story),
        "subtitle": text_tables.subtitle(story),
        "headline": text_tables.headline(story),
        "notices": text_tables.notices(story),
        "images": text_tables.images(story),
        "legend": [
            {
                "name": s.name,
                "label": s.label,
                "ours": s.ours,
                "cls": css_class(s.name),
                "width": s.look.width,
                "dash": s.look.dash,
                "marker": Markup(marker(s.look.marker, 17, 7)),
            }
            for s in story_of
        ],
        "charts": [
            {"title": title(m), "svg": Markup(svg)}
            for m in story.metrics
            if (svg := draw(story, m))
        ],
        "lossless": text_tables.lossless(story),
        "matrices": text_tables.matrices(story),
        "levels": text_tables.levels(story),
        "pairs": text_tables.pairs(story),
        "layers": text_tables.layers(story),
        "machine": text_tables.machine(story),
        "speed": text_tables.speed(story),
        "items": items,
        "gain": GAIN,
        "gallery_note": text_tables.gallery_note(story, len(items), requested) if items else "",
        "numbers": text_tables.numbers(story),
        "made": text_tables.made(story),
        "codecs": list(story.codecs.values()),
        "version": story.run.info["latentpress"],
    }
    return environment.from_string(read("page.html.j2")).render(values)


def draw(story: Story, metric: str, *, alone: bool = False) -> str:
    """The chart of one metric, as SVG; "" where no codec has a finite value."""
    lower = story.metrics[metric].direction == "lower"
    return chart(
        story.series(metric),
        title(metric),
        lower_is_better=lower,
        log=metric in LOG_METRICS,
        alone=alone,
    )
