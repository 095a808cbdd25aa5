"""Which tool codes which part of a picture: the latent, or the screen layer.

features.py  what a look at the pixels says of each cell, for photographs in little time
trial.py     windows of the picture, coded both ways
lost.py      blocks of fine patterns that the latent does not give back
floor.py     blocks whose mean color it moves
choice.py    what these say together
"""

from __future__ import annotations

from latentpress.image.picture import Picture
from latentpress.options import EncodeOptions
from latentpress.screen.encoder import ScreenLayer, whole_layer
from latentpress.spaces import LP1


def screen_layer(
    picture: Picture, options: EncodeOptions, highest: float | None = None
) -> ScreenLayer | None:
    """The layer of a picture as it is analyzed; None where all of it is a latent.

    What it shows grows with the quality, and what the latent shows does not depend on it, so that
    sizes rise. highest: quality at which the layer is written; None for that of the options.
    """
    if options.content == "photo" or options.space != LP1:
        return None
    if options.content == "screen":
        return whole_layer(picture, options.effort)
    from latentpress.content.choice import chosen_layer

    return chosen_layer(picture, options, options.quality if highest is None else highest)
