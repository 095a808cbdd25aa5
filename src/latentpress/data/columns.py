"""Columns of pictures of Hugging Face data sets."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from PIL import Image

from latentpress.data.decoder import Decoder
from latentpress.errors import ImageError, LatentpressError, UsageError, prefixed
from latentpress.options import EncodeOptions
from latentpress.system.sources import Named

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from latentpress.options import EncodeFields


HEAD = 5  # rows of a stream by which `datasets` itself tells the kinds of its columns


class ColumnDecoder:
    """Decodes a column of pictures; a transform for `datasets.Dataset.with_transform`.

    Args:
        column: of the pictures: bytes, structs of bytes and a path, or what `datasets` decoded.
        form: as of `Decoder`.
        reduced: as of `Decoder`.
        transform: called with each decoded picture; what it returns takes the picture's place.

    Raises:
        UsageError: the form is not known.

    Example:
        >>> rows = dataset.with_transform(ColumnDecoder("image", "torchrgb8"))  # doctest: +SKIP
    """

    def __init__(
        self,
        column: str = "image",
        form: str = "torchrgb8",
        *,
        reduced: bool = False,
        transform: Callable[[Any], Any] | None = None,
    ) -> None:
        self.column = column
        self.decoder = Decoder(form, reduced=reduced)
        self.transform = transform

    def __call__(self, batch: dict[str, Any]) -> dict[str, Any]:
        """The same rows, the pictures decoded. batch: column -> values, one a row."""
        return {**batch, self.column: [self._one(value) for value in batch[self.column]]}

    def _one(self, value: Any) -> Any:
        if value is None:
            return None
        if isinstance(value, Image.Image):
            picture = self.decoder.convert(value)
        else:
            is_stored = isinstance(value, dict)
            data, path = (value.get("bytes"), value.get("path")) if is_stored else (value, None)
            name = f"column {self.column!r}{f', {path}' if path else ''}"
            if data is None:
                raise ImageError(f"{name}: a picture without bytes")
            try:
                picture = self.decoder.decode(data)
            except LatentpressError as error:
                raise prefixed(name, error) from error
            except OSError as error:  # Pillow's, of another format
                raise ImageError(f"{name}: {error}") from error
        return picture if self.transform is None else self.transform(picture)


def compress_dataset(
    dataset: Any,
    column: str = "image",
    *,
    num_proc: int | None = None,
    errors: str = "raise",
    **fields: Unpack[EncodeFields],
) -> Any:
    """A Hugging Face data set with the pictures of a column as `.ltp` files.

    Args:
        dataset: a `datasets.Dataset`, `DatasetDict`, `IterableDataset` or `IterableDatasetDict`.
        column: of the pictures.
        num_proc: processes; as of `Dataset.map`.
        errors: "raise", or "keep" to keep a picture that fails as it is, with a warning.
        **fields: of EncodeOptions.

    Returns:
        The same rows. Decoded by `datasets`, as before, where latentpress.data was imported.

    Raises:
        ImageError: a picture fails, and errors is "raise".
        UsageError: an option is outside its range, there is no such column, it holds no pictures,
            or `datasets` is not installed.

    Example:
        >>> pressed = compress_dataset(dataset, "image", quality=40)  # doctest: +SKIP
        >>> pressed.to_parquet("pressed.parquet")  # doctest: +SKIP
    """
    try:
        import datasets
    except ImportError as error:
        raise UsageError(
            "Hugging Face data sets need datasets: pip install 'latentpress[data]'"
        ) from error
    if errors not in ("raise", "keep"):
        raise UsageError(f'errors is "raise" or "keep", not {errors!r}')
    press = _Press(column, EncodeOptions(**fields), errors == "keep")
    more = {} if num_proc is None else {"num_proc": num_proc}

    def one(split: Any) -> Any:
        if split.features is None:  # of a stream, as one that was mapped: its first rows tell
            split = split.cast(datasets.Dataset.from_list(list(split.take(HEAD))).features)
        names = split.column_names
        if column not in names:
            raise UsageError(f"there is no column {column!r}: there are {', '.join(names)}")
        try:
            stored = split.cast_column(column, datasets.Image(decode=False))
        except (TypeError, ValueError, NotImplementedError) as error:  # the latter are Arrow's
            raise UsageError(f"the column {column!r} holds no pictures: {error}") from error
        features = stored.features
        if isinstance(split, datasets.IterableDataset):  # which decodes what was cast at last only
            decoded = datasets.Features({**features, column: datasets.Image()})
            return stored.map(press, with_indices=True).cast(decoded)
        pressed = stored.map(press, with_indices=True, features=features, **more)
        return pressed.cast_column(column, datasets.Image())

    if isinstance(dataset, dict):
        return type(dataset)({name: one(split) for name, split in dataset.items()})
    return one(dataset)


class _Press:
    """A row -> its column, pressed."""

    def __init__(self, column: str, options: EncodeOptions, keeps: bool) -> None:
        self.column = column
        self.options = options
        self.keeps = keeps

    def __call__(self, row: dict[str, Any], number: int) -> dict[str, Any]:
        from latentpress.codec import compress

        value = row[self.column]
        if value is None:
            return {}
        data, path = value["bytes"], value["path"]
        label = f"{self.column}[{number}]{f', {path}' if path else ''}"
        try:
            if data is None and path is None:
                raise ImageError(f"{label}: neither bytes nor a path")
            pressed = compress(path if data is None else Named(data, label), options=self.options)
        except UsageError:
            raise
        except LatentpressError as error:
            if not self.keeps:
                raise
            warnings.warn(f"{error}; it is kept as it is", stacklevel=2)
            return {}
        name = None if path is None else os.path.splitext(os.path.basename(path))[0] + ".ltp"
        return {self.column: {"bytes": pressed, "path": name}}
