"""What each picture's file is asked to be: of a quality, of a size or rate, or good to a metric."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from latentpress.errors import TargetError
from latentpress.options import QUALITY_UNIT

if TYPE_CHECKING:
    from latentpress.image.picture import Picture
    from latentpress.options import EncodeOptions


@dataclass(frozen=True)
class Request:
    """One of quality, size (bytes), bpp and metric (its name and value). best_effort: the nearest
    file where that is out of reach. smallest: whether a file of a quality is as of
    `Analyzed.smallest`.
    """

    quality: float = 50.0
    size: int | None = None
    bpp: float | None = None
    metric: tuple[str, float] | None = None
    best_effort: bool = False
    smallest: bool = False

    def file(self, picture: Picture, options: EncodeOptions) -> tuple[bytes, list[str]]:
        """The file of a picture, and notices. options: their quality is not looked at.

        Raises:
            TargetError: it is out of reach, and the nearest was not asked for.
        """
        from latentpress import codec, targets

        if self.size is None and self.bpp is None and self.metric is None:
            if self.smallest:
                analyzed = targets.Analyzed(picture, options).smallest()
                return analyzed.optimized(round(self.quality * QUALITY_UNIT)), []
            return codec.compress(picture, options=options, quality=self.quality), []
        analyzed = targets.Analyzed(picture, options)
        try:
            if self.size is not None:
                return targets.to_size(analyzed, self.size), []
            if self.bpp is not None:
                return targets.to_rate(analyzed, self.bpp), []
            assert self.metric is not None
            return targets.to_metric(analyzed, *self.metric), []
        except TargetError as error:
            if not self.best_effort:
                raise
            return error.nearest[0], [str(error)]
