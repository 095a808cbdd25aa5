"""A picture and a mask -> the screen chunk of a quality, and the picture that is left for the
latent.

Each of the two tools is given what the other one shows as well, for its own transform needs whole
pixels: filled so that it costs little. For the latent the fill goes on smoothly from what it shows
(`image/hidden.py`); for the layer it is one color, the most frequent one of what it shows, whose
blocks take next to nothing, for cells end where the blocks of AV1 do.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields

import numpy as np

from latentpress._typing import Pixels
from latentpress.container import SCREEN, SCREEN_WHOLE
from latentpress.image.hidden import FilledPicture, fill_hidden
from latentpress.image.picture import Picture
from latentpress.screen.layer import pack_pieces
from latentpress.screen.mask import Box, Mask, boxes, grid, pack_mask, pixel_mask
from latentpress.screen.pieces import encode_piece

# (quality, of the AV1 encoder): where both tools are equally good on photographs by LPIPS, which
# is where AV1 has the higher SSIMULACRA 2; toward the ends what leaves text readable, and what
# leaves nothing to be seen.
QUALITIES = ((0, 20), (15, 32), (30, 40), (45, 50), (60, 62), (75, 71), (90, 82), (100, 92))
SAMPLED = 1 << 16  # pixels in which the most frequent color is looked for


def av1_quality(quality: float) -> int:
    """The quality of the AV1 encoder at one of the knob; it rises with it."""
    knob, av1 = np.array(QUALITIES, float).T
    return round(float(np.interp(quality, knob, av1)))


@dataclass(eq=False)
class ScreenLayer:
    """What the layer shows of a picture, to be written at any quality.

    Attributes:
        picture: the whole picture.
        mask: (rows, columns) of cells.
    """

    picture: Picture
    mask: Mask
    _bodies: dict[int, bytes] = field(default_factory=dict)

    @property
    def is_whole(self) -> bool:
        """Whether nothing is left for a latent."""
        return bool(self.mask.all())

    def chunks(self, quality: float) -> dict[int, bytes]:
        """The chunk of the layer at a quality, by its type; it is made once for each quality of the
        AV1 encoder.
        """
        av1 = av1_quality(quality)
        if av1 not in self._bodies:
            found = boxes(self.mask, self.picture.width, self.picture.height)
            pieces = pack_pieces(
                encode_piece(self._pixels(box), av1, gray=self.picture.gray) for box in found
            )
            self._bodies[av1] = pieces if self.is_whole else pack_mask(self.mask) + pieces
        return {SCREEN_WHOLE if self.is_whole else SCREEN: self._bodies[av1]}

    def rest(self) -> Picture | None:
        """The picture for the latent: what the layer shows is filled. None where nothing is
        left.
        """
        if self.is_whole:
            return None
        width, height = self.picture.width, self.picture.height
        shown = pixel_mask(self.mask, Box(0, 0, width, height))
        seen = np.where(shown, np.uint8(0), np.uint8(255))
        if isinstance(self.picture, FilledPicture) and self.picture.alpha is not None:
            seen = np.minimum(seen, self.picture.alpha)
        parts = {f.name: getattr(self.picture, f.name) for f in fields(Picture)}
        return fill_hidden(Picture(**parts | {"alpha": seen}))

    def _pixels(self, box: Box) -> Pixels:
        """The picture in a box, filled where the layer does not show."""
        pixels = self.picture.pixels(box.top, box.bottom, box.left, box.right)
        shown = pixel_mask(self.mask, box)
        if not shown.all():
            pixels[~shown] = _most_frequent(pixels[shown])
        return pixels


def whole_layer(picture: Picture) -> ScreenLayer:
    """The layer that shows all of a picture."""
    return ScreenLayer(picture, np.ones(grid(picture.width, picture.height), bool))


def _most_frequent(colors: Pixels) -> Pixels:
    """Of (n, 3) colors the one that is there most often, among a sample."""
    sample = colors[:: -(-len(colors) // SAMPLED)].astype(np.uint32)
    packed = sample[:, 0] << 16 | sample[:, 1] << 8 | sample[:, 2]
    found, counts = np.unique(packed, return_counts=True)
    color = int(found[counts.argmax()])
    return np.array([color >> 16, color >> 8 & 255, color & 255], np.uint8)
