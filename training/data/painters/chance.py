"""Short names for the random choices that every painter makes."""

from collections.abc import Sequence
from typing import TypeVar

import numpy as np

T = TypeVar("T")


def happens(rng: np.random.Generator, probability: float) -> bool:
    """True with this probability."""
    return bool(rng.random() < probability)


def whole(rng: np.random.Generator, low: int, high: int) -> int:
    """A whole number from low to high, both included; low where high is below it."""
    return int(rng.integers(low, max(low, high) + 1))


def span(rng: np.random.Generator, low: float, high: float) -> float:
    """A real number from low to high."""
    return low + (high - low) * float(rng.random())


def log_span(rng: np.random.Generator, low: float, high: float) -> float:
    """A real number from low to high whose logarithm is uniform: small ones are frequent."""
    return float(low * (high / low) ** rng.random())


def pick(rng: np.random.Generator, choices: Sequence[T]) -> T:
    """One of the choices."""
    return choices[int(rng.integers(len(choices)))]


def weighted(rng: np.random.Generator, choices: dict[T, float]) -> T:
    """One of the keys, as often as its value says."""
    left = rng.random() * sum(choices.values())
    for choice, weight in choices.items():
        left -= weight
        if left < 0:
            return choice
    return choice
