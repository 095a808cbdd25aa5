"""A picture and a mask -> the screen chunk of a quality, and the picture that is left for the
latent.

Each of the two tools needs whole pixels for its own transform, so what the other one shows is
filled: from what it shows itself, smoothly (`image/hidden.py`), so that the fill costs little and
that no filter or transform carries an edge over the border.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields

import numpy as np

from latentpress.container import SCREEN, SCREEN_WHOLE
from latentpress.image.hidden import FilledPicture, fill_hidden
from latentpress.image.picture import Picture
from latentpress.screen.layer import pack_pieces
from latentpress.screen.mask import Box, Mask, boxes, grid, pack_mask, pixel_mask
from latentpress.screen.pieces import PATIENT, SPEED, encode_piece

# (quality, of the AV1 encoder): where both tools are equally good on photographs by LPIPS, which
# is where AV1 has the higher SSIMULACRA 2; toward the ends what leaves text readable, and what
# leaves nothing to be seen.
QUALITIES = ((0, 20), (15, 32), (30, 40), (45, 50), (60, 62), (75, 71), (90, 82), (100, 92))
# from which on the AV1 encoder takes five times as long, for a tenth fewer bytes of an equal look
PATIENT_EFFORT = 4
PROMISED = 90.0  # quality from which on a layer keeps what the latent would lose of a photograph


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
        floor: cells that it shows too from the promised quality on, of the same shape. The latent
            holds them nevertheless, so that files grow with the quality.
        effort: as of EncodeOptions.
    """

    picture: Picture
    mask: Mask
    floor: Mask | None = None
    effort: int = 0
    _bodies: dict[tuple[int, bool], bytes] = field(default_factory=dict)

    @property
    def is_whole(self) -> bool:
        """Whether nothing is left for a latent."""
        return bool(self.mask.all())

    def chunks(self, quality: float) -> dict[int, bytes]:
        """The chunk of the layer at a quality, by its type; none where it shows nothing there. It
        is made once for each quality of the AV1 encoder.
        """
        has_floor = self.floor is not None and quality >= PROMISED
        mask = self.mask | self.floor if self.floor is not None and has_floor else self.mask
        if not mask.any():
            return {}
        key = av1_quality(quality), has_floor
        if key not in self._bodies:
            speed = SPEED if self.effort < PATIENT_EFFORT else PATIENT
            shown = self.picture if mask.all() else _only(self.picture, mask)
            pieces = pack_pieces(
                encode_piece(
                    shown.pixels(box.top, box.bottom, box.left, box.right),
                    key[0],
                    gray=self.picture.gray,
                    speed=speed,
                )
                for box in boxes(mask, self.picture.width, self.picture.height)
            )
            self._bodies[key] = pieces if self.is_whole else pack_mask(mask) + pieces
        return {SCREEN_WHOLE if self.is_whole else SCREEN: self._bodies[key]}

    def rest(self) -> Picture | None:
        """The picture for the latent: what the layer shows is filled. None where nothing is
        left.
        """
        if self.is_whole:
            return None
        return _only(self.picture, ~self.mask) if self.mask.any() else self.picture


def whole_layer(picture: Picture, effort: int) -> ScreenLayer:
    """The layer that shows all of a picture."""
    mask = np.ones(grid(picture.width, picture.height), bool)
    return ScreenLayer(picture, mask, effort=effort)


def _only(picture: Picture, mask: Mask) -> Picture:
    """The picture with all other cells than those of a mask filled, as hidden colors are."""
    width, height = picture.width, picture.height
    shown = pixel_mask(mask, Box(0, 0, width, height))
    seen = np.where(shown, np.uint8(255), np.uint8(0))
    if isinstance(picture, FilledPicture) and picture.alpha is not None:
        seen = np.minimum(seen, picture.alpha)
    parts = {f.name: getattr(picture, f.name) for f in fields(Picture)}
    return fill_hidden(Picture(**parts | {"alpha": seen}))
