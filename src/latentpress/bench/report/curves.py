"""Rate-distortion curves as SVG: rate on a logarithmic axis, up is better, our codecs foremost and
thickest.
"""

import math
from collections.abc import Sequence
from html import escape
from typing import NamedTuple

from latentpress.bench.report.axes import Axis, linear_axis, log_axis
from latentpress.bench.report.style import Look, css_class, marker

WIDTH, HEIGHT = 520, 380  # units of the viewBox; text of 13 units stays readable on a phone
LEFT = 58
RIGHT = 14
TOP = 14
BOTTOM = 46
LEGEND_LINE, LEGEND_LETTER = 22, 7.2  # units: height of a row, mean width of a letter


class Series(NamedTuple):
    """One codec's curve: points are (bpp, value, what a pointer at the point is told), any
    order.
    """

    name: str
    label: str
    look: Look
    ours: bool
    points: list[tuple[float, float, str]]


def chart(
    series: Sequence[Series],
    title: str,
    *,
    lower_is_better: bool = False,
    log: bool = False,
    alone: bool = False,
) -> str:
    """SVG of the curves, values that the y axis cannot hold left out: those that are not finite,
    and of a logarithmic one 0. "" where no point is left.

    title: the metric with its unit, written along the y axis. lower_is_better: the y axis is
    turned, so that up is better. log: the y axis is logarithmic too. alone: a whole file with its
    own legend and colors, not a part of the page.
    """
    least = 0.0 if log else -math.inf
    drawn = [
        s._replace(points=sorted(p for p in s.points if least < p[1] < math.inf)) for s in series
    ]
    # what is drawn last lies on top
    drawn = sorted((s for s in drawn if s.points), key=lambda s: s.ours)
    if not drawn:
        return ""
    x = log_axis(p[0] for s in drawn for p in s.points)
    y = (log_axis if log else linear_axis)(
        (p[1] for s in drawn for p in s.points), flipped=lower_is_better
    )
    note = "axis turned: up is better" if lower_is_better else "up is better"
    legend = _legend(sorted(drawn, key=lambda s: not s.ours)) if alone else ("", 0)
    what = (
        f"{title} over bits per pixel for {', '.join(s.label for s in drawn)}; the numbers are "
        "in the table of all means"
    )
    style = _style(drawn) if alone else ""
    height = HEIGHT + legend[1]
    file = f' xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}"' if alone else ""
    return (
        f'<svg{file} class="chart" viewBox="0 0 {WIDTH} {height}" role="img" '
        f'aria-label="{escape(what)}">{style}'
        + (f'<rect class="ground" width="{WIDTH}" height="{height}"/>' if alone else "")
        + _grid(x, y, title, note)
        + "".join(_curve(s, x, y) for s in drawn)
        + legend[0]
        + "</svg>"
    )


def _place(x: Axis, y: Axis, point: tuple[float, float]) -> tuple[float, float]:
    return LEFT + x.at(point[0]) * (WIDTH - LEFT - RIGHT), HEIGHT - BOTTOM - y.at(point[1]) * (
        HEIGHT - TOP - BOTTOM
    )


def _grid(x: Axis, y: Axis, title: str, note: str) -> str:
    low = HEIGHT - BOTTOM
    right = WIDTH - RIGHT
    middle = (TOP + HEIGHT - BOTTOM) / 2
    parts = ['<g class="grid">']
    for value, text in x.ticks:
        at = _place(x, y, (value, y.low))[0]
        parts.append(
            f'<path d="M{at:.1f} {TOP}V{low}"/><text x="{at:.1f}" y="{low + 17}" '
            f'text-anchor="middle">{text}</text>'
        )
    for value, text in y.ticks:
        at = _place(x, y, (x.low, value))[1]
        parts.append(
            f'<path d="M{LEFT} {at:.1f}H{right}"/><text x="{LEFT - 7}" y="{at + 4.5:.1f}" '
            f'text-anchor="end">{text}</text>'
        )
    parts.append(f'<path class="axis" d="M{LEFT} {TOP}V{low}H{right}"/>')
    parts.append(
        f'<text class="name" x="{(LEFT + right) / 2}" y="{HEIGHT - 8}" text-anchor="middle">bits '
        "per pixel (log scale)</text>"
    )
    parts.append(
        f'<text class="name" transform="translate(14 {middle}) rotate(-90)" '
        f'text-anchor="middle">{escape(title)}</text>'
    )
    parts.append(
        f'<text class="note" x="{right - 6}" y="{low - 8}" text-anchor="end">{note}</text></g>'
    )
    return "".join(parts)


def _curve(series: Series, x: Axis, y: Axis) -> str:
    places = [_place(x, y, p[:2]) for p in series.points]
    line = "M" + "L".join(f"{a:.1f} {b:.1f}" for a, b in places)
    look = series.look
    dash = f' stroke-dasharray="{look.dash}"' if look.dash else ""
    r = 5.2 if series.ours else 4.2
    marks = "".join(
        f"<g><title>{escape(p[2])}</title>{marker(look.marker, a, b, r)}</g>"
        for p, (a, b) in zip(series.points, places, strict=True)
    )
    return (
        f'<g class="curve {css_class(series.name)}" data-codec="{escape(series.name)}">'
        f'<path d="{line}" stroke-width="{look.width}"{dash}/>{marks}</g>'
    )


def _legend(series: Sequence[Series]) -> tuple[str, float]:
    """The legend below a chart that stands alone: (SVG, its height)."""
    parts = []
    at = float(LEFT)
    row = 0
    for s in series:
        width = 46 + LEGEND_LETTER * len(s.label)
        if at + width > WIDTH and at > LEFT:
            at = float(LEFT)
            row = row + 1
        y = HEIGHT + 10 + row * LEGEND_LINE
        parts.append(
            f'<g class="curve {css_class(s.name)}"><path d="M{at:.0f} {y}h28" '
            f'stroke-width="{s.look.width}" '
            f'stroke-dasharray="{s.look.dash or "none"}"/>{marker(s.look.marker, at + 14, y)}</g>'
            f'<text class="name" x="{at + 34:.0f}" y="{y + 4.5}">{escape(s.label)}</text>'
        )
        at += width
    return "".join(parts), (row + 1) * LEGEND_LINE + 8


def colors(series: Sequence[Series], dark: bool) -> str:
    """CSS that gives every codec's class its color."""
    return "".join(f".{css_class(s.name)}{{color:{s.look.color[dark]}}}" for s in series)


def _style(series: Sequence[Series]) -> str:
    return (
        "<style>text{font:13px system-ui,-apple-system,'Segoe "
        "UI',sans-serif;fill:#444}.name{fill:#111}.note{fill:#666;font-size:12px}"
        ".ground{fill:#fff}.grid path{stroke:#e3e3e3}.grid .axis{stroke:#777}.grid path,.curve "
        "path{fill:none}"
        f".curve path{{stroke:currentColor;stroke-linejoin:round}}.curve circle,.curve "
        f"polygon{{fill:currentColor}}{colors(series, False)}"
        "@media(prefers-color-scheme:dark){text{fill:#bbb}.name{fill:#eee}.note{fill:#999}"
        ".ground{fill:#16181c}"
        f".grid path{{stroke:#2c3036}}.grid .axis{{stroke:#888}}{colors(series, True)}}}</style>"
    )
