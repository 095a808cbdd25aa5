"""Columns of pictures of Hugging Face data sets."""

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import latentpress
from helpers.shards import picture
from latentpress.data import ColumnDecoder, compress_dataset
from latentpress.errors import FormatError, ImageError, UsageError

os.environ.setdefault("HF_DATASETS_OFFLINE", "1")
os.environ.setdefault("HF_HUB_OFFLINE", "1")
datasets = pytest.importorskip("datasets")


@pytest.fixture(autouse=True)
def quiet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    datasets.disable_progress_bars()
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")


def made(values: list[Any]) -> Any:
    table = {"image": values, "label": list(range(len(values)))}
    return datasets.Dataset.from_dict(table).cast_column("image", datasets.Image())


def stored(number: int) -> dict[str, Any]:
    return {"bytes": picture(number), "path": f"{number}.jpg"}


def test_a_data_set_there_and_back(tmp_path: Path) -> None:
    pressed = compress_dataset(made([stored(i) for i in range(5)]), quality=60)
    raw = pressed.cast_column("image", datasets.Image(decode=False))
    assert raw[2]["image"] == {
        "bytes": latentpress.compress(picture(2), quality=60),
        "path": "2.ltp",
    }
    assert raw[2]["label"] == 2
    pressed.to_parquet(tmp_path / "a.parquet")
    again = datasets.Dataset.from_parquet(
        str(tmp_path / "a.parquet"), cache_dir=str(tmp_path / "cache")
    )
    image = again[2]["image"]
    assert isinstance(image, Image.Image)
    expected = np.asarray(latentpress.decompress(raw[2]["image"]["bytes"]))
    assert np.array_equal(np.asarray(image), expected)
    for data in (again, again.cast_column("image", datasets.Image(decode=False))):
        row = data.with_transform(ColumnDecoder("image", "rgb8", transform=np.flipud))[2]
        assert np.array_equal(np.flipud(row["image"]), expected)
        assert row["label"] == 2


def test_missing_and_broken_pictures() -> None:
    data = made([stored(0), None, {"bytes": b"broken", "path": "b.jpg"}])
    with pytest.raises(ImageError, match=r"^image\[2\], b\.jpg: not an image"):
        compress_dataset(data, quality=60)
    with pytest.raises(ImageError, match=r"^image\[2\], b\.jpg: not an image"):
        list(compress_dataset(data.to_iterable_dataset(), quality=60))
    with pytest.warns(UserWarning, match=r"^image\[2\], b\.jpg: .*; it is kept as it is"):
        pressed = compress_dataset(data, quality=60, errors="keep")
    raw = pressed.cast_column("image", datasets.Image(decode=False))
    assert raw[0]["image"]["path"] == "0.ltp"
    assert raw[1]["image"] is None
    assert raw[2]["image"] == {"bytes": b"broken", "path": "b.jpg"}
    with pytest.raises(UsageError, match="raise"):
        compress_dataset(data, errors="ignore")


def test_a_damaged_picture_is_named_where_it_is_decoded() -> None:
    data = [stored(0), {"bytes": latentpress.compress(picture(1))[:-9], "path": "b.ltp"}]
    rows = made(data).cast_column("image", datasets.Image(decode=False))
    rows = rows.with_transform(ColumnDecoder("image", "rgb8"))
    with pytest.raises(FormatError, match=r"^column 'image', b\.ltp: "):
        rows[1]
    with pytest.raises(ImageError, match=r"^column 'image': neither an \.ltp file nor a picture"):
        ColumnDecoder("image")({"image": [b"broken"]})


def test_a_column_that_holds_no_pictures() -> None:
    with pytest.raises(UsageError, match="the column 'label' holds no pictures: "):
        compress_dataset(made([stored(0)]), "label")


def test_a_stream_of_rows() -> None:
    stream = made([stored(i) for i in range(3)]).to_iterable_dataset()
    pressed = compress_dataset(stream, quality=60)
    images = [row["image"] for row in pressed]
    assert all(isinstance(image, Image.Image) for image in images)
    expected = latentpress.decompress(latentpress.compress(picture(1), quality=60))
    assert np.array_equal(np.asarray(images[1]), np.asarray(expected))


def test_a_stream_that_does_not_know_its_columns_yet() -> None:
    stream = made([stored(i) for i in range(3)]).to_iterable_dataset().map(lambda row: row)
    assert stream.features is None
    rows = list(compress_dataset(stream, quality=60))
    assert [row["label"] for row in rows] == [0, 1, 2]
    assert [row["image"].format for row in rows] == ["LTP"] * 3
    with pytest.raises(UsageError, match="no column 'img': there are image, label"):
        compress_dataset(stream, "img")


def test_processes_press_and_workers_decode() -> None:
    torch = pytest.importorskip("torch")
    latentpress.decompress(latentpress.compress(picture(1)))  # the models are open in this process
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("warnings.warn", lambda *a, **k: None)  # of forking beside threads
        pressed = compress_dataset(made([stored(i) for i in range(4)]), quality=60, num_proc=2)
        rows = pressed.with_transform(ColumnDecoder("image"))
        batches = list(torch.utils.data.DataLoader(rows, 2, num_workers=2))
    assert torch.cat([batch["label"] for batch in batches]).tolist() == [0, 1, 2, 3]
    expected = latentpress.decompress(latentpress.compress(picture(3), quality=60))
    assert np.array_equal(batches[1]["image"][1].numpy().transpose(1, 2, 0), np.asarray(expected))


def test_the_splits_of_a_dictionary() -> None:
    splits = datasets.DatasetDict(
        {"train": made([stored(0), stored(1)]), "test": made([stored(2)])}
    )
    pressed = compress_dataset(splits, quality=60)
    assert isinstance(pressed, datasets.DatasetDict)
    raw = pressed["test"].cast_column("image", datasets.Image(decode=False))
    assert raw[0]["image"]["bytes"] == latentpress.compress(picture(2), quality=60)


@pytest.mark.parametrize("is_stream", [False, True])
def test_a_column_that_is_not_there(is_stream: bool) -> None:
    table = made([stored(0)])
    with pytest.raises(UsageError, match="no column 'img': there are image, label"):
        compress_dataset(table.to_iterable_dataset() if is_stream else table, "img")
