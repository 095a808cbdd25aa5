"""The bytes of a picture -> what a model takes."""

from __future__ import annotations

import contextlib
import io
import struct
from typing import Any

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from latentpress.errors import UsageError
from latentpress.image import color
from latentpress.image.declared import read_declared
from latentpress.image.picture import reason_of
from latentpress.image.tiff import mend_samples
from latentpress.runtimes.threads import limited_to
from latentpress.system.sources import LTP

# as webdataset names them: (kind, Pillow's mode, whether the numbers are 0 to 1)
FORMS = {
    "pil": ("pil", "RGB", False),
    "pill": ("pil", "L", False),
    "pilrgb": ("pil", "RGB", False),
    "pilrgba": ("pil", "RGBA", False),
    "l8": ("numpy", "L", False),
    "rgb8": ("numpy", "RGB", False),
    "rgba8": ("numpy", "RGBA", False),
    "l": ("numpy", "L", True),
    "rgb": ("numpy", "RGB", True),
    "rgba": ("numpy", "RGBA", True),
    "torchl8": ("torch", "L", False),
    "torchrgb8": ("torch", "RGB", False),
    "torchrgba8": ("torch", "RGBA", False),
    "torchl": ("torch", "L", True),
    "torch": ("torch", "RGB", True),
    "torchrgb": ("torch", "RGB", True),
    "torchrgba": ("torch", "RGBA", True),
}


class Decoder:
    """Decodes `.ltp` files; a handler of `webdataset.WebDataset.decode`, and a function of bytes.

    It can be pickled. Each worker process opens the models for itself, and a graph runs on one
    thread, for the workers share the cores.

    Args:
        form: what comes out, as webdataset names it: "pil" for an image of Pillow, "rgb8" for a
            uint8 array (H, W, 3), "rgb" for float32 from 0 to 1, "torchrgb8" and "torchrgb" for
            tensors (3, H, W); "l" or "rgba" in the place of "rgb" for gray and for alpha.
        reduced: decode a quarter of the width and height, of `.ltp` files in about half of the
            time.
        threads: of a graph; 0 for all cores.

    Raises:
        UsageError: the form is not known.

    Example:
        >>> import numpy as np, latentpress
        >>> data = latentpress.compress(np.zeros((48, 64, 3), np.uint8))
        >>> Decoder("rgb8").decode(data).shape
        (48, 64, 3)
        >>> Decoder("rgb8")(".jpg", b"") is None
        True
    """

    def __init__(self, form: str = "pil", *, reduced: bool = False, threads: int = 1) -> None:
        if form not in FORMS:
            raise UsageError(f"a picture is decoded to one of {', '.join(FORMS)}, not {form!r}")
        self.form = form
        self.reduced = reduced
        self.threads = threads

    def __call__(self, key: str, data: bytes) -> Any:
        """As webdataset calls it.

        Args:
            key: the field of a sample, as ".ltp" or ".seg.ltp".
            data: its bytes.

        Returns:
            The picture; None where the field is no `.ltp` file, for the next handler.
        """
        return self.decode(data) if key.lower().endswith(".ltp") else None

    def decode(self, data: bytes) -> Any:
        """A picture in the form asked for.

        Args:
            data: a whole `.ltp` file, or a file of another format that Pillow reads.

        Raises:
            LatentpressError: as of `latentpress.decompress`.
            OSError: as of Pillow, for other formats.
        """
        if not data.startswith(LTP):
            return self.convert(_opened(data))
        with limited_to(self.threads):
            if self.reduced:
                from latentpress.thumbnails import decompress_quarter

                return self._formed(decompress_quarter(data))
            from latentpress.codec import decompress

            return self._formed(decompress(data))

    def convert(self, image: Image.Image) -> Any:
        """A whole image of Pillow in the form asked for, reduced where that is."""
        from latentpress.transforms.lp1_quarter import REDUCTION

        return self._formed(image, REDUCTION if self.reduced else 1)

    def _formed(self, image: Image.Image, reduction: int = 1) -> Any:
        kind, mode, is_float = FORMS[self.form]
        if image.mode[0] in "IF":  # of more than 8 bits, which Pillow would clip rather than scale
            image = color.convert(image, None).image
        image = image if image.mode == mode else image.convert(mode)
        image = image if reduction == 1 else image.reduce(reduction)
        if kind == "pil":
            return image
        pixels = np.array(image)
        array = pixels.astype(np.float32) / 255 if is_float else pixels
        if kind == "numpy":
            return array
        import torch

        planes = array[None] if array.ndim == 2 else array.transpose(2, 0, 1)
        return torch.from_numpy(np.ascontiguousarray(planes))


def _opened(data: bytes) -> Image.Image:
    """A picture of another format, upright, as `.ltp` files are made, and as `datasets` shows its
    pictures. OSError where it is damaged.
    """
    try:
        image = Image.open(io.BytesIO(data))
        mend_samples(image)
        image.load()
        if not read_declared(image).upright:
            with contextlib.suppress(SyntaxError, struct.error):  # of damaged EXIF
                ImageOps.exif_transpose(image, in_place=True)
    except UnidentifiedImageError:  # which tells where the bytes lie in memory
        raise UnidentifiedImageError(
            "neither an .ltp file nor a picture that Pillow reads"
        ) from None
    except (OSError, MemoryError):
        raise
    except Exception as error:  # on damaged files Pillow's readers raise nearly anything
        raise OSError(reason_of(error)) from error
    return image
