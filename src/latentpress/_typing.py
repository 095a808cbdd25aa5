"""Array types that many modules name."""

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float32]
Ints: TypeAlias = NDArray[np.int32]
Pixels: TypeAlias = NDArray[np.uint8]
