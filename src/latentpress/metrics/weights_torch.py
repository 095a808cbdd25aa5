"""The weights of LPIPS as its own package has them: the linear layers of `lpips`, and torchvision's
networks in torch hub's cache.
"""

import importlib.util
import os
from pathlib import Path
from typing import NamedTuple

import numpy as np

from latentpress._typing import Floats
from latentpress.errors import WeightsError
from latentpress.system.cache import home_folder, sha256_of_file


class TorchFiles(NamedTuple):
    """linear: path in the package `lpips`, and its SHA-256. trunk: file in torch hub's cache, and
    its SHA-256's first eight digits, which torch hub puts into the name and checks when it
    downloads.
    """

    linear: str
    linear_sha256: str
    trunk: str
    trunk_sha256: str


FILES = {
    "alex": TorchFiles(
        "weights/v0.1/alex.pth",
        "df73285e35b22355a2df87cdb6b70b343713b667eddbda73e1977e0c860835c0",
        "alexnet-owt-7be5be79.pth",
        "7be5be79",
    ),
    "vgg": TorchFiles(
        "weights/v0.1/vgg.pth",
        "a78928a0af1e5f0fcb1f3b9e8f8c3a2a5a3de244d830ad5c1feddc79b8432868",
        "vgg16-397923af.pth",
        "397923af",
    ),
}


def hub_folder() -> Path:
    """torch hub's folder of checkpoints, by torch's own rules, without importing torch."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or home_folder() / ".cache").expanduser()
    return (
        Path(os.environ.get("TORCH_HOME") or cache / "torch").expanduser() / "hub" / "checkpoints"
    )


def find(net: str) -> tuple[Path, Path] | None:
    """(linear layers, trunk) of "alex" or "vgg", not yet verified; None where one of them, or torch
    to read them, is missing.
    """
    spec = importlib.util.find_spec("lpips")
    if net not in FILES or spec is None or importlib.util.find_spec("torch") is None:
        return None
    trunk = hub_folder() / FILES[net].trunk
    linear = next(
        (
            p
            for p in (Path(s) / FILES[net].linear for s in spec.submodule_search_locations or ())
            if p.is_file()
        ),
        None,
    )
    return (linear, trunk) if linear is not None and trunk.is_file() else None


def load(net: str, files: tuple[Path, Path]) -> tuple[list[tuple[Floats, Floats]], list[Floats]]:
    """Convolutions (kernel (out, in, h, w), bias) and linear layers (channels,); WeightsError where
    a file is not the published one.
    """
    linear = _read(files[0], FILES[net].linear_sha256)
    trunk = _read(files[1], FILES[net].trunk_sha256)
    numbers = sorted(
        int(name.split(".")[1])
        for name in trunk
        if name.startswith("features.") and name.endswith(".weight")
    )
    convolutions = [(trunk[f"features.{n}.weight"], trunk[f"features.{n}.bias"]) for n in numbers]
    return convolutions, [linear[f"lin{i}.model.1.weight"].ravel() for i in range(5)]


def _read(path: Path, sha256: str) -> dict[str, Floats]:
    """The tensors of a file whose SHA-256 begins so, read without running code."""
    import torch

    try:
        digest = sha256_of_file(path)
    except OSError as error:
        raise WeightsError(f"{path} cannot be read: {error.strerror}") from error
    if not digest.startswith(sha256):
        raise WeightsError(
            f"{path} is not the published file (its SHA-256 is another): delete it and run "
            "`latentpress metrics fetch`"
        )
    tensors = torch.load(path, map_location="cpu", weights_only=True)
    return {name: np.ascontiguousarray(tensor.numpy()) for name, tensor in tensors.items()}
