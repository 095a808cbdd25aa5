"""Write the golden files of restored latents anew:  PYTHONPATH=tests python
tests/golden/make_restoration.py --replace

Only when the weights of a restoration (which then get another number) or a prior were meant to
change. Each file stands with its restored latent: floats, so they are compared within a tolerance.
"""

import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from golden.folders import emptied
from latentpress import codec, container
from latentpress.entropy.multistage import MultistageCoder
from latentpress.spaces import SPACES, Space
from latentpress.transforms.restoration import chunks, is_shipped

FOLDER = Path(__file__).parent / "restoration_v1"
QUALITY = 20


def name_of(space: Space) -> str:
    """Of a space's golden file."""
    return f"{space.name}-q{QUALITY}"


def latent(space: Space) -> NDArray[np.float32]:
    """Smooth numbers of about unit deviation, (C, 10, 9), for a picture of 69 x 76 pixels."""
    y = np.random.default_rng(space.id).normal(0, 1.5, (space.channels, 11, 10))
    return ((y[:, 1:, 1:] + y[:, :-1, 1:] + y[:, 1:, :-1] + y[:, :-1, :-1]) / 3).astype(np.float32)


def main() -> None:
    """Replace all golden files of restored latents."""
    emptied(FOLDER, __doc__)
    index: dict[str, object] = {}
    for space in filter(is_shipped, SPACES):
        body = MultistageCoder(space, QUALITY).encode([latent(space)])
        data = container.pack(
            space, bytes(4), 69, 76, QUALITY, {container.LATENT_MULTISTAGE: body} | chunks(space)
        )
        (FOLDER / f"{name_of(space)}.ltp").write_bytes(data)
        index[name_of(space)] = np.round(codec.decode_latent(data).astype(float), 4).tolist()
    (FOLDER / "golden.json").write_text(json.dumps(index) + "\n")


if __name__ == "__main__":
    main()
