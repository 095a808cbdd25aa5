"""The two networks of lp1's prior, which both sides of the codec run on the same integers: features
of the side information, and the context of the second pass.

The package's own sums take bytes, with the channels of a place side by side; other runtimes take
floats, plane after plane. Both give the same integers.
"""

from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from latentpress import models
from latentpress._typing import Floats, Ints
from latentpress.entropy.gaussian_conditional import ConditionalSymbols, GaussianConditional
from latentpress.entropy.planes import WHITE_ZERO
from latentpress.runtimes.checkerboard import ANCHORS, OTHERS, halves

FEATURES, CONTEXT = "features.onnx", "context.onnx"
Features: TypeAlias = NDArray[Any]  # (F, h, w) float32, or (h, w, F) uint8 where bytes are taken
Z_FACTOR = 4  # latent positions a hyper position, each way


class Sides(NamedTuple):
    """The sides of a segment beyond which the networks see its border's nearest place again, and
    not zeros, so that a smooth area shows no step where two segments meet.
    """

    top: bool
    bottom: bool
    left: bool
    right: bool

    @property
    def corner(self) -> tuple[int, int]:
        """The latent row and column where the segment begins in what the networks make of z that
        goes on.
        """
        return Z_FACTOR * self.top, Z_FACTOR * self.left

    def continued(self, z: Ints) -> Ints:
        """z (Z, h, w) with a place more on each of the sides."""
        if not any(self):
            return z
        top, bottom, left, right = (int(side) for side in self)
        return np.pad(z, ((0, 0), (top, bottom), (left, right)), mode="edge")

    def fill(self, plane: Floats, places: int) -> None:
        """Fill the outmost places of a plane (C, h, w) on each of the sides, so many deep, with the
        nearest ones within.
        """
        n = places
        if self.top:
            plane[:, :n] = plane[:, n : n + 1]
        if self.bottom:
            plane[:, -n:] = plane[:, -n - 1 : -n]
        if self.left:
            plane[:, :, :n] = plane[:, :, n : n + 1]
        if self.right:
            plane[:, :, -n:] = plane[:, :, -n - 1 : -n]


ALONE = Sides(False, False, False, False)


def features(
    space: str,
    z: Ints,
    bias: Floats,
    h: int,
    w: int,
    sides: Sides = ALONE,
    *,
    frugal: bool = False,
) -> tuple[Features, Floats]:
    """The features that `context` takes, 0 to 255, and what the network says of the first pass.

    Args:
        space: The latent space.
        z: The side information (Z, ceil(h / 4), ceil(w / 4)), -127 to 127.
        bias: (1, n, 1, 1), of the quality.
        h: Rows of the segment.
        w: Columns of the segment.
        sides: On which z goes on.
        frugal: As of `models.run`.

    Returns:
        The features; the head (2C, 4 ceil(h / 4), 4 ceil(w / 4)), integers in float32, of which
        h x w count. Where z goes on it has 4 rows or columns more on each such side, and the h x w
        begin at `sides.corner`.
    """
    z = sides.continued(z)
    top, left = sides.corner
    rows, columns = slice(top, top + h), slice(left, left + w)
    if models.takes_bytes(space):
        as_bytes = (z + WHITE_ZERO).astype(np.uint8).transpose(1, 2, 0)
        f, head = models.run_bytes(space, FEATURES, {"z": as_bytes, "bias": bias})
        return f[rows, columns], head
    z = z[None].astype(np.float32)
    f, head = models.run(space, FEATURES, frugal=frugal, z=z, bias=bias)
    return f[0, :, rows, columns], head[0]


def context(
    space: str,
    features: Features,
    anchors: GaussianConditional,
    symbols: ConditionalSymbols,
    *,
    frugal: bool = False,
) -> tuple[Floats, Floats]:
    """What the network says of the second pass, as `planes.second_distributions` takes it.

    Args:
        space: The latent space.
        features: As of the function `features`.
        anchors: The first pass.
        symbols: Its symbols.
        frugal: As of `models.run`.

    Returns:
        (2C, ceil(h / 2), ceil(w / 2)) of the cells of the second pass in even and in odd rows,
        integers in float32.
    """
    feeds: dict[str, NDArray[Any]] = {}
    if features.dtype == np.uint8:
        feeds["features.0"], feeds["features.1"] = halves_of_bytes(features)
        feeds["white.0"], feeds["white.1"] = anchors.whitened_bytes(symbols)
        even, odd = models.run_bytes(space, CONTEXT, feeds)
        return even, odd
    feeds["features.0"], feeds["features.1"] = halves(features, OTHERS)
    feeds["white.0"], feeds["white.1"] = halves(anchors.whitened(symbols), ANCHORS)
    even, odd = models.run_halved(space, CONTEXT, feeds, frugal=frugal)
    return even[0], odd[0]


def halves_of_bytes(plane: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """The cells of the second pass in bytes (h, w, C), in even and in odd rows: (ceil(h / 2),
    ceil(w / 2), C) each, as of `checkerboard.halves`.
    """
    h, w, c = plane.shape
    even, odd = np.zeros((2, -(-h // 2), -(-w // 2), c), np.uint8)
    for parity, half in ((0, even), (1, odd)):
        found = plane[parity::2, 1 - parity :: 2]
        half[: found.shape[0], : found.shape[1]] = found
    return even, odd
