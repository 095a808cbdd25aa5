"""webdataset reads shards of .ltp files, and writes what becomes one."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import latentpress
from helpers.shards import picture, samples, shard
from latentpress.collection.members import Change
from latentpress.collection.shards import change_shard
from latentpress.collection.unit import Made
from latentpress.data import Decoder

webdataset = pytest.importorskip("webdataset")
torch = pytest.importorskip("torch")  # which its loader is
# webdataset leaves shards to be closed by the garbage collector
pytestmark = pytest.mark.filterwarnings(
    "ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning"
)


def press(name: str, output: str, data: bytes) -> Made:
    return Made(latentpress.compress(data, quality=60))


@pytest.fixture
def pressed(tmp_path: Path) -> list[str]:
    """Two shards as webdataset's own writer makes them, and pressed."""
    for number in range(2):
        with webdataset.TarWriter(str(tmp_path / f"in{number}.tar")) as writer:
            for i in range(3):
                writer.write(
                    {
                        "__key__": f"{number}/{i}",
                        "jpg": picture(3 * number + i),
                        "cls": i,
                        "txt": "a caption",
                    }
                )
        source, target = tmp_path / f"in{number}.tar", tmp_path / f"out{number}.tar"
        with open(source, "rb") as stream, open(target, "wb") as output:
            assert not any(
                row.error
                for row in change_shard(stream, output, Change(press, frozenset({".jpg"})))
            )
    return [str(tmp_path / f"out{number}.tar") for number in range(2)]


def expected() -> list[Any]:
    return [
        np.asarray(latentpress.decompress(latentpress.compress(picture(i), quality=60)))
        for i in range(6)
    ]


def test_samples_are_decoded(pressed: list[str]) -> None:
    data = (
        webdataset.WebDataset(pressed, shardshuffle=False)
        .decode(Decoder("rgb8"), "rgb8")
        .to_tuple("__key__", "ltp", "cls", "txt")
    )
    found = list(data)
    assert [each[0] for each in found] == [f"{n}/{i}" for n in range(2) for i in range(3)]
    assert all(
        np.array_equal(each[1], image) for each, image in zip(found, expected(), strict=True)
    )
    assert [each[2:] for each in found] == [(i % 3, "a caption") for i in range(6)]


def test_workers_decode(pressed: list[str]) -> None:
    images = expected()  # the models are open in this process, too
    data = (
        webdataset.WebDataset(pressed, shardshuffle=False)
        .decode(Decoder("torchrgb8"))
        .to_tuple("__key__", "ltp")
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("warnings.warn", lambda *a, **k: None)  # of forking beside threads
        found = dict(torch.utils.data.DataLoader(data, batch_size=None, num_workers=2))
    assert len(found) == 6
    for i, image in enumerate(images):
        assert np.array_equal(found[f"{i // 3}/{i % 3}"].numpy().transpose(1, 2, 0), image)


def test_a_picture_that_was_kept_is_still_a_picture(tmp_path: Path) -> None:
    def fails(name: str, output: str, data: bytes) -> Made:
        raise latentpress.ImageError("too hard")

    path = tmp_path / "kept.tar"
    (tmp_path / "in.tar").write_bytes(shard(samples(1)))
    with open(tmp_path / "in.tar", "rb") as stream, open(path, "wb") as output:
        list(change_shard(stream, output, Change(fails, frozenset({".jpg"}))))
    (sample,) = (
        webdataset.WebDataset(str(path), shardshuffle=False)
        .decode(Decoder("rgb8"), "rgb8")
        .rename(image="ltp;jpg")
    )
    assert sample["image"].shape == (16, 16, 3)
