"""Stage 1 of 5: read pictures from image files, and put decoded ones back together.

read_picture: file, PIL image or array -> Picture   (color.py, metadata.py)
assemble:     decoded RGB, alpha, gray, metadata -> PIL image
write_image:  PIL image -> file                  (formats.py)
"""

from __future__ import annotations

import contextlib
import io
import itertools
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from latentpress._typing import Pixels
from latentpress.errors import ConversionError, FormatError, ImageError, LatentpressError
from latentpress.image import color, metadata, plugins, tiff
from latentpress.image.companions import count_beside
from latentpress.image.declared import LEFT_OUT, read_declared, settle
from latentpress.image.formats import write_image
from latentpress.image.limits import MAX_SIDE, max_pixels, no_pillow_limit
from latentpress.image.metadata_chunks import Metadata
from latentpress.image.on_disk import LARGE, PASTE_ROWS, OnDisk, pasted
from latentpress.image.pixel_density import Density
from latentpress.image.strip import find_metadata, without_profile
from latentpress.image.text import Text, text_entries
from latentpress.options import check_strip
from latentpress.system.files import output_error
from latentpress.system.once import cached_property
from latentpress.system.places import elsewhere, located
from latentpress.system.sources import ByteSource, name_of, not_a_picture, read_source

__all__ = [
    "MAX_SIDE",
    "Picture",
    "assemble",
    "info_entries",
    "max_pixels",
    "read_picture",
    "write_image",
]

SMALL = 1 << 21  # pixels of a picture that is held twice: as it was stored, and as an array
TRANSPOSE = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}

Source = ByteSource | Image.Image | NDArray[np.uint8]


@dataclass(frozen=True)
class Outline:
    """What is known of a picture when its pixels are let go: upright columns and rows, and its
    notices.
    """

    width: int
    height: int
    notices: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Picture:
    """A picture as the codec sees it: upright 8-bit RGB, alpha apart, metadata as bytes without an
    orientation.

    The pixels stay as they were stored and are turned and converted as they are asked for, so that
    a photograph is held once; those of a large one that was read from a file wait on disk.
    `notices` are sentences about what was converted and what was dropped.
    """

    # mode L, RGB or RGBA (then read the alpha from `alpha`), as in the file
    stored: Image.Image | OnDisk
    orientation: int  # 1 to 8, Exif's numbering: how `stored` must be turned
    alpha: NDArray[np.uint8] | None  # (height, width), upright; None when there is no alpha channel
    gray: bool  # came in as gray: L or LA must come back
    icc: bytes | None
    exif: bytes | None  # a TIFF stream, without the prefix "Exif\0\0"
    xmp: bytes | None
    notices: tuple[str, ...]
    text: Text = ()  # keyword and text, as of a PNG file
    density: Density | None = None  # dots an inch, across and down, of the upright picture

    @property
    def metadata(self) -> Metadata:
        """The metadata as one."""
        return Metadata(self.icc, self.exif, self.xmp, self.text, self.density)

    @property
    def is_turned(self) -> bool:
        """Whether rows of the stored image are columns of the upright picture."""
        return self.orientation >= 5

    @property
    def width(self) -> int:
        """Columns of the upright picture."""
        return self.stored.height if self.is_turned else self.stored.width

    @property
    def height(self) -> int:
        """Rows of the upright picture."""
        return self.stored.width if self.is_turned else self.stored.height

    @property
    def outline(self) -> Outline:
        """The picture without its pixels."""
        return Outline(self.width, self.height, self.notices)

    @cached_property
    def image(self) -> Image.Image:
        """The whole upright picture in mode RGB: a second copy in memory unless it is stored so."""
        if isinstance(self.stored, OnDisk):
            return self.stored.image().convert("RGB")
        method = TRANSPOSE.get(self.orientation)
        image = self.stored.transpose(method) if method is not None else self.stored
        if image.mode == "RGB":
            return image
        image = image.copy() if image is self.stored else image
        image.info = {}
        return image.convert("RGB")

    def pixels(self, top: int, bottom: int, left: int, right: int) -> NDArray[np.uint8]:
        """Rows top to bottom, columns left to right (ends excluded, within the picture): (rows,
        columns, 3), 0 to 255, a new array.
        """
        if not (0 <= top <= bottom <= self.height and 0 <= left <= right <= self.width):
            raise ValueError(
                f"rows {top}:{bottom}, columns {left}:{right} are not within {self.height} x "
                f"{self.width}"
            )
        if self._small is not None:
            return self._small[top:bottom, left:right].copy()
        return self._converted(top, bottom, left, right)

    @cached_property
    def _small(self) -> Pixels | None:
        """All pixels of a small picture, which is looked at many times; None of a larger one."""
        if self.width * self.height > SMALL:
            return None
        return self._converted(0, self.height, 0, self.width)

    def _converted(self, top: int, bottom: int, left: int, right: int) -> Pixels:
        out = np.empty((bottom - top, right - left, 3), np.uint8)
        _copy(self.stored, self.orientation, out, top, left)
        return out

    def opacity(self, top: int, bottom: int, left: int, right: int) -> NDArray[np.uint8] | None:
        """The alpha of the same window as of `pixels`, (rows, columns), 0 to 255; None without."""
        return None if self.alpha is None else self.alpha[top:bottom, left:right]


def read_picture(
    source: Source,
    *,
    strict: bool = False,
    strip: str | Sequence[str] = (),
    given: Mapping[str, Any] | None = None,
) -> Picture:
    """Read everything that Pillow reads, or take a picture that is in memory.

    Args:
        source: a path, the bytes of an image file or an open binary file (the first frame is read),
            a PIL image (its current frame; it is not changed and not copied), or a uint8 array
            (H, W), (H, W, 1), (H, W, 3) or (H, W, 4).
        strict: as in EncodeOptions.
        strip: as in EncodeOptions.
        given: metadata that count in the place of those of a PIL image, as Pillow's `save` takes
            them: icc_profile, exif, xmp, dpi.

    Returns:
        The picture, upright, with what was converted or dropped in its notices.

    Raises:
        ImageError: it cannot be read, or is too large.
        ConversionError: `strict`, and something would be lost.

    Example:
        >>> read_picture(np.zeros((48, 64), np.uint8)).gray
        True
    """
    names = check_strip(strip)
    if isinstance(source, np.ndarray):
        return _picture("the array", _from_array(source), strict, names, {})
    if isinstance(source, Image.Image):
        with readable("the image"):
            return _picture("the image", source, strict, names, given or {})
    name = name_of(source) or "the bytes"
    with readable(name), open_source(source) as file:
        if problem := not_a_picture(file.peek(4)[:4]):
            raise ImageError(f"{name}: {problem}")
        with plugins.open_image(file, file.peek(plugins.HEAD), name) as image:
            picture = _picture(name, image, strict, names, {})
        if picture.width * picture.height > LARGE:
            picture = put_on_disk(picture)
        return picture


def count_pixels(path: str | os.PathLike[str]) -> int:
    """The pixels that the header of an image file promises; 0 of a pipe, and where it cannot be
    read, for then `read_picture` says why.
    """
    try:
        if not os.path.isfile(path):
            return 0
        with (
            no_pillow_limit(),
            open(path, "rb") as file,
            plugins.open_image(file, file.peek(plugins.HEAD), os.fspath(path)) as image,
        ):
            return int(image.width * image.height)
    except Exception:  # on damaged files Pillow's readers raise nearly anything
        return 0


def open_source(source: ByteSource) -> io.BufferedReader:
    """A path of the file system as an open file, all else as a file in memory."""
    source = located(source)
    if isinstance(source, (str, os.PathLike)) and elsewhere(source) is None:
        return open(source, "rb")
    return io.BufferedReader(io.BytesIO(read_source(source)))


def paste(strips: Iterable[Pixels], width: int, height: int) -> Image.Image:
    """Strips of pixels (rows, width, 3), top to bottom -> one RGB image. FormatError where there is
    none.

    Strips of a large image wait on disk until the last one has come and what made them has let its
    memory go.
    """
    source = iter(strips)
    first = next(source, None)
    if first is None:
        raise FormatError("the file holds no pixels")
    every = itertools.chain([first], source)
    del first
    if width * height <= LARGE:
        return pasted(every, "RGB", (width, height))
    try:
        on_disk = OnDisk(every, width, height)
    except OSError as error:
        import tempfile

        raise output_error(tempfile.tempdir or "temporary files", error) from error
    return on_disk.image()


def assemble(
    image: Image.Image,
    *,
    alpha: NDArray[np.uint8] | None,
    gray: bool,
    icc: bytes | None,
    exif: bytes | None,
    xmp: bytes | None,
    text: Text = (),
    density: Density | None = None,
) -> Image.Image:
    """Put a decoded picture back together: mode L, LA, RGB or RGBA, metadata in `info` under
    Pillow's names.

    `image` is RGB (or L) and is used up: it may become the result. `alpha` is (height, width). Gray
    is the rounded luma of the RGB.
    """
    if gray and image.mode != "L":
        image = image.convert("L")
    if alpha is not None:
        check_alpha(alpha, image.width, image.height)
        image.putalpha(Image.fromarray(alpha))
    image.info.update(info_entries(icc, exif, xmp, text, density))
    return image


def check_alpha(alpha: Pixels, width: int, height: int) -> None:
    """ImageError where an alpha channel does not fit a picture."""
    if alpha.shape != (height, width):
        raise ImageError(
            f"the alpha channel is {alpha.shape[1]} x {alpha.shape[0]}, the picture "
            f"{width} x {height}"
        )


def info_entries(
    icc: bytes | None,
    exif: bytes | None,
    xmp: bytes | None,
    text: Text = (),
    density: Density | None = None,
) -> dict[str, Any]:
    """Metadata as it stands in Pillow's `info`: what there is, EXIF with its prefix, each text
    under its keyword.
    """
    entries = {
        "icc_profile": icc,
        "exif": exif and metadata.EXIF_PREFIX + exif.removeprefix(metadata.EXIF_PREFIX),
        "xmp": xmp,
        "dpi": density,
        **text_entries(text),
    }
    return {name: value for name, value in entries.items() if value}


def frames_of(image: Image.Image) -> int:
    """How many frames an opened image has, 1 where its file is closed and they were not counted
    before; neither the layers of a PSD file are counted nor what stands behind a JPEG, previews and
    a gain map.
    """
    try:
        if image.format == "PSD" or not getattr(image, "is_animated", False):
            return 1
        return int(getattr(image, "n_frames", 1)) - count_beside(image)
    except ValueError:  # of GIF and TIFF, which Pillow looks through
        if getattr(image, "fp", None) is not None:
            raise
        return 1


def _picture(
    name: str,
    image: Image.Image,
    strict: bool,
    strip: Sequence[str],
    given: Mapping[str, Any],
) -> Picture:
    _check_size(name, *image.size)
    declared = read_declared(image)
    if "icc_profile" in given:
        declared = declared.without_colors()
    tiff.mend_samples(image)
    bits = 16 if color.is_deep(image) else declared.bits
    deep_gray = color.is_deep_gray(image)
    frames = frames_of(image)
    image.load()
    found = find_metadata(image, strip, declared, given)
    if found.has_gain_map and image.format == "HEIF":  # where it may count as a frame
        frames -= 1

    converted = color.convert(image, found.metadata.icc, bits)
    if deep_gray:
        converted = color.Converted(image.getchannel("R"), converted.alpha)
    settled = settle(converted, found.metadata.icc, declared)
    losses = [
        f"only one of {frames} frames was kept" if frames > 1 else None,
        f"{bits}-bit samples were cut to 8 bits"
        if bits > 8 and image.mode[0] not in "IF"
        else None,
        converted.notice if converted.lossy else None,
        *(loss for loss in settled.losses if not (loss.startswith(LEFT_OUT) and "icc" in strip)),
        f"{' and '.join(found.lost)} {'were' if len(found.lost) > 1 else 'was'} dropped"
        if found.lost
        else None,
    ]
    lost = [loss for loss in losses if loss]
    if strict and lost:
        raise ConversionError(f"{name}: {' and '.join(lost)}, which strict forbids")

    icc = settled.icc
    converted = replace(converted, image=settled.image)
    if icc and "icc" in strip:
        converted = without_profile(converted, icc)
        icc = None
    orientation = found.orientation
    alpha = None
    if converted.alpha is not None:
        width, height = converted.alpha.size
        alpha = np.empty((height, width) if orientation < 5 else (width, height), np.uint8)
        _copy(converted.alpha, orientation, alpha, 0, 0)
    notices = lost if converted.lossy or not converted.notice else [*lost, converted.notice]
    return Picture(
        stored=converted.image,
        orientation=orientation,
        alpha=alpha,
        gray=converted.image.mode == "L",
        icc=icc,
        exif=found.metadata.exif,
        xmp=found.metadata.xmp,
        notices=tuple(notices),
        text=found.metadata.text,
        density=found.metadata.density,
    )


def put_on_disk(picture: Picture) -> Picture:
    """The picture with its pixels on disk, upright; itself where the disk has no room."""
    width, height = picture.width, picture.height
    shape = (width,) if picture.stored.mode == "L" else (width, 3)

    def bands() -> Iterator[NDArray[np.uint8]]:
        for top in range(0, height, PASTE_ROWS):
            band = np.empty((min(PASTE_ROWS, height - top), *shape), np.uint8)
            _copy(picture.stored, picture.orientation, band, top, 0)
            yield band

    try:
        return replace(picture, stored=OnDisk(bands(), width, height), orientation=1)
    except OSError:
        return picture


def _copy(
    image: Image.Image | OnDisk, orientation: int, out: NDArray[np.uint8], top: int, left: int
) -> None:
    """Fill `out`, (rows, columns) or (rows, columns, 3), with the upright pixels from `top`, `left`
    on, a band at a time.
    """
    width, height = image.size if orientation < 5 else image.size[::-1]
    right = left + out.shape[1]
    rows = max(1, color.BAND_PIXELS // max(1, out.shape[1]))
    for start in range(top, top + out.shape[0], rows):
        end = min(start + rows, top + out.shape[0])
        x = (width - right, width - left) if orientation in (2, 3, 6, 7) else (left, right)
        y = (height - end, height - start) if orientation in (3, 4, 7, 8) else (start, end)
        if orientation >= 5:
            x, y = y, x
        part = image.crop((x[0], y[0], x[1], y[1]))
        part.info = {}  # a transparent color here would make Pillow convert with warnings
        if orientation in TRANSPOSE:
            part = part.transpose(TRANSPOSE[orientation])
        if out.ndim == 3 and part.mode != "RGB":  # where it is, Pillow would copy it
            part = part.convert("RGB")
        out[start - top : end - top] = np.asarray(part)


def _from_array(array: NDArray[np.uint8]) -> Image.Image:
    if array.dtype != np.uint8:
        raise ImageError(f"the array must be of type uint8, not {array.dtype}")
    if array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[2] not in (1, 3, 4)):
        raise ImageError(
            "the array must have the shape (H, W), (H, W, 1), (H, W, 3) or (H, W, 4), not "
            f"{array.shape}"
        )
    _check_size("the array", array.shape[1], array.shape[0])
    return Image.fromarray(
        np.ascontiguousarray(array[..., 0] if array.shape[2:] == (1,) else array)
    )


def _check_size(name: str, width: int, height: int) -> None:
    if not (1 <= width <= MAX_SIDE and 1 <= height <= MAX_SIDE):
        raise ImageError(
            f"{name}: {width} x {height} pixels; each side must be 1 to {MAX_SIDE} long"
        )
    if width * height > max_pixels():
        raise ImageError(
            f"{name}: {width} x {height} pixels are more than the limit of {max_pixels()} "
            "(LATENTPRESS_MAX_PIXELS)"
        )


@contextlib.contextmanager
def readable(name: str) -> Iterator[None]:
    """Open and load without Pillow's limit of pixels; every way in which that fails becomes one
    ImageError.
    """
    try:
        with no_pillow_limit():
            yield
    except LatentpressError:  # of this package, in words already
        raise
    except UnidentifiedImageError:
        raise ImageError(f"{name}: not an image, or of a kind that Pillow does not know") from None
    except FileNotFoundError:
        raise ImageError(f"{name}: no such file") from None
    except IsADirectoryError:
        raise ImageError(f"{name}: is a folder, not an image file") from None
    except PermissionError:
        raise ImageError(f"{name}: no permission to read it") from None
    except MemoryError:
        raise ImageError(f"{name}: not enough memory to decode it") from None
    except Exception as error:  # on damaged files Pillow's readers raise nearly anything
        raise ImageError(f"{name}: cannot be decoded: {reason_of(error)}") from None


def reason_of(error: Exception) -> str:
    """Why Pillow could not decode a file: what it says where that is a sentence, as of OSError."""
    said = (str(error).strip().splitlines() or [""])[0]
    if said and isinstance(error, (OSError, SyntaxError, ValueError, EOFError)):
        return said
    inside = f"{type(error).__name__}: {said}" if said else type(error).__name__
    return f"its data are damaged, or of a kind that Pillow cannot read ({inside})"
