"""latentpress: a lossy image codec built on variational autoencoders.

>>> import latentpress
>>> data = latentpress.compress("photo.jpg", quality=50)  # doctest: +SKIP
>>> image = latentpress.decompress(data)  # doctest: +SKIP
>>> latentpress.read_header(data).bpp  # doctest: +SKIP
0.42
>>> latentpress.assess("photo.jpg", image, ["psnr", "ssim"])  # doctest: +SKIP
{"psnr": 31.2, "ssim": 0.87}

Names load when they are first used: `read_header` imports neither NumPy nor ONNX Runtime. Beside
the names below there are the modules `targets` (a size, a rate or a metric instead of a quality),
`latents` (latents as data), `data` (loaders for training), `metrics`, `pillow` (a plugin), `ray`
(many machines) and `thumbnails` (small pictures, fast).
"""

from typing import TYPE_CHECKING

from latentpress.container import Header, read_header
from latentpress.errors import (
    ConversionError,
    DiskFullError,
    FormatError,
    ImageError,
    LatentpressError,
    OutputError,
    SpaceError,
    TargetError,
    UsageError,
    VersionError,
    WeightsError,
)
from latentpress.options import EncodeOptions

if TYPE_CHECKING:
    from latentpress import data as data
    from latentpress import latents as latents
    from latentpress import metrics as metrics
    from latentpress import pillow as pillow
    from latentpress import ray as ray
    from latentpress import targets as targets
    from latentpress import thumbnails as thumbnails
    from latentpress.assessment import assess
    from latentpress.codec import compress, decompress

__version__ = "0.1.0.dev0"
__all__ = [
    "ConversionError",
    "DiskFullError",
    "EncodeOptions",
    "FormatError",
    "Header",
    "ImageError",
    "LatentpressError",
    "OutputError",
    "SpaceError",
    "TargetError",
    "UsageError",
    "VersionError",
    "WeightsError",
    "__version__",
    "assess",
    "compress",
    "decompress",
    "read_header",
]
# that users import; they load when they are first used
MODULES = ("data", "latents", "metrics", "pillow", "ray", "targets", "thumbnails")


if not TYPE_CHECKING:  # where every misspelled name would be one

    def __getattr__(name: str) -> object:
        from importlib import import_module

        if name in ("compress", "decompress"):
            return getattr(import_module("latentpress.codec"), name)
        if name == "assess":
            return import_module("latentpress.assessment").assess
        if name in MODULES:
            return import_module(f"latentpress.{name}")
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*__all__, *MODULES])
