"""Write image files: which formats, what each can hold, and the options that lose the least."""

from __future__ import annotations

import io
import os
from dataclasses import dataclass
from typing import Any, BinaryIO

from PIL import Image, PngImagePlugin

from latentpress.errors import OutputError
from latentpress.image.color import to_srgb
from latentpress.image.known_profiles import GRAY_SRGB, SRGB, known_number
from latentpress.image.metadata import description
from latentpress.image.pixel_density import density_options, read_density
from latentpress.image.plugins import load_own
from latentpress.image.profiles import fitting
from latentpress.image.text import jpeg_comment, png_text, text_of_info
from latentpress.system.files import Like, replacing
from latentpress.system.places import elsewhere, path_name

# zlib, mean of Kodak: 684 kB in 32 ms; level 3: 670 kB in 44 ms; level 6: 664 kB in 112 ms
PNG_LEVEL = 1
# zlib's Z_RLE: on a decoded photograph of 12 megapixels 18.7 MB in 0.71 s, by default 19.8 MB in
# 0.86 s
PNG_STRATEGY = 3
XMP_TAG = 700  # of a TIFF file
ICC_SPACE = slice(16, 20)  # of a profile: the color space of its pictures (ICC.1, 7.2.6)


@dataclass(frozen=True)
class ImageFormat:
    """One format of Pillow: its modes, its longest side in pixels, the metadata it holds, the
    options used when none are given.
    """

    name: str
    modes: tuple[str, ...]
    side: int
    metadata: tuple[str, ...]
    options: dict[str, Any]


ALL = ("icc_profile", "exif", "xmp")
WORDS = {"icc_profile": "the ICC profile", "exif": "EXIF", "xmp": "XMP"}
GRAY_OR_RGB, WITH_ALPHA = ("L", "RGB"), ("L", "LA", "RGB", "RGBA")

PNG = ImageFormat(
    "PNG", WITH_ALPHA, 65535, ALL, {"compress_level": PNG_LEVEL, "compress_type": PNG_STRATEGY}
)
JPEG = ImageFormat("JPEG", GRAY_OR_RGB, 65500, ALL, {"quality": 95, "subsampling": "4:4:4"})
# Lossless at little effort: smaller than PNG and about as fast. `exact` keeps the colors under
# full transparency.
WEBP = ImageFormat(
    "WEBP",
    ("RGB", "RGBA"),
    16383,
    ALL,
    {"lossless": True, "quality": 20, "method": 1, "exact": True},
)
# Pillow's AVIF is never lossless; this is 45 dB on a Kodak image, at a speed whose files are no
# larger than the default's. Of longer sides libavif opens none that it wrote itself
# (AVIF_DEFAULT_IMAGE_DIMENSION_LIMIT).
AVIF = ImageFormat(
    "AVIF", ("RGB", "RGBA"), 32768, ALL, {"quality": 95, "subsampling": "4:4:4", "speed": 8}
)
# Pillow writes the EXIF and GPS directories of a photograph into uncompressed TIFF files only.
TIFF = ImageFormat("TIFF", WITH_ALPHA, 65535, ALL, {"compression": "raw"})
BMP = ImageFormat("BMP", GRAY_OR_RGB, 65535, (), {})
PPM = ImageFormat("PPM", GRAY_OR_RGB, 65535, (), {})
TGA = ImageFormat("TGA", WITH_ALPHA, 65535, (), {})
JPEG2000 = ImageFormat("JPEG2000", WITH_ALPHA, 65535, (), {})  # lossless unless told otherwise

FORMATS = {
    ".png": PNG,
    ".jpg": JPEG,
    ".jpeg": JPEG,
    ".webp": WEBP,
    ".avif": AVIF,
    ".tif": TIFF,
    ".tiff": TIFF,
    ".bmp": BMP,
    ".ppm": PPM,
    ".pgm": PPM,
    ".pnm": PPM,
    ".tga": TGA,
    ".jp2": JPEG2000,
}


def output_format(path: str | os.PathLike[str]) -> ImageFormat:
    """The format that the suffix of `path` asks for. Raises OutputError for an unknown suffix."""
    place = elsewhere(path)
    suffix = (place.suffix if place else os.path.splitext(os.fspath(path))[1]).lower()
    if suffix not in FORMATS:
        what = (
            f"no image format has the suffix {suffix}"
            if suffix
            else "the name has no suffix to tell the image format"
        )
        raise OutputError(f"{path_name(path)}: {what}; known are {' '.join(FORMATS)}")
    return FORMATS[suffix]


def write_image(
    image: Image.Image,
    path: str | os.PathLike[str],
    *,
    overwrite: bool = False,
    like: Like = None,
    **save_options: Any,
) -> tuple[str, ...]:
    """Write an image in the format of the path's suffix, whole or not at all.

    ICC profile, EXIF, XMP, texts and density are taken from `image.info` and written where the
    format has a place for them (texts in PNG, a comment in JPEG); one that its encoder refuses (a
    damaged EXIF block in AVIF, more than 64 kB in JPEG) is left out, and so is a profile that is
    damaged or for other colors than the image's.

    Args:
        image: in mode L, LA, RGB or RGBA.
        path: the file; its suffix is one of FORMATS.
        overwrite: replace a file that is there.
        like: a file, or several, whose permissions a new one does not exceed.
        **save_options: Pillow's. Without any the format's own in FORMATS hold, with any of them
            none of these do.

    Returns:
        Sentences about what was lost.

    Raises:
        OutputError: unknown suffix, existing output, no permission, full disk, an alpha channel
            that the format cannot hold.

    Example:
        >>> write_image(image, "photo.png")  # doctest: +SKIP
        ()
    """
    output_format(path)  # before anything is made there
    with replacing(path, overwrite=overwrite, like=like) as stream:
        return save_image(image, stream, path, **save_options)


def save_image(
    image: Image.Image,
    stream: BinaryIO,
    path: str | os.PathLike[str],
    **save_options: Any,
) -> tuple[str, ...]:
    """Write an image to an empty open file that can be sought, as `write_image` does to a path.

    Args:
        image: in mode L, LA, RGB or RGBA.
        stream: the file; what an error leaves there is no picture.
        path: its name, whose suffix tells the format.
        **save_options: as of `write_image`.

    Returns:
        Sentences about what was lost.

    Raises:
        OutputError: unknown suffix, or the format cannot hold the image.

    Example:
        >>> stream = io.BytesIO()
        >>> save_image(Image.new("RGB", (4, 4)), stream, "black.png")
        ()
        >>> stream.getvalue()[1:4]
        b'PNG'
    """
    name = path_name(path)
    form = output_format(path)
    if max(image.size) > form.side:
        raise OutputError(
            f"{name}: a {form.name} file is at most {form.side} pixels wide and high, not "
            f"{image.width} x {image.height}"
        )
    image, notices = _fitted(image, form, name)
    image, dropped = _with_fitting_profile(image, form)
    notices += dropped
    notices += _homeless_metadata(image, form) + _homeless_text(image, form)
    options = save_options or form.options
    try:
        _save(image, stream, form, options)
        return notices
    except OutputError as error:
        refused = _refused_metadata(image, form)
        if not refused:
            raise OutputError(f"{name}: {error}") from None
    stream.seek(0)
    stream.truncate()
    image = image.copy()
    for key in refused:
        del image.info[key]
    try:
        _save(image, stream, form, options)
    except OutputError as error:
        raise OutputError(f"{name}: {error}") from None
    return (*notices, *(f"{WORDS[key]} left out: {reason}" for key, reason in refused.items()))


def _save(image: Image.Image, stream: BinaryIO, form: ImageFormat, options: dict[str, Any]) -> None:
    """Encode, with the metadata of `image.info`. OutputError where the encoder fails; the disk's
    errors and those of memory as they are.
    """
    load_own(form.name)
    try:
        image.save(stream, format=form.name, **{**_metadata(image, form), **options})
    except MemoryError:
        raise
    except Exception as error:  # on damaged metadata Pillow's writers raise nearly anything
        if isinstance(error, OSError) and error.errno is not None:
            raise
        raise OutputError(
            f"the {form.name} encoder failed: {str(error) or type(error).__name__}"
        ) from None


def _homeless_metadata(image: Image.Image, form: ImageFormat) -> tuple[str, ...]:
    """A notice of the metadata for which a format that holds hardly any has no place. A profile
    that says what is taken for granted without one is no loss.
    """
    if form.metadata:
        return ()
    info = image.info
    lost = [words for key, words in WORDS.items() if info.get(key)]
    icc = info.get("icc_profile")
    if isinstance(icc, bytes) and known_number(icc) in (SRGB, GRAY_SRGB):
        lost.remove(WORDS["icc_profile"])
    if read_density(info) and not density_options(info, form.name):
        lost.append("the density")
    if not lost:
        return ()
    return (f"{', '.join(lost)} left out: no {form.name} file holds that",)


def _homeless_text(image: Image.Image, form: ImageFormat) -> tuple[str, ...]:
    """A notice of the texts that this format has no place for."""
    text = text_of_info(image.info)
    comment, _ = jpeg_comment(text)
    keys = [key for key, _ in text if key != comment or form is not JPEG]
    if form is PNG or not keys:
        return ()
    homes = ".png and .jpg" if keys == [comment] else "only .png"
    return (f"text left out ({', '.join(keys)}): {homes} files hold it",)


def _refused_metadata(image: Image.Image, form: ImageFormat) -> dict[str, str]:
    """The entries of `image.info` that this format's encoder does not take, tried one by one on a
    single pixel, and why.
    """
    refused = {}
    for key in (k for k in form.metadata if k in image.info):
        pixel = Image.new(image.mode, (1, 1))
        pixel.info = {key: image.info[key]}
        try:
            _save(pixel, io.BytesIO(), form, form.options)
        except OutputError as error:
            refused[key] = str(error)
    return refused


def _fitted(
    image: Image.Image, form: ImageFormat, name: str
) -> tuple[Image.Image, tuple[str, ...]]:
    """The image in a mode that the format holds, and notices; only an alpha channel that is opaque
    everywhere may go.
    """
    if image.mode in form.modes:
        return image, ()
    if image.mode not in WITH_ALPHA:
        raise OutputError(
            f"{name}: an image in mode {image.mode} cannot be written; convert it to RGB first"
        )
    if (
        image.mode in ("L", "LA")
        and "RGB" in form.modes
        and (image.mode == "L" or "RGBA" in form.modes)
    ):
        return _colored(image, form)
    if image.getchannel("A").getextrema() != (255, 255):
        raise OutputError(
            f"{name}: {form.name} cannot hold the alpha channel; .png, .webp, .avif and .tif can"
        )
    return image.getchannel("L") if image.mode == "LA" else image.convert("RGB"), ()


def _colored(image: Image.Image, form: ImageFormat) -> tuple[Image.Image, tuple[str, ...]]:
    """L as RGB, LA as RGBA, and a notice where a profile for gray, which no RGB file can carry, was
    used up or dropped.
    """
    icc = image.info.get("icc_profile") or b""
    if icc[ICC_SPACE] != b"GRAY":
        return image.convert("RGB" if image.mode == "L" else "RGBA"), ()
    result = to_srgb(image.getchannel("L"), icc)
    notice = f"{form.name} holds no gray: converted to sRGB through the gray ICC profile"
    if result is None:
        result = image.getchannel("L").convert("RGB")
        notice = (
            f"the ICC profile left out: it is damaged, and for gray, which {form.name} does "
            "not hold"
        )
    if image.mode == "LA":
        result.putalpha(image.getchannel("A"))
    result.info = {key: value for key, value in image.info.items() if key != "icc_profile"}
    return result, (notice,)


def _with_fitting_profile(
    image: Image.Image, form: ImageFormat
) -> tuple[Image.Image, tuple[str, ...]]:
    """The image with a profile for its mode or with none, and a notice where it was left out:
    browsers do not show an AVIF file whose profile does not fit.
    """
    icc = image.info.get("icc_profile")
    if "icc_profile" not in form.metadata or not isinstance(icc, bytes) or not icc:
        return image, ()
    kept, problem = fitting(icc, image.mode)
    if kept == icc:
        return image, ()
    info = {key: value for key, value in image.info.items() if key != "icc_profile"}
    image = image.copy()
    image.info = info if kept is None else {**info, "icc_profile": kept}
    return image, (f"the ICC profile was left out: {problem}",) if problem else ()


def _metadata(image: Image.Image, form: ImageFormat) -> dict[str, Any]:
    """Pillow's save options for the metadata in `image.info`."""
    found = {
        key: image.info[key]
        for key in form.metadata
        if isinstance(image.info.get(key), bytes) and image.info[key]
    }
    text = text_of_info(image.info)
    if form is PNG and ("xmp" in found or text):
        found["pnginfo"] = chunks = PngImagePlugin.PngInfo()
        if "xmp" in found:
            chunks.add(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + found.pop("xmp"))
        png_text(text, chunks)
    _, comment = jpeg_comment(text)
    if form is JPEG and (comment or isinstance(image.info.get("comment"), str)):
        found["comment"] = comment  # empty: not one of `info` that is too long, either
    if (
        form is TIFF
        # only what describes the picture: a photograph's EXIF may hold a width and height too,
        # which
        # would become the file's
    ):
        found["tiffinfo"] = _described(found.pop("exif", b""))
        if "xmp" in found:
            found["tiffinfo"][XMP_TAG] = found.pop("xmp")
    return found | density_options(image.info, form.name)


def _described(exif: bytes) -> dict[int, Any]:
    """The tags of an EXIF block for a TIFF file; none of a damaged block, which Pillow cannot take
    apart.
    """
    tags = Image.Exif()
    try:
        tags.load(exif)
        return description(tags)
    except Exception:  # as with damaged images, nearly anything
        return {}
