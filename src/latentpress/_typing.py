"""Array types that many modules name."""

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float32]
Ints: TypeAlias = NDArray[np.int32]
Pixels: TypeAlias = NDArray[np.uint8]
Tensor: TypeAlias = Any  # torch.Tensor, which the type checker does not see: torch is an extra
