"""The restoration of decoded latents: which files ask for it, that tiles do not show, that it
helps, that the search goes through it.
"""

import json

import numpy as np
import pytest
from numpy.typing import NDArray

import latentpress
from golden.make_restoration import FOLDER, latent, name_of
from helpers.paths import WEIGHTS
from latentpress import codec, container, models
from latentpress.container import LATENT_MASKED, LATENT_MULTISTAGE, RESTORATION, pack
from latentpress.entropy.hyperprior import HyperpriorCoder
from latentpress.entropy.multistage import MultistageCoder
from latentpress.errors import FormatError
from latentpress.spaces import LP1, SPACES, STABLE_DIFFUSION, Space, step_size
from latentpress.transforms import restoration
from latentpress.transforms.restoration import (
    FILE,
    HALO,
    NUMBER,
    chunks,
    condition,
    is_shipped,
    restore,
)

SHIPPED = [s for s in SPACES if is_shipped(s)]
SD15 = STABLE_DIFFUSION[0]
EACH = pytest.mark.parametrize("space", SHIPPED, ids=lambda s: s.name)
TAESD = WEIGHTS / "taesd"
Floats = NDArray[np.float32]


def file_of(space: Space, quality: float, extra: dict[int, bytes]) -> bytes:
    """A file of 76 x 69 pixels."""
    body = MultistageCoder(space, quality).encode([latent(space)])
    return pack(space, bytes(4), 69, 76, quality, {LATENT_MULTISTAGE: body} | extra)


def whole(space: Space, y: Floats, quality: float) -> Floats:
    return np.concatenate(list(restore(space, [y], quality)), axis=1)


def test_what_is_shipped() -> None:
    assert [s.name for s in SHIPPED] == ["sd15", "sdxl", "sd3", "flux1"]
    assert {s.name: sum(map(len, chunks(s).values())) for s in SPACES} == {
        "lp1": 0,
        "sd15": 1,
        "sdxl": 1,
        "sd3": 1,
        "flux1": 1,
    }


@EACH
def test_the_latent_of_a_file_is_restored_where_it_asks_for_it(space: Space) -> None:
    plain = codec.decode_latent(file_of(space, 20, {}))
    restored = codec.decode_latent(file_of(space, 20, chunks(space)))
    np.testing.assert_array_equal(restored, whole(space, plain, 20))
    assert restored.dtype == np.float32
    assert np.abs(restored - plain).max() > 0


@EACH
def test_weights_unknown_here_are_done_without(space: Space) -> None:
    later = file_of(space, 20, {RESTORATION: bytes([NUMBER + 1])})
    np.testing.assert_array_equal(
        codec.decode_latent(later), codec.decode_latent(file_of(space, 20, {}))
    )


@pytest.mark.parametrize("body", [b"", b"\1\1", bytes(1000)])
def test_a_chunk_that_is_no_number_is_refused(body: bytes) -> None:
    with pytest.raises(FormatError, match="restoration"):
        codec.decode_latent(file_of(SD15, 20, {RESTORATION: body}))


def test_a_space_without_weights_goes_without(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = codec.decode_latent(file_of(SD15, 20, {}))
    monkeypatch.setattr(restoration, "is_shipped", lambda space: False)
    np.testing.assert_array_equal(
        codec.decode_latent(file_of(SD15, 20, {RESTORATION: bytes([NUMBER])})), plain
    )
    assert chunks(SD15) == {}


def test_the_built_in_codec_is_never_restored(small: NDArray[np.uint8]) -> None:
    body = HyperpriorCoder("lp1", 20).encode([codec.encode_latent(small)])
    model_hash = bytes.fromhex(models.manifest("lp1")["model_hash"])
    asked, plain = (
        codec.decode_latent(pack(LP1, model_hash, 109, 75, 20, {LATENT_MASKED: body} | extra))
        for extra in ({RESTORATION: bytes([NUMBER])}, {})
    )
    np.testing.assert_array_equal(asked, plain)


@EACH
def test_tiles_give_what_the_whole_gives(space: Space, monkeypatch: pytest.MonkeyPatch) -> None:
    y = np.random.default_rng(1).normal(0, 1, (space.channels, 150, 70)).astype(np.float32)
    x = np.concatenate([y, np.full((1, 150, 70), condition(10), np.float32)])
    expected = y + np.float32(step_size(10)) * models.run(space.name, FILE, x=x[None])[0][0]
    for positions in (12_000, 4_000, 2_000):
        monkeypatch.setattr(restoration, "TILE_POSITIONS", positions)
        np.testing.assert_allclose(whole(space, y, 10), expected, atol=1e-4)


@EACH
def test_the_network_sees_no_further_than_the_halo(space: Space) -> None:
    y = np.zeros((space.channels, 40, 40), np.float32)
    y[:, 20, 20] = 5
    changed = np.abs(whole(space, y, 10) - whole(space, np.zeros_like(y), 10)).max(0) > 0
    rows, columns = np.nonzero(changed)
    assert max(np.abs(rows - 20).max(), np.abs(columns - 20).max()) <= HALO


@EACH
def test_the_correction_goes_to_zero_with_the_step(space: Space) -> None:
    y = np.random.default_rng(2).normal(0, 1, (space.channels, 30, 30)).astype(np.float32)
    sizes = [float(np.abs(whole(space, y, quality) - y).mean()) for quality in (0, 25, 50, 75, 100)]
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[-1] < 0.02


def test_any_numbers_of_a_file_stay_finite() -> None:
    y = np.random.default_rng(3).choice(np.array([-131072, 0, 131072], np.float32), (4, 9, 9))
    assert np.isfinite(whole(SD15, y, 0)).all()


@EACH
def test_golden_file(space: Space) -> None:
    index = json.loads((FOLDER / "golden.json").read_text())
    data = (FOLDER / f"{name_of(space)}.ltp").read_bytes()
    assert container.unpack(data)[1][RESTORATION] == bytes([NUMBER])
    np.testing.assert_allclose(codec.decode_latent(data), index[name_of(space)], atol=2e-3)


def test_there_is_a_golden_file_a_space() -> None:
    assert {p.name for p in FOLDER.glob("*.ltp")} == {f"{name_of(s)}.ltp" for s in SHIPPED}


@pytest.mark.skipif(not TAESD.is_dir(), reason="the tiny autoencoders are not beside this checkout")
@pytest.mark.parametrize("quality", [0, 15, 30])
def test_a_photograph_comes_out_better(photo: NDArray[np.uint8], quality: float) -> None:
    pytest.importorskip("diffusers")
    data = latentpress.compress(
        photo, codec="sd15", model=str(TAESD), quality=quality, device="cpu"
    )
    header, found = container.unpack(data)
    plain = pack(
        SD15,
        bytes.fromhex(header.model_hash),
        header.width,
        header.height,
        quality,
        found | {RESTORATION: b"\xff"},
    )
    y = codec.encode_latent(photo, codec="sd15", model=str(TAESD), device="cpu")
    errors = [float(np.square(codec.decode_latent(file) - y).mean()) for file in (data, plain)]
    assert errors[0] < errors[1]
    shown = [
        np.asarray(latentpress.decompress(file, model=str(TAESD), device="cpu"))
        for file in (data, plain)
    ]
    mse = [float(np.square(x.astype(float) - photo).mean()) for x in shown]
    assert mse[0] < 0.95 * mse[1]


@EACH
def test_the_search_goes_through_the_same_network(space: Space) -> None:
    torch = pytest.importorskip("torch")
    from latentpress.optimize.stable_diffusion_optimizer import restored

    y = np.random.default_rng(4).normal(0, 1, (space.channels, 12, 9)).astype(np.float32)
    found = restored(space, torch.from_numpy(y)[None].requires_grad_(), 10)
    np.testing.assert_allclose(found[0].detach().numpy(), whole(space, y, 10), atol=1e-4)
    assert found.requires_grad
