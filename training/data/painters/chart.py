"""Charts: lines, bars, pies, scatter plots, heat maps, maps and diagrams, with labels."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from training.data.painters import words
from training.data.painters.canvas import Canvas, Sheet, look
from training.data.painters.chance import happens, pick, span, weighted, whole
from training.data.painters.colors import (
    BLACK,
    WHITE,
    Color,
    blend,
    palette,
    paper_and_ink,
)
from training.data.painters.fields import Field, cloud, mean_luma
from training.data.painters.fonts import Fonts
from training.data.painters.maps import land

# The colors of common plotting programs and of printed maps.
_CYCLES = (
    ((31, 119, 180), (255, 127, 14), (44, 160, 44), (214, 39, 40), (148, 103, 189), (140, 86, 75)),
    (
        (68, 114, 196),
        (237, 125, 49),
        (165, 165, 165),
        (255, 192, 0),
        (91, 155, 213),
        (112, 173, 71),
    ),
    ((66, 133, 244), (219, 68, 55), (244, 180, 0), (15, 157, 88), (171, 71, 188), (0, 172, 193)),
    ((255, 0, 0), (0, 0, 255), (0, 128, 0), (0, 0, 0), (255, 0, 255), (0, 191, 191)),
)
# Viridis, magma and a hot map, a blue-to-red one, gray: colors at equal distances.
_MAPS = (
    ((68, 1, 84), (59, 82, 139), (33, 145, 140), (94, 201, 98), (253, 231, 37)),
    ((0, 0, 4), (81, 18, 124), (183, 55, 121), (252, 137, 97), (252, 253, 191)),
    ((0, 0, 0), (180, 0, 0), (255, 120, 0), (255, 230, 60), (255, 255, 255)),
    ((5, 48, 97), (146, 197, 222), (247, 247, 247), (244, 165, 130), (103, 0, 31)),
    ((0, 0, 143), (0, 120, 255), (120, 255, 130), (255, 150, 0), (128, 0, 0)),
    ((0, 0, 0), (64, 64, 64), (128, 128, 128), (191, 191, 191), (255, 255, 255)),
)


class Plot:
    """A sheet to draw on with the frame of its data, and the labels to be written afterwards."""

    def __init__(self, rng: np.random.Generator, size: int) -> None:
        self.paper, self.ink = paper_and_ink(rng)
        if happens(rng, 0.5):
            self.paper, self.ink = WHITE, BLACK
        self.size = size
        self.sheet = Sheet(size, self.paper, pick(rng, (1, 2, 2)))
        self.colors = list(pick(rng, _CYCLES)) if happens(rng, 0.7) else palette(rng, 6)
        edge = max(12, size // 9)
        self.left, self.top = whole(rng, edge // 2, 2 * edge), whole(rng, edge // 2, 2 * edge)
        self.right, self.bottom = size - whole(rng, 4, edge), size - whole(rng, edge // 2, edge)
        self.labels: list[tuple[tuple[float, float], str, str]] = []

    @property
    def width(self) -> int:
        """Of the frame."""
        return self.right - self.left

    @property
    def height(self) -> int:
        """Of the frame."""
        return self.bottom - self.top

    def color(self, index: int) -> Color:
        """The color of a series."""
        return self.colors[index % len(self.colors)]

    def axes(self, rng: np.random.Generator) -> None:
        """Axes with ticks and numbers, a grid behind them, a ground, a title."""
        if happens(rng, 0.2):
            ground = blend(self.paper, self.ink, 0.08)
            self.sheet.box((self.left, self.top, self.right, self.bottom), ground)
        faint = blend(self.paper, self.ink, span(rng, 0.1, 0.3))
        ticks, gridded = whole(rng, 3, 9), happens(rng, 0.6)
        scale = 10.0 ** whole(rng, -2, 4)
        for tick in range(ticks + 1):
            y = round(self.bottom - tick * self.height / ticks)
            if gridded:
                self.sheet.box((self.left, y, self.right, y + 1), faint)
            self.sheet.box((self.left - 4, y, self.left, y + 1), self.ink)
            self.labels.append(((self.left - 6, y), f"{tick * scale:g}", "rm"))
            x = round(self.left + tick * self.width / ticks)
            self.sheet.box((x, self.bottom, x + 1, self.bottom + 4), self.ink)
            self.labels.append(((x, self.bottom + 5), str(tick * 2), "ma"))
        self.sheet.box((self.left, self.bottom, self.right, self.bottom + 1), self.ink)
        self.sheet.box((self.left, self.top, self.left + 1, self.bottom), self.ink)
        if happens(rng, 0.4):
            self.sheet.box((self.left, self.top, self.right, self.bottom + 1), None, self.ink)
        title = " ".join(words.prose(rng, whole(rng, 2, 5)))
        self.labels.append(((self.left + self.width / 2, self.top - 4), title, "mb"))

    def legend(self, rng: np.random.Generator, count: int) -> None:
        """Names of the series beside samples of their colors, in a corner of the frame."""
        x = self.left + 8 if happens(rng, 0.5) else self.right - min(90, self.width // 2)
        y = self.top + 6
        self.sheet.box((x, y, x + 82, y + 14 * count + 6), self.paper, self.ink)
        for index in range(count):
            row = y + 4 + 14 * index
            self.sheet.box((x + 5, row + 3, x + 19, row + 9), self.color(index))
            self.labels.append(((x + 24, row + 6), words.words(rng, 1)[0], "lm"))

    def finished(self, rng: np.random.Generator, fonts: Fonts) -> Canvas:
        """The canvas with all labels written."""
        canvas = Canvas(self.size, self.sheet.reduced())
        style, font = look(rng), fonts.font(rng, whole(rng, 8, 15))
        for place, text, anchor in self.labels:
            canvas.text(place, text, font, self.ink, style, anchor)
        return canvas


def lines(rng: np.random.Generator, plot: Plot) -> None:
    """Curves of random walks or waves, with markers now and then."""
    plot.axes(rng)
    count, points = whole(rng, 1, 6), whole(rng, 5, 120)
    x = np.linspace(plot.left, plot.right, points)
    width, marked, filled = (
        span(rng, 0.7, 3.5),
        points < 25 and happens(rng, 0.6),
        happens(rng, 0.15),
    )
    for series in range(count):
        if happens(rng, 0.6):
            walk = np.cumsum(rng.standard_normal(points))
        else:
            walk = np.sin(np.linspace(0, span(rng, 3, 30), points) + span(rng, 0, 6))
        walk = (walk - walk.min()) / max(float(np.ptp(walk)), 1e-6)
        y = plot.bottom - (0.05 + walk * span(rng, 0.3, 0.9)) * plot.height
        curve = np.stack([x, y], 1)
        if filled:
            foot = np.asarray([[plot.right, plot.bottom], [plot.left, plot.bottom]])
            plot.sheet.polygon(
                np.concatenate([curve, foot]), blend(plot.paper, plot.color(series), 0.5)
            )
        plot.sheet.line(curve, plot.color(series), width)
        for px, py in curve if marked else ():
            plot.sheet.ellipse((px - 3, py - 3, px + 3, py + 3), plot.color(series))
    if happens(rng, 0.6):
        plot.legend(rng, count)


def bars(rng: np.random.Generator, plot: Plot) -> None:
    """Groups of bars, upright or stacked, with or without outlines."""
    plot.axes(rng)
    groups, series, stacked = whole(rng, 2, 14), whole(rng, 1, 4), happens(rng, 0.3)
    outline = plot.ink if happens(rng, 0.3) else None
    pitch = plot.width / groups
    for group in range(groups):
        left, foot = plot.left + pitch * (group + 0.12), float(plot.bottom)
        for index in range(series):
            tall = float(rng.random()) * plot.height * (0.9 / series if stacked else 0.95)
            wide = pitch * 0.76 / (1 if stacked else series)
            start = left if stacked else left + wide * index
            top = round((foot if stacked else plot.bottom) - tall)
            floor = round(foot if stacked else plot.bottom)
            plot.sheet.box(
                (round(start), top, round(start + wide), floor), plot.color(index), outline
            )
            foot = top
    if happens(rng, 0.5):
        plot.legend(rng, series)


def pie(rng: np.random.Generator, plot: Plot) -> None:
    """A pie or a ring of two to eight slices, with shares beside them."""
    count = whole(rng, 2, 8)
    shares = rng.random(count) + 0.15
    ends = np.concatenate([[0], np.cumsum(shares / shares.sum())]) * 2 * np.pi + span(rng, 0, 6)
    radius = min(plot.width, plot.height) * 0.4
    x, y = plot.left + plot.width / 2, plot.top + plot.height / 2
    edge = pick(rng, (plot.paper, plot.ink, None))
    for index in range(count):
        turn = np.linspace(ends[index], ends[index + 1], 40)
        rim = np.stack([x + radius * np.cos(turn), y + radius * np.sin(turn)], 1)
        slice_ = np.concatenate([rim, [[x, y]]])
        plot.sheet.polygon(slice_, plot.color(index), edge, 1.5)
        middle = (ends[index] + ends[index + 1]) / 2
        place = (x + radius * 1.18 * np.cos(middle), y + radius * 1.12 * np.sin(middle))
        plot.labels.append((place, f"{100 * shares[index] / shares.sum():.1f}%", "mm"))
    if happens(rng, 0.35):
        hole = radius * span(rng, 0.4, 0.7)
        plot.sheet.ellipse((x - hole, y - hole, x + hole, y + hole), plot.paper)
    title = " ".join(words.prose(rng, 3))
    plot.labels.append(((plot.size / 2, 4), title, "ma"))


def scatter(rng: np.random.Generator, plot: Plot) -> None:
    """Clouds of dots, rings, squares or crosses."""
    plot.axes(rng)
    for series in range(whole(rng, 1, 4)):
        number = whole(rng, 20, 300)
        spread = np.asarray([plot.width, plot.height]) * span(rng, 0.04, 0.2)
        center = np.asarray([plot.left, plot.top]) + rng.random(2) * [plot.width, plot.height]
        places = center + rng.standard_normal((number, 2)) * spread
        low, high = [plot.left, plot.top], [plot.right, plot.bottom]
        inside = ((places > low) & (places < high)).all(1)
        reach, kind = span(rng, 0.8, 4.5), pick(rng, ("dot", "ring", "square", "cross"))
        color = plot.color(series)
        for x, y in places[inside]:
            box = (x - reach, y - reach, x + reach, y + reach)
            if kind == "square":
                plot.sheet.box(box, color)
            elif kind == "cross":
                plot.sheet.line([box[:2], box[2:]], color)
                plot.sheet.line([(box[0], box[3]), (box[2], box[1])], color)
            else:
                plot.sheet.ellipse(box, color if kind == "dot" else None, color)


def heat(rng: np.random.Generator, size: int, fonts: Fonts) -> Canvas:
    """A matrix of cells or a smooth field in a color map, with axes and a bar of the colors."""
    plot = Plot(rng, size)
    plot.right = size - max(24, size // 8)
    plot.axes(rng)
    cells = pick(rng, (6, 10, 16, 32, 64))
    if happens(rng, 0.5):
        field: Field = cloud(rng, cells, cells, 3, 3)
    else:
        field = rng.random((cells, cells), dtype=np.float32)
    stops = np.asarray(pick(rng, _MAPS), np.float32)
    smooth = Image.Resampling.BICUBIC if happens(rng, 0.3) else Image.Resampling.NEAREST
    canvas = plot.finished(rng, fonts)
    extent = (max(1, plot.width), max(1, plot.height))
    shown = _mapped(field, stops)
    resized = Image.fromarray(shown).resize(extent, smooth)
    canvas.image.paste(resized, (plot.left, plot.top))
    canvas.glyphs.paste(0, (plot.left, plot.top, plot.right, plot.bottom))
    bar = _mapped(np.linspace(1, 0, extent[1], dtype=np.float32)[:, None].repeat(10, 1), stops)
    canvas.put(bar, (plot.right + 5, plot.top))
    pitch = plot.width / cells
    if pitch > 30 and smooth == Image.Resampling.NEAREST:
        font = fonts.font(rng, 9)
        for row in range(cells):
            for column in range(cells):
                place = (
                    plot.left + (column + 0.5) * pitch,
                    plot.top + (row + 0.5) * plot.height / cells,
                )
                level = float(field[row, column])
                ink = BLACK if mean_luma(shown[row : row + 1, column : column + 1]) > 120 else WHITE
                canvas.text(place, f"{level:.2f}", font, ink, anchor="mm")
    return canvas


def _mapped(field: Field, stops: NDArray[np.float32]) -> NDArray[np.uint8]:
    """A field from 0 to 1 in the colors of a map."""
    levels = np.linspace(0, 1, len(stops))
    channels = [np.interp(field, levels, stops[:, c]) for c in range(3)]
    return np.dstack(channels).round().astype(np.uint8)


def diagram(rng: np.random.Generator, plot: Plot) -> None:
    """Boxes, ellipses and diamonds with words, joined by right-angled arrows."""
    step = max(48, plot.size // whole(rng, 3, 6))
    width, centers = span(rng, 1, 2.2), []
    for y in range(step // 2, plot.size, step):
        for x in range(step // 2, plot.size, step):
            if happens(rng, 0.7):
                centers.append((x, y))
    for _ in range(len(centers)):
        start, end = pick(rng, centers), pick(rng, centers)
        plot.sheet.line([start, (end[0], start[1]), end], plot.ink, width)
        way = np.sign(end[1] - start[1])
        y = end[1] - step * 0.25 * way
        head = np.asarray([(end[0], y), (end[0] - 4, y - 8 * way), (end[0] + 4, y - 8 * way)])
        plot.sheet.polygon(head, plot.ink)
    flat = happens(rng, 0.5)
    for x, y in centers:
        fill = plot.paper if flat else blend(plot.paper, plot.color(whole(rng, 0, 5)), 0.5)
        box = (x - step * 0.38, y - step * 0.22, x + step * 0.38, y + step * 0.22)
        kind = pick(rng, ("box", "box", "ellipse", "diamond"))
        if kind == "box":
            plot.sheet.box(box, fill, plot.ink, width)
        elif kind == "ellipse":
            plot.sheet.ellipse(box, fill, plot.ink, width)
        else:
            rim = [(box[0], y), (x, box[1]), (box[2], y), (x, box[3])]
            plot.sheet.polygon(rim, fill, plot.ink, width)
        plot.labels.append(((x, y), words.label(rng)[: max(3, step // 9)], "mm"))


PLOTS = {lines: 0.3, bars: 0.26, pie: 0.13, scatter: 0.15, diagram: 0.16}


def chart(rng: np.random.Generator, size: int, fonts: Fonts) -> Canvas:
    """Any of these charts."""
    kind = weighted(rng, {"plot": 0.78, "heat": 0.1, "land": 0.12})
    if kind == "heat":
        return heat(rng, size, fonts)
    if kind == "land":
        return land(rng, size, fonts)
    plot = Plot(rng, size)
    weighted(rng, PLOTS)(rng, plot)
    return plot.finished(rng, fonts)


def paint(rng: np.random.Generator, size: int, fonts: Fonts) -> NDArray[np.uint8]:
    """A chart, (size, size, 4) uint8 with the mask of its labels."""
    return chart(rng, size, fonts).pixels()
