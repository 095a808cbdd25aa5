"""Packs hold every picture once, within their limits, and say when they are damaged."""

import io
from pathlib import Path

import pytest
import torch
from PIL import Image

from training.data.kinds import HELD_OUT
from training.data.packs import (
    MANIFEST,
    Packed,
    check_packs,
    photograph_packs,
    read_photographs,
    read_picture_file,
    write_manifest,
    write_photographs,
)
from training.data.store import load_held_out
from training.losses.trunks import load_trunks
from training.pack import pack, spread


def test_every_picture_is_packed_once_within_the_limit(photographs: Path, packs: Path) -> None:
    archives = photograph_packs(packs)
    assert len(archives) > 1
    assert all(path.stat().st_size <= 60_000 for path in archives)
    found = list(read_photographs(packs))
    assert sorted(p.stem for p in found) == sorted(p.stem for p in photographs.glob("*.jpg"))
    assert {p.stem for p in found if p.held_out} == {"cid22-025", "wallpaper-050"}


def test_blocky_kinds_are_packed_halved_and_others_as_they_are(
    photographs: Path, packs: Path
) -> None:
    found = {p.stem: p.file for p in read_photographs(packs)}
    assert Image.open(io.BytesIO(found["clothing-001"])).size == (200, 200)
    assert found["cid22-001"] == (photographs / "cid22-001.jpg").read_bytes()


def test_packs_are_in_order_of_their_numbers(tmp_path: Path) -> None:
    pictures = [Packed(f"cid22-{i:03}", bytes(2000), False) for i in range(1, 13)]
    write_photographs(pictures, tmp_path, 3500)
    assert len(photograph_packs(tmp_path)) == 12
    assert [p.stem for p in read_photographs(tmp_path)] == [p.stem for p in pictures]


def test_a_picture_larger_than_a_pack_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="cid22-001 has 5000 bytes"):
        write_photographs([Packed("cid22-001", bytes(5000), False)], tmp_path, 4000)


def test_a_part_of_the_packs_is_fine_and_a_damaged_one_is_not(packs: Path, tmp_path: Path) -> None:
    for path in packs.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    photograph_packs(tmp_path)[1].unlink()
    assert "photographs-1.zip" in check_packs(tmp_path)
    first = photograph_packs(tmp_path)[0]
    data = bytearray(first.read_bytes())
    data[1000] ^= 1
    first.write_bytes(data)
    with pytest.raises(ValueError, match=r"photographs-1\.zip is damaged"):
        check_packs(tmp_path)
    (tmp_path / MANIFEST).unlink()
    with pytest.raises(ValueError, match=r"no manifest\.json in"):
        check_packs(tmp_path)
    with pytest.raises(ValueError, match=r"no weights\.safetensors in .*: its losses need it"):
        load_trunks(tmp_path / "weights.safetensors", "cpu", torch.float32)


def test_the_manifest_names_what_is_held_out(packs: Path) -> None:
    rows = write_manifest(packs)
    held = [stem for row in rows.values() for stem in row.get("held_out", [])]
    assert sorted(held) == ["cid22-025", "wallpaper-050"]
    assert set(held) <= HELD_OUT


def test_packs_without_a_held_out_picture_are_told(photographs: Path, tmp_path: Path) -> None:
    write_photographs([read_picture_file(photographs / "cid22-001.jpg")], tmp_path, 10**6)
    with pytest.raises(ValueError, match="no held-out picture in"):
        load_held_out(tmp_path)


def test_every_part_of_the_order_has_every_kind() -> None:
    paths = [Path(f"{kind}-{i:03}.jpg") for kind in ("a", "b") for i in range(20)]
    first = spread(paths)[:10]
    assert {path.stem[0] for path in first} == {"a", "b"}


def test_the_packing_command_packs_a_folder(photographs: Path, tmp_path: Path) -> None:
    pack(photographs, tmp_path, 10**6, lpips=False)
    assert len(list(read_photographs(tmp_path))) == 6
    assert "photographs-1.zip" in check_packs(tmp_path)
    with pytest.raises(SystemExit, match="no KIND-NUMBER"):
        pack(tmp_path / "nothing", tmp_path, 10**6, lpips=False)


def test_a_picture_file_is_marked_by_its_name(photographs: Path) -> None:
    assert read_picture_file(photographs / "cid22-025.jpg").held_out
    assert not read_picture_file(photographs / "cid22-001.jpg").held_out
