"""How each codec is drawn: color, dash, marker and width, told apart without seeing color."""

import re
from collections.abc import Sequence
from typing import Any, NamedTuple

# Okabe and Ito's palette (jfly.uni-koeln.de/color), (on a light ground, on a dark one): some are
# darkened or lightened until
# a line stands out from its ground. The yellow is left out: it is lost on white.
VERMILION = ("#d55e00", "#ff7f32")
PURPLE = ("#b8538c", "#e39ac4")
ORANGE = ("#c78500", "#f0b429")
BLUE, GREEN, SKY, GRAY = (
    ("#0072b2", "#4ba3dd"),
    ("#009e73", "#2cc79a"),
    ("#3a9bd4", "#8bd0f5"),
    ("#4d4d4d", "#c4c4c4"),
)
OURS, RIVALS = (VERMILION, ORANGE, PURPLE), (BLUE, GREEN, PURPLE, GRAY, SKY, ORANGE)
DASHES = ("", "7 3", "2 3", "9 3 2 3", "4 2", "1 4")
MARKERS = ("circle", "square", "triangle", "diamond", "cross", "down", "plus")


class Look(NamedTuple):
    """color: hex on a light and on a dark ground. dash: of SVG, "" is solid. marker: of MARKERS.
    width: of the line, pixels.
    """

    color: tuple[str, str]
    dash: str
    marker: str
    width: float


def looks(codecs: Sequence[dict[str, Any]]) -> dict[str, Look]:
    """A look for each codec of a run's `codecs`, by name. Ours are thick and solid; no two share
    color, dash and marker.
    """
    looks_by_name: dict[str, Look] = {}
    ours = rivals = 0
    for codec in codecs:
        if codec["ours"]:
            looks_by_name[codec["name"]] = Look(
                OURS[ours % len(OURS)],
                DASHES[ours // len(OURS) % len(DASHES)],
                MARKERS[ours % len(MARKERS)],
                3.6,
            )
            ours += 1
        else:
            color = RIVALS[rivals % len(RIVALS)]
            turn = rivals // len(RIVALS)
            # a color that comes again has another marker
            marker = MARKERS[(1 + rivals + 2 * turn) % len(MARKERS)]
            looks_by_name[codec["name"]] = Look(
                color, DASHES[1 + (rivals + turn) % (len(DASHES) - 1)], marker, 1.8
            )
            rivals += 1
    return looks_by_name


def css_class(codec: str) -> str:
    """The CSS class that carries a codec's color; an external codec may have any name."""
    return "c-" + re.sub(r"[^A-Za-z0-9]", lambda match: f"_{ord(match[0]):x}_", codec)


def marker(kind: str, x: float, y: float, r: float = 4.2) -> str:
    """SVG of one marker of MARKERS centered at (x, y), filled with the current color."""
    if kind == "circle":
        return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{r}"/>'
    outlines: dict[str, list[tuple[float, float]]] = {
        "square": [(-0.85, -0.85), (0.85, -0.85), (0.85, 0.85), (-0.85, 0.85)],
        "triangle": [(0, -1.1), (1, 0.8), (-1, 0.8)],
        "down": [(0, 1.1), (1, -0.8), (-1, -0.8)],
        "diamond": [(0, -1.2), (1.1, 0), (0, 1.2), (-1.1, 0)],
        "plus": [
            (-0.35, -1.1),
            (0.35, -1.1),
            (0.35, -0.35),
            (1.1, -0.35),
            (1.1, 0.35),
            (0.35, 0.35),
            (0.35, 1.1),
            (-0.35, 1.1),
            (-0.35, 0.35),
            (-1.1, 0.35),
            (-1.1, -0.35),
            (-0.35, -0.35),
        ],
        "cross": [
            (-0.6, -1.1),
            (0, -0.5),
            (0.6, -1.1),
            (1.1, -0.6),
            (0.5, 0),
            (1.1, 0.6),
            (0.6, 1.1),
            (0, 0.5),
            (-0.6, 1.1),
            (-1.1, 0.6),
            (-0.5, 0),
            (-1.1, -0.6),
        ],
    }
    return '<polygon points="{}"/>'.format(
        " ".join(f"{x + r * a:.1f},{y + r * b:.1f}" for a, b in outlines[kind])
    )
