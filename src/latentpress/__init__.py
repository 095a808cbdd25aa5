"""latentpress: a lossy image codec built on variational autoencoders.

>>> import latentpress
>>> data = latentpress.compress("photo.jpg", quality=50)    # bytes of an .ltp file
>>> image = latentpress.decompress(data)                    # a PIL image
>>> latentpress.read_header(data).bpp
>>> latentpress.assess("photo.jpg", image, ["psnr", "ssim"])    # {"psnr": 31.2, "ssim": 0.87}

Names load when they are first used: `read_header` imports neither NumPy nor ONNX Runtime.
"""

from typing import TYPE_CHECKING, Any

from latentpress.container import Header, read_header
from latentpress.errors import (
    ConversionError,
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

if TYPE_CHECKING:
    from latentpress.assessment import assess
    from latentpress.codec import compress, decompress

__version__ = "0.1.0"
__all__ = [
    "ConversionError",
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


def __getattr__(name: str) -> Any:
    if name in ("compress", "decompress"):
        from latentpress import codec

        return getattr(codec, name)
    if name == "assess":
        from latentpress import assessment

        return assessment.assess
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
