"""Weights -> levels: each to one of its two nearest, so that what is summed of them errs least.

Weights that are each rounded to the nearest level err independently of one another, while what they
are multiplied with is alike: neighboring pixels, and channels that fire together. So the errors are
chosen to cancel: weights are rounded one after the other, and those that are left take over what
the output has lost (GPTQ: https://arxiv.org/abs/2210.17323, which is optimal brain surgery). Each
goes to the level below or above it, so that one bit a weight says which.
"""

import numpy as np
from numpy.typing import NDArray

Doubles = NDArray[np.float64]

LARGEST = 127  # of the levels
DAMPING = 0.01  # of the mean square of an input, added to each
BLOCK = 64  # inputs, after which those that are left take over the errors


def exact_levels(weight: NDArray[np.floating], steps: NDArray[np.floating]) -> Doubles:
    """Weights (O, I, H, W) in levels, as of the package's weights.c, before they are rounded."""
    levels: Doubles = weight.astype(np.float64) * steps.astype(np.float64)[:, None, None]
    scale = np.abs(levels).max((1, 2, 3), keepdims=True) / LARGEST
    return levels / np.where(scale == 0, 1, scale)


def least_error_levels(exact: Doubles, products: Doubles) -> Doubles:
    """Levels (O, K) near `exact`, each the one below or above.

    products: (K, K), the means of the products of inputs, in their steps.
    """
    inputs = len(products)
    order = np.argsort(-products.diagonal(), kind="stable")
    damped = products[np.ix_(order, order)]
    damped += np.eye(inputs) * max(DAMPING * float(products.diagonal().mean()), 1e-12)
    inverse = np.linalg.inv(damped)
    upper = np.linalg.cholesky((inverse + inverse.T) / 2).T  # its rows: how the rest takes over
    left = exact[:, order].copy()
    below = np.floor(left)
    levels = np.empty_like(left)
    for start in range(0, inputs, BLOCK):
        end = min(start + BLOCK, inputs)
        lost = np.empty((len(left), end - start))
        for i in range(start, end):
            rounded = np.clip(np.rint(left[:, i]), below[:, i], below[:, i] + 1)
            # what is whole stays: it has no other level
            rounded = np.where(exact[:, order[i]] == below[:, i], below[:, i], rounded)
            levels[:, i] = np.clip(rounded, -LARGEST, LARGEST)
            lost[:, i - start] = (left[:, i] - levels[:, i]) / upper[i, i]
            left[:, i + 1 : end] -= lost[:, i - start, None] * upper[i, i + 1 : end]
        left[:, end:] -= lost @ upper[start:end, end:]
    out = np.empty_like(levels)
    out[:, order] = levels
    return out


def turned_bits(exact: Doubles, levels: Doubles) -> NDArray[np.uint8]:
    """A bit a weight: whether its level is not the nearest one, but that on its other side. The
    lowest bit of a byte first.
    """
    return np.packbits(levels.ravel() != np.rint(exact.ravel()), bitorder="little")
