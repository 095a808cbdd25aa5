"""Checkpoints are small, whole, and good enough to go on from."""

import dataclasses
from pathlib import Path

import pytest
import torch

from training.lp1 import checkpoint
from training.lp1.checkpoint import (
    LARGE,
    bytes_of,
    load_run,
    load_weights,
    pack_state,
    save_weights,
    split_source,
    unpack_state,
)
from training.lp1.codec import Codec
from training.lp1.shape import Shape
from training.lp1.variant import Variant, as_table, from_table, read_variants

SMALL = Shape(
    analysis="conv:8:8:4 down:12 down:16",
    synthesis="mix:16 up:12 up:8",
    latent=24,
    hyper=8,
    features=16,
    context=16,
)


def test_weights_come_back_with_their_variant_from_several_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoint, "FILE_BYTES", 600_000)
    variant = Variant(shape=SMALL, rate=1e-3)
    state = Codec(SMALL).state_dict()
    paths = save_weights(state, variant, tmp_path)
    assert len(paths) == 3
    assert max(path.stat().st_size for path in paths) < 600_000
    found, what = load_weights(tmp_path)
    assert what == variant
    assert found.keys() == state.keys()
    for name, t in found.items():
        error = (t - state[name]).abs().max()
        assert error == 0 if t.numel() < LARGE else error <= state[name].abs().max() / 1024
    net = load_run(str(tmp_path))
    assert torch.equal(net.gain, state["gain"])
    paths[1].unlink()
    with pytest.raises(ValueError, match="files of weights"):
        load_weights(tmp_path)
    with pytest.raises(ValueError, match=r"no other-1\.safetensors"):
        load_weights(tmp_path, "other")
    monkeypatch.setattr(checkpoint, "FILE_BYTES", 10**7)
    assert save_weights(state, variant, tmp_path) == paths[:1]  # the files of before are gone
    assert load_weights(tmp_path)[0].keys() == state.keys()


def test_the_default_model_fits_into_one_file(tmp_path: Path) -> None:
    paths = save_weights(Codec().state_dict(), Variant(), tmp_path)
    assert len(paths) == 1
    assert bytes_of(paths) < 16 * 2**20


def test_a_source_is_a_folder_or_a_name_in_one(tmp_path: Path) -> None:
    assert split_source(str(tmp_path)) == (tmp_path, "weights")
    assert split_source(f"{tmp_path}:soap") == (tmp_path, "soap")


def test_momenta_take_a_byte_a_number_and_come_back_nearly_whole() -> None:
    generator = torch.Generator().manual_seed(0)
    n = 100_003
    scales = torch.logspace(0, -4, n)
    state = {
        "muon.momentum": torch.randn(n, generator=generator) * scales,
        "adam.square": torch.rand(n, generator=generator) * scales**2,
        "adam.steps": torch.tensor(412.0),
    }
    packed = pack_state(state)
    assert sum(t.numel() * t.element_size() for t in packed.values()) < 2.1 * n
    back = {name: torch.zeros_like(t) for name, t in state.items()}
    assert unpack_state(packed, back) == []
    assert float(back["adam.steps"]) == 412
    momentum, want = back["muon.momentum"], state["muon.momentum"]
    assert (momentum - want).norm() < 0.01 * want.norm()
    likely = state["adam.square"] > 1e-12
    ratio = back["adam.square"][likely] / state["adam.square"][likely]
    assert 0.9 < float(ratio.min()) < float(ratio.max()) < 1.1
    assert (back["adam.square"] > 0).all()


def test_what_does_not_fit_is_left_out_and_told() -> None:
    state = {"a": torch.randn(10_000), "b.square": torch.rand(10_000), "c": torch.ones(3)}
    packed = pack_state(state, limit=12_000)
    assert unpack_state(packed, {name: t.clone() for name, t in state.items()}) == ["b.square"]
    with pytest.raises(ValueError, match="a has 10240 numbers"):
        unpack_state(packed, {"a": torch.zeros(9_000)})


def test_variants_are_read_from_a_table(tmp_path: Path) -> None:
    file = tmp_path / "variants.toml"
    file.write_text(
        "[base]\nrate = 1\ncrops = [[0.0, 2, 64]]\nshape.latent = 24\n"
        "[variants.a]\n[variants.b]\noptimizer = 'soap'\nloss.text = 2\nlearn = ['gs']\n"
    )
    found = read_variants(file)
    assert list(found) == ["a", "b"]
    assert found["a"] == Variant(rate=1.0, crops=((0.0, 2, 64),), shape=Shape(latent=24))
    b = found["b"]
    assert (b.optimizer, b.loss.text, b.learn, b.shape.latent) == ("soap", 2.0, ("gs",), 24)
    assert from_table(as_table(b)) == b
    file.write_text("[base]\nshape.latnt = 3\n")
    with pytest.raises(ValueError, match=r"base\.shape: 'latnt' is not one of analysis"):
        read_variants(file)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("rate = 1e-4\n[variants.a]\n", "'rate' stands in neither"),
        ("[variant.a]\nrate = 1e-4\n", "'variant' stands in neither"),
        ("[variants]\n", "no variant below"),
        ("[base]\nlearn = 'gs'\n", r"base\.learn is 'gs' and must be a list"),
        ("[base]\nkeep = 'no'\n", r"base\.keep is 'no' and must be true or false"),
        ("[base]\nshape.latent = 24.5\n", r"base\.shape\.latent is 24\.5 and must be a whole"),
        ("[base]\ncrops = []\n", "first row of crops must begin at 0"),
        ("[base]\ncrops = [[0.1, 2, 64]]\n", "first row of crops must begin at 0"),
        ("[base]\ncrops = [0.0, 2, 64]\n", r"0\.0 of crops is no row"),
        ("[base]\ncrops = [[0.0, 2, 100]]\n", "multiples of 16 from 64 to 512"),
        ("[base]\ncrops = [[0.0, 2, 64], [0.5, 1, 1024]]\n", "multiples of 16 from 64 to 512"),
        ("[base]\ncrops = [[0.0, 2, 64], [0.0, 1, 96]]\n", "rows begin later and later"),
    ],
)
def test_a_variant_that_cannot_be_is_told_before_a_run(
    tmp_path: Path, text: str, told: str
) -> None:
    file = tmp_path / "variants.toml"
    file.write_text(text)
    with pytest.raises(ValueError, match=told):
        read_variants(file)


def test_every_variant_that_lies_beside_the_code_can_be_built() -> None:
    folder = Path(checkpoint.__file__).parent / "variants"
    files = sorted(folder.glob("*.toml"))
    assert files
    for file in files:
        for name, variant in read_variants(file).items():
            Codec(variant.shape)
            assert variant.crops[0][0] == 0, (file, name)
            assert all(n > 0 and 64 <= side <= 512 for _, n, side in variant.crops)


def test_crops_follow_the_budget() -> None:
    variant = dataclasses.replace(Variant(), crops=((0.0, 8, 192), (0.5, 4, 256)))
    assert variant.crops_at(0.49) == (8, 192)
    assert variant.crops_at(0.5) == (4, 256)
    assert variant.crops_at(1.3) == (4, 256)
