"""Laws of the whole pipeline, built-in codec."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

import latentpress
from helpers.pictures import OWN_PROFILE
from latentpress.container import unpack
from latentpress.metrics import psnr
from latentpress.parts import load_transform
from latentpress.spaces import LP1


@pytest.mark.parametrize(
    ("height", "width"), [(1, 1), (1, 40), (33, 2), (16, 16), (17, 63), (64, 65), (75, 109)]
)
def test_no_size_changes(photo: NDArray[np.uint8], height: int, width: int) -> None:
    image = photo[:height, :width]
    decoded = latentpress.decompress(latentpress.compress(image))
    assert decoded.size == (width, height)
    assert decoded.mode == "RGB"


def test_size_and_fidelity_rise_with_quality(photo: NDArray[np.uint8]) -> None:
    files = [latentpress.compress(photo, quality=q) for q in range(0, 101, 4)]
    sizes = [len(f) for f in files]
    assert sizes == sorted(sizes)
    assert sizes[-1] > 6 * sizes[0]
    fidelity = [psnr(photo, np.asarray(latentpress.decompress(f))) for f in files[::6]]
    assert fidelity == sorted(fidelity)


def test_the_picture_comes_back_recognizably(photo: NDArray[np.uint8]) -> None:
    decoded = np.asarray(latentpress.decompress(latentpress.compress(photo, quality=90)))
    assert psnr(photo, decoded) > 24
    assert abs(float(decoded.mean()) - float(photo.mean())) < 2


def test_inputs_of_every_kind_give_the_same_file(photo: NDArray[np.uint8], tmp_path: Path) -> None:
    Image.fromarray(photo).save(tmp_path / "photo.png")
    path = tmp_path / "photo.png"
    files = {
        latentpress.compress(x, quality=30)
        for x in (photo, Image.fromarray(photo), path, str(path))
    }
    assert len(files) == 1


def test_alpha_survives_exactly(small: NDArray[np.uint8]) -> None:
    rng = np.random.default_rng(0)
    size = small.shape[:2]
    for alpha in (
        rng.integers(0, 256, size, dtype=np.uint8),
        np.full(size, 255, np.uint8),
        (small[..., 0] > 90) * np.uint8(255),
    ):
        decoded = latentpress.decompress(latentpress.compress(np.dstack([small, alpha])))
        assert decoded.mode == "RGBA"
        assert np.array_equal(np.asarray(decoded)[..., 3], alpha)


def test_gray_comes_back_gray(small: NDArray[np.uint8]) -> None:
    for image in (small[..., 1], small[..., 1:2]):
        decoded = latentpress.decompress(latentpress.compress(image, quality=80))
        assert decoded.mode == "L"
        assert psnr(small[..., 1], np.asarray(decoded)) > 20


def test_metadata_survives(small: NDArray[np.uint8]) -> None:
    image = Image.fromarray(small)
    exif = Image.Exif()
    exif[271] = "Maker"
    image.info.update(icc_profile=OWN_PROFILE, exif=exif.tobytes(), xmp=b"<x:xmpmeta/>")
    decoded = latentpress.decompress(latentpress.compress(image))
    assert decoded.info["icc_profile"] == OWN_PROFILE
    assert decoded.info["xmp"] == b"<x:xmpmeta/>"
    assert decoded.getexif()[271] == "Maker"


@pytest.mark.parametrize(
    "arguments",
    [
        {"quality": -1},
        {"quality": 100.5},
        {"quality": float("nan")},
        {"quality": "high"},
        {"quality": None},
        {"codec": "jpeg"},
        {"device": "tpu"},
        {"model": "x/y"},
    ],
)
def test_wrong_arguments_are_usage_errors(
    small: NDArray[np.uint8], arguments: dict[str, object]
) -> None:
    with pytest.raises(latentpress.UsageError):
        latentpress.compress(small, **arguments)  # type: ignore[arg-type]


def test_a_device_that_is_not_there_is_refused_with_the_model() -> None:
    """Not first where a network runs, which those of a single color never do."""
    with pytest.raises(latentpress.UsageError, match="tpu"):
        load_transform(LP1, device="tpu")
    with pytest.raises(latentpress.UsageError, match="tpu"):
        latentpress.compress(np.zeros((40, 40, 3), np.uint8), device="tpu")


@pytest.mark.parametrize("name", ["quality", "effort"])
def test_a_number_given_as_text_is_told_as_text(name: str) -> None:
    with pytest.raises(latentpress.UsageError, match="not '5'"):
        latentpress.EncodeOptions(**{name: "5"})  # type: ignore[arg-type]


def test_hundredths_of_quality_are_kept(small: NDArray[np.uint8]) -> None:
    assert latentpress.read_header(latentpress.compress(small, quality=33.33)).quality == 33.33


def test_another_lp1_model_is_a_weights_error(small: NDArray[np.uint8]) -> None:
    from latentpress import container

    header, chunks = unpack(latentpress.compress(small))
    other = container.pack(LP1, b"\0\0\0\0", header.width, header.height, header.quality, chunks)
    with pytest.raises(latentpress.WeightsError, match="00000000"):
        latentpress.decompress(other)


def test_headers_need_neither_numpy_nor_onnxruntime() -> None:
    script = (
        "import sys, latentpress; latentpress.read_header; "
        "print([m for m in ('numpy', 'onnxruntime', 'PIL') if m in sys.modules])"
    )
    assert (
        subprocess.run(
            [sys.executable, "-c", script], capture_output=True, text=True, check=True
        ).stdout.strip()
        == "[]"
    )
