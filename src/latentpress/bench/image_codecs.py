"""The rivals: image formats through Pillow and its plugins, with the settings that a careful user
would take.
"""

import importlib
import io
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from importlib.metadata import version as package_version
from typing import Any, ClassVar

import numpy as np
from PIL import Image, ImageFile, features

from latentpress._typing import Pixels
from latentpress.bench.codec_protocol import Codec
from latentpress.errors import UsageError
from latentpress.spaces import SPACES

OURS = tuple(space.codec for space in SPACES)


@dataclass(frozen=True)
class RivalCodec(Codec):
    """A format of Pillow. format, options: for Image.save. plugin: the module that brings it;
    package: what installs that.
    """

    format: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)
    plugin: str = ""
    package: str = "pillow"
    kind: ClassVar[str] = "rival"

    def missing(self) -> str | None:
        """What to install, None where nothing is missing."""
        try:
            importlib.import_module(self.plugin or "PIL")
        except ImportError:
            return f"the codec {self.name} needs {self.package}: pip install {self.package}"
        if self.format in ("AVIF", "WEBP") and not features.check(self.format.lower()):
            return f"the codec {self.name} needs a Pillow that was built with {self.format}"
        return None

    def encode(self, pixels: Pixels, quality: float) -> bytes:
        """See Codec."""
        stream = io.BytesIO()
        options = dict(self.options) if self.lossless else {"quality": int(quality), **self.options}
        if self.format == "JXL":
            options["lossless"] = (
                quality == 100
            )  # as of cjxl; what is nearly lossless libjxl refuses
        self._load()
        with _room_for(pixels) if self.format == "JPEG" else nullcontext():
            Image.fromarray(pixels).save(stream, self.format, **options)
        return stream.getvalue()

    def decode(self, data: bytes) -> Pixels:
        """See Codec."""
        self._load()
        with Image.open(io.BytesIO(data), formats=[self.format]) as image:
            return np.asarray(image.convert("RGB"))

    def _load(self) -> None:
        if self.plugin:
            module = importlib.import_module(self.plugin)
            if self.plugin == "pillow_heif":
                module.register_heif_opener()


@contextmanager
def _room_for(pixels: Pixels) -> Iterator[None]:
    """Inside, Pillow has room for a JPEG file of noise, of which optimized tables want all at once:
    it reckons with a byte a pixel.
    """
    usual = ImageFile.MAXBLOCK
    ImageFile.MAXBLOCK = max(usual, 2 * pixels.size)
    try:
        yield
    finally:
        ImageFile.MAXBLOCK = usual


def _library(name: str) -> str:
    """A library inside Pillow with its version."""
    return f"{name} {features.version(name)}"


def _jpeg_library() -> str:
    turbo = features.check_feature("libjpeg_turbo")
    return (
        f"libjpeg-turbo {features.version('libjpeg_turbo')}"
        if turbo
        else f"libjpeg {features.version('jpg')}"
    )


def _avif_library() -> str:
    from PIL import _avif

    return (
        f"libavif {features.version('avif')}, {_avif.codec_versions()}"
        if features.check("avif")
        else ""
    )


def _package(name: str, more: Callable[[], str] = lambda: "") -> str:
    try:
        return f"{name} {package_version(name)}{more()}"
    except ImportError:
        return ""


def _heif_library() -> str:
    import pillow_heif

    info = pillow_heif.libheif_info()
    return f", libheif {info['libheif']}, {info['HEIF']}"


_JPEG = (5, 10, 20, 35, 50, 65, 80, 90)
_WEBP = (0, 5, 15, 30, 50, 70, 82, 92)
_AVIF = (5, 15, 25, 35, 45, 55, 68, 80)
CODECS: dict[str, RivalCodec] = {
    codec.name: codec
    for codec in (
        RivalCodec(
            "jpeg",
            "JPEG",
            _jpeg_library(),
            "4:2:0, optimized Huffman tables, one thread",
            ".jpg",
            _JPEG,
            format="JPEG",
            options={"optimize": True, "subsampling": "4:2:0"},
        ),
        RivalCodec(
            "jpeg444",
            "JPEG 4:4:4",
            _jpeg_library(),
            "4:4:4, optimized Huffman tables, one thread",
            ".jpg",
            _JPEG,
            format="JPEG",
            options={"optimize": True, "subsampling": "4:4:4"},
        ),
        RivalCodec(
            "webp",
            "WebP",
            _library("webp"),
            "method 6, one thread",
            ".webp",
            _WEBP,
            format="WEBP",
            options={"method": 6},
        ),
        RivalCodec(
            "avif",
            "AVIF",
            _avif_library(),
            "speed 6, 4:2:0, all threads",
            ".avif",
            _AVIF,
            format="AVIF",
            options={"speed": 6},
        ),
        RivalCodec(
            "avif4",
            "AVIF speed 4",
            _avif_library(),
            "speed 4, 4:2:0, all threads",
            ".avif",
            _AVIF,
            format="AVIF",
            options={"speed": 4},
        ),
        RivalCodec(
            "avif-ssim",
            "AVIF tune=ssim",
            _avif_library(),
            "speed 6, tune=ssim, 4:2:0, all threads",
            ".avif",
            _AVIF,
            format="AVIF",
            options={"speed": 6, "advanced": {"tune": "ssim"}},
        ),
        RivalCodec(
            "jxl",
            "JPEG XL",
            _package("pillow-jxl-plugin"),
            "effort 7, all threads",
            ".jxl",
            (0, 5, 12, 25, 40, 60, 75, 88),
            format="JXL",
            options={"effort": 7},
            plugin="pillow_jxl",
            package="pillow-jxl-plugin",
        ),
        RivalCodec(
            "heic",
            "HEIC",
            _package("pillow-heif", _heif_library),
            "x265's default preset, 4:2:0, all threads",
            ".heic",
            (4, 9, 14, 20, 27, 34, 42, 50),
            format="HEIF",
            plugin="pillow_heif",
            package="pillow-heif",
        ),
        RivalCodec(
            "png",
            "PNG",
            _library("zlib"),
            "optimized, one thread",
            ".png",
            (0,),
            True,
            format="PNG",
            options={"optimize": True},
        ),
        RivalCodec(
            "webp-lossless",
            "WebP lossless",
            _library("webp"),
            "lossless, method 6, one thread",
            ".webp",
            (0,),
            True,
            format="WEBP",
            options={"lossless": True, "method": 6},
        ),
    )
}


def find_codec(name: str, *, model: str | None = None) -> Codec:
    """A codec by its name: latentpress's own (with `model`, the weights of a Stable Diffusion
    space) or a rival.

    UsageError for an unknown name and for a format that is not installed.
    """
    if name in OURS:
        from latentpress.bench.latentpress_codec import OurCodec

        return OurCodec.of(name, model)
    if name not in CODECS:
        raise UsageError(
            f"unknown codec {name!r}: choose from {', '.join((*OURS, *CODECS))}, or describe it "
            "with --external"
        )
    if reason := CODECS[name].missing():
        raise UsageError(reason)
    return CODECS[name]


def installed() -> list[str]:
    """The codecs that need nothing more on this machine: the built-in one and the rivals."""
    return ["builtin", *(name for name, codec in CODECS.items() if codec.missing() is None)]
