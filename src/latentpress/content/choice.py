"""The choice of the tool, by measuring: where the features are suspicious, windows of the picture
are coded both ways, and the decoded pixels compared.

1. A picture of a single color is a layer of three bytes. A page, all of it lettering or lines on
   one paper, is a layer if AV1 needs fewer bytes for the part with the most of it. A small picture
   of few colors is one if AV1 needs far fewer.
2. What looks like a screen is one if AV1 needs far fewer bytes there than the latent at an equal
   SSIMULACRA 2; a small part with the many colors of a photograph is not tried. What is left then,
   photographs around a drawing, stays a latent unless AV1 needs far fewer bytes there too, as for
   drawings that were a JPEG, or fewer where the page has more of the screen or lettering in what
   is left, as a map has. Around a small part without it, it stays one.
3. A block of a fine pattern that the latent does not give back is the layer's.
4. A block whose mean color the latent moves is the layer's at the qualities that promise it.
"""

from __future__ import annotations

import numpy as np

from latentpress.content.features import Features, color_share, features, is_lettered, is_written
from latentpress.content.floor import moved_blocks
from latentpress.content.lost import lost_blocks
from latentpress.content.regions import continued, drawn_region, filled
from latentpress.content.trial import Trial
from latentpress.image.picture import Picture
from latentpress.options import EncodeOptions
from latentpress.screen.encoder import PROMISED, ScreenLayer, whole_layer
from latentpress.screen.mask import Mask

FAR_FEWER = 0.75  # share of the latent's bytes: photographs take .85
FEWER = 0.9  # that of pages, which are no photographs
MANY = 0.5  # share of a picture that is a screen, from which on the rest follows it more easily
# Share of a picture: without lettering the rest does not follow a smaller part that looks like a
# screen, and with many colors such a part is none.
SMALL = 0.25
MANY_COLORS = 0.7  # share of the pixels that differ from a neighbor
ICON = 36  # cells of the largest icon
FEW_COLORS, MOST_OF_CELL = 0.4, 0.9  # that share in an icon of many cells, and of one
BAND = 32  # rows
MOSTLY_LOST = 0.2  # share of a picture, from which on all of it follows the blocks that are lost


def chosen_layer(picture: Picture, options: EncodeOptions, highest: float) -> ScreenLayer | None:
    """The layer of a picture; None where a latent serves all of it. highest: quality at which it
    is written.
    """
    if _is_single_color(picture):
        return whole_layer(picture, options.effort)
    found = features(picture)
    trial = Trial(picture, options)
    mask = _screen(trial, found)
    fine = np.where(mask, 0, found.fine)
    if fine.any():
        lost = lost_blocks(trial, fine, MOSTLY_LOST)
        if lost.mean() >= MOSTLY_LOST:
            return whole_layer(picture, options.effort)
        mask = filled(mask | lost)
    floor = None
    if highest >= PROMISED and not mask.all():
        floor = moved_blocks(trial, mask)
    has_floor = floor is not None and floor.any()
    if not mask.any() and not has_floor:
        return None
    return ScreenLayer(picture, mask, floor if has_floor else None, options.effort)


def _screen(trial: Trial, found: Features) -> Mask:
    """The cells that are a screen, after both ways were tried."""
    whole = np.ones_like(found.busy)
    if _is_icon(trial.picture, whole):
        if trial.prefers_layer(whole, found.drawn, FAR_FEWER, is_small=True):
            return whole
    elif is_written(trial.picture, found.busy) and trial.prefers_layer(whole, found.busy, FEWER):
        return whole
    region = drawn_region(found)
    if not region.any():
        return region
    drawn = region & found.drawn
    if region.mean() < SMALL and color_share(trial.picture, drawn) >= MANY_COLORS:
        return np.zeros_like(region)
    if not trial.prefers_layer(region, found.drawn, FAR_FEWER):
        return np.zeros_like(region)
    share = 1.0 if region.mean() >= MANY else FAR_FEWER
    has_rest = region.mean() >= SMALL
    if share == FAR_FEWER and is_lettered(trial.picture, found.busy, ~region):
        share, has_rest = FEWER, True
    if has_rest and not region.all() and trial.prefers_layer(~region, np.zeros_like(region), share):
        return np.ones_like(region)
    return continued(region, trial.picture)


def _is_icon(picture: Picture, whole: Mask) -> bool:
    """Whether a picture is small and has few colors, in which gray ones do not differ. Of those
    within one cell most pixels differ from all others, drawn or not.
    """
    if picture.gray or whole.size > ICON:
        return False
    return color_share(picture, whole) < (MOST_OF_CELL if whole.size == 1 else FEW_COLORS)


def _is_single_color(picture: Picture) -> bool:
    first = picture.pixels(0, 1, 0, 1)
    y, x = picture.height // 2, picture.width // 2
    for row in (picture.pixels(y, y + 1, x, x + 1), picture.pixels(0, 1, 0, picture.width)):
        if not (row == first).all():
            return False
    return all(
        (picture.pixels(top, min(top + BAND, picture.height), 0, picture.width) == first).all()
        for top in range(0, picture.height, BAND)
    )
