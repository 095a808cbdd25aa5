"""Damage behind right checksums: whatever the bytes of a file are, reading it gives a picture or an
error of the tree, in one sentence.

Elsewhere such damage ends at the checksum of the symbols. Here half of the mutants pass it, as a
file does whose symbols an attacker has chosen, and so reach all that comes after it. MUTANTS in the
environment says how many of each kind there are; `tests/sanitized.py` runs them, too.
"""

import io
import os
import random
from pathlib import Path

import pytest

from helpers.attacks import read, rebuilt, reseal
from helpers.latent_files import ltps, record_of
from latentpress.container import unpack
from latentpress.entropy import factorized, multistage, rans
from latentpress.errors import LatentpressError
from latentpress.image.limits import MAX_SIDE
from latentpress.latents import Reader, index
from latentpress.runtimes import choice, native

COUNT = int(os.environ.get("MUTANTS", "30"))
GOLDEN = Path(__file__).parent / "golden"
FILES = (
    *("v1/*.ltp", "priors_v1/*.ltp", "restoration_v1/*.ltp", "screen_v1/*.ltp"),
    *("latents_v1/*.ltps", "priors_v1/*.ltps"),
)
SIDES = (1, 2, 15, 16, 17, 63, 64, 65, 128, 129, 257, 1025, 2049, MAX_SIDE)
MOST = 1_000_000  # pixels, and numbers of a latent


class Anything:
    """A checksum that is that of any symbols."""

    __hash__ = None  # type: ignore[assignment]

    def __eq__(self, other: object) -> bool:
        return True


def damaged(rng: random.Random, data: bytes) -> bytes:
    """A few places changed, mostly near the start, where sizes and tables stand."""
    out = bytearray(data)
    for _ in range(rng.choice([1, 1, 2, 6])):
        at = rng.randrange(min(rng.choice([24, len(out) + 1]), len(out) + 1))
        what, amount = rng.randrange(5), rng.choice([1, 1, 2, 4, 40])
        if what == 0:
            out[at : at + 1] = bytes([rng.choice([0, 1, 0x7F, 0x80, 0xFF])])
        elif what == 1:
            out[at : at + amount] = rng.randbytes(amount)
        elif what == 2:
            out[at:at] = rng.randbytes(amount)
        elif what == 3:
            del out[at : at + amount]
        elif rng.random() < 0.2:
            del out[at:]
    return bytes(out)


def mutant(rng: random.Random, data: bytes) -> bytes:
    """An .ltp file, sealed: other bytes of a chunk, and at times another size or other quality."""
    if rng.random() < 0.1:
        return reseal(damaged(rng, data))
    header, chunks = unpack(data)
    kind = rng.choice(list(chunks))
    changes = {
        "width": rng.choice(SIDES) if rng.random() < 0.2 else header.width,
        "height": rng.choice(SIDES) if rng.random() < 0.2 else header.height,
        "quality": rng.choice([0, 33.3, 100]) if rng.random() < 0.2 else header.quality,
    }
    return rebuilt(data, **changes, chunks={**chunks, kind: damaged(rng, chunks[kind])})


def mutant_latents(rng: random.Random, data: bytes) -> bytes:
    """The same of an .ltps file: other bytes of one of its records."""
    count = len(index.read_index(io.BytesIO(data), len(data)).rows)
    spans = [record_of(data, n) for n in range(count)]
    records = [data[first : first + size] for first, size in spans]
    which = rng.randrange(count)
    records[which] = damaged(rng, records[which]) or b"\0"
    return ltps(records, data[5])


def read_latents(file: Path, data: bytes) -> None:
    file.write_bytes(data)
    with Reader(file) as reader:
        for n in range(len(reader)):
            reader.read(n)


@pytest.mark.parametrize("pattern", FILES)
@pytest.mark.parametrize("is_checked", [True, False])
def test_a_mutant_is_a_picture_or_an_error_of_the_tree(
    pattern: str, is_checked: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    if native.library():  # the package's own code
        monkeypatch.setenv(choice.RUNTIME_VARIABLE, "native")
        monkeypatch.setenv(choice.PRECISION_VARIABLE, "int8")
    monkeypatch.setenv("LATENTPRESS_MAX_PIXELS", str(MOST))
    monkeypatch.setenv("LATENTPRESS_MAX_NUMBERS", str(MOST))
    if not is_checked:  # any symbols pass, and any words that are left of their stream
        for module in (rans, multistage, factorized):
            monkeypatch.setattr(module, "symbols_crc", lambda *_: Anything())
        monkeypatch.setattr(rans, "check_empty", lambda _: None)
    files = sorted(GOLDEN.glob(pattern))
    pictures, refusals = 0, []
    for number in range(COUNT):
        rng = random.Random(f"{pattern} {is_checked} {number}")
        data = rng.choice(files).read_bytes()
        try:
            if pattern.endswith("s"):
                read_latents(tmp_path / "a.ltps", mutant_latents(rng, data))
            else:
                read(mutant(rng, data))
            pictures += 1
        except LatentpressError as error:
            refusals.append(str(error))
        except Exception as error:
            raise AssertionError(f"mutant {number} of {pattern}") from error
    assert refusals
    assert is_checked or pictures
    assert not [text for text in refusals if not text or "\n" in text]
