"""What stands inside other pictures: a rectangle of any kind that has no text."""

import numpy as np
from numpy.typing import NDArray

from training.data.painters.chance import weighted
from training.data.painters.fields import photo
from training.data.painters.flats import flat
from training.data.painters.noise import noise
from training.data.painters.patterns import pattern
from training.data.painters.pixel_art import art

CONTENTS = {photo: 0.4, flat: 0.25, pattern: 0.2, noise: 0.05, art: 0.1}


def content(rng: np.random.Generator, height: int, width: int) -> NDArray[np.uint8]:
    """Pixels without text, (H, W, 3) uint8."""
    rows, columns = max(height, 16), max(width, 16)
    return weighted(rng, CONTENTS)(rng, rows, columns)[:height, :width]
