"""Which tool codes which part of a picture: the latent, or the screen layer.

features.py  what a look at the pixels says of each cell, for photographs in little time
trial.py     windows of the picture, coded both ways
"""

from __future__ import annotations

from latentpress.image.picture import Picture
from latentpress.options import EncodeOptions
from latentpress.screen.encoder import ScreenLayer, whole_layer
from latentpress.spaces import LP1


def screen_layer(picture: Picture, options: EncodeOptions) -> ScreenLayer | None:
    """The layer of a picture as it is analyzed; None where all of it is a latent.

    It does not depend on the quality, so that sizes rise with it.
    """
    if options.content == "photo" or options.space != LP1:
        return None
    if options.content == "screen":
        return whole_layer(picture)
    from latentpress.content.choice import chosen_layer

    return chosen_layer(picture, options)
