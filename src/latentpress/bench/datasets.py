"""The pictures of a run: files, folders, and two public sets that are fetched once and verified.

    kodak          the 24 images of the Kodak Lossless True Color Image Suite, r0k.us/graphics/kodak
    science-fair   the five 512 x 512 photographs of the study this project grew from,
                   github.com/qmmartin/Portfolio

A set is looked for in $LATENTPRESS_DATA/<set>, then in the user's cache, then fetched into the
cache (download.py).
"""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageOps

from latentpress._typing import Pixels
from latentpress.bench.checksums import KODAK, SCIENCE_FAIR, sha256_of_pixels
from latentpress.errors import ImageError, UsageError
from latentpress.image import color
from latentpress.image.declared import read_declared
from latentpress.image.picture import frames_of, readable
from latentpress.image.plugins import readable_suffixes
from latentpress.names import as_text
from latentpress.system import environment
from latentpress.system.cache import DATA_VARIABLE, cache_folder

SETS = {"kodak": KODAK, "science-fair": SCIENCE_FAIR}  # file name -> SHA-256 of its samples
FILES = "files"  # the data set's name of a run over files that were named
MODES = ("1", "L", "P", "RGB")


class Source(NamedTuple):
    """A picture of a run. name: unique, without suffix; file: as run.json keeps it; path: where it
    lies now; sha256: of its samples.
    """

    name: str
    file: str
    path: Path
    width: int
    height: int
    sha256: str


def find_sources(
    images: Sequence[Path], dataset: str | None, run_folder: Path
) -> tuple[str, list[Source]]:
    """The data set's name and its pictures in order. UsageError where there are none, two share a
    name, or both were given.
    """
    if bool(images) == bool(dataset):
        raise UsageError(f"name image files or folders, or --dataset ({', '.join(SETS)})")
    if dataset:
        folder = find_dataset(dataset)
        label = dataset
        files = [(name, folder / name) for name in SETS[dataset]]
    else:
        paths = [
            path
            for image in images
            for path in (_pictures_in(image) if image.is_dir() else [image])
        ]
        is_one = len(images) == 1 and images[0].is_dir()
        label = as_text(images[0].resolve().name) if is_one else FILES
        files = [(_relative(path, run_folder), path) for path in paths]
    if odd := next((file for file, _ in files if as_text(file) != file), None):
        raise UsageError(
            f"{odd}: the name of a picture must be text, for the tables of a run hold it: rename it"
        )
    names = [path.stem for _, path in files]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise UsageError(
            f"two pictures are called {twice}: a run tells them by name, so rename one"
        )
    return label, [_source(file, path) for file, path in files]


def locate(dataset: str, file: str, run_folder: Path) -> Path:
    """Where a picture of a run lies, from its entry in run.json; ImageError where it is gone."""
    if file in SETS.get(dataset, {}):
        return (_complete(dataset) or find_dataset(dataset)) / file
    path = (run_folder / file).resolve()
    if not path.is_file():
        raise ImageError(f"{path}: the original picture of this run is gone")
    return path


def find_dataset(name: str) -> Path:
    """The folder of a public set, verified; fetched where it is neither in $LATENTPRESS_DATA nor in
    the cache.
    """
    if name not in SETS:
        raise UsageError(
            f"unknown data set {name!r}: choose from {', '.join(SETS)}, or name a folder of "
            "pictures"
        )
    if folder := _complete(name):
        for file, expected in SETS[name].items():
            if sha256_of_pixels(read_pixels(folder / file)) != expected:
                raise ImageError(
                    f"{folder / file} is not the picture of the data set {name}: delete it, it is "
                    "fetched again"
                )
        return folder
    from latentpress.bench.download import fetch

    return fetch(name, SETS[name], cache_folder("datasets") / name)


def _complete(name: str) -> Path | None:
    """The folder that holds all files of a set, whatever is in them; None where there is none."""
    folders = [folder for folder in (named_folder(name), cache_folder("datasets") / name) if folder]
    return next(
        (folder for folder in folders if all((folder / file).is_file() for file in SETS[name])),
        None,
    )


def named_folder(name: str) -> Path | None:
    """$LATENTPRESS_DATA/<set>, None where the variable is not set."""
    root = environment.folder(DATA_VARIABLE)
    return root / name if root else None


def read_pixels(path: Path) -> Pixels:
    """A picture as uint8 (H, W, 3), upright. Gray and palettes are widened, which loses nothing;
    what would lose is an ImageError.
    """
    with readable(str(path)), Image.open(path) as image:
        if color.is_deep(image) or read_declared(image).bits > 8:
            raise ImageError(
                f"{path} has more than 8 bits a sample; the benchmark compares 8-bit RGB or "
                "gray pictures: convert it first"
            )
        if image.mode not in MODES or "transparency" in image.info or frames_of(image) > 1:
            what = (
                "more than one frame"
                if frames_of(image) > 1
                else f"mode {image.mode} or transparency"
            )
            raise ImageError(
                f"{path} has {what}; the benchmark compares 8-bit RGB or gray pictures: "
                "convert it first"
            )
        return np.asarray(ImageOps.exif_transpose(image).convert("RGB"))


def _pictures_in(folder: Path) -> list[Path]:
    suffixes = readable_suffixes()
    paths = sorted(
        path
        for path in folder.iterdir()
        if path.suffix.lower() in suffixes and path.is_file() and not path.name.startswith(".")
    )
    if not paths:
        raise UsageError(f"{folder} holds no pictures")
    return paths


def _relative(path: Path, folder: Path) -> str:
    """A path that holds as long as run and pictures keep their places; absolute where there is no
    relative one (drives).
    """
    try:
        return Path(os.path.relpath(path, folder)).as_posix()
    except ValueError:
        return path.resolve().as_posix()


def _source(file: str, path: Path) -> Source:
    pixels = read_pixels(path)
    return Source(path.stem, file, path, pixels.shape[1], pixels.shape[0], sha256_of_pixels(pixels))
