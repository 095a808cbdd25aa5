"""The transform that a thread used last: a batch, a search or a benchmark reads and checks its weights once."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from latentpress.transforms.stable_diffusion import StableDiffusionTransform

_last = threading.local()  # one a thread: a transform notes what it is at


def last(key: Hashable, load: Callable[[], StableDiffusionTransform]) -> StableDiffusionTransform:
    """The transform that was loaded for this key, where it is the one used last; else what load gives."""
    if getattr(_last, "key", None) != key:
        _last.key = _last.transform = None  # not two in memory
        _last.transform = load()
        _last.key = key
    transform: StableDiffusionTransform = _last.transform
    return transform


def stamp(path: Path | None) -> tuple[int, ...]:
    """What changes when a file is written anew; () for none."""
    if path is None or not path.exists():
        return ()
    status = path.stat()
    return status.st_mtime_ns, status.st_size, status.st_ino
