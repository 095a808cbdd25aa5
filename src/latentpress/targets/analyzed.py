"""A picture after stage 2: its latent is kept on disk, to be written at many qualities."""

from __future__ import annotations

from collections.abc import Callable
from copy import copy
from dataclasses import replace
from functools import reduce
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from latentpress import codec as pipeline
from latentpress import container
from latentpress._typing import Pixels
from latentpress.content import screen_layer
from latentpress.entropy import Encoder
from latentpress.image.picture import Picture, Source, put_on_disk
from latentpress.optimize import check_torch
from latentpress.options import QUALITY_UNIT, TOP_STEP, EncodeOptions
from latentpress.parts import parts_of
from latentpress.system.scratch import Kept
from latentpress.targets.size_model import layer_log_sizes, log_sizes
from latentpress.transforms import restoration

if TYPE_CHECKING:
    from latentpress.metrics.registry import Metric


class Analyzed:
    """A picture whose latent is kept in a temporary file, to be written at many qualities.

    Args:
        image: as in `compress`.
        options: as in `compress`; the quality is not looked at.
        keep_pixels: for `optimized` and `measure`, which need them (efforts 7 to 9 keep them
            always).

    Raises:
        ImageError, ConversionError, WeightsError, UsageError: as `compress`.

    Example:
        >>> analyzed = Analyzed("photo.jpg", EncodeOptions(effort=6))  # doctest: +SKIP
        >>> small, large = analyzed.write(1000), analyzed.write(9000)  # doctest: +SKIP
    """

    def __init__(
        self,
        image: Source | Picture,
        options: EncodeOptions | None = None,
        *,
        keep_pixels: bool = True,
    ) -> None:
        self.options = options or EncodeOptions()
        if self.options.optimizes_latent:
            check_torch()
        picture = pipeline.as_picture(image, self.options)
        self.parts = parts_of(self.options.space)
        self.transform = self.parts.transform(self.options.model, self.options.device)
        self.layer = screen_layer(picture, self.options, TOP_STEP / QUALITY_UNIT)
        if self.layer and not keep_pixels:
            self.layer = replace(self.layer, picture=put_on_disk(picture))
        self.rest = self.layer.rest() if self.layer else picture  # what the latent shows
        self.strips = Kept(self.transform.analyze(self.rest) if self.rest else ())
        self.side = pipeline.side_chunks(picture)
        self.outline = picture.outline
        self.pixels = picture.width * picture.height
        self.picture = picture if keep_pixels or self.options.optimizes_latent else None
        if self.picture is None:
            self.rest = None

    def with_options(self, **fields: Any) -> Analyzed:
        """The same latent under other options; fields: of EncodeOptions, but for codec and
        model.
        """
        analyzed = copy(self)
        analyzed.options = replace(self.options, **fields)
        return analyzed

    def smallest(self) -> Analyzed:
        """The same picture without the screen layer that content "auto" gave it, where its file at
        quality 0 is smaller so; else itself.
        """
        if not self.layer or self.options.content != "auto":
            return self
        photograph = Analyzed(
            self.layer.picture,
            replace(self.options, content="photo"),
            keep_pixels=self.picture is not None,
        )
        return min(self, photograph, key=lambda one: len(one.write(0)))

    @property
    def chunk_type(self) -> int:
        """The type of the latent chunk that `write` makes, which for a large picture is
        LATENT_CONTINUED instead of LATENT_MASKED; in the Stable Diffusion spaces the factorized
        prior may take fewer bytes.
        """
        return self.parts.chunk_type(self.options)

    def write(self, step: int) -> bytes:
        """The file at a step of the quality grid, without latent optimization."""
        options = replace(self.options, quality=step / QUALITY_UNIT)
        if self.layer and self.layer.is_whole:
            side = self.side | self.layer.chunks(options.quality)
            return pipeline.write_without_latent(
                self.outline, self.transform, options.quality, side
            )
        grid = options.space.grid(self.outline.width, self.outline.height)
        return self._file(options, self.parts.encoder(options, grid))

    def optimized(self, step: int) -> bytes:
        """The file at a step of the quality grid, with the latent optimization that the effort asks
        for, if any.
        """
        if not self.options.optimizes_latent or (self.layer and self.layer.is_whole):
            return self.write(step)
        if self.rest is None:
            raise ValueError("this picture's pixels were let go")
        options = replace(self.options, quality=step / QUALITY_UNIT)
        return self._file(options, self.parts.optimizer(options, self.rest, self.transform))

    def _file(self, options: EncodeOptions, encoder: Encoder) -> bytes:
        strips = iter(self.strips)
        side = self.side | (self.layer.chunks(options.quality) if self.layer else {})
        return pipeline.write(self.outline, self.transform, strips, options.quality, side, encoder)

    def fixed_bytes(self) -> int:
        """The bytes of a file beside its latent and its layer: header, side chunks."""
        chunks = {self.chunk_type: b"", **restoration.chunks(self.options.space), **self.side}
        width = self.outline.width
        height = self.outline.height
        model_hash = self.transform.model_hash
        return len(container.pack(self.options.space, model_hash, width, height, 0, chunks))

    def log_sizes(self) -> NDArray[np.float64]:
        """The logarithm of the bytes of latent and layer, about, at each step of the quality grid,
        before a file is written.
        """
        sizes = []
        if not (self.layer and self.layer.is_whole):
            sizes.append(log_sizes(self.strips, self.options.space, self.chunk_type))
        if self.layer:
            sizes.append(layer_log_sizes(self.layer))
        return reduce(np.logaddexp, sizes)

    def measure(self, data: bytes, metric: Callable[..., float]) -> float:
        """A metric between the picture and what the file decodes to, in RGB."""
        return metric(self._original(), self._decoded(data))

    def measuring(self, metric: Metric) -> Callable[[bytes], float]:
        """The same of one file after the other: what the metric finds in the picture is computed
        once.
        """
        against = metric.against(self._original())
        return lambda data: against(self._decoded(data))

    def _original(self) -> Pixels:
        if self.picture is None:
            raise ValueError("this picture's pixels were let go")
        return np.asarray(self.picture.image.convert("RGB"))

    def _decoded(self, data: bytes) -> Pixels:
        options = self.options
        decoded = pipeline.decompress(data, model=options.model, device=options.device)
        return np.asarray(decoded.convert("RGB"))
