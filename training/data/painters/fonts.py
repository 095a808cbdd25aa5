"""Typefaces: from an archive, from the system, or the one that Pillow has inside."""

import importlib.util
import io
import zipfile
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import ImageFont

from training.data.painters.chance import pick

Source = bytes | Path
SYSTEM_FOLDERS = (
    Path("/usr/share/fonts"),
    Path("/usr/local/share/fonts"),
    Path("/Library/Fonts"),
    Path("/System/Library/Fonts"),
    Path("C:/Windows/Fonts"),
)
SCRIPTS = {"accents": "éñöčąğő“”€°²½", "greek": "αβγΩ", "cyrillic": "бджЯ"}


def _listed(text: str) -> list[str]:
    """The words of a text."""
    return text.split()


_NO_TEXT = _listed(
    """
    symbol emoji dingbat math icon awesome wingding webding opens___ cmsy cmex cmmi stixsiz
    stixnonuni musical braille barcode fallback lastresort powerline cursor d050000l
    """
)
_NOT_FREE = _listed(
    """
    arial times_new verdana georgia comic trebuc impact andale courier_new calibri cambria
    consola candara constan corbel segoe tahoma msttcore helvetica
    """
)
_WEIGHTS = _listed(
    """
    thin hairline extralight ultralight light book regular roman medium semibold demibold demi
    bold extrabold ultrabold black heavy italic oblique
    """
)
_HANDWRITING = _listed(
    """
    script hand chancery caveat pacific dancing breip z003 kalam indie marck sacramento lobster
    architect daughter comic cursive italianno vibes
    """
)
_MARKS = ',:!?()-"%$'  # marks that every text may have
_CACHED = 160  # opened fonts that are kept


@dataclass(frozen=True)
class Face:
    """A typeface that has Latin letters: where it is, its names, its scripts beyond plain Latin."""

    source: Source
    family: str
    style: str
    scripts: tuple[str, ...]
    mono: bool

    @property
    def upright(self) -> bool:
        """Whether it is not slanted, by its style."""
        return not any(word in self.style.lower() for word in ("italic", "oblique"))

    @property
    def script(self) -> bool:
        """Whether it looks like handwriting, by its name."""
        return any(word in self.family.lower() for word in _HANDWRITING)


class Fonts:
    """Typefaces to write with; opened fonts are cached, and a copy for a worker leaves them out."""

    def __init__(self, sources: Iterable[Source]) -> None:
        faces = (_face(source) for source in sources)
        self.faces = [face for face in faces if face is not None]
        self._families: dict[str, list[int]] = {}
        for index, face in enumerate(self.faces):
            self._families.setdefault(_root(face.family), []).append(index)
        self._opened: OrderedDict[tuple[int, int], ImageFont.FreeTypeFont] = OrderedDict()

    @classmethod
    def found(cls, archive: Path | None = None, folders: Iterable[Path] | None = None) -> "Fonts":
        """The faces of a zip archive if given, else of folders (the system's, matplotlib's)."""
        if archive is not None:
            with zipfile.ZipFile(archive) as packed:
                names = sorted(n for n in packed.namelist() if n.lower().endswith((".ttf", ".otf")))
                return cls([packed.read(name) for name in names])
        return cls(_files(default_folders() if folders is None else folders))

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_opened": OrderedDict()}

    def choose(
        self,
        rng: np.random.Generator,
        mono: bool = False,
        script: bool = False,
        upright: bool = False,
    ) -> int:
        """The number of a face, -1 where there are none: every family alike.

        On demand monospaced, handwriting, or upright ones (no handwriting) if there are any.
        """
        if not self.faces:
            return -1
        wanted = [
            family
            for family, members in self._families.items()
            if (not mono or self.faces[members[0]].mono)
            and (not script or self.faces[members[0]].script)
            and not (upright and self.faces[members[0]].script)
        ]
        members = self._families[pick(rng, wanted or list(self._families))]
        straight = [index for index in members if not upright or self.faces[index].upright]
        return pick(rng, straight or members)

    def scripts(self, face: int) -> tuple[str, ...]:
        """The scripts that a face has, of "latin", "accents", "greek" and "cyrillic"."""
        return ("latin", *(self.faces[face].scripts if face >= 0 else ()))

    def open(self, face: int, pixels: int) -> ImageFont.FreeTypeFont:
        """A face at a size in pixels."""
        key = (face, pixels)
        if key in self._opened:
            self._opened.move_to_end(key)
            return self._opened[key]
        font = _open(self.faces[face].source, pixels) if face >= 0 else _default(pixels)
        self._opened[key] = font
        if len(self._opened) > _CACHED:
            self._opened.popitem(last=False)
        return font

    def font(
        self, rng: np.random.Generator, pixels: int, mono: bool = False
    ) -> ImageFont.FreeTypeFont:
        """Any face at a size in pixels."""
        return self.open(self.choose(rng, mono), pixels)


def default_folders() -> list[Path]:
    """The system's folders of fonts and matplotlib's, those that exist."""
    folders = list(SYSTEM_FOLDERS)
    package = importlib.util.find_spec("matplotlib")
    if package is not None and package.origin is not None:
        folders.append(Path(package.origin).parent / "mpl-data" / "fonts" / "ttf")
    return [folder for folder in folders if folder.is_dir()]


def collect(folders: Iterable[Path], limit_bytes: int) -> dict[str, bytes]:
    """Free faces of many styles, file name -> contents, together at most this many bytes.

    Rounds over the families: first a plain face of each, then another style of each, at most four
    of a family. The folders are those of a distribution's free packages; faces of the usual
    proprietary families are left out by name.
    """
    families: dict[str, list[tuple[int, Path]]] = {}
    for path in _files(folders):
        proprietary = any(name in str(path).lower() for name in _NOT_FREE)
        face = None if proprietary else _face(path)
        if face is not None:
            families.setdefault(_root(face.family), []).append((_oddness(face), path))
    rounds = [_varied(members) for members in families.values()]
    order = sorted(zip(families, rounds, strict=True), key=lambda item: _style_rank(item[0]))
    chosen: dict[str, bytes] = {}
    left = limit_bytes
    for turn in range(4):
        for _, paths in order:
            if turn < len(paths) and (size := paths[turn].stat().st_size) <= left:
                chosen[paths[turn].name] = paths[turn].read_bytes()
                left -= size
    return chosen


def _varied(members: list[tuple[int, Path]]) -> list[Path]:
    """A family's files, one of each style first: plain, bold, italic, both, other weights."""
    return [path for _, path in sorted(members)]


def _oddness(face: Face) -> int:
    """0 for a plain face, 1 bold, 2 italic, 3 both, 4 other weights."""
    style = f"{face.family} {face.style}".lower()
    bold, italic = "bold" in style, "italic" in style or "oblique" in style
    weights = ("thin", "hairline", "light", "semi", "demi", "extra", "ultra", "black", "heavy")
    return 4 if any(w in style for w in weights) else bold + 2 * italic


def _style_rank(family: str) -> int:
    """Rare styles come first, so that a small limit still has them."""
    ranks = (
        ("script", "hand", "chancery"),
        ("slab", "typewriter"),
        ("mono", "cour"),
        ("condensed",),
    )
    return next((i for i, names in enumerate(ranks) if any(n in family for n in names)), len(ranks))


def _files(folders: Iterable[Path]) -> Iterator[Path]:
    """The .ttf and .otf files below folders, sorted within each; of equal names the first."""
    seen = set()
    for folder in folders:
        paths = (p for p in Path(folder).rglob("*") if p.suffix.lower() in (".ttf", ".otf"))
        for path in sorted(paths):
            if path.name not in seen:
                seen.add(path.name)
                yield path


def _open(source: Source, pixels: int) -> ImageFont.FreeTypeFont:
    file = io.BytesIO(source) if isinstance(source, bytes) else str(source)
    return ImageFont.truetype(file, pixels, layout_engine=ImageFont.Layout.BASIC)


def _default(pixels: int) -> ImageFont.FreeTypeFont:
    font = ImageFont.load_default(pixels)
    if not isinstance(font, ImageFont.FreeTypeFont):
        raise RuntimeError("This Pillow was built without FreeType: it cannot write text.")
    return font


def _root(family: str) -> str:
    """A family's name without its weights: "Lato Black" is of the family "lato"."""
    return " ".join(w for w in family.lower().split() if w not in _WEIGHTS) or family.lower()


def _face(source: Source) -> Face | None:
    """What a file holds, or None if it is broken, of symbols, or without Latin letters."""
    try:
        font = _open(source, 24)
        family, style = (part or "" for part in font.getname())
        name = f"{family} {'' if isinstance(source, bytes) else source.stem}".lower()
        letters = _has(font, "AZagxz09.") and _has(font, _MARKS)
    except (OSError, ValueError):
        return None
    if not letters or any(word in name for word in _NO_TEXT):
        return None
    scripts = tuple(script for script, sample in SCRIPTS.items() if _has(font, sample))
    mono = font.getlength("i") == font.getlength("W")
    return Face(source, family, style, scripts, mono)


def _has(font: ImageFont.FreeTypeFont, sample: str) -> bool:
    """Whether a face has glyphs of its own for all these characters."""
    missing = _shape(font, "\U000f1234")
    shapes = [_shape(font, character) for character in sample]
    drawn = all(any(data) and (size, data) != missing for size, data in shapes)
    return drawn and len(set(shapes)) == len(shapes)


def _shape(font: ImageFont.FreeTypeFont, character: str) -> tuple[tuple[int, int], bytes]:
    mask = font.getmask(character)
    return mask.size, bytes(mask)
