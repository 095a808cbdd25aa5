"""Files that the browser's encoder makes in Node decode in Python, and are as good as Python's."""

import base64
import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

import latentpress
from helpers.paths import DATA
from latentpress.container import ALPHA, LATENT_MASKED, read_header
from latentpress.image.hidden import fill_hidden
from latentpress.image.known_profiles import known_profile
from latentpress.image.picture import read_picture
from latentpress.targets import to_size
from web.node_jobs import needs_node, run_jobs

pytestmark = needs_node
Array = NDArray[np.uint8]

SIZE_SHARE = 0.005  # bytes may differ from Python's by so much, for analysis rounds otherwise
PSNR_SHARE = 0.05  # dB


def encode_in_node(folder: Path, jobs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Encode the arrays (H, W, 4) under "array" of jobs; the files come under "data"."""
    for i, job in enumerate(jobs):
        array = job.pop("array")
        pixels = folder / f"{i}.rgba"
        pixels.write_bytes(array.tobytes())
        job |= {"pixels": str(pixels), "out": str(folder / f"{i}.ltp")}
        job |= {"width": array.shape[1], "height": array.shape[0]}
    answers = run_jobs("encode_jobs.mjs", jobs)
    for job, answer in zip(jobs, answers, strict=True):
        if "error" not in answer:
            answer["data"] = Path(job["out"]).read_bytes()
    return answers


def rgba(array: Array) -> Array:
    """RGB or gray as RGBA."""
    return np.asarray(Image.fromarray(array).convert("RGBA"))


def psnr(a: Array, b: Array) -> float:
    error = np.square(a.astype(np.float64) - b.astype(np.float64)).mean()
    return float(10 * np.log10(255**2 / max(error, 1e-9)))


def pictures(photo: Array) -> dict[str, tuple[Array, float]]:
    """RGB pictures and qualities by name."""
    rng = np.random.default_rng(0)
    flat = np.full((300, 1300, 3), (90, 140, 200), np.uint8)
    return {
        "one pixel": (photo[:1, :1], 50),
        "odd sides": (photo[:33, :17], 50),
        "one row": (photo[150:151], 60),
        "quality 0": (photo[:200, :300], 0),
        "quality 40.37": (photo[:200, :300], 40.37),
        "quality 100": (photo[:200, :300], 100),
        "large and flat": (flat, 50),
        "two segments, side by side": (np.tile(photo, (1, 3, 1))[:40, :1040], 20),
        "two segments, one below the other": (np.tile(photo, (4, 1, 1))[:1040, :40], 20),
        "noise": (rng.integers(0, 256, (64, 96, 3), np.uint8), 100),
    }


@pytest.fixture(scope="module")
def coded(tmp_path_factory: pytest.TempPathFactory, photo: Array) -> dict[str, dict[str, Any]]:
    """What Node answers to each of `pictures`."""
    cases = pictures(photo)
    jobs = [{"array": rgba(array), "quality": quality} for array, quality in cases.values()]
    return dict(zip(cases, encode_in_node(tmp_path_factory.mktemp("coded"), jobs), strict=True))


@pytest.mark.parametrize("name", list(pictures(np.zeros((300, 400, 3), np.uint8))))
def test_files_are_as_pythons(coded: dict[str, dict[str, Any]], photo: Array, name: str) -> None:
    array, quality = pictures(photo)[name]
    data = coded[name]["data"]
    ours = latentpress.compress(array, quality=quality, content="photo")
    header = read_header(data)
    expected = read_header(ours)
    assert (header.width, header.height) == (expected.width, expected.height)
    assert (header.quality, header.model_hash) == (expected.quality, expected.model_hash)
    assert abs(len(data) - len(ours)) <= max(SIZE_SHARE * len(ours), 4)
    decoded = np.asarray(latentpress.decompress(data).convert("RGB"))
    theirs = np.asarray(latentpress.decompress(ours).convert("RGB"))
    if psnr(theirs, array) < 80:
        assert psnr(decoded, array) > psnr(theirs, array) - PSNR_SHARE


def test_a_kodak_picture_is_as_pythons(tmp_path: Path) -> None:
    path = DATA / "kodak" / "kodim23.png"
    if not path.exists():
        pytest.skip("the Kodak pictures are not there")
    array = np.asarray(Image.open(path).convert("RGB"))
    [answer] = encode_in_node(tmp_path, [{"array": rgba(array), "quality": 40}])
    ours = latentpress.compress(array, quality=40, content="photo")
    assert abs(len(answer["data"]) - len(ours)) <= SIZE_SHARE * len(ours)
    decoded = np.asarray(latentpress.decompress(answer["data"]))
    assert abs(psnr(decoded, array) - psnr(np.asarray(latentpress.decompress(ours)), array)) < 0.05


def test_progress_rises_to_1(coded: dict[str, dict[str, Any]]) -> None:
    for answer in coded.values():
        assert answer["shares"] == sorted(answer["shares"])
        assert answer["shares"][-1] == 1
    # How many come before the 1 depends on how long the picture takes.
    assert max(len(answer["shares"]) for answer in coded.values()) > 1


def test_gray_comes_back_as_gray(tmp_path: Path, photo: Array) -> None:
    gray = np.asarray(Image.fromarray(photo[:100, :120]).convert("L"))
    profile = base64.b64encode(known_profile(4)).decode()
    jobs = [{"array": rgba(gray), "quality": 60}]
    jobs.append({"array": rgba(gray), "quality": 60, "metadata": {"icc": profile}})
    plain, profiled = encode_in_node(tmp_path, jobs)
    for answer in (plain, profiled):
        image = latentpress.decompress(answer["data"])
        assert image.mode == "L"
        assert psnr(np.asarray(image), gray) > 28
    assert latentpress.decompress(profiled["data"]).info["icc_profile"] == known_profile(4)


def alphas(height: int, width: int) -> dict[str, Array]:
    """Opacities by name."""
    y, x = np.mgrid[:height, :width]
    disk = (np.hypot(y - height / 2, x - width / 2) < height / 3) * 255
    return {
        "disk": disk.astype(np.uint8),
        "ramp": (x * 255 // (width - 1)).astype(np.uint8),
        "constant": np.full((height, width), 77, np.uint8),
        "noise": np.random.default_rng(1).integers(0, 256, (height, width), np.uint8),
        "nothing seen": np.zeros((height, width), np.uint8),
    }


def test_opacity_is_exact_and_hidden_colors_cost_little(tmp_path: Path, photo: Array) -> None:
    array = photo[:90, :130]
    cases = alphas(90, 130)
    jobs = [{"array": np.dstack([array, alpha]), "quality": 50} for alpha in cases.values()]
    for (name, alpha), answer in zip(cases.items(), encode_in_node(tmp_path, jobs), strict=True):
        ours = latentpress.compress(np.dstack([array, alpha]), quality=50, content="photo")
        image = latentpress.decompress(answer["data"])
        assert image.mode == ("LA" if name == "nothing seen" else "RGBA")
        assert np.array_equal(np.asarray(image.getchannel("A")), alpha), name
        sizes = [{c.type: c.size for c in read_header(d).chunks} for d in (answer["data"], ours)]
        allowed = {"noise": 1.05, "ramp": 2.5}.get(name, 1.6)  # Python has lossless WebP, too
        assert sizes[0][ALPHA] <= allowed * sizes[1][ALPHA] + 40, (name, sizes)
        assert sizes[0][LATENT_MASKED] <= 1.01 * sizes[1][LATENT_MASKED] + 8, (name, sizes)


def test_opaque_colors_have_no_alpha_and_no_gray(coded: dict[str, dict[str, Any]]) -> None:
    types = {c.type for c in read_header(coded["quality 40.37"]["data"]).chunks}
    assert types == {LATENT_MASKED}


def test_metadata_of_pixels_is_kept(tmp_path: Path, photo: Array) -> None:
    tags = Image.Exif()
    tags[0x010F] = "a camera"
    exif = tags.tobytes().removeprefix(b"Exif\0\0")
    xmp = b"<x:xmpmeta xmlns:x='adobe:ns:meta/'>" + b"a title " * 30 + b"</x:xmpmeta>"
    metadata = {
        "icc": base64.b64encode(known_profile(2)).decode(),
        "exif": base64.b64encode(exif).decode(),
        "xmp": base64.b64encode(xmp).decode(),
        "text": [["Title", "Grüße"]],
        "density": [300, 200],
    }
    job = {"array": rgba(photo[:40, :50]), "quality": 50, "metadata": metadata}
    [answer] = encode_in_node(tmp_path, [job])
    info = latentpress.decompress(answer["data"]).info
    assert info["icc_profile"] == known_profile(2)
    assert info["exif"] == b"Exif\0\0" + exif
    assert info["xmp"] == xmp
    assert info["Title"] == "Grüße"
    assert info["dpi"] == (300, 200)
    assert len(answer["data"]) < 1200 + len(exif)


@pytest.mark.parametrize("limit", [700, 2000, 6000])
def test_a_size_is_held_and_used(tmp_path: Path, photo: Array, limit: int) -> None:
    array = photo[:160, :240]
    [answer] = encode_in_node(tmp_path, [{"array": rgba(array), "maxBytes": limit}])
    size = len(answer["data"])
    ours = to_size(array, limit)
    assert size <= limit
    assert size >= 0.99 * len(ours)
    decoded = [np.asarray(latentpress.decompress(data)) for data in (answer["data"], ours)]
    assert psnr(decoded[0], array) > psnr(decoded[1], array) - 0.3


def test_a_size_that_cannot_be_reached_names_the_least(tmp_path: Path, photo: Array) -> None:
    array = rgba(photo[:160, :240])
    jobs = [{"array": array, "maxBytes": 60}, {"array": array, "quality": 0}]
    refused, least = encode_in_node(tmp_path, jobs)
    assert refused["kind"] == "limit"
    assert refused["least"] == len(least["data"])
    assert str(refused["least"]) in refused["error"]


@pytest.mark.parametrize(
    ("job", "words"),
    [
        ({"quality": 101}, "quality"),
        ({"quality": -1}, "quality"),
        ({"maxBytes": 0}, "bytes above 0"),
        ({"quality": 50, "cut": True}, "RGBA"),
    ],
)
def test_wrong_orders_are_refused(
    tmp_path: Path, photo: Array, job: dict[str, Any], words: str
) -> None:
    array = rgba(photo[:20, :30])
    pixels = tmp_path / "pixels"
    pixels.write_bytes(array.tobytes()[: -4 if job.pop("cut", False) else None])
    job = {"pixels": str(pixels), "out": str(tmp_path / "o"), "width": 30, "height": 20} | job
    [answer] = run_jobs("encode_jobs.mjs", [job])
    assert words in answer["error"]
    assert not (tmp_path / "o").exists()


def test_hidden_colors_are_filled_as_in_python(tmp_path: Path, photo: Array) -> None:
    array = np.dstack([photo[:75, :101], alphas(75, 101)["disk"]])
    out = io.BytesIO()
    Image.fromarray(array).save(out, "PNG")
    picture = fill_hidden(read_picture(out.getvalue()))
    pixels = tmp_path / "pixels"
    pixels.write_bytes(array.tobytes())
    job = {"pixels": str(pixels), "width": 101, "height": 75, "out": str(tmp_path / "filled")}
    run_jobs("hidden_jobs.mjs", [job])
    filled = np.frombuffer((tmp_path / "filled").read_bytes(), np.uint8).reshape(75, 101, 4)
    difference = filled[..., :3].astype(int) - picture.pixels(0, 75, 0, 101)
    assert np.abs(difference).max() <= 1
