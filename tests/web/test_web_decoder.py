"""The decoder in JavaScript gives what Python gives: integers, symbols, pixels and refusals."""

import base64
import io
import json
import random
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

import latentpress
from golden.test_golden import BUILTIN
from golden.test_golden import FOLDER as GOLDEN
from helpers import gray_pngs
from helpers.attacks import head_end, lp1_file, rebuilt, reseal
from helpers.node import NODE, WEB, needs_node, run_node
from helpers.prior_dumps import dump_prior
from helpers.slow_rans import slow_encode_groups
from latentpress.container import (
    ALPHA,
    DENSITY,
    ICC_DEFLATED,
    LATENT_TYPES,
    TEXT,
    XMP_DEFLATED,
    unpack,
)
from latentpress.entropy import cdf_tables
from latentpress.entropy.cdf_tables import radius
from latentpress.errors import FormatError, VersionError, WeightsError
from latentpress.image.alpha import decode_alpha
from latentpress.image.deflated import deflate
from latentpress.image.known_profiles import NAMES, known_profile
from latentpress.image.text import pack_text

pytestmark = needs_node
DAMAGED = 500


def test_the_tests_of_the_package() -> None:
    assert NODE is not None
    done = subprocess.run([NODE, "--test"], cwd=WEB, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_engine_is_built_from_its_source(tmp_path: Path) -> None:
    if shutil.which("clang-19") is None or shutil.which("wasm-ld-19") is None:
        pytest.skip("needs clang 19 and lld (Debian: apt-get install clang-19 lld-19)")
    built = tmp_path / "engine.wasm"
    subprocess.run([WEB / "engine" / "build.sh", built], check=True, timeout=120)
    assert built.read_bytes() == (WEB / "src" / "engine.wasm").read_bytes()


def test_integers_of_the_prior(tmp_path: Path) -> None:
    dump_prior(tmp_path)
    result = run_node("networks.js", tmp_path)
    assert result["compared"] > 400_000
    assert result["worst"] == 0


def test_streams_of_the_slow_coder(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    cases = []
    for _ in range(40):
        groups = []
        for table in rng.choice(
            [*range(64), *range(384, 448)], rng.integers(1, 9), replace=False
        ).tolist():
            reach = radius(table)
            symbols = rng.integers(-reach, reach + 1, rng.integers(1, 60)).tolist()
            symbols += rng.choice(
                [-32767, 32767, reach + 1, -reach - 1], rng.integers(0, 3)
            ).tolist()
            groups.append((table, symbols))
        cases.append(
            {"stream": base64.b64encode(slow_encode_groups(groups)).decode(), "groups": groups}
        )
    (tmp_path / "streams.json").write_text(json.dumps(cases))
    assert run_node("streams.js", tmp_path / "streams.json") == [True] * len(cases)


def planes() -> Iterator[NDArray[np.uint8]]:
    rng = np.random.default_rng(0)
    for width, height in ((1, 1), (7, 5), (33, 20), (130, 77)):
        ramp = (np.add.outer(3 * np.arange(height), 2 * np.arange(width)) % 256).astype(np.uint8)
        walk = np.clip(128 + np.cumsum(rng.normal(0, 4, ramp.shape), 1), 0, 255).astype(np.uint8)
        yield from (ramp, ramp // 64 * 85, ramp // 16 * 17, (ramp % 7 > 3) * np.uint8(255), walk)
        yield rng.integers(0, 256, ramp.shape, np.uint8)


def saved(image: Image.Image, form: str, **options: object) -> bytes:
    out = io.BytesIO()
    image.save(out, form, **options)
    return out.getvalue()


def alpha_bodies() -> Iterator[tuple[bytes, int, int]]:
    """Bodies of alpha chunks of each kind, then damaged ones."""
    bodies = []
    for plane in planes():
        image = Image.fromarray(plane)
        for method, quality in ((0, 0), (4, 100), (6, 75)):
            bodies.append(
                (
                    saved(
                        Image.merge("RGB", [image] * 3),
                        "WEBP",
                        lossless=True,
                        quality=quality,
                        method=method,
                    ),
                    *image.size,
                )
            )
        colors = Image.merge(
            "RGB", [image, image.rotate(180), Image.fromarray(plane[:, ::-1].copy())]
        )
        bodies.append((saved(colors, "WEBP", lossless=True, quality=100, method=6), *image.size))
        bodies.append((saved(image, "PNG"), *image.size))
        if np.isin(plane, (0, 255)).all():
            bodies.append((saved(image.convert("1"), "PNG", optimize=True), *image.size))
    yield from bodies
    rng = random.Random(1)
    for body, width, height in rng.choices(bodies, k=300):
        altered = bytearray(body)
        for _ in range(rng.choice((1, 1, 3))):
            altered[rng.randrange(len(altered))] ^= 1 << rng.randrange(8)
        yield (
            bytes(altered[: rng.randrange(len(altered))] if rng.random() < 0.2 else altered),
            width,
            height,
        )


def opacity(body: bytes, width: int, height: int) -> str | None:
    try:
        return base64.b64encode(decode_alpha(body, width, height).tobytes()).decode()
    except FormatError:
        return None


@pytest.mark.filterwarnings("ignore")
def test_opacity_and_profiles(tmp_path: Path) -> None:
    cases = list(alpha_bodies())
    bodies = [
        {"body": base64.b64encode(body).decode(), "width": width, "height": height}
        for body, width, height in cases
    ]
    (tmp_path / "planes.json").write_text(json.dumps({"bodies": bodies, "profiles": sorted(NAMES)}))
    got = run_node("planes.js", tmp_path / "planes.json")
    assert got["profiles"] == [
        base64.b64encode(known_profile(number)).decode() for number in sorted(NAMES)
    ]
    expected = [opacity(*case) for case in cases]
    assert [i for i, (a, b) in enumerate(zip(got["planes"], expected, strict=True)) if a != b] == []
    assert 100 < sum(plane is None for plane in expected) < 300


def verdicts_on(tmp_path: Path, cases: list[tuple[bytes, int, int]]) -> list[tuple[bool, bool]]:
    """Whether JavaScript takes the body of an alpha chunk, and whether Python does; held to give
    the same plane.
    """
    bodies = [
        {"body": base64.b64encode(body).decode(), "width": width, "height": height}
        for body, width, height in cases
    ]
    (tmp_path / "planes.json").write_text(json.dumps({"bodies": bodies, "profiles": []}))
    got = run_node("planes.js", tmp_path / "planes.json")["planes"]
    expected = [opacity(*case) for case in cases]
    assert all(None in (a, b) or a == b for a, b in zip(got, expected, strict=True))
    return [(a is not None, b is not None) for a, b in zip(got, expected, strict=True)]


def test_pngs_of_odd_chunks(tmp_path: Path) -> None:
    cases = gray_pngs.TAKEN | gray_pngs.REFUSED
    verdicts = verdicts_on(tmp_path, [(body, *gray_pngs.SIZE) for body in cases.values()])
    for kind, verdict in zip(cases, verdicts, strict=True):
        is_taken = kind in gray_pngs.TAKEN
        assert verdict == (is_taken, is_taken), kind


# VP8L, and whether it is whole: the last bits in the byte that fills up the size; bits that lack
ENDS = (
    (2, 1, "0d0000002f01000000c5fd00e302fefd8f00", True),
    (7, 5, "090000002f060001008888fe7400", True),
    (1, 1, "100000002f000000000750d7bad6b5ff8188e87f", False),
    (2, 1, "160000002f010000000ff004922790bce57ffe63095588e8ff02", False),
)


def test_a_webp_ends_where_its_bytes_end(tmp_path: Path) -> None:
    pytest.importorskip("PIL._webp")
    cases = []
    for width, height, image, _ in ENDS:
        rest = b"WEBPVP8L" + bytes.fromhex(image)
        cases.append((b"RIFF" + len(rest).to_bytes(4, "little") + rest, width, height))
    assert verdicts_on(tmp_path, cases) == [(is_whole, is_whole) for *_, is_whole in ENDS]


def sources() -> list[bytes]:
    """Small files of every kind of latent chunk, and one with every kind of metadata."""
    golden = [
        (GOLDEN / f"{name}.ltp").read_bytes()
        for name in ("odd", "pixel", "grey", "alpha", "metadata", "alone", "chains")
    ]
    rich = unpack(lp1_file())[1]
    text = deflate(pack_text((("Title", "A picture"), ("Author", "Grüße"))))
    bare = {kind: body for kind, body in rich.items() if kind < 0x40}
    packed = {
        ICC_DEFLATED: deflate(b"icc" * 90),
        XMP_DEFLATED: deflate(b"<x:xmpmeta/>" * 9),
        TEXT: text,
        DENSITY: b"\xe0\xa7\x12",
    }
    return [
        *golden[:5],
        *golden,
        lp1_file(),
        rebuilt(lp1_file(), chunks=bare | packed),
        rebuilt(lp1_file(), chunks=bare | {0x45: b"\2"}),
    ]


def damaged(data: bytes, rng: random.Random) -> bytes:
    """The file with bits flipped, cut or lengthened; mostly with its checksums put right again."""
    way = rng.randrange(6)
    if way == 0:  # anywhere, seen by a checksum
        out = bytearray(data)
        out[rng.randrange(len(out))] ^= 1 << rng.randrange(8)
        return bytes(out)
    if way == 1:
        return (
            data[: rng.randrange(len(data))]
            if rng.random() < 0.7
            else data + rng.randbytes(rng.randrange(1, 9))
        )
    if way == 2:  # a field or a row of the table
        out = bytearray(data)
        out[rng.randrange(3, head_end(data))] ^= 1 << rng.randrange(8)
        return reseal(bytes(out))
    chunks = dict(unpack(data)[1])
    kind = rng.choice([k for k in chunks if k in LATENT_TYPES] if way == 3 else list(chunks))
    body = bytearray(chunks[kind])
    if kind == ALPHA and rng.random() < 0.5:
        body[:] = saved(Image.effect_noise((rng.randrange(30, 60), 34), 50), "PNG")
    if body and rng.random() < 0.7:
        for _ in range(rng.choice((1, 1, 2, 5))):
            body[rng.randrange(len(body))] ^= 1 << rng.randrange(8)
    elif body and rng.random() < 0.6:
        del body[rng.randrange(len(body)) :]
    else:
        body += rng.randbytes(rng.randrange(1, 9))
    return rebuilt(data, chunks=chunks | {kind: bytes(body)})


def verdict(data: bytes) -> str | NDArray[np.uint8]:
    try:
        return np.asarray(latentpress.decompress(data).convert("RGBA"))
    except VersionError:
        return "version"
    except FormatError as error:
        return "limit" if "more than the limit" in str(error) else "format"
    except WeightsError:
        return "model"


@pytest.mark.filterwarnings("ignore")
def test_verdicts_on_damaged_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LATENTPRESS_MAX_PIXELS", "64000000")
    rng = random.Random(29)
    files = sources()
    for i in range(DAMAGED):
        (tmp_path / f"{i:03}.ltp").write_bytes(damaged(files[i % len(files)], rng))
    got = run_node("verdicts.js", tmp_path)
    wrong, seen = [], {"picture": 0, "format": 0, "version": 0, "model": 0}
    for name, ours in got.items():
        theirs = verdict((tmp_path / name).read_bytes())
        kind = theirs if isinstance(theirs, str) else "picture"
        seen[kind] = seen.get(kind, 0) + 1
        if (kind == "picture") != isinstance(ours, int) or (kind != "picture" and kind != ours):
            wrong.append((name, ours, kind))
    assert len(got) == DAMAGED
    assert wrong == []
    assert min(seen.values()) > 0, seen


def test_the_tables_are_those_that_the_package_names() -> None:
    import hashlib

    digest = hashlib.sha256(cdf_tables.FILE.read_bytes()).hexdigest()
    assert digest in (WEB / "src" / "models.js").read_text(encoding="utf-8")
    assert len(BUILTIN) == 13
