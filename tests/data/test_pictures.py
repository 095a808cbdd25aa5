"""PictureDataset: shards and folders of .ltp files, in a DataLoader with workers."""

import errno
import io
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import latentpress
from helpers.shards import damaged_png, picture, shard
from latentpress.errors import FormatError, ImageError, UsageError

torch = pytest.importorskip("torch")

from latentpress.data import PictureDataset, Sample  # noqa: E402

PRESSED = [latentpress.compress(picture(i, side=32), quality=60) for i in range(6)]
DECODED = [np.asarray(latentpress.decompress(data)).transpose(2, 0, 1) for data in PRESSED]


def pressed_samples(numbers: range) -> list[tuple[str, bytes]]:
    made = []
    for i in numbers:
        made += [(f"s/{i}.ltp", PRESSED[i]), (f"s/{i}.txt", b"picture %d\n" % i)]
        made += [(f"s/{i}.cls", b"%d" % i), (f"s/{i}.json", b'{"n": %d}' % i)]
    return made


@pytest.fixture
def shards(tmp_path: Path) -> Path:
    (tmp_path / "shards").mkdir()
    (tmp_path / "shards" / "00.tar").write_bytes(shard(pressed_samples(range(4))))
    (tmp_path / "shards" / "01.tar").write_bytes(
        shard([*pressed_samples(range(4, 6)), ("s/9.jpg", picture(9))])
    )
    return tmp_path / "shards"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, data in [*pressed_samples(range(6)), (".hidden/a.ltp", PRESSED[0])]:
        (tmp_path / "folder" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "folder" / name).write_bytes(data)
    return tmp_path / "folder"


def test_a_folder_that_cannot_be_listed_is_told(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    listed = os.scandir

    def refused(path: str) -> Any:
        if os.path.basename(path) == "s":
            raise PermissionError(errno.EACCES, "Permission denied", path)
        return listed(path)

    monkeypatch.setattr("os.scandir", refused)
    (folder / "a.ltp").write_bytes(PRESSED[0])
    with pytest.raises(ImageError, match=r"folder.s: no permission to read it"):
        PictureDataset(folder)


def with_sample(image: Any, sample: Sample) -> Any:
    return image, sample.key, sample.caption, sample.label, sample.metadata["n"]


@pytest.mark.parametrize("kind", ["shards", "folder"])
def test_items_are_the_pictures_with_what_stands_beside_them(
    kind: str, request: pytest.FixtureRequest
) -> None:
    data = PictureDataset(request.getfixturevalue(kind), transform=with_sample)
    assert len(data) == 6
    for i, (image, *rest) in enumerate(data[n] for n in range(6)):
        assert np.array_equal(image, DECODED[i])
        assert rest == [f"s/{i}", f"picture {i}", i, i]
    assert data[-1][1] == "s/5"
    with pytest.raises(IndexError, match="holds 6 pictures; there is no number 6"):
        data[6]


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_workers_give_the_same_batches(shards: Path, method: str) -> None:
    if method not in torch.multiprocessing.get_all_start_methods():
        pytest.skip("processes are not forked here")
    data = PictureDataset(shards, "torchrgb")
    # the models are open here, too
    assert torch.equal(data[0], torch.from_numpy(DECODED[0] / np.float32(255)))
    loader = torch.utils.data.DataLoader(
        data, 2, num_workers=2 if method == "fork" else 1, multiprocessing_context=method
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("warnings.warn", lambda *a, **k: None)  # of forking beside threads
        batches = torch.cat(list(loader))
    assert torch.equal(batches, torch.from_numpy(np.stack(DECODED) / np.float32(255)))


def test_several_sources_another_field_and_none(shards: Path, folder: Path, tmp_path: Path) -> None:
    assert len(PictureDataset([shards / "01.tar", folder])) == 8
    (shards / "._01.tar").write_bytes(b"of macOS")
    assert len(PictureDataset(shards, field="jpg")) == 1
    with pytest.raises(UsageError, match=r"no file with the suffix \.png"):
        PictureDataset(shards, field="png")
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match="no picture in"):
        PictureDataset(tmp_path / "empty")
    with pytest.raises(ImageError, match="no such file"):
        PictureDataset(tmp_path / "missing.tar")


def test_damage_names_the_shard_and_the_picture(shards: Path) -> None:
    path = shards / "00.tar"
    data = bytearray(path.read_bytes())
    data[data.index(PRESSED[1]) + len(PRESSED[1]) // 2] ^= 255
    path.write_bytes(data)
    pictures = PictureDataset(shards)
    assert np.array_equal(pictures[0], DECODED[0])
    with pytest.raises(FormatError, match=r"00\.tar, s/1\.ltp: "):
        pictures[1]
    path.write_bytes(data[: data.index(PRESSED[2]) + 10])
    with pytest.raises(FormatError, match=r"00\.tar: the archive is cut off"):
        PictureDataset(shards)


def test_damage_of_another_format_names_the_shard_and_the_picture(tmp_path: Path) -> None:
    kept = picture(1, "PNG")
    members = [("a.jpg", b"text"), ("b.jpg", kept[:-30]), ("c.jpg", damaged_png())]
    (tmp_path / "0.tar").write_bytes(shard(members))
    data = PictureDataset(tmp_path, field="jpg")
    with pytest.raises(ImageError, match=r"0\.tar, a\.jpg: neither an \.ltp file nor a picture"):
        data[0]
    for n, key in enumerate("bc", 1):
        with pytest.raises(ImageError, match=rf"0\.tar, {key}\.jpg: "):
            data[n]


@pytest.mark.parametrize("name", ["a.ltp", "a.parquet", "a.tar.gz", "a.tgz", "a.zip"])
def test_a_file_that_is_no_shard_is_told_as_one(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(latentpress.compress(picture(1)))
    with pytest.raises(UsageError, match=r"neither a \.tar shard nor a folder"):
        PictureDataset(tmp_path / name)


def test_looking_through_a_shard_reads_its_headers_only(
    shards: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = []

    class Counting(io.FileIO):
        def read(self, size: int | None = -1) -> bytes:
            data = super().read(size)
            read.append(len(data))
            return data

    monkeypatch.setattr(
        "latentpress.data.pictures.open", lambda path, mode: Counting(path), raising=False
    )
    PictureDataset(shards)
    assert sum(read) < os.path.getsize(shards / "00.tar")
    assert max(read) == 512


def test_a_label_is_a_whole_number_or_none() -> None:
    labels = {b"7\n": 7, b"-1": -1, b"": None, b"cat": None, b"--5": None, b"9" * 5000: None}
    for text, label in labels.items():
        assert Sample("a", {"cls": text}).label == label
    assert Sample("a", {}).label is None
    marked = Sample("a", {"txt": "\ufeffa cat".encode(), "json": b'\xef\xbb\xbf{"n": 1}'})
    assert (marked.caption, marked.metadata) == ("a cat", {"n": 1})
