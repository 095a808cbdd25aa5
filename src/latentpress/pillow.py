"""A plugin for Pillow: after `import latentpress.pillow`, Image.open("photo.ltp") and
image.save("photo.ltp", quality=60) work.

Opening reads the header and the metadata: quality, model (the hash of the encoder's), space, ICC
profile, EXIF, XMP, texts and density stand in `info`. The picture is decoded when its pixels are
first asked for, once, and the file is closed then. `draft` asks for it at a quarter of the size,
which takes about half of the time (`thumbnails.py`); `thumbnail` calls it where that is enough.
"""

from __future__ import annotations

import os
from dataclasses import fields
from typing import IO, Any

from PIL import Image, ImageFile

from latentpress.container import MAGIC, crc, metadata_bodies, read_header, unpack
from latentpress.errors import FormatError, LatentpressError, UsageError
from latentpress.image.metadata_chunks import decode_metadata
from latentpress.image.picture import Picture, info_entries, read_picture
from latentpress.image.text import Told, text_of_info
from latentpress.options import EncodeOptions
from latentpress.system.sources import LTP_MIME

FORMAT = "LTP"
SUFFIX = ".ltp"
# of EncodeOptions
SAVE_OPTIONS = tuple(f.name for f in fields(EncodeOptions) if f.name != "progress")
# save options as elsewhere in Pillow; without them those of `info` are written
METADATA = ("icc_profile", "exif", "xmp", "dpi")


class LatentpressImageFile(ImageFile.ImageFile):
    """An .ltp file. Opening and loading raise OSError for a damaged file, as Pillow's own plugins
    do.
    """

    format = FORMAT
    format_description = "latentpress"
    text: dict[str, str]  # all texts of the picture; in `info` quality, model and space come first
    _data: bytes | None = None
    _is_draft = False

    def _open(self) -> None:
        assert self.fp is not None  # Pillow's promise to a plugin
        data = self.fp.read()
        if not _accept(data):
            raise SyntaxError("not an .ltp file")
        try:
            header = read_header(data)
        except FormatError as error:
            raise OSError(str(error)) from error
        names = {chunk.name for chunk in header.chunks}
        self._size = (header.width, header.height)
        self._mode = ("L" if "gray" in names else "RGB") + ("A" if "alpha" in names else "")
        bodies = {
            chunk.type: data[chunk.offset : chunk.offset + chunk.size + 4]
            for chunk in header.chunks
        }
        # damaged: loading says so
        whole = {kind: body[:-4] for kind, body in bodies.items() if body[-4:] == crc(body[:-4])}
        self.info.update(_entries(whole))
        self.text = dict(text_of_info(self.info))
        told = {"model": Told(header.model_hash), "space": Told(header.space)}
        self.info.update(told, quality=header.quality)
        self._data = data

    def verify(self) -> None:
        """Check every checksum, without decoding; OSError where one does not match. As with other
        formats, the image must be opened again then.
        """
        if self._data is not None:
            try:
                unpack(self._data)
            except FormatError as error:
                raise OSError(str(error)) from error
        super().verify()

    def draft(
        self, mode: str | None, size: tuple[int, int] | None
    ) -> tuple[str, tuple[int, int, float, float]] | None:
        """Decode a quarter of the width and height, where `size` is no larger than that.

        Args:
            mode: not followed; it is an argument of Pillow's.
            size: the least width and height.

        Returns:
            The mode, and the part of the small picture that is the whole one; None where the
            picture is decoded as it is.
        """
        from latentpress.transforms.lp1_quarter import REDUCTION, reduced_size

        if self._data is None or self._is_draft or size is None:
            return None
        width, height = self.size
        if min(width // max(1, size[0]), height // max(1, size[1])) < REDUCTION:
            return None
        self._is_draft = True
        self._size = reduced_size(width, height)
        return self.mode, (0, 0, width / REDUCTION, height / REDUCTION)

    def load(self) -> Any:
        """Decode, once."""
        if self._data is not None:
            from latentpress import codec, thumbnails

            decode = thumbnails.decompress_quarter if self._is_draft else codec.decompress
            try:
                image = decode(self._data)
            except LatentpressError as error:
                raise OSError(str(error)) from error
            self._data = None
            self.im = image.im
            self._mode = image.mode
            if self.fp is not None and self._exclusive_fp:  # opened by Pillow, and read to its end
                self.fp.close()
                self.fp = None
        return super().load()


def _entries(whole: dict[int, bytes]) -> dict[str, Any]:
    """The entries of `info` for the metadata of these chunks; a damaged chunk is left out."""
    found: dict[str, Any] = {}
    for name, body in metadata_bodies(whole).items():
        try:
            metadata = decode_metadata({name: body})
        except FormatError:
            continue
        found |= info_entries(
            metadata.icc, metadata.exif, metadata.xmp, metadata.text, metadata.density
        )
    return found


def _accept(prefix: bytes) -> bool:
    return prefix.startswith(MAGIC)


def _save(image: Image.Image, file: IO[bytes], filename: str | bytes | os.PathLike[str]) -> None:
    from latentpress.codec import compress

    asked: dict[str, Any] = image.encoderinfo
    options = {name: asked[name] for name in SAVE_OPTIONS if name in asked}
    given = {name: asked[name] for name in METADATA if name in asked}
    try:
        source: Image.Image | Picture = image
        if given:
            how = {name: options[name] for name in ("strict", "strip") if name in options}
            source = read_picture(image, **how, given=given)
        data = compress(source, **options)
    except UsageError:
        raise
    except LatentpressError as error:
        raise OSError(str(error)) from error
    file.write(data)


Image.register_open(FORMAT, LatentpressImageFile, _accept)
Image.register_save(FORMAT, _save)
Image.register_extension(FORMAT, SUFFIX)
Image.register_mime(FORMAT, LTP_MIME)
