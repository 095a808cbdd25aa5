"""The pictures of a run: folders, public sets verified by their samples, and what is refused."""

import io
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from helpers.paths import DATA
from helpers.shards import damaged_png
from latentpress.bench import datasets, download
from latentpress.bench.checksums import sha256_of_pixels
from latentpress.bench.cli_arguments import command
from latentpress.bench.datasets import SETS, find_dataset, find_sources, locate, read_pixels
from latentpress.errors import ImageError, UsageError

needs_shared = pytest.mark.skipif(
    not (DATA / "kodak").is_dir(), reason="needs the public data sets beside the project"
)


@pytest.fixture
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(datasets, "cache_folder", lambda name: tmp_path / "cache")
    monkeypatch.delenv("LATENTPRESS_DATA", raising=False)
    return tmp_path / "cache"


@pytest.fixture
def tiny_set(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The set "kodak" made of two small pictures: (file name -> pixels)."""
    pictures = {f"kodim0{i}.png": np.full((4, 6, 3), 40 * i, np.uint8) for i in (1, 2)}
    monkeypatch.setitem(
        SETS, "kodak", {name: sha256_of_pixels(pixels) for name, pixels in pictures.items()}
    )
    return pictures


def png(pixels: Any) -> Any:
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG")
    return stream.getvalue()


@needs_shared
@pytest.mark.parametrize("name", list(SETS))
def test_the_public_sets_are_those_beside_the_project(
    name: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("LATENTPRESS_DATA", str(DATA))
    label, sources = find_sources([], name, tmp_path)
    assert label == name
    assert len(sources) == {"kodak": 24, "science-fair": 5}[name]
    assert {(s.width, s.height) for s in sources} <= {(768, 512), (512, 768), (512, 512)}
    assert all(s.file == s.path.name for s in sources)
    assert locate(name, sources[0].file, tmp_path) == sources[0].path


def test_a_set_is_fetched_once_and_kept(
    empty_cache: Any, tiny_set: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []
    monkeypatch.setattr(
        download, "download", lambda url: asked.append(url) or png(tiny_set[url.rpartition("/")[2]])
    )
    assert find_dataset("kodak") == empty_cache / "kodak"
    assert len(asked) == 2
    assert asked[0].startswith("https://r0k.us/")
    assert find_dataset("kodak") == empty_cache / "kodak"
    assert len(asked) == 2
    for name, pixels in tiny_set.items():
        assert np.array_equal(read_pixels(empty_cache / "kodak" / name), pixels)


def test_the_study_is_cut_from_its_own_comparisons(
    empty_cache: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    photographs = [np.random.default_rng(i).integers(0, 256, (8, 8, 3), np.uint8) for i in range(2)]
    monkeypatch.setitem(
        SETS,
        "science-fair",
        {f"original_0{i + 1}.png": sha256_of_pixels(p) for i, p in enumerate(photographs)},
    )
    served = [
        np.hstack([photographs[1], 255 - photographs[1]]),
        np.hstack([photographs[0], photographs[0]]),
    ]
    monkeypatch.setattr(download, "download", lambda url: png(served[int(url[-6:-4]) - 1]))
    folder = find_dataset("science-fair")
    assert all(
        np.array_equal(read_pixels(folder / f"original_0{i + 1}.png"), p)
        for i, p in enumerate(photographs)
    )


def test_another_picture_than_the_published_one_is_refused(
    empty_cache: Any, tiny_set: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(download, "download", lambda url: png(np.zeros((4, 6, 3), np.uint8)))
    with pytest.raises(ImageError, match="is another picture than it was"):
        find_dataset("kodak")
    (empty_cache / "kodak").mkdir(parents=True)
    for name in tiny_set:
        (empty_cache / "kodak" / name).write_bytes(png(np.zeros((4, 6, 3), np.uint8)))
    with pytest.raises(ImageError, match="is not the picture of the data set kodak"):
        find_dataset("kodak")


def test_without_a_network_it_is_said_what_to_do(
    empty_cache: Any, tiny_set: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unreachable(url: Any) -> None:
        raise OSError("no route to host")

    monkeypatch.setattr(download, "download", unreachable)
    with pytest.raises(
        ImageError, match=r"could not be fetched \(no route to host\).*LATENTPRESS_DATA"
    ):
        find_dataset("kodak")


def test_the_cache_is_the_users(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path))
    assert datasets.cache_folder("datasets") == tmp_path / "latentpress" / "datasets"


def test_folders_and_files(tmp_path: Path, small: NDArray[np.uint8]) -> None:
    (tmp_path / "in").mkdir()
    for name in ("b.png", "a.bmp"):
        Image.fromarray(small).save(tmp_path / "in" / name)
    for name in ("notes.txt", "notes.pdf", "film.mpg"):  # Pillow has suffixes that it cannot read
        (tmp_path / "in" / name).write_text("no picture")
    (tmp_path / "in" / "._b.png").write_text("of macOS")
    label, sources = find_sources([tmp_path / "in"], None, tmp_path / "run")
    assert label == "in"
    assert [(s.name, s.file) for s in sources] == [("a", "../in/a.bmp"), ("b", "../in/b.png")]
    assert locate(label, sources[0].file, tmp_path / "run") == tmp_path / "in" / "a.bmp"
    sources[0].path.unlink()
    with pytest.raises(ImageError, match="is gone"):
        locate(label, sources[0].file, tmp_path / "run")


def test_a_name_that_is_no_text_is_refused_before_the_run(
    tmp_path: Path, small: NDArray[np.uint8]
) -> None:
    odd = tmp_path / os.fsdecode(b"a\xff.png")
    try:
        with odd.open("wb") as stream:
            Image.fromarray(small).save(stream, "PNG")
    except OSError:
        pytest.skip("this file system takes only names that are text")
    with pytest.raises(UsageError, match="must be text"):
        find_sources([odd], None, tmp_path / "run")
    assert command(["bench", str(odd)]) == "latentpress bench 'a\\xff.png'"


def test_sources_that_do_not_fit(tmp_path: Path, small: NDArray[np.uint8]) -> None:
    Image.fromarray(small).save(tmp_path / "a.png")
    Image.fromarray(small).save(tmp_path / "a.bmp")
    (tmp_path / "empty").mkdir()
    for images, dataset, match in (
        ([], None, "name image files"),
        ([tmp_path], "kodak", "name image files"),
        ([tmp_path], None, "two pictures are called a"),
        ([tmp_path / "empty"], None, "holds no pictures"),
        ([], "lena", "unknown data set"),
    ):
        with pytest.raises(UsageError, match=match):
            find_sources(images, dataset, tmp_path)


def test_pictures_that_would_lose_something_are_refused(
    tmp_path: Path, small: NDArray[np.uint8]
) -> None:
    for mode in ("RGBA", "CMYK", "I;16"):
        image = (
            Image.new("I;16", (8, 8)) if mode == "I;16" else Image.fromarray(small).convert(mode)
        )
        image.save(tmp_path / "x.tif")
        with pytest.raises(ImageError, match=mode):
            read_pixels(tmp_path / "x.tif")
    Image.fromarray(small).convert("L").save(tmp_path / "gray.png")
    assert read_pixels(tmp_path / "gray.png").shape == small.shape
    for data in (b"\x89PNG", damaged_png()):
        (tmp_path / "broken.png").write_bytes(data)
        with pytest.raises(ImageError, match=r"broken\.png"):
            read_pixels(tmp_path / "broken.png")
