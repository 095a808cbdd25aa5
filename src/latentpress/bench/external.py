"""Any program as a codec: 'name:enc {in} {out} {q}:dec {out} {png}', no shell between.

{in}: a PNG of the original. {out}: the compressed file; a suffix may follow it, as in {out}.jxl.
{q}: the quality. {png}: where the decoder writes a PNG. Words are split as a shell would, but that
on Windows a backslash is a letter; whatever a name holds stays one argument.
"""

import re
import shlex
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from PIL import Image

from latentpress._typing import Pixels
from latentpress.bench.codec_protocol import Codec, quality_text
from latentpress.bench.datasets import read_pixels
from latentpress.errors import ImageError, UsageError
from latentpress.system import c_libraries

NAME = re.compile(r"[\w.+-]+")
SUFFIX = re.compile(r"\{out\}(\.\w+)")


@dataclass(frozen=True)
class External(Codec):
    """encoder, decoder: the words of the two commands, with their placeholders."""

    encoder: tuple[str, ...] = ()
    decoder: tuple[str, ...] = ()
    kind: ClassVar[str] = "external"

    @classmethod
    def of(cls, template: str) -> "External":
        """A codec from its template; UsageError, which tells the form, where it does not fit."""
        name, _, commands = template.partition(":")
        half_steps = [
            (commands[:i], commands[i + 1 :]) for i, letter in enumerate(commands) if letter == ":"
        ]
        fitting = [
            (e, d)
            for e, d in half_steps
            if "{in}" in e
            and "{out}" in e
            and "{out}" in d
            and "{png}" in d
            # of the file alone: what a decoder is told beside it is no part of the rate
            and "{in}" not in d
            and "{q}" not in d
        ]
        pairs = [(_words(e), _words(d)) for e, d in fitting]
        # the first colon behind {in} and {out}, none in quotes
        encoder, decoder = next((pair for pair in pairs if all(pair)), ((), ()))
        if not NAME.fullmatch(name) or not encoder:
            raise UsageError(
                f"--external {template!r} is not of the form 'name:enc {{in}} {{out}} {{q}}:dec "
                f"{{out}} {{png}}'"
            )
        suffix = SUFFIX.search(" ".join(encoder))
        settings = (
            f"{shlex.join(encoder)}; {shlex.join(decoder)}; times and memory of whole "
            "processes, PNG in and out"
        )
        return cls(
            name,
            name,
            "",
            settings,
            suffix.group(1) if suffix else ".bin",
            (),
            encoder=encoder,
            decoder=decoder,
        )

    @property
    def has_quality(self) -> bool:
        """See Codec; a command without {q} has one setting."""
        return any("{q}" in word for word in self.encoder)

    def qualities(self, points: int) -> list[float]:
        """See Codec; none of a command with {q}, whose values nobody knows here."""
        return [] if self.has_quality else [0.0]

    def setting(self, quality: float) -> str:
        """See Codec."""
        return super().setting(quality) if self.has_quality else "default"

    def entry(self) -> dict[str, Any]:
        """See Codec."""
        return super().entry() | {"encoder": list(self.encoder), "decoder": list(self.decoder)}

    def encode(self, pixels: Pixels, quality: float) -> bytes:
        """See Codec."""
        with tempfile.TemporaryDirectory() as folder:
            places = self._places(Path(folder), quality)
            Image.fromarray(pixels).save(places["{in}"], compress_level=1)
            self._run(self.encoder, places)
            return self._made(
                Path(folder, f"out{self.suffix if self._suffixed else ''}")
            ).read_bytes()

    def decode(self, data: bytes) -> Pixels:
        """See Codec."""
        with tempfile.TemporaryDirectory() as folder:
            places = self._places(Path(folder), 0)
            Path(folder, f"out{self.suffix if self._suffixed else ''}").write_bytes(data)
            self._run(self.decoder, places)
            return read_pixels(self._made(Path(places["{png}"])))

    @property
    def _suffixed(self) -> bool:
        return any(SUFFIX.search(word) for word in self.encoder)

    def _places(self, folder: Path, quality: float) -> dict[str, str]:
        return {
            "{in}": str(folder / "in.png"),
            "{out}": str(folder / "out"),
            "{png}": str(folder / "decoded.png"),
            "{q}": quality_text(quality),
        }

    def _run(self, command: tuple[str, ...], places: dict[str, str]) -> None:
        words = [
            re.sub(r"\{(?:in|out|png|q)\}", lambda match: places[match.group()], word)
            for word in command
        ]
        try:
            done = subprocess.run(
                words, capture_output=True, text=True, errors="replace", stdin=subprocess.DEVNULL
            )
        except OSError as error:
            raise ImageError(
                f"{self.name}: {words[0]} cannot be started: {error.strerror}"
            ) from error
        if done.returncode:
            reason = (done.stderr.strip() or done.stdout.strip())[-300:]
            raise ImageError(
                f"{self.name}: {words[0]} ended with exit code {done.returncode}: {reason}"
            )

    def _made(self, path: Path) -> Path:
        if not path.is_file():
            raise ImageError(f"{self.name}: the command ended well but wrote no {path.name}")
        return path


def _words(command: str) -> tuple[str, ...]:
    """The words of a command, none where a quote is left open."""
    try:
        return tuple(c_libraries.words(command))
    except ValueError:
        return ()
