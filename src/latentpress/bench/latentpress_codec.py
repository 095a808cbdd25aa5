"""latentpress's own codecs in the benchmark: timed in this process, decoded for the table by a
fresh one, from the bytes alone.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from latentpress import __version__
from latentpress._typing import Pixels
from latentpress.bench.codec_protocol import Codec
from latentpress.bench.datasets import read_pixels
from latentpress.errors import ImageError
from latentpress.runtimes.choice import PRECISION_VARIABLE, RUNTIME_VARIABLE
from latentpress.runtimes.threads import threads
from latentpress.shipped import manifest
from latentpress.system import c_libraries

ASKED = (RUNTIME_VARIABLE, PRECISION_VARIABLE, c_libraries.VARIABLE)


@dataclass(frozen=True)
class OurCodec(Codec):
    """model: a folder, .safetensors file or hub id of a Stable Diffusion autoencoder; None for the
    default one.
    """

    model: str | None = None
    kind: ClassVar[str] = "ours"
    ours: ClassVar[bool] = True

    @classmethod
    def of(cls, name: str, model: str | None) -> "OurCodec":
        """The codec of a latent space by the name that `latentpress compress --codec` takes."""
        # and the weights: rows of other ones must not be mixed with these
        version = f"latentpress {__version__}"
        if name == "builtin":
            label = "latentpress"
            settings = _running()
            version = f"{version}, lp1 model {manifest('lp1')['model_hash']}"
        else:
            label = f"latentpress {name}"
            settings = f"model {Path(model).name if model else 'default'}, all threads"
            version = ", ".join(
                [
                    version,
                    *(
                        f"{Path(file).stem} {digest[:8]}"
                        for file, digest in manifest(name)["sha256"].items()
                    ),
                ]
            )
        return cls(
            name, label, version, settings, ".ltp", (5, 15, 30, 45, 60, 75, 90, 100), model=model
        )

    def entry(self) -> dict[str, Any]:
        """See Codec; and the model, which decoding needs."""
        return super().entry() | {"model": self.model}

    def encode(self, pixels: Pixels, quality: float) -> bytes:
        """See Codec."""
        from latentpress import compress

        return compress(pixels, quality=quality, codec=self.name, model=self.model)

    def decode(self, data: bytes) -> Pixels:
        """See Codec."""
        from latentpress import decompress

        return np.asarray(decompress(data, model=self.model).convert("RGB"))

    def screen_share(self, data: bytes) -> float:
        """See Codec."""
        from latentpress.container import read_header
        from latentpress.screen.layer import share_of

        return round(share_of(read_header(data), data), 4)

    def decode_elsewhere(self, files: Sequence[Path]) -> list[Pixels]:
        """Decode files by `latentpress decompress` in one other process, as whoever gets the bytes
        would. Files of different settings may share a name.
        """
        with tempfile.TemporaryDirectory() as folder:
            given = [Path(folder) / f"{i} {file.name}" for i, file in enumerate(files)]
            for file, copy in zip(files, given, strict=True):
                shutil.copyfile(file, copy)
            command = [
                *(sys.executable, "-m", "latentpress", "decompress"),
                *map(str, given),
                *("-o", f"{folder}/decoded/"),
            ]
            done = subprocess.run(
                [*command, *(["--model", self.model] if self.model else [])],
                capture_output=True,
                text=True,
            )
            if done.returncode:
                raise ImageError(
                    f"{self.label}: decoding in another process failed: "
                    f"{done.stderr.strip()[-300:]}"
                )
            decoded = Path(folder) / "decoded"
            return [read_pixels(decoded / copy.with_suffix(".png").name) for copy in given]


def _running() -> str:
    """On how many threads the built-in model runs, and what else the environment asks of it."""
    count = threads()
    words = [f"{count} thread{'s' if count > 1 else ''}" if count else "all threads"]
    return ", ".join(
        words + [f"{name}={os.environ[name]}" for name in ASKED if os.environ.get(name)]
    )
