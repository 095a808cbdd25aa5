"""Flags that a product sets wrongly become no warnings."""

import numpy as np
import pytest

from latentpress.system.blas import unwarned


def test_flags_of_a_product_become_no_warnings() -> None:
    large = np.full((2, 2), 3e38, np.float32)
    with pytest.warns(RuntimeWarning, match="overflow"):
        large @ large
    with unwarned():
        large @ large
