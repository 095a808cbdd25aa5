"""How large a picture may be, and how Pillow is kept from warning about large ones."""

import contextlib
import os
import threading
from collections.abc import Iterator

from PIL import Image

MAX_SIDE = 65535  # pixels; what the header of an .ltp file can say
# A decoded gigapixel takes 4 GB in Pillow; beyond it a file is taken for a decompression bomb, unless the environment allows more.
MAX_PIXELS = int(os.environ.get("LATENTPRESS_MAX_PIXELS", "1_000_000_000"))

_lock = threading.Lock()
_users = 0
_before: int | None = None


@contextlib.contextmanager
def no_pillow_limit() -> Iterator[None]:
    """Lift Image.MAX_IMAGE_PIXELS: the first of several threads saves it, the last restores it. Check MAX_PIXELS yourself meanwhile.

    Pillow has this limit only as a global; another thread that opens images itself at that moment does so without it.
    """
    global _users, _before
    with _lock:
        if _users == 0:
            _before, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
        _users += 1
    try:
        yield
    finally:
        with _lock:
            _users -= 1
            if _users == 0:
                Image.MAX_IMAGE_PIXELS = _before
