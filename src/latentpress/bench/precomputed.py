"""Results of a codec that is not here: a folder of pictures that it decoded, and a list of the
sizes of its files.

    FOLDER/kodim01.png ...  FOLDER/sizes.csv                one setting, named after the folder
    FOLDER/low/kodim01.png ...  FOLDER/low/sizes.csv  ...   one setting a subfolder

sizes.csv has the columns file and bytes; a file is told by its name without suffix.
"""

import csv
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from latentpress._typing import Pixels
from latentpress.bench.codec_protocol import Codec
from latentpress.bench.datasets import read_pixels
from latentpress.errors import ImageError, UsageError

SIZES = "sizes.csv"


@dataclass(frozen=True)
class Pictures(Codec):
    """folder: where the pictures lie. names: its settings."""

    folder: Path = Path()
    names: tuple[str, ...] = ()
    kind: ClassVar[str] = "pictures"

    @classmethod
    def of(cls, name: str, folder: Path) -> "Pictures":
        """The codec `name`, whose decoded pictures lie in `folder`; UsageError where a size list is
        missing.
        """
        if (folder / SIZES).is_file():
            names: tuple[str, ...] = (folder.resolve().name,)
        else:
            names = tuple(sorted(path.parent.name for path in folder.glob(f"*/{SIZES}")))
        if not names:
            raise UsageError(
                f"--pictures {name}: {folder} needs {SIZES} (columns file,bytes), itself or in a "
                "subfolder a setting"
            )
        ladder = tuple(map(float, range(len(names))))
        return cls(
            name,
            name,
            "",
            f"decoded elsewhere; sizes as listed in {SIZES}",
            "",
            ladder,
            folder=folder,
            names=names,
        )

    @property
    def has_quality(self) -> bool:
        """See Codec; each setting is a quality of its own."""
        return False

    def qualities(self, points: int) -> list[float]:
        """The number of each setting."""
        return list(self.ladder)

    def setting(self, quality: float) -> str:
        """See Codec."""
        return self.names[int(quality)]

    def entry(self) -> dict[str, Any]:
        """See Codec; and where the pictures lie."""
        return super().entry() | {"folder": self.folder.resolve().as_posix()}

    def size(self, quality: float, image: str) -> int:
        """The bytes of one file; ImageError where the list does not hold it."""
        path = _folder_of(self.folder, self.setting(quality)) / SIZES
        try:
            with path.open(newline="", encoding="utf-8-sig") as stream:
                sizes = [
                    int(row["bytes"])
                    for row in csv.DictReader(stream)
                    if Path(row["file"]).stem == image
                ]
        except (OSError, KeyError, TypeError, ValueError) as error:
            raise ImageError(
                f"{path}: needs the columns file and bytes, whole numbers ({error})"
            ) from error
        if len(sizes) != 1 or sizes[0] < 1:
            raise ImageError(f"{path}: {image} must be listed once, with its bytes")
        return sizes[0]

    def pixels(self, quality: float, image: str) -> Pixels:
        """One decoded picture."""
        return read_pixels(find_picture(self.folder, self.setting(quality), image))

    def encode(self, pixels: Pixels, quality: float) -> bytes:
        """Not possible."""
        raise UsageError(f"{self.name} is a folder of pictures; it cannot compress")

    def decode(self, data: bytes) -> Pixels:
        """Not possible."""
        raise UsageError(f"{self.name} is a folder of pictures; it cannot decompress")


def find_picture(folder: Path, setting: str, image: str) -> Path:
    """The decoded picture of an image, whatever its suffix; ImageError where there is none, or more
    than one.
    """
    place = _folder_of(folder, setting)
    matches = [path for path in place.iterdir() if path.stem == image] if place.is_dir() else []
    if len(matches) != 1:
        raise ImageError(
            f"{place}: {'no' if not matches else 'more than one'} decoded picture {image}"
        )
    return matches[0]


def _folder_of(folder: Path, setting: str) -> Path:
    return folder if (folder / SIZES).is_file() else folder / setting
