"""`EncodeLatents`: pictures of a batch -> latents."""

from __future__ import annotations

from typing import Any

import numpy as np

from latentpress.errors import UsageError
from latentpress.options import EncodeOptions
from latentpress.ray.batches import Batch
from latentpress.ray.worker import each, share

DTYPES = ("float32", "float16")


class EncodeLatents:
    """Pictures -> latents before quantization: a callable class for
    `ray.data.Dataset.map_batches`, with batch_format "numpy" or "pyarrow".

    The rows get the columns `latent`, an array (C, ceil(H / factor), ceil(W / factor)), `width`,
    `height` and `error`. Of a Stable Diffusion space these are the numbers its diffusion model
    sees. A picture that cannot be read, or that has an error from an earlier step, is a row with a
    sentence in `error` and an empty latent.

    Args:
        column: of the pictures, as of Compress.
        codec: "builtin", "sd15", "sdxl", "sd3" or "flux1": the latent space.
        model: as in EncodeOptions.
        dtype: "float32" or "float16".
        keep: whether the column of the pictures stays.
        device: "auto", "cpu", "cuda" or "mps"; auto is cuda for a worker that has a GPU.

    Raises:
        UsageError: an argument is outside its range, or the column is missing or of another kind.
        WeightsError: weights are missing or do not fit.

    Example:
        >>> import numpy as np
        >>> batch = {"image": np.zeros((2, 48, 64, 3), np.uint8)}
        >>> [latent.shape for latent in EncodeLatents("image")(batch)["latent"]]
        [(320, 3, 4), (320, 3, 4)]
    """

    def __init__(
        self,
        column: str = "bytes",
        *,
        codec: str = "builtin",
        model: str | None = None,
        dtype: str = "float32",
        keep: bool = False,
        device: str = "auto",
    ) -> None:
        from latentpress.parts import load_transform
        from latentpress.runtimes.threads import limited_to

        if dtype not in DTYPES:
            raise UsageError(f"latents are of type {' or '.join(DTYPES)}, not {dtype!r}")
        self.column = column
        self.keep = keep
        self.dtype = np.dtype(dtype)
        self._threads, device = share(device)
        self.options = EncodeOptions(codec=codec, model=model, device=device)
        with limited_to(self._threads):
            load_transform(self.options.space, model, device)

    def __call__(self, batch: Batch) -> Batch:
        """The batch with the latents of its pictures."""
        nothing = np.zeros((self.options.space.channels, 0, 0), self.dtype)
        empty = {"latent": nothing, "width": 0, "height": 0}
        return each(batch, self.column, self._one, empty, self._threads, self.keep)

    def _one(self, value: Any) -> dict[str, Any]:
        from latentpress.codec import encode_latent
        from latentpress.image.picture import read_picture

        asked = self.options
        picture = read_picture(value)
        latent = encode_latent(picture, codec=asked.codec, model=asked.model, device=asked.device)
        return {
            "latent": latent.astype(self.dtype, copy=False),
            "width": picture.width,
            "height": picture.height,
        }
