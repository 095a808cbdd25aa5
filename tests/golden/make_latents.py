"""Write the golden .ltps files anew: python tests/golden/make_latents.py --yes

Only where the format may still change; a release freezes them. They hold the predictive method: the
writer chose it before the named spaces had learned priors. Written anew, some would hold the
learned one, which priors_v1 covers; the test refuses those.
"""

import json
import sys
from pathlib import Path

import google_crc32c
import numpy as np

FOLDER = Path(__file__).parent / "latents_v1"
CHANNELS = {"sd15": 4, "sdxl": 4, "sd3": 16, "flux1": 16, "raw": 2}


def checksums(file: Path) -> list[int]:
    """CRC-32C of the decoded numbers of every latent."""
    from latentpress.latents import Reader

    with Reader(file) as reader:
        return [google_crc32c.value(np.ascontiguousarray(y).tobytes()) for y in reader]


def main() -> None:
    from latentpress.latents import Writer

    FOLDER.mkdir(exist_ok=True)
    index = {}
    for seed, (space, channels) in enumerate(CHANNELS.items()):
        rng = np.random.default_rng(seed)
        y = np.cumsum(rng.normal(0, 0.3, (channels, 21, 18)), axis=1).astype(np.float32)
        y[0, 3, 3] = 1e7
        for label, precision in (
            ("rmse", {"rmse": 0.04}),
            ("max_error", {"max_error": 0.3}),
            ("lossless", {"lossless": True}),
        ):
            name = f"{space}_{label}"
            with Writer(
                FOLDER / f"{name}.ltps", space=space, overwrite=True, **precision
            ) as writer:
                writer.add(y, name="y", metadata={"seed": seed})
                writer.add(y.clip(-100, 100).astype(np.float16))
            index[name] = {
                "bytes": (FOLDER / f"{name}.ltps").stat().st_size,
                "crc32c": checksums(FOLDER / f"{name}.ltps"),
            }
    (FOLDER / "golden.json").write_text(json.dumps(index, indent=1) + "\n")


if __name__ == "__main__":
    if sys.argv[1:] != ["--yes"]:
        sys.exit(__doc__)
    main()
