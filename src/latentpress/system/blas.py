"""What NumPy's products of matrices say wrongly.

On some processors of ARM, such as Apple's M4, a product of finite numbers may set the flags of a
division by zero, of an overflow and of an invalid value, and NumPy warns:
https://github.com/numpy/numpy/issues/28687. The product is right.
"""

from contextlib import AbstractContextManager

import numpy as np


def unwarned() -> AbstractContextManager[object]:
    """A block in which products of finite matrices give no such warning."""
    return np.errstate(divide="ignore", over="ignore", invalid="ignore")
