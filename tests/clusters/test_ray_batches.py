"""The callable classes for `map_batches`, called as Ray calls them."""

import io
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

import latentpress
from helpers.paths import WEIGHTS
from latentpress.errors import UsageError
from latentpress.ray import Compress, Decompress, EncodeLatents

Pixels = NDArray[np.uint8]


def objects(values: list[Any]) -> NDArray[np.object_]:
    """A column of NumPy's of any values."""
    column = np.empty(len(values), object)
    for i, value in enumerate(values):
        column[i] = value
    return column


def as_numpy(column: str, values: list[Any]) -> dict[str, Any]:
    """A batch in the format "numpy"."""
    return {column: objects(values), "id": np.arange(len(values))}


def as_arrow(column: str, values: list[Any]) -> Any:
    """A batch in the format "pyarrow"."""
    arrow = pytest.importorskip("pyarrow")
    return arrow.table({column: values, "id": list(range(len(values)))})


FORMATS = pytest.mark.parametrize("batch", [as_numpy, as_arrow], ids=["numpy", "pyarrow"])
Batched = Callable[[str, list[Any]], Any]


def listed(batch: Any, column: str) -> list[Any]:
    """The values of a column of either format."""
    return list(batch[column]) if isinstance(batch, dict) else batch[column].to_pylist()


@pytest.fixture
def files(photo: Pixels) -> list[bytes]:
    """Two image files of different sizes."""
    made = []
    for pixels in (photo[:40, :56], photo[50:98, 20:50]):
        stream = io.BytesIO()
        Image.fromarray(pixels).save(stream, "png")
        made.append(stream.getvalue())
    return made


@FORMATS
def test_files_are_those_of_compress_and_a_broken_picture_is_a_row_with_an_error(
    batch: Batched, files: list[bytes]
) -> None:
    values = [files[0], b"no picture", None, files[1]]
    pressed = Compress(quality=30)(batch("bytes", values))
    expected = [latentpress.compress(file, quality=30) for file in files]
    assert listed(pressed, "ltp") == [expected[0], b"", b"", expected[1]]
    assert listed(pressed, "ltp_bytes") == [len(expected[0]), 0, 0, len(expected[1])]
    assert listed(pressed, "source_bytes") == [len(files[0]), 0, 0, len(files[1])]
    assert listed(pressed, "width") == [56, 0, 0, 30]
    assert listed(pressed, "height") == [40, 0, 0, 48]
    assert listed(pressed, "id") == [0, 1, 2, 3]
    errors = listed(pressed, "error")
    assert errors[0] == errors[3] == ""
    assert "not an image" in errors[1]
    assert "no value" in errors[2]
    assert set(pressed if isinstance(pressed, dict) else pressed.column_names) == {
        "ltp",
        "ltp_bytes",
        "source_bytes",
        "width",
        "height",
        "id",
        "error",
    }


def test_arrays_structs_and_the_column_itself_are_taken(photo: Pixels, files: list[bytes]) -> None:
    arrays = np.stack([photo[:40, :56], photo[40:80, :56]])
    of_arrays = Compress("image", keep=True)({"image": arrays})
    assert of_arrays["ltp"][1] == latentpress.compress(arrays[1])
    assert of_arrays["image"] is arrays
    assert of_arrays["source_bytes"].tolist() == [0, 0]
    structs = [{"bytes": files[0], "path": "a.png"}, {"bytes": files[1], "path": None}]
    assert listed(Compress("image")(as_arrow("image", structs)), "ltp") == [
        latentpress.compress(file) for file in files
    ]


@FORMATS
def test_pictures_come_back_and_an_earlier_error_stays(batch: Batched, files: list[bytes]) -> None:
    pytest.importorskip("ray.data")  # whose tensors hold arrays of several sizes in Arrow
    pressed = Compress()(batch("bytes", [*files, b"broken"]))
    opened = Decompress(keep=True)(pressed)
    images = [
        np.asarray(value)
        for value in (opened["image"] if isinstance(opened, dict) else opened["image"].to_pylist())
    ]
    for image, data in zip(images, listed(opened, "ltp")[:2], strict=False):
        assert np.array_equal(image, np.asarray(latentpress.decompress(data)))
    assert images[2].size == 0
    assert listed(opened, "error") == listed(pressed, "error")
    assert "not an image" in listed(opened, "error")[2]


@FORMATS
def test_pictures_come_back_as_files_and_a_damaged_one_is_a_row_with_an_error(
    batch: Batched, files: list[bytes]
) -> None:
    data = latentpress.compress(files[0])
    opened = Decompress(format="png")(batch("ltp", [data, data[:40]]))
    first, second = listed(opened, "image")
    assert np.array_equal(
        np.asarray(Image.open(io.BytesIO(first))), np.asarray(latentpress.decompress(data))
    )
    assert second == b""
    assert listed(opened, "error")[0] == ""
    assert listed(opened, "error")[1] != ""


@FORMATS
def test_latents_are_those_of_the_codec(batch: Batched, files: list[bytes]) -> None:
    pytest.importorskip("ray.data")
    from latentpress.codec import encode_latent

    made = EncodeLatents(dtype="float16")(batch("bytes", [files[0], b"broken", files[1]]))
    latents = [
        np.asarray(value)
        for value in (made["latent"] if isinstance(made, dict) else made["latent"].to_pylist())
    ]
    for latent, file in ((latents[0], files[0]), (latents[2], files[1])):
        assert latent.dtype == np.float16
        assert np.array_equal(latent, encode_latent(file).astype(np.float16))
    assert latents[1].shape == (320, 0, 0)
    assert "not an image" in listed(made, "error")[1]


def test_latents_of_a_stable_diffusion_space(files: list[bytes]) -> None:
    pytest.importorskip("diffusers")
    if not (WEIGHTS / "taesd").is_dir():
        pytest.skip(f"no {WEIGHTS / 'taesd'}")
    made = EncodeLatents(codec="sd15", model=str(WEIGHTS / "taesd"))(as_numpy("bytes", files[:1]))
    assert [latent.shape for latent in made["latent"]] == [(4, 5, 7)]


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Compress(quality=101), "0..100"),
        (lambda: Decompress(format="xyz"), "unknown format"),
        (lambda: EncodeLatents(dtype="int8"), "float32 or float16"),
        (
            lambda: Compress("picture")(as_numpy("bytes", [b""])),
            "no column 'picture'; it has bytes, id",
        ),
        (lambda: Compress()(as_numpy("bytes", [5])), "not int"),
        (lambda: Compress()([b""]), "batch_format='numpy' or 'pyarrow'"),  # type: ignore[arg-type]
    ],
)
def test_what_no_row_would_escape_is_raised(make: Callable[[], Any], words: str) -> None:
    with pytest.raises(UsageError, match=words.replace(".", r"\.")):
        make()


def test_an_empty_batch_is_one() -> None:
    assert len(Compress()({"bytes": objects([])})["ltp"]) == 0


def test_the_driver_of_a_cluster_calls_the_classes_as_any_process_does(
    cluster: str, files: list[bytes]
) -> None:
    pressed = Compress("bytes")({"bytes": objects(files)})
    assert list(pressed["error"]) == ["", ""]
    assert list(Decompress()(pressed)["error"]) == ["", ""]
