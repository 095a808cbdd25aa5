"""Packs: what training reads, as a few files of bounded size that can be carried one by one.

A folder of packs holds `photographs-*.zip` (JPEG files, stored), `fonts.zip`, `lpips.safetensors`
and `manifest.json`. Each file can be read without the others: a folder with a part of the
photographs is a smaller training set.
"""

import hashlib
import io
import json
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from training.data.kinds import HELD_OUT, kind_of

PACK_BYTES = 34 * 2**19  # 17 MiB: two of them and the code go into one transfer of 64 MiB
MOST_BYTES = 35 * 1024 * 1024
HALVED_QUALITY = 95  # of JPEG, color at full resolution
MANIFEST, FONTS, LPIPS = "manifest.json", "fonts.zip", "lpips.safetensors"


@dataclass(frozen=True)
class Packed:
    """A picture in a pack.

    Attributes:
        stem: KIND-NUMBER.
        file: Bytes of an image file.
        held_out: Whether it is for validation only.
    """

    stem: str
    file: bytes
    held_out: bool


def read_picture_file(path: Path) -> Packed:
    """A picture as it goes into a pack: as it is, or halved where its kind is."""
    stem = path.stem
    file = path.read_bytes()
    if kind_of(stem).halved:
        with Image.open(path) as image:
            half = image.convert("RGB").reduce(2)
        out = io.BytesIO()
        half.save(out, "jpeg", quality=HALVED_QUALITY, subsampling=0)
        file = out.getvalue()
    return Packed(stem, file, stem in HELD_OUT)


def write_photographs(pictures: Iterable[Packed], folder: Path, limit: int = PACK_BYTES) -> None:
    """Write pictures as photographs-1.zip, photographs-2.zip, ... of at most `limit` bytes each.

    Raises:
        ValueError: One picture alone is larger than the limit.
    """
    number = 0
    archive: zipfile.ZipFile | None = None
    size = 0
    for picture in pictures:
        taken = len(picture.file) + 2 * len(picture.stem) + 200  # its two entries in the archive
        if taken + 1000 > limit:
            raise ValueError(f"{picture.stem} has {len(picture.file)} bytes, a pack {limit}")
        if archive is None or size + taken + 1000 > limit:
            if archive is not None:
                archive.close()
            number += 1
            archive = zipfile.ZipFile(folder / f"photographs-{number}.zip", "w")
            size = 0
        archive.writestr(zipfile.ZipInfo(f"{picture.stem}.jpg"), picture.file)
        size += taken
    if archive is not None:
        archive.close()


def write_files(files: dict[str, bytes], path: Path) -> None:
    """Write named files as one archive, in the order of their names, without dates."""
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in sorted(files.items()):
            archive.writestr(zipfile.ZipInfo(name), data, zipfile.ZIP_DEFLATED)


def photograph_packs(folder: Path) -> list[Path]:
    """The packs of photographs in a folder, in order."""
    number = lambda path: int(path.stem.split("-")[1])
    return sorted(folder.glob("photographs-*.zip"), key=number)


def read_photographs(folder: Path) -> Iterator[Packed]:
    """All pictures of the packs in a folder, held-out ones too."""
    for path in photograph_packs(folder):
        with zipfile.ZipFile(path) as archive:
            for name in archive.namelist():
                stem = Path(name).stem
                yield Packed(stem, archive.read(name), stem in HELD_OUT)


def write_manifest(folder: Path) -> dict[str, dict[str, object]]:
    """Write and return what is in the packs: bytes, SHA-256 and, of photographs, their names."""
    manifest: dict[str, dict[str, object]] = {}
    for path in sorted(folder.glob("*.zip")) + sorted(folder.glob("*.safetensors")):
        data = path.read_bytes()
        if len(data) > MOST_BYTES:
            raise ValueError(f"{path.name} has {len(data)} bytes, more than {MOST_BYTES}")
        row: dict[str, object] = {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
        if path.suffix == ".zip":
            with zipfile.ZipFile(path) as archive:
                stems = [Path(name).stem for name in archive.namelist()]
            row["files"] = stems
            row["held_out"] = [stem for stem in stems if stem in HELD_OUT]
        manifest[path.name] = row
    (folder / MANIFEST).write_text(json.dumps(manifest, indent=1) + "\n", encoding="utf-8")
    return manifest


def check_packs(folder: Path) -> list[str]:
    """The names of the packs that are there.

    Raises:
        ValueError: A pack is damaged or unknown to the manifest, or there are none, or no manifest.
    """
    if not (folder / MANIFEST).exists():
        raise ValueError(f"no {MANIFEST} in {folder}")
    manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    names = [path.name for path in folder.iterdir() if path.suffix in (".zip", ".safetensors")]
    for name in names:
        if name not in manifest:
            raise ValueError(f"{name} is not in {MANIFEST}")
        if hashlib.sha256((folder / name).read_bytes()).hexdigest() != manifest[name]["sha256"]:
            raise ValueError(f"{name} is damaged")
    if not photograph_packs(folder):
        raise ValueError(f"no photographs in {folder}")
    return sorted(names)
