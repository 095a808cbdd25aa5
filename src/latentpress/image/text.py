"""Text of a picture: the prompts and workflows of generated pictures, titles, authors, comments.

Every text chunk of a PNG file (tEXt, zTXt, iTXt) is kept but those that tools write of the file
itself; of other files the comment, unless an encoder signed with it. In Pillow's `info` each stands
under its own keyword, as Pillow's reader of PNG puts it.
"""

from __future__ import annotations

from typing import Any

from PIL import Image, PngImagePlugin

from latentpress.errors import FormatError
from latentpress.varint import read_varint, write_varint

Text = tuple[tuple[str, str], ...]  # pairs of a keyword and a text, no keyword twice

MAX_KEYWORD = 79  # bytes in Latin-1; PNG specification (third edition), 11.3.3.1
MAX_TEXT = 1 << 22  # bytes of all texts of a picture
# keywords of ImageMagick, GraphicsMagick and desktop thumbnails, which tell of the file alone
TOOL_PREFIXES = (
    "date:", "exif:", "icc:", "jpeg:", "png:", "tiff:", "pdf:", "photoshop:", "xmp:", "dng:",
    "Raw profile type", "XML:com.adobe.xmp", "Thumb::",
)  # fmt: skip
# what Pillow's readers and writers use as keys of `info` for other things than text
PILLOW_KEYS = frozenset(
    (
        "aspect", "background", "blend", "compression", "default_image", "disposal", "dpi",
        "duration", "exif", "extension", "gamma", "icc_profile", "interlace", "jfif", "loop", "mp",
        "mpoffset", "photoshop", "progressive", "resolution", "sizes", "srgb", "timestamp",
        "transparency", "version", "xmp", "adobe", "adobe_transform", "chromaticity", "filename",
        "hotspot", "id_section", "jfif_density", "jfif_unit", "jfif_version", "no_jp2", "optimize",
        "orientation", "palette", "rle", "append_images", "bbox",
    )
)  # fmt: skip
SIGNATURES = (  # how comments begin that encoders write of themselves
    "AppleMark", "Compressed by", "Created by OpenJPEG", "Created with GIMP", "CREATOR:",
    "File source:", "File written by", "Intel(R) JPEG Library", "Kakadu", "LEAD Technologies",
    "Lavc", "Optimized by", "Software:",
)  # fmt: skip
COMMENT = "Comment"
MAX_JPEG_COMMENT = 65533  # bytes of a segment without its length (ITU T.81, B.2.4.5)
TEXT_FORMATS = (None, "PNG", "LTP")  # whose `info` holds texts under their keywords


class Told(str):
    """What stands in an `info` of the file itself, and is no text of its picture."""

    __slots__ = ()


def read_text(image: Image.Image) -> Text:
    """The texts of a loaded image that are kept, in the order in which they stand there."""
    found: dict[str, str] = {}
    if image.format in TEXT_FORMATS:
        texts = {k: v for k, v in image.info.items() if not isinstance(v, Told)}
        found |= {str(k): v for k, v in texts.items() if isinstance(v, str)}
    written = getattr(image, "text", None)
    if isinstance(written, dict):  # what another entry of `info` hides; others were taken out
        hidden = image.info.keys() - found.keys()
        found |= {str(k): str(v) for k, v in written.items() if k in hidden}
    comment = image.info.get("comment")  # of PNG a text of that keyword, which is not "Comment"
    if isinstance(comment, bytes):
        comment = _decoded(comment)
    elif image.format in TEXT_FORMATS:
        comment = None
    if isinstance(comment, str) and not comment.startswith(SIGNATURES):
        found.setdefault(COMMENT, comment)
    pairs = (
        (key, value.replace("\0", "").encode("utf-8", "replace").decode())
        for key, value in found.items()
    )
    return tuple((key, value) for key, value in pairs if value.strip() and _is_kept(key))


def _decoded(comment: bytes) -> str:
    """A comment, whose file does not name its encoding: UTF-8, or else Latin-1, which takes any."""
    try:
        return comment.decode()
    except UnicodeDecodeError:
        return comment.decode("latin-1")


def _is_kept(key: str) -> bool:
    return is_keyword(key) and key not in PILLOW_KEYS and not key.startswith(TOOL_PREFIXES)


def is_keyword(key: str) -> bool:
    """Whether PNG allows this keyword: 1 to 79 printable characters of Latin-1, no space at its
    ends, no two in a row (third edition, 11.3.3.1).
    """
    return (
        1 <= len(key) <= MAX_KEYWORD
        and all(" " <= c <= "~" or "\xa1" <= c <= "\xff" for c in key)
        and key == key.strip(" ")
        and "  " not in key
    )


def pack_text(text: Text) -> bytes:
    """Texts -> bytes: of each its keyword and its value in UTF-8, both behind their length."""
    out = bytearray()
    for pair in text:
        for part in pair:
            data = part.encode()
            out += write_varint(len(data)) + data
    return bytes(out)


def unpack_text(data: bytes) -> Text:
    """The inverse of pack_text; FormatError where the bytes are no texts, or a keyword is none, or
    stands twice.
    """
    parts = []
    position = 0
    while position < len(data):
        size, position = read_varint(data, position)
        if size > len(data) - position:
            raise FormatError("the text chunk is damaged: a text is cut off")
        try:
            parts.append(data[position : position + size].decode())
        except UnicodeDecodeError:
            raise FormatError("the text chunk is damaged: a text is not in UTF-8") from None
        position += size
    keys = parts[::2]
    if len(parts) % 2 or len({*keys}) < len(keys):
        raise FormatError("the text chunk is damaged: its keywords are not what they must be")
    if any("\0" in part for part in parts) or not all(is_keyword(key) for key in keys):
        raise FormatError("the text chunk is damaged: its keywords are not what they must be")
    return tuple(zip(keys, parts[1::2], strict=True))


def text_entries(text: Text) -> dict[str, str]:
    """Texts as they stand in Pillow's `info`; those whose keyword means something else there are
    left out.
    """
    return {key: value for key, value in text if _is_kept(key)}


def text_of_info(info: dict[Any, Any]) -> Text:
    """The texts of an `info`."""
    return tuple(
        (key, value)
        for key, value in info.items()
        if isinstance(key, str) and isinstance(value, str) and _is_kept(key)
    )


def jpeg_comment(text: Text) -> tuple[str, bytes]:
    """The comment for a JPEG file and its keyword, which is "Comment" or, without that, "comment";
    empty where there is none, or it is too long for a segment.
    """
    texts = dict(text)
    keyword = COMMENT if COMMENT in texts else COMMENT.lower()
    comment = texts.get(keyword, "").encode()
    return (keyword, comment) if 1 <= len(comment) <= MAX_JPEG_COMMENT else ("", b"")


def png_text(text: Text, chunks: PngImagePlugin.PngInfo) -> None:
    """Add texts to the chunks of a PNG file: tEXt where Latin-1 holds the text, else iTXt."""
    for key, value in text:
        chunks.add_text(key, value)
