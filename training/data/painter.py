"""A process that paints pages into a shared file.

    python -m training.data.painter FILE INDEX COUNT SEED [FONTS]

Every painter owns the slots whose number leaves INDEX when divided by COUNT. It paints into those
that are free and marks them as ready; who reads a page marks its slot as free. A painter gives way
to whatever else wants its core, and ends when the process that started it does.
"""

import os
import sys
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

PAGE = 512  # pixels a side
SLOTS = 64
FREE, READY = 0, 1
GIVING_WAY = 10  # added to its niceness
REST = 0.01  # seconds, where no slot is free


def open_slots(path: Path, mode: str) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """The shared file.

    Args:
        path: Of the file.
        mode: "w+" to make it, "r+" to use it.

    Returns:
        The states (SLOTS,), and the pages (SLOTS, PAGE, PAGE, 4).
    """
    area = PAGE * PAGE * 4
    file = np.memmap(path, np.uint8, mode, shape=(SLOTS * (area + 1),))
    return file[:SLOTS], file[SLOTS:].reshape(SLOTS, PAGE, PAGE, 4)


def main() -> None:
    """Paint until the parent ends."""
    from training.data.painters import paint
    from training.data.painters.fonts import Fonts

    path, index, count, seed = Path(sys.argv[1]), *map(int, sys.argv[2:5])
    fonts = Fonts.found(Path(sys.argv[5]) if len(sys.argv) > 5 else None)
    random = np.random.default_rng(seed)
    os.nice(GIVING_WAY)
    parent = os.getppid()
    states, pages = open_slots(path, "r+")
    mine = range(index, SLOTS, count)
    while os.getppid() == parent:
        free = [slot for slot in mine if states[slot] == FREE]
        if not free:
            time.sleep(REST)
            continue
        pages[free[0]] = paint(random, PAGE, fonts)
        states[free[0]] = READY


if __name__ == "__main__":
    main()
