"""Small pictures: their sizes, how near they are to the whole ones, and what they do not run."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageCms

import latentpress
import latentpress.pillow
from helpers.commands import fails, run
from helpers.paths import WEIGHTS
from latentpress import models, thumbnails
from latentpress.spaces import LP1
from latentpress.transforms import lp1_quarter


def psnr(a: Image.Image, b: Image.Image) -> float:
    difference = np.asarray(a, np.float64) - np.asarray(b, np.float64)
    return float(10 * np.log10(255**2 / np.mean(difference**2)))


@pytest.fixture(scope="module")
def pressed(photo: NDArray[np.uint8]) -> bytes:
    return latentpress.compress(photo, quality=60)


@pytest.fixture
def no_synthesis(monkeypatch: pytest.MonkeyPatch) -> None:
    run_graph = models.run

    def run_but_synthesis(space: str, name: str, *arguments: Any, **keywords: Any) -> Any:
        assert "synthesis" not in name
        return run_graph(space, name, *arguments, **keywords)

    monkeypatch.setattr(models, "run", run_but_synthesis)


@pytest.mark.parametrize("quality", [10, 60, 95])
def test_a_quarter_is_near_the_whole_picture_reduced(
    photo: NDArray[np.uint8], quality: int
) -> None:
    data = latentpress.compress(photo, quality=quality)
    whole = latentpress.decompress(data)
    small = thumbnails.decompress_quarter(data)
    assert small.size == whole.reduce(4).size
    assert psnr(small, whole.reduce(4)) > 31
    nearest = whole.resize(small.size, Image.Resampling.NEAREST)  # what shrinking badly would give
    assert psnr(small, whole.reduce(4)) > psnr(nearest, whole.reduce(4)) + 3


@pytest.mark.usefixtures("no_synthesis")
@pytest.mark.parametrize("size", [(1, 1), (3, 5), (16, 17), (33, 2), (400, 300), (71, 1100)])
def test_any_size_without_the_synthesis(size: tuple[int, int]) -> None:
    image = Image.new("RGB", size, (200, 100, 50))
    small = thumbnails.decompress_quarter(latentpress.compress(image))
    assert small.size == (-(-size[0] // 4), -(-size[1] // 4))
    assert np.abs(np.asarray(small, int).mean((0, 1)) - (200, 100, 50)).max() < 16


def test_strips_do_not_show(photo: NDArray[np.uint8]) -> None:
    y = latentpress.codec.decode_latent(latentpress.compress(photo))  # 19 rows
    twice = np.concatenate([y] * 8, axis=1)[:, :140]
    height, width = 16 * 140, photo.shape[1]
    in_strips = np.concatenate(
        list(
            lp1_quarter.synthesize_quarter(
                (twice[:, i : i + 64] for i in (0, 64, 128)), width, height
            )
        )
    )
    weights = {
        name: a.astype(np.float32) for name, a in models.arrays(LP1.name, lp1_quarter.FILE).items()
    }
    cells = (
        lp1_quarter.cells_of(np.tensordot(weights["project"], twice, 1), weights["taps"])
        + weights["bias"]
    )
    at_once = (
        np.rint(cells.clip(0, 255))
        .reshape(140, -1, 4, 4, 3)
        .swapaxes(1, 2)
        .reshape(560, -1, 3)[:, : width // 4]
    )
    assert np.abs(in_strips.astype(int) - at_once).max() <= 1


@pytest.mark.parametrize("mode", ["L", "LA", "RGBA"])
def test_modes_and_metadata_stay(photo: NDArray[np.uint8], mode: str) -> None:
    image = Image.fromarray(photo).convert(mode)
    if "A" in mode:
        image.putalpha(Image.linear_gradient("L").resize(image.size))
    image.info = {"xmp": b"<x/>"}
    small = thumbnails.decompress_quarter(latentpress.compress(image))
    assert (small.mode, small.info["xmp"]) == (mode, b"<x/>")
    if "A" in mode:
        assert small.getchannel("A").tobytes() == image.getchannel("A").reduce(4).tobytes()
    else:
        assert psnr(small, image.reduce(4)) > 24


@pytest.mark.parametrize(
    ("size", "expected"),
    [(64, (64, 48)), (100, (100, 75)), (101, (101, 76)), (256, (256, 192)), (999, (400, 300))],
)
def test_a_thumbnail_fits_and_is_never_enlarged(
    pressed: bytes, size: int, expected: tuple[int, int]
) -> None:
    assert thumbnails.thumbnail(pressed, size).size == expected


@pytest.mark.usefixtures("no_synthesis")
def test_a_quarter_is_used_where_it_is_enough(pressed: bytes) -> None:
    assert thumbnails.thumbnail(pressed, 100).size == (100, 75)


def test_a_thumbnail_is_in_srgb_and_bare(photo: NDArray[np.uint8]) -> None:
    image = Image.fromarray(photo)
    # a profile in which red and blue have changed places
    swapped = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    red, blue = swapped.index(b"rXYZ", 128), swapped.index(b"bXYZ", 128)
    swapped[red : red + 4], swapped[blue : blue + 4] = b"bXYZ", b"rXYZ"
    image.info = {"icc_profile": bytes(swapped), "xmp": b"<x/>"}
    small = thumbnails.thumbnail(latentpress.compress(image), 100)
    assert small.info == {}
    plain = np.asarray(thumbnails.thumbnail(latentpress.compress(photo), 100), int)
    assert np.abs(np.asarray(small, int) - plain[..., ::-1]).mean() < 6


def test_what_is_damaged_is_refused(pressed: bytes) -> None:
    damaged = bytearray(pressed)
    damaged[len(damaged) // 2] ^= 1
    with pytest.raises(latentpress.FormatError):
        thumbnails.thumbnail(bytes(damaged), 64)
    with pytest.raises(latentpress.UsageError):
        thumbnails.thumbnail(pressed, 0)
    for size in (64, 256):  # a quarter, the whole picture
        with pytest.raises(latentpress.UsageError, match="tpu"):
            thumbnails.thumbnail(pressed, size, device="tpu")


def test_a_map_of_another_model_is_not_used(
    pressed: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert lp1_quarter.is_shipped()
    other = models.arrays(LP1.name, lp1_quarter.FILE) | {"model_hash": np.zeros(4, np.uint8)}
    monkeypatch.setattr(models, "arrays", lambda space, name: other)
    assert not lp1_quarter.is_shipped()
    monkeypatch.undo()
    monkeypatch.setattr(thumbnails, "is_shipped", lambda: False)
    whole = latentpress.decompress(pressed)
    assert thumbnails.decompress_quarter(pressed).tobytes() == whole.reduce(4).tobytes()


def test_pillow_drafts_a_quarter(pressed: bytes) -> None:
    quarter = thumbnails.decompress_quarter(pressed)
    with Image.open(io.BytesIO(pressed)) as opened:
        assert opened.draft(None, (101, 75)) is None
        assert opened.draft("RGB", (100, 75)) == ("RGB", (0, 0, 100, 75))
        assert opened.draft("RGB", (10, 10)) is None  # it is a draft already
        assert opened.size == (100, 75)
        assert opened.tobytes() == quarter.tobytes()


@pytest.mark.usefixtures("no_synthesis")
def test_pillows_thumbnail_takes_the_draft_where_it_is_twice_as_large(pressed: bytes) -> None:
    with Image.open(io.BytesIO(pressed)) as opened:
        opened.thumbnail((37, 37))
        assert opened.size == (37, 28)


def test_the_command_writes_it(pressed: bytes, tmp_path: Path) -> None:
    source = tmp_path / "a.ltp"
    source.write_bytes(pressed)
    assert "80 x 60" in run("thumbnail", source, "-s", "80").stdout
    with Image.open(tmp_path / "a.thumbnail.png") as image:
        assert image.size == (80, 60)
    for name, form in (("b.webp", "WEBP"), ("c", "PNG")):
        run("thumbnail", source, "-s", "80", "-o", tmp_path / name)
        with Image.open(tmp_path / name) as image:
            assert image.format == form
    fails(1, "thumbnail", source, "-o", tmp_path / "c")  # it is there
    fails(2, "thumbnail", source, "-s", "0", "-o", tmp_path / "d.png")


@pytest.mark.skipif(not (WEIGHTS / "taesd").is_dir(), reason="needs shared/weights")
def test_the_weights_that_decode_may_be_named(tmp_path: Path) -> None:
    pytest.importorskip("diffusers")
    model = str(WEIGHTS / "taesd")
    image = Image.new("RGB", (64, 48), (200, 100, 50))
    data = latentpress.compress(image, codec="sd15", model=model)
    source = tmp_path / "a.ltp"
    source.write_bytes(data)
    assert "16 x 12" in run("thumbnail", source, "-s", "16", "--model", model).stdout
    with Image.open(tmp_path / "a.thumbnail.png") as small:
        whole = latentpress.decompress(data, model=model)
        assert small.tobytes() == whole.reduce(thumbnails.REDUCTION).tobytes()
    source.write_bytes(latentpress.compress(image, content="photo"))
    for size in ("16", "64"):  # a quarter, the whole picture
        output = tmp_path / "b.png"
        words = fails(2, "thumbnail", source, "-s", size, "--model", model, "-o", output)
        assert "the built-in codec has one model" in words
