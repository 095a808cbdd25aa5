"""Pictures of data sets for training: `.ltp` files within WebDataset shards, Hugging Face data sets
and folders, decoded while a model trains (docs/guide/training-data.md).

    decoder    Decoder: bytes of a picture -> what a model takes; webdataset's handler
    columns    ColumnDecoder and compress_dataset: columns of pictures of Hugging Face data sets
    pictures   PictureDataset: a torch Dataset over shards and folders

Importing this module makes Pillow read `.ltp` files, by which `datasets` decodes its columns.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import latentpress.pillow  # noqa: F401  which registers itself with Pillow
from latentpress.data.columns import ColumnDecoder, compress_dataset
from latentpress.data.decoder import Decoder

if TYPE_CHECKING:
    from latentpress.data.pictures import PictureDataset, Sample

__all__ = ["ColumnDecoder", "Decoder", "PictureDataset", "Sample", "compress_dataset"]


if not TYPE_CHECKING:  # where every misspelled name would be one

    def __getattr__(name: str) -> Any:
        if name in ("PictureDataset", "Sample"):  # they need torch
            from latentpress.data import pictures

            return getattr(pictures, name)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
