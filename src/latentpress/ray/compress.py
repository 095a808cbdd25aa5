"""`Compress`: pictures of a batch -> .ltp files."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from latentpress.options import EncodeOptions
from latentpress.ray.batches import Batch
from latentpress.ray.worker import each, share

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from latentpress.options import EncodeFields


class Compress:
    """Pictures -> .ltp files: a callable class for `ray.data.Dataset.map_batches`, with
    batch_format "numpy" or "pyarrow".

    The rows get the columns `ltp` (the file's bytes), `ltp_bytes`, `source_bytes` (0 of arrays),
    `width`, `height` and `error`. A picture that cannot be read, or that has an error from an
    earlier step, is a row with a sentence in `error`, b"" and zeros. The model is loaded once a
    worker; it runs on as many threads as the worker has CPUs, and on the GPU where it has one.

    Args:
        column: of the pictures: bytes of image files, uint8 arrays (H, W), (H, W, 3) or
            (H, W, 4), paths, or structs with `bytes`.
        keep: whether that column stays.
        options: what the encoder is asked for; None for the defaults of EncodeOptions.
        **fields: fields of EncodeOptions that take the place of those in `options`.

    Raises:
        UsageError: an option is outside its range, or the column is missing or of another kind.
        WeightsError: weights are missing or do not fit.

    Example:
        >>> import numpy as np
        >>> batch = {"image": np.zeros((2, 48, 64, 3), np.uint8)}
        >>> pressed = Compress("image", quality=30)(batch)
        >>> [data[:3] for data in pressed["ltp"]], pressed["width"].tolist()
        ([b'LTP', b'LTP'], [64, 64])
    """

    def __init__(
        self,
        column: str = "bytes",
        *,
        keep: bool = False,
        options: EncodeOptions | None = None,
        **fields: Unpack[EncodeFields],
    ) -> None:
        self.column = column
        self.keep = keep
        asked = replace(options or EncodeOptions(), **fields)
        self._threads, device = share(asked.device)
        self.options = replace(asked, device=device)
        _load(self.options, self._threads)

    def __call__(self, batch: Batch) -> Batch:
        """The batch with the files of its pictures."""
        empty = {"ltp": b"", "ltp_bytes": 0, "source_bytes": 0, "width": 0, "height": 0}
        return each(batch, self.column, self._one, empty, self._threads, self.keep)

    def _one(self, value: Any) -> dict[str, Any]:
        from latentpress.codec import compress
        from latentpress.image.picture import read_picture

        picture = read_picture(value, strict=self.options.strict, strip=self.options.strip)
        data = compress(picture, options=self.options)
        return {
            "ltp": data,
            "ltp_bytes": len(data),
            "source_bytes": len(value) if isinstance(value, bytes) else 0,
            "width": picture.width,
            "height": picture.height,
        }


def _load(options: EncodeOptions, threads: int) -> None:
    """Load the model before the first batch, so that what is missing ends the work there."""
    from latentpress.optimize import check_torch
    from latentpress.parts import load_transform
    from latentpress.runtimes.threads import limited_to

    if options.optimizes_latent:
        check_torch()
    with limited_to(threads):
        load_transform(options.space, options.model, options.device)
