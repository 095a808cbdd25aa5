"""Stage 2 of 5: analysis and synthesis transforms, pixels <-> latent."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Protocol

from latentpress.spaces import Space

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from latentpress.image.picture import Picture


class Transform(Protocol):
    """A model of a latent space. Latents travel in strips of rows (C, r, w) float32, top to
    bottom.
    """

    space: Space
    name: str
    model_hash: bytes

    def analyze(self, picture: Picture) -> Iterator[NDArray[np.float32]]:
        """Pixels -> strips of the latent; h, w = ceil(size / factor)."""
        ...

    def synthesize(
        self, strips: Iterable[NDArray[np.float32]], width: int, height: int
    ) -> Iterator[NDArray[np.uint8]]:
        """Strips of the latent -> strips of pixels (rows, width, 3), rounded, cropped to width x
        height.
        """
        ...


def load_transform(space: Space, model: str | None = None, device: str = "auto") -> Transform:
    """The model of a space: the shipped one for lp1, else through diffusers (extra `sd`).

    model: None for the space's default, a folder, a .safetensors file or a hub id. device: auto,
    cpu, cuda or mps. WeightsError where it is missing or does not fit; UsageError for a device that
    is not there.
    """
    if space.name == "lp1":
        from latentpress.transforms import lp1

        return lp1.load(model, device)
    from latentpress.transforms.stable_diffusion import StableDiffusionTransform

    return StableDiffusionTransform.load(space, model, device)
