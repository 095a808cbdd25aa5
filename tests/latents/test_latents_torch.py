"""Latents as torch tensors: types, no copies, the Dataset."""

import multiprocessing
import sys
from pathlib import Path

import numpy as np
import pytest

from helpers.latent_files import smooth
from latentpress.errors import UsageError
from latentpress.latents import Reader, Writer, load, save

torch = pytest.importorskip("torch")

BATCH = np.stack([smooth(4, 12, 10, seed) for seed in range(6)])


def test_bfloat16_comes_back_to_the_bit(tmp_path: Path) -> None:
    y = torch.from_numpy(BATCH).bfloat16()
    y[0, 0, 0, 0] = float("nan")
    save(y, tmp_path / "a", space="sd15", lossless=True)
    back = load(tmp_path / "a", torch=True)
    assert back.dtype == torch.bfloat16
    assert torch.equal(back.view(torch.int16), y.view(torch.int16))
    assert load(tmp_path / "a").dtype == np.float32


def test_bfloat16_keeps_max_error(tmp_path: Path) -> None:
    y = torch.from_numpy(BATCH * 3).bfloat16()
    save(y, tmp_path / "a", space="sd15", max_error=0.02)
    back = load(tmp_path / "a", torch=True)
    assert (back.double() - y.double()).abs().max() <= 0.02


def test_tensors_share_memory_with_the_array(tmp_path: Path) -> None:
    save(torch.from_numpy(BATCH), tmp_path / "a", space="sd15", max_error=0.1)
    tensor = load(tmp_path / "a", torch=True)
    assert tensor.dtype == torch.float32
    assert tensor.numpy().base is not None
    assert np.array_equal(tensor.numpy(), load(tmp_path / "a"))


def test_dataset_over_a_folder_with_workers(tmp_path: Path) -> None:
    from latentpress.latents import LatentDataset

    (tmp_path / "deep").mkdir()
    for name, part in (("a.ltps", BATCH[:2]), ("deep/b.ltps", BATCH[2:])):
        with Writer(tmp_path / name, space="sd15", lossless=True) as writer:
            for i, latent in enumerate(part):
                writer.add(latent, metadata={"label": i})
    (tmp_path / "deep" / "._b.ltps").write_bytes(b"of macOS")
    plain = LatentDataset(tmp_path)
    assert len(plain) == 6
    assert torch.equal(torch.stack([plain[i] for i in range(6)]), torch.from_numpy(BATCH))
    assert torch.equal(plain[-1], plain[5])
    with pytest.raises(IndexError):
        plain[6]
    for method in {"fork", "spawn"} & set(multiprocessing.get_all_start_methods()):
        loader = torch.utils.data.DataLoader(
            plain, batch_size=3, num_workers=1, multiprocessing_context=method
        )
        assert torch.equal(torch.cat(list(loader)), torch.from_numpy(BATCH))
    labeled = LatentDataset(
        [tmp_path / "a.ltps"],
        transform=lambda y, info: (y, info.metadata["label"]),
        dtype=torch.float16,
    )
    assert labeled[1][1] == 1
    assert labeled[1][0].dtype == torch.float16


@pytest.mark.skipif(sys.platform == "win32", reason="limits of POSIX")
def test_dataset_over_more_files_than_a_process_may_open(tmp_path: Path) -> None:
    import resource

    from latentpress.latents import LatentDataset

    most = 200
    for number in range(most + 50):
        save(BATCH[number % 6], tmp_path / f"{number:03}.ltps", lossless=True)
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, before[1]))
    try:
        data = LatentDataset(tmp_path)
        assert len(data) == most + 50
        for number in (0, most, 7, most + 49, 0):
            assert np.array_equal(data[number], BATCH[number % 6])
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_dataset_refuses(tmp_path: Path) -> None:
    from latentpress.latents import LatentDataset

    with pytest.raises(UsageError, match=r"no \.ltps"):
        LatentDataset(tmp_path)
    save(BATCH, tmp_path / "a.ltps", space="sd15", lossless=True)
    save(BATCH, tmp_path / "b.ltps", space="sdxl", lossless=True)
    with pytest.raises(UsageError, match="different spaces"):
        LatentDataset(tmp_path)
    assert Reader(tmp_path / "b.ltps", torch=True)[0].shape == (4, 12, 10)
