"""How large a picture may be, and how Pillow is kept from warning about large ones."""

import contextlib
import os
import threading
from collections.abc import Iterator

from PIL import Image

from latentpress.system.environment import whole_number

MAX_SIDE = 65535  # pixels; what the header of an .ltp file can say
# a decoded gigapixel takes 4 GB in Pillow; beyond it a file is taken for a decompression bomb
MAX_PIXELS = 1_000_000_000

_lock = threading.RLock()  # an interrupt may leave it locked by this thread
_users = 0
_before: int | None = None


def max_pixels() -> int:
    """The most pixels of a picture that is read or written here: MAX_PIXELS, unless the environment
    says otherwise.
    """
    return whole_number("LATENTPRESS_MAX_PIXELS", MAX_PIXELS, 1)


@contextlib.contextmanager
def no_pillow_limit() -> Iterator[None]:
    """Lift Image.MAX_IMAGE_PIXELS: the first of several threads saves it, the last restores it.
    Check max_pixels() yourself meanwhile.

    Pillow has this limit only as a global; another thread that opens images itself at that moment
    does so without it.
    """
    global _users, _before
    with _lock:
        if _users == 0:
            _before = Image.MAX_IMAGE_PIXELS
        _users += 1
        Image.MAX_IMAGE_PIXELS = None
    try:
        yield
    finally:
        with _lock:
            if _users <= 1:  # 0 where the block itself was forked
                Image.MAX_IMAGE_PIXELS = _before
            _users = max(0, _users - 1)


def _restore() -> None:
    """In a forked process, which lacks the threads that had lifted Pillow's limit."""
    global _lock, _users
    _lock = threading.RLock()
    if _users:
        _users = 0
        Image.MAX_IMAGE_PIXELS = _before


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_restore)
