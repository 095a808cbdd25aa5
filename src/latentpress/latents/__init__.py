"""Latents as data: many latents in one .ltps file, as small and as exact as asked for
(docs/guide/latents.md).

>>> from latentpress import latents
>>> latents.save(y, "set.ltps", space="sd15", rmse=0.02)  # doctest: +SKIP
>>> y_hat = latents.load("set.ltps")  # doctest: +SKIP
>>> with latents.Reader("set.ltps") as reader:  # doctest: +SKIP
...     y = reader[123]
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from latentpress.errors import UsageError
from latentpress.latents.reader import Reader
from latentpress.latents.record import Info
from latentpress.latents.shards import ShardWriter
from latentpress.latents.writer import Writer

if TYPE_CHECKING:
    from latentpress.latents.dataset import LatentDataset

__all__ = [
    "Info",
    "LatentDataset",
    "Reader",
    "ShardWriter",
    "Writer",
    "load",
    "save",
    "with_metadata",
]


def with_metadata(latent: Any, info: Info) -> tuple[Any, dict[str, Any]]:
    """A transform of LatentDataset: each item is the latent and its metadata.

    Args:
        latent: (C, H, W).
        info: what its record says.

    Returns:
        The latent as it is, and a dictionary.

    Example:
        >>> data = LatentDataset("latents/", transform=with_metadata)  # doctest: +SKIP
    """
    return latent, info.metadata


def save(
    latents: Any,
    file: str | os.PathLike[str],
    *,
    space: str | None = None,
    max_error: float | None = None,
    rmse: float | None = None,
    quality: float | None = None,
    lossless: bool = False,
    names: Sequence[str] | None = None,
    metadata: Sequence[dict[str, Any]] | None = None,
    overwrite: bool = False,
) -> int:
    """Latents -> a .ltps file.

    Exactly one of max_error, rmse, quality and lossless says how exact they are kept.

    Args:
        latents: a NumPy array or a torch tensor (N, C, H, W) or (C, H, W), or an iterable of
            (C, H, W) of any sizes; float32, float16 or (torch) bfloat16.
        file: the path to write, whole or not at all.
        space: "sd15", "sdxl", "sd3" or "flux1": the numbers its diffusion model sees,
            (raw - shift) x scaling; None or "raw": any numbers.
        max_error: in the latent's unit, kept for every number in the type it is given back in.
        rmse: root of the mean squared error of each latent, in the latent's unit, met from below.
        quality: 0 to 100, the step of a .ltp file of the space.
        lossless: the same bits come back.
        names: one a latent.
        metadata: JSON objects, one a latent.
        overwrite: replace a file that is there.

    Returns:
        The bytes of the file's records.

    Raises:
        UsageError: NaN or infinity without lossless, another type or shape, contradicting
            arguments.
        OutputError: the file exists already or cannot be written.

    Example:
        >>> import numpy as np, tempfile, os
        >>> y = np.zeros((2, 4, 8, 8), np.float32)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     size = save(y, os.path.join(folder, "set.ltps"), space="sd15", rmse=0.02)
        ...     load(os.path.join(folder, "set.ltps")).shape
        (2, 4, 8, 8)
    """
    many: Any = _listed(latents)
    if names is not None or metadata is not None:
        many = list(many)
    for label, values in (("names", names), ("metadata", metadata)):
        if values is not None and len(values) != len(many):
            raise UsageError(
                f"{label} must be one for each latent: {len(values)} were given for {len(many)}"
            )
    total = 0
    with Writer(
        file,
        space=space,
        max_error=max_error,
        rmse=rmse,
        quality=quality,
        lossless=lossless,
        overwrite=overwrite,
    ) as writer:
        for i, latent in enumerate(many):
            total += writer.add(
                latent,
                name="" if names is None else names[i],
                metadata=None if metadata is None else metadata[i],
            )
    return total


def load(file: str | os.PathLike[str], *, torch: bool = False) -> Any:
    """All latents of a .ltps file.

    Args:
        file: a path.
        torch: tensors instead of NumPy arrays, without a copy; bfloat16 comes as bfloat16.

    Returns:
        (N, C, H, W) where all have one shape and type, else a list of (C, H, W); float32 or float16
        as they were saved, bfloat16 as float32.

    Raises:
        FormatError: the bytes are no valid file.
        ImageError: the file cannot be read.

    Example:
        >>> y_hat = load("set.ltps")  # doctest: +SKIP
    """
    import numpy as np

    with Reader(file) as reader:
        records = [reader.read(n) for n in range(len(reader))]
    kinds = {(info.shape, info.dtype) for _, info in records}
    arrays = [array for array, _ in records]
    if len(kinds) != 1:
        return [_tensor(array, info) for array, info in records] if torch else arrays
    stacked = arrays[0][None] if len(arrays) == 1 else np.stack(arrays)
    return _tensor(stacked, records[0][1]) if torch else stacked


def _tensor(array: Any, info: Info) -> Any:
    from latentpress.latents.dtypes import NAMES, to_torch

    return to_torch(array, next(kind for kind, name in NAMES.items() if name == info.dtype))


def _listed(latents: Any) -> Iterable[Any]:
    """What `save` takes as something to iterate over latents (C, H, W)."""
    if not hasattr(latents, "ndim"):
        listed: Iterable[Any] = latents
        return listed
    if latents.ndim not in (3, 4):
        raise UsageError(
            f"latents have the shape (N, C, H, W) or (C, H, W), not {tuple(latents.shape)}"
        )
    return [latents] if latents.ndim == 3 else latents


if not TYPE_CHECKING:  # where every misspelled name would be one

    def __getattr__(name: str) -> Any:
        if name == "LatentDataset":  # it needs torch
            from latentpress.latents.dataset import LatentDataset

            return LatentDataset
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
