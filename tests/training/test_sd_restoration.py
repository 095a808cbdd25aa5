"""The restorations of the Stable Diffusion spaces: the shipped ones in torch, and their export."""

from pathlib import Path

import numpy as np
import pytest
import torch

from latentpress import models
from latentpress.spaces import space_of_codec, step_size
from latentpress.transforms.restoration import FILE, HALO, restore

onnx = pytest.importorskip("onnx", reason="reading a graph needs onnx")

from training.sd_restoration.network import Restoration, load_shipped  # noqa: E402

SPACES = pytest.mark.parametrize("space", ["sd15", "flux1"])


def shipped(space: str) -> Restoration:
    net = Restoration(space_of_codec(space).channels).eval()
    load_shipped(net, space)
    return net


def weights_of(graph: bytes) -> dict[str, bytes]:
    tensors = onnx.load_from_string(graph).graph.initializer
    return {t.name: onnx.numpy_helper.to_array(t).tobytes() for t in tensors}


@SPACES
def test_a_shipped_restoration_read_back_gives_what_the_decoder_gives(space: str) -> None:
    channels = space_of_codec(space).channels
    y_hat = np.random.default_rng(6).normal(0, 1, (channels, 12, 9)).astype(np.float32)
    with torch.inference_mode():
        step = torch.tensor([step_size(10)])
        z = shipped(space)(torch.from_numpy(y_hat)[None], step)[0].numpy()
    decoded = np.concatenate(list(restore(space_of_codec(space), [y_hat], 10)), axis=1)
    np.testing.assert_allclose(z, decoded, atol=1e-4)


@SPACES
def test_a_restoration_read_back_and_exported_again_is_the_shipped_one(
    space: str, tmp_path: Path
) -> None:
    pytest.importorskip("diffusers", reason="the trainings import the tiny autoencoders")
    from training.sd_restoration.export import distance, write_graph

    net = shipped(space)
    channels = space_of_codec(space).channels
    write_graph(net, channels, tmp_path / FILE)
    again = (tmp_path / FILE).read_bytes()
    assert weights_of(again) == weights_of(models.read_file(space, FILE))
    assert distance(net, channels, again) < 1e-3


def test_a_fresh_restoration_corrects_nothing_and_sees_as_far_as_the_halo() -> None:
    torch.manual_seed(0)
    net = Restoration(4).eval()
    y_hat = torch.randn(1, 4, 2 * HALO + 5, 2 * HALO + 5)
    step = torch.tensor([0.5])
    with torch.inference_mode():
        assert torch.equal(net(y_hat, step), y_hat)
        torch.nn.init.normal_(net.last.weight)
        moved = y_hat.clone()
        moved[:, :, HALO + 2, HALO + 2] += 1
        changed = (net(moved, step) != net(y_hat, step)).any(1)[0].nonzero()
    assert int(changed.min()) == 2
    assert int(changed.max()) == 2 * HALO + 2
