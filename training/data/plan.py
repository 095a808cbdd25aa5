"""Which crops a step sees: a few numbers a crop, drawn on the host, used on the device.

The numbers come from NumPy's generator, so that a step sees the same crops on every device.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.data.store import PAGE, Store

SIZE_EXPONENT = 0.75  # how often a picture is drawn, as a power of its pixels
GRAY_SHARE = 0.05
INTEGERS = ("base", "height", "width", "top", "left", "turn", "gray", "flip_y", "flip_x")
FLOATS = ("start_y", "start_x", "stretch", "level")


@dataclass(frozen=True)
class Plan:
    """n crops.

    Attributes:
        integers: int64 (len(INTEGERS), n): where the picture begins in the store, its sides, the
            pixel where the crop begins, then 0 or 1: whether it is turned by a quarter, gray,
            flipped in each direction.
        floats: float32 (len(FLOATS), n): the fractions of a pixel by which the crop begins later,
            source pixels per pixel of the crop, level of the quality in [0, levels - 1].
    """

    integers: NDArray[np.int64]
    floats: NDArray[np.float32]


class Planner:
    """Draws plans from a store.

    Args:
        store: The pictures.
        levels: Number of anchor levels of the quality.
        painted_share: Share of the crops that are cut from painted pages.
        seed: Of the generator.
    """

    def __init__(self, store: Store, levels: int, painted_share: float, seed: int) -> None:
        self.store = store
        self.levels = levels
        self.painted_share = painted_share if store.pages else 0.0
        self.random = np.random.default_rng(seed)
        pixels = (store.height * store.width).astype(float)
        self.weights = pixels**SIZE_EXPONENT * [kind.weight for kind in store.kinds]
        self.sides = np.minimum(store.height, store.width)
        self.cumulated: dict[int, NDArray[np.float64]] = {}
        self.least_scale = np.array([kind.least_scale for kind in store.kinds])
        self.native_share = np.array([kind.native_share for kind in store.kinds])

    def draw(self, n: int, size: int) -> Plan:
        """A plan of n crops of size x size, size at most PAGE."""
        painted = self.random.random(n) < self.painted_share
        index = self._pictures(n, size)
        height = np.where(painted, PAGE, self.store.height[index])
        width = np.where(painted, PAGE, self.store.width[index])
        pages = self.random.integers(0, max(1, self.store.pages), n)
        page_offset = self.store.first_page + pages * PAGE * PAGE
        base = np.where(painted, page_offset, self.store.offset[index])
        stretch = self._stretch(index, painted, np.minimum(height, width), size)
        # A crop that keeps the pixels begins at a whole one, any other anywhere.
        whole = stretch == 1
        position = self.random.random((2, n)) * (np.stack([height, width]) - size * stretch)
        position = np.where(whole, np.round(position), position)
        first = np.floor(position)
        turn, flip_y, flip_x = self.random.random((3, n)) < 0.5
        gray = self.random.random(n) < GRAY_SHARE
        level = self.random.random(n) * (self.levels - 1)
        upright = ~painted  # text stays readable
        rows = [base, height, width, *first, turn & upright, gray, flip_y & upright]
        integers = np.stack([*rows, flip_x & upright]).astype(np.int64)
        floats = np.stack([*(position - first), stretch, level]).astype(np.float32)
        return Plan(integers, floats)

    def _pictures(self, n: int, size: int) -> NDArray[np.int64]:
        if size not in self.cumulated:
            weights = np.cumsum(np.where(self.sides >= size, self.weights, 0.0))
            if not weights[-1]:
                raise ValueError(f"no picture has {size} pixels a side")
            self.cumulated[size] = weights / weights[-1]
        return np.searchsorted(self.cumulated[size], self.random.random(n), side="right")

    def _stretch(
        self,
        index: NDArray[np.int64],
        painted: NDArray[np.bool_],
        side: NDArray[np.int64],
        size: int,
    ) -> NDArray[np.float64]:
        """Source pixels per pixel of the crop: 1, or as many as the picture is large enough for."""
        n = len(index)
        scale = self.least_scale[index] + self.random.random(n) * (1 - self.least_scale[index])
        native = painted | (self.random.random(n) < self.native_share[index])
        return np.where(native, 1.0, np.minimum(1 / scale, side / size))
