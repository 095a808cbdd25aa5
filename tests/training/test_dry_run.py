"""The whole way to another machine and back, played in an empty folder."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from training import dry_run
from training.data.packs import MOST_BYTES, PACK_BYTES
from training.dry_run import check_back, plan_transfers
from training.lp1.checkpoint import save_weights
from training.lp1.codec import Codec
from training.lp1.variant import read_variants

ROOT = Path(__file__).parents[2]


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="what travels is what git lists")
def test_a_session_is_carried_there_and_comes_back(packs: Path, tmp_path: Path) -> None:
    toy = (ROOT / "training/lp1/variants/toy.toml").read_text()
    pairs = tmp_path / "pairs.toml"
    pairs.write_text(toy + "[variants.muon]\n[variants.soap]\noptimizer = 'soap'\nkeep = false\n")
    command = [sys.executable, "-m", "training.dry_run", str(packs), str(tmp_path / "there")]
    arguments = ["--session", "--pairs", str(pairs), "--steps", "20", "--pages", "2"]
    done = subprocess.run(
        [*command, *arguments],
        cwd=ROOT,
        env=os.environ | {"OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "transfer 1: " in done.stdout
    assert "a run goes on from what came back" in done.stdout
    assert (tmp_path / "there/back/weights-1.safetensors").exists()
    assert (tmp_path / "there/back/weights-momenta.safetensors").exists()
    assert "| muon | 20 |" in (tmp_path / "there/back/table.md").read_text()
    assert "| soap | 20 |" in (tmp_path / "there/back/pairs/table.md").read_text()


def sized(folder: Path, name: str, size: int) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(bytes(size))
    return path


def test_transfers_hold_what_fits_beside_the_checkout(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dry_run, "TRANSFER_BYTES", 1000)
    packs = [sized(tmp_path, f"p{i}", size) for i, size in enumerate((400, 300, 350, 100))]
    transfers = plan_transfers(packs, checkout=200)
    assert [[p.stat().st_size for p in t] for t in transfers] == [[400, 350], [300, 100]]
    with pytest.raises(SystemExit, match="p0 and the checkout"):
        plan_transfers(packs, checkout=700)


def test_what_would_not_come_back_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dry_run, "FILE_BYTES", 100)
    sized(tmp_path / "a", "fine/too/a.txt", 100)
    assert len(check_back(tmp_path / "a")) == 1
    for place, size in (("x/y/z/deep", 1), ("sp ace", 1), ("large", 101)):
        folder = tmp_path / place.replace("/", "-").replace(" ", "")
        sized(folder, place, size)
        with pytest.raises(SystemExit, match="would not come back"):
            check_back(folder)
    many = tmp_path / "many"
    for i in range(9):
        sized(many, f"f{i}", 1)
    with pytest.raises(SystemExit, match="9 files"):
        check_back(many)


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="what travels is what git lists")
def test_the_checkout_leaves_room_for_two_packs_or_the_largest() -> None:
    size = sum((ROOT / path).stat().st_size for path in dry_run.checkout_files())
    assert size + 2 * PACK_BYTES <= dry_run.TRANSFER_BYTES
    assert size + MOST_BYTES <= dry_run.TRANSFER_BYTES


@pytest.mark.parametrize("name", ["first-pairs", "second-pairs", "prior-pairs"])
def test_weights_of_pairs_come_back(tmp_path: Path, name: str) -> None:
    variants = read_variants(ROOT / f"training/lp1/variants/{name}.toml")
    for name, variant in variants.items():
        if variant.keep:
            save_weights(Codec(variant.shape).state_dict(), variant, tmp_path, name)
    assert len(check_back(tmp_path)) <= dry_run.MOST_FILES - 2  # beside the log and the table
