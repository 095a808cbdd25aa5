"""AVIF and WebP of the installed Pillow at the bytes of a latentpress file.

AVIF runs at Pillow's default speed 6 and, as Pillow 13 does by itself, with libaom's `tune=iq`;
WebP with method 6, its slowest.
"""

import io

from PIL import Image

import latentpress
from latentpress import targets

RIVALS = {"AVIF": {"format": "AVIF", "speed": 6}, "WebP": {"format": "WEBP", "method": 6}}
Pressed = dict[str, tuple[Image.Image, int]]  # codec -> what it decodes to, and its bytes


def rival(image: Image.Image, options: dict[str, object], wanted: int) -> bytes:
    """The rival's file that comes closest to `wanted` bytes, be it larger or smaller."""

    def encode(quality: int) -> bytes:
        out = io.BytesIO()
        image.save(out, quality=quality, **options)
        return out.getvalue()

    low, high = 0, 100
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if len(encode(middle)) <= wanted else (low, middle)
    return min((encode(low), encode(high)), key=lambda data: abs(len(data) - wanted))


def at_size(picture: Image.Image, limit: int) -> Pressed:
    """Codec -> what it decodes to, and its bytes: at most `limit` of latentpress, of its rivals as
    close to these as they come.
    """
    ours = targets.to_size(picture, limit)
    result = {"latentpress": (latentpress.decompress(ours).convert("RGB"), len(ours))}
    for codec, options in RIVALS.items():
        data = rival(picture, options, len(ours))
        result[codec] = (Image.open(io.BytesIO(data)).convert("RGB"), len(data))
    return result
