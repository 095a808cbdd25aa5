"""Colors: triples of 8-bit sRGB. Random ones, and those of real papers, screens and editors."""

import colorsys
from dataclasses import dataclass

import numpy as np

from training.data.painters.chance import happens, pick, span, weighted, whole

Color = tuple[int, int, int]
WHITE: Color = (255, 255, 255)
BLACK: Color = (0, 0, 0)


def web(text: str) -> Color:
    """The color that six hexadecimal digits name."""
    return int(text[0:2], 16), int(text[2:4], 16), int(text[4:6], 16)


def hsv(hue: float, saturation: float, value: float) -> Color:
    """The color of this hue, saturation and value, each from 0 to 1."""
    red, green, blue = colorsys.hsv_to_rgb(hue % 1, saturation, value)
    return round(255 * red), round(255 * green), round(255 * blue)


def luma(color: Color) -> float:
    """How light a color is, 0 to 255 (the weights of BT.601)."""
    return 0.299 * color[0] + 0.587 * color[1] + 0.114 * color[2]


def blend(first: Color, second: Color, share: float) -> Color:
    """A color between two: share 0 gives the first, 1 the second."""
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(first, second, strict=True))
    return red, green, blue


def saturated(rng: np.random.Generator) -> Color:
    """A color at the border of the sRGB cube: fully or nearly saturated, every hue alike."""
    value = 1.0 if happens(rng, 0.6) else span(rng, 0.35, 1)
    saturation = 1.0 if happens(rng, 0.7) else span(rng, 0.85, 1)
    return hsv(span(rng, 0, 1), saturation, value)


def pastel(rng: np.random.Generator) -> Color:
    """A light color of little saturation."""
    return hsv(span(rng, 0, 1), span(rng, 0.03, 0.35), span(rng, 0.85, 1))


def deep(rng: np.random.Generator) -> Color:
    """A dark color of any saturation."""
    return hsv(span(rng, 0, 1), span(rng, 0, 1), span(rng, 0.05, 0.4))


def gray(rng: np.random.Generator) -> Color:
    """Any gray."""
    level = whole(rng, 0, 255)
    return level, level, level


def uniform(rng: np.random.Generator) -> Color:
    """Any color of the cube."""
    return whole(rng, 0, 255), whole(rng, 0, 255), whole(rng, 0, 255)


def corner(rng: np.random.Generator) -> Color:
    """A corner of the cube: black, white, red, green, blue, cyan, magenta or yellow."""
    return 255 * whole(rng, 0, 1), 255 * whole(rng, 0, 1), 255 * whole(rng, 0, 1)


def any_color(rng: np.random.Generator) -> Color:
    """A color of any of the families above."""
    family = pick(rng, (saturated, saturated, pastel, deep, gray, uniform, uniform, corner))
    return family(rng)


def light_paper(rng: np.random.Generator) -> Color:
    """The paper of a page with dark ink: most often pure white."""
    if happens(rng, 0.5):
        return WHITE
    return pick(rng, (pastel(rng), hsv(span(rng, 0.08, 0.16), span(rng, 0.02, 0.2), 0.97)))


def dark_paper(rng: np.random.Generator) -> Color:
    """The ground of light text: pure black, a dark gray of an editor, or a deep color."""
    level = whole(rng, 10, 50)
    return pick(rng, (BLACK, BLACK, (level, level, level), deep(rng)))


def paper_and_ink(rng: np.random.Generator) -> tuple[Color, Color]:
    """A ground and an ink for it: dark on light, light on dark, colors, low contrast."""
    kind = weighted(rng, {"light": 0.5, "dark": 0.25, "color": 0.17, "faint": 0.08})
    if kind == "light":
        paper = light_paper(rng)
    elif kind == "dark":
        paper = dark_paper(rng)
    else:
        paper = any_color(rng)
    if kind == "faint":
        return paper, faint(rng, paper)
    return paper, ink_on(rng, paper)


def ink_on(rng: np.random.Generator, paper: Color) -> Color:
    """A color that can be read on this paper."""
    dark = luma(paper) > 120
    if happens(rng, 0.55):
        return BLACK if dark else WHITE
    if happens(rng, 0.4):
        level = whole(rng, 0, 90) if dark else whole(rng, 170, 255)
        return level, level, level
    for _ in range(8):
        ink = any_color(rng)
        if abs(luma(ink) - luma(paper)) > 70:
            return ink
    return BLACK if dark else WHITE


def faint(rng: np.random.Generator, paper: Color) -> Color:
    """A color a little lighter or darker than the paper, or of another hue."""
    return blend(paper, pick(rng, (BLACK, WHITE, saturated(rng))), span(rng, 0.06, 0.3))


def palette(rng: np.random.Generator, count: int) -> list[Color]:
    """Colors that go together: a ramp, shades of one hue, the rainbow, or any."""
    kind = pick(rng, ("ramp", "hue", "rainbow", "any", "gray"))
    steps = np.linspace(0, 1, count)
    if kind == "ramp":
        first, last = any_color(rng), any_color(rng)
        return [blend(first, last, float(s)) for s in steps]
    if kind == "hue":
        hue = span(rng, 0, 1)
        return [
            hsv(hue + span(rng, -0.04, 0.04), span(rng, 0.3, 1), 0.25 + 0.75 * s) for s in steps
        ]
    if kind == "rainbow":
        saturation, value, start = span(rng, 0.4, 1), span(rng, 0.5, 1), span(rng, 0, 1)
        return [hsv(start + s * count / (count + 1), saturation, value) for s in steps]
    if kind == "gray":
        return [blend(BLACK, WHITE, float(s)) for s in steps]
    return [any_color(rng) for _ in range(count)]


@dataclass(frozen=True)
class Theme:
    """The colors of an interface."""

    back: Color
    panel: Color
    border: Color
    text: Color
    muted: Color
    accent: Color


# Grounds, panels, borders, text, muted text and accents like those of desktops, phones and sites.
_THEMES = [
    Theme(*(web(part) for part in row.split()))
    for row in (
        "ffffff f3f3f3 d0d0d0 000000 6b6b6b 0067c0",
        "ffffff f6f8fa d0d7de 1f2328 656d76 0969da",
        "f0f0f0 ffffff adadad 000000 6d6d6d 0078d7",
        "c0c0c0 ffffff 808080 000000 404040 000080",
        "ece9d8 ffffff aca899 000000 716f64 316ac5",
        "fafafa ebebeb cdc7c2 2e3436 929595 3584e4",
        "f2f2f7 ffffff c6c6c8 000000 8e8e93 007aff",
        "fef7ff f3edf7 cac4d0 1d1b20 49454f 6750a4",
        "eff0f1 fcfcfc bcbebf 232629 7f8c8d 3daee9",
        "fdf6e3 eee8d5 93a1a1 657b83 93a1a1 268bd2",
        "ffffff f8f9fa dadce0 202124 5f6368 1a73e8",
        "ffffff fff7e6 f0c060 333333 999999 ff6600",
        "202020 2b2b2b 3c3c3c ffffff 9d9d9d 4cc2ff",
        "0d1117 161b22 30363d e6edf3 7d8590 2f81f7",
        "1e1e1e 252526 3c3c3c d4d4d4 858585 007acc",
        "000000 1c1c1e 38383a ffffff 8e8e93 0a84ff",
        "242424 303030 1b1b1b ffffff 9a9996 3584e4",
        "141218 211f26 49454f e6e0e9 cac4d0 d0bcff",
        "282a36 44475a 6272a4 f8f8f2 6272a4 ff79c6",
        "2e3440 3b4252 4c566a eceff4 d8dee9 88c0d0",
        "002b36 073642 586e75 839496 586e75 2aa198",
        "272822 3e3d32 49483e f8f8f2 75715e a6e22e",
        "000000 000000 00ff00 00ff00 008000 00ff00",
        "300a24 3d0f2f 5e2750 ffffff aea79f e95420",
    )
]


def theme(rng: np.random.Generator) -> Theme:
    """The colors of a real interface, now and then with another accent."""
    chosen = pick(rng, _THEMES)
    if happens(rng, 0.35):
        return Theme(
            chosen.back, chosen.panel, chosen.border, chosen.text, chosen.muted, saturated(rng)
        )
    return chosen


# Ground, plain text, keyword, string, comment, number and function.
SYNTAX = [
    [web(part) for part in row.split()]
    for row in (
        "ffffff 000000 0000ff a31515 008000 098658 795e26",
        "1e1e1e d4d4d4 569cd6 ce9178 6a9955 b5cea8 dcdcaa",
        "272822 f8f8f2 f92672 e6db74 75715e ae81ff a6e22e",
        "282a36 f8f8f2 ff79c6 f1fa8c 6272a4 bd93f9 50fa7b",
        "fdf6e3 657b83 859900 2aa198 93a1a1 d33682 268bd2",
        "002b36 839496 859900 2aa198 586e75 d33682 268bd2",
        "ffffff 24292e d73a49 032f62 6a737d 005cc5 6f42c1",
        "0d1117 c9d1d9 ff7b72 a5d6ff 8b949e 79c0ff d2a8ff",
        "2e3440 d8dee9 81a1c1 a3be8c 616e88 b48ead 88c0d0",
        "f5f5f5 333333 7a3e9d 448c27 aaaaaa 9c5d27 aa3731",
        "000000 cccccc ffff00 00ff00 808080 ff00ff 00ffff",
        "0000aa ffff55 ffffff 55ffff aaaaaa 55ff55 ffffff",
    )
]
