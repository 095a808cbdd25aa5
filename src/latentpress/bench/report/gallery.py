"""The gallery of a report: pictures of every codec at matched bytes, differences, close-ups, and
latents.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np
from PIL import Image

from latentpress._typing import Pixels
from latentpress.bench.report.crops import most_different
from latentpress.bench.report.derived import Story
from latentpress.bench.report.embed import data_uri, reduction, shown
from latentpress.bench.report.number_format import kilobytes, share_range
from latentpress.bench.rows import Row, decoded, file_of, original
from latentpress.image.panels import difference, latent_panels
from latentpress.metrics.display import metric_name, number

QUALITY, DIFFERENCE_QUALITY = 90, 30  # WebP's, of the page's own pictures
GAIN = 4  # of the difference pictures
RATES = (0.3, 0.7)  # which of our settings are shown, as a share of their list
BUDGET = 22_000_000  # bytes of the gallery in a page


@dataclass
class Picture:
    """One codec's picture of an image. words: its setting, bytes and metrics. src: data URI. off:
    percent of bytes beside ours.
    """

    codec: str
    label: str
    words: str
    src: str
    difference: str
    off: float


@dataclass
class Crop:
    """A window of the image, losslessly, as each codec has it: sources are (label, data URI), the
    original first.
    """

    left: int
    top: int
    width: int
    height: int
    sources: list[tuple[str, str]]


@dataclass
class Rate:
    """The pictures whose bytes come closest to those of our codec at one setting."""

    title: str
    pictures: list[Picture]
    crops: list[Crop]


@dataclass
class Item:
    """An image of the gallery. src: the original. factor: by which the page reduces it. latents:
    (words, data URI).
    """

    name: str
    width: int
    height: int
    src: str
    factor: int
    rates: list[Rate] = field(default_factory=list)
    latents: list[tuple[str, str]] = field(default_factory=list)

    @property
    def size(self) -> int:
        """Bytes that this item adds to a page."""
        crops = sum(
            len(src) for rate in self.rates for crop in rate.crops for _, src in crop.sources
        )
        pictures = sum(len(p.src) + len(p.difference) for rate in self.rates for p in rate.pictures)
        return len(self.src) + pictures + crops + sum(len(src) for _, src in self.latents)


def gallery(story: Story, count: int, advance: Callable[[], None] = lambda: None) -> list[Item]:
    """`count` of the images that can be shown, evenly from their list, as far as the page's budget
    of bytes goes; advance(): called for each.
    """
    images = showable(story)
    chosen = (
        [images[i * len(images) // count] for i in range(min(count, len(images)))]
        if count < len(images)
        else images
    )
    items: list[Item] = []
    used = 0
    for image in chosen:
        item = _item(story, image)
        used += item.size
        if used > BUDGET and items:
            break
        items.append(item)
        advance()
    return items


def showable(story: Story) -> list[Row]:
    """The run's images of which our codec has a file: all but those that an interrupted run has not
    come to.
    """
    pressed = {row["image"] for row in story.run.rows if row["codec"] in story.ours[:1]}
    return [image for image in story.run.info["images"] if image["name"] in pressed]


def matched(story: Story, image: str) -> Iterator[tuple[Row, list[Row]]]:
    """For each shown setting of our codec: its row, and of every other lossy codec the row whose
    bytes come closest.
    """
    of_image = sorted((r for r in story.run.rows if r["image"] == image), key=lambda r: r["bytes"])
    rows = {c: [r for r in of_image if r["codec"] == c] for c in story.lossy}
    ours = rows[story.ours[0]]
    for i in sorted({round(share * (len(ours) - 1)) for share in RATES}):
        others = [
            min(rows[c], key=lambda r: abs(r["bytes"] - ours[i]["bytes"]))
            for c in story.lossy
            if c != story.ours[0] and rows[c]
        ]
        yield ours[i], others


def _item(story: Story, image: Row) -> Item:
    x = original(story.run, image["name"])
    height, width = x.shape[:2]
    item = Item(image["name"], width, height, data_uri(shown(x), QUALITY), reduction(width, height))
    for ours, others in matched(story, image["name"]):
        pixels = {
            row["codec"]: decoded(story.run, row["codec"], row["setting"], row["image"])
            for row in (ours, *others)
        }
        pictures = [_picture(story, row, ours, x, pixels[row["codec"]]) for row in (ours, *others)]
        windows = most_different(list(pixels.values())) if others else []
        crops = [_crop(story, window, x, [ours, *others], pixels) for window in windows]
        title = f"{kilobytes(ours['bytes'])} ({ours['bpp']:.2f} bpp)"
        item.rates.append(Rate(title, pictures, crops))
        if not item.latents:
            item.latents = list(_latents(story, [ours, *others]))
    return item


def _picture(story: Story, row: Row, ours: Row, x: Pixels, pixels: Pixels) -> Picture:
    off = 100 * (row["bytes"] / ours["bytes"] - 1)
    values = [f"{metric_name(m)} {number(m, row[m])}" for m in story.told if row.get(m) is not None]
    beside = "" if row is ours else f", {off:+.1f} % bytes".replace("-", "−")
    share = row.get("screen_share")
    layer = f", {share_range([share])} of it a screen layer" if share else ""
    words = (
        f"{row['setting']}, {kilobytes(row['bytes'])}, {row['bpp']:.3f} bpp{beside}{layer}: "
        + ", ".join(values)
    )
    apart = difference(Image.fromarray(x), Image.fromarray(pixels), GAIN)
    src = data_uri(shown(pixels), QUALITY)
    difference_src = data_uri(shown(np.asarray(apart)), DIFFERENCE_QUALITY)
    return Picture(row["codec"], story.label(row["codec"]), words, src, difference_src, off)


def _crop(
    story: Story,
    window: tuple[int, int, int, int],
    x: Pixels,
    rows: list[Row],
    pixels: dict[str, Pixels],
) -> Crop:
    left, top, width, height = window
    labels = [f"{story.label(r['codec'])} {r['setting']}, {kilobytes(r['bytes'])}" for r in rows]
    cuts = [
        np.ascontiguousarray(p[top : top + height, left : left + width])
        for p in (x, *pixels.values())
    ]
    return Crop(
        *window,
        [
            (words, data_uri(Image.fromarray(cut)))
            for words, cut in zip(["original", *labels], cuts, strict=True)
        ],
    )


def _latents(story: Story, rows: list[Row]) -> Iterator[tuple[str, str]]:
    """The quantized latents of our codecs' files, those that have one: one gray panel a channel."""
    from latentpress.codec import decode_latent
    from latentpress.container import read_header

    for row in rows:
        codec = story.codecs[row["codec"]]
        if not codec["ours"]:
            continue
        data = file_of(story.run.folder, codec, row["setting"], row["image"]).read_bytes()
        if not read_header(data).has_latent:
            continue
        y = decode_latent(data)
        scale = 1 if y.shape[2] * min(len(y), 12) > 1000 else None
        text = (
            f"{story.label(row['codec'])} {row['setting']}: {len(y)} channels of {y.shape[2]} "
            f"x {y.shape[1]}"
        )
        yield text, data_uri(latent_panels(y, scale=scale))
