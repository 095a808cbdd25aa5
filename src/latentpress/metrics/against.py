"""A metric of one picture after the other against one original, in which it looks only once."""

from collections.abc import Callable
from typing import Generic, TypeVar

from latentpress._typing import Pixels
from latentpress.metrics.checks import check_least_side, check_pair
from latentpress.system.once import cached_property

Found = TypeVar("Found")


class Against(Generic[Found]):
    """A function of a distorted picture, which raises ImageError where it does not fit.

    label: the metric's name, for its errors. least: pixels a side of the smallest image. find: what
    the metric needs of the original; it is called once, by the first picture. score: the value of a
    distorted picture, given that.
    """

    def __init__(
        self,
        label: str,
        least: int,
        find: Callable[[Pixels], Found],
        score: Callable[[Found, Pixels], float],
        original: Pixels,
    ) -> None:
        self._label, self._least = label, least
        self._find, self._score = find, score
        self._original = original

    def __call__(self, distorted: Pixels) -> float:
        """The metric of one more picture, of the original's shape."""
        check_pair(self._original, distorted)
        check_least_side(self._label, self._least, self._original)
        return self._score(self._found, distorted)

    @cached_property
    def _found(self) -> Found:
        return self._find(self._original)
