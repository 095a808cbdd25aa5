"""`Decompress`: .ltp files of a batch -> pictures."""

from __future__ import annotations

import io
from typing import Any

import numpy as np

from latentpress.errors import UsageError
from latentpress.ray.batches import Batch
from latentpress.ray.worker import each, share


class Decompress:
    """.ltp files -> pictures: a callable class for `ray.data.Dataset.map_batches`, with
    batch_format "numpy" or "pyarrow".

    The rows get the columns `image`, `width`, `height` and `error`; `image` is a uint8 array
    (H, W, 3), (H, W, 4), (H, W) or, of gray with alpha, (H, W, 2), or the bytes of an image file.
    A file that cannot be decoded, or that has an error from an earlier step, is a row with a
    sentence in `error` and an empty image.

    Args:
        column: of the files' bytes.
        format: None for arrays, or the suffix of an image file, as "png" or "jpg".
        keep: whether that column stays.
        model: as in `latentpress.decompress`.
        device: "auto", "cpu", "cuda" or "mps"; auto is cuda for a worker that has a GPU.

    Raises:
        UsageError: the format is unknown, or the column is missing or of another kind.

    Example:
        >>> import numpy as np
        >>> from latentpress.ray import Compress
        >>> batch = Compress("image")({"image": np.zeros((2, 48, 64, 3), np.uint8)})
        >>> [image.shape for image in Decompress()(batch)["image"]]
        [(48, 64, 3), (48, 64, 3)]
    """

    def __init__(
        self,
        column: str = "ltp",
        *,
        format: str | None = None,
        keep: bool = False,
        model: str | None = None,
        device: str = "auto",
    ) -> None:
        from latentpress.image.formats import FORMATS

        self.column = column
        self.keep = keep
        self.model = model
        self.suffix = f".{format.lstrip('.')}" if format else ""
        if self.suffix and self.suffix.lower() not in FORMATS:
            raise UsageError(f"unknown format {self.suffix}; known are {' '.join(FORMATS)}")
        self._threads, self.device = share(device)

    def __call__(self, batch: Batch) -> Batch:
        """The batch with the pictures of its files."""
        nothing = b"" if self.suffix else np.zeros((0, 0, 3), np.uint8)
        empty = {"image": nothing, "width": 0, "height": 0}
        return each(batch, self.column, self._one, empty, self._threads, self.keep)

    def _one(self, value: Any) -> dict[str, Any]:
        from latentpress.codec import decoding
        from latentpress.image.streamed import save_decoded

        with decoding(value, model=self.model, device=self.device) as decoded:
            if self.suffix:
                stream = io.BytesIO()
                save_decoded(decoded, stream, f"image{self.suffix}")
                made: Any = stream.getvalue()
            else:
                made = np.asarray(decoded.image())
        return {"image": made, "width": decoded.width, "height": decoded.height}
