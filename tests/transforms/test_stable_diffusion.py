"""The transforms of the Stable Diffusion family, on the tiny autoencoders and on a small random
AutoencoderKL.
"""

import json
import re
import shutil
import subprocess
import sys
import threading
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from helpers.paths import WEIGHTS
from latentpress.errors import UsageError, WeightsError
from latentpress.runtimes.threads import Canceled, canceled_by
from latentpress.spaces import space_of_codec
from latentpress.transforms import hub as stage2_weights
from latentpress.transforms import stable_diffusion
from latentpress.transforms.stable_diffusion import StableDiffusionTransform

torch = pytest.importorskip("torch", reason="needs the extra sd")
with warnings.catch_warnings():
    # diffusers and what it imports announce their own deprecations when they are imported
    warnings.simplefilter("ignore")
    diffusers = pytest.importorskip("diffusers", reason="needs the extra sd")
    from diffusers import AutoencoderKL, AutoencoderTiny
    from diffusers.loaders import single_file_utils  # noqa: F401  imported here for its warnings
from safetensors.torch import load_file, save_file  # noqa: E402  after the skip

SD15, SDXL, SD3 = space_of_codec("sd15"), space_of_codec("sdxl"), space_of_codec("sd3")
TINY = {"sd15": "taesd", "sdxl": "taesdxl", "sd3": "taesd3", "flux1": "taef1"}
needs_tiny = pytest.mark.skipif(
    not WEIGHTS.is_dir(), reason="the tiny autoencoders are not beside this checkout"
)


class Array:
    """A picture of an array, with the part of latentpress.image.picture.Picture that a transform
    uses.
    """

    def __init__(self, x: np.ndarray) -> None:
        self.x, self.height, self.width = x, *x.shape[:2]

    def pixels(self, top: Any, bottom: Any, left: Any, right: Any) -> Any:
        assert 0 <= top < bottom <= self.height
        assert 0 <= left < right <= self.width
        return self.x[top:bottom, left:right]


def scene(width: int, height: int) -> Array:
    """A smooth picture with an edge and some noise, so that latents vary over it."""
    i, j = np.mgrid[:height, :width]
    x = np.stack(
        [127 + 90 * np.sin(i / 17 + c) * np.cos(j / (23 + 5 * c)) + 30 * (i > j) for c in range(3)],
        axis=-1,
    )
    return Array(
        np.clip(x + np.random.default_rng(1).normal(0, 6, x.shape), 0, 255).astype(np.uint8)
    )


def analyze(transform: StableDiffusionTransform, picture: Array) -> np.ndarray:
    [y] = transform.analyze(picture)
    return y


def synthesize(transform: StableDiffusionTransform, y: np.ndarray, picture: Array) -> np.ndarray:
    return np.concatenate(list(transform.synthesize([y], picture.width, picture.height)))


def small_kl(**options: Any) -> AutoencoderKL:
    """Four levels as the real one has (factor 8), 32 channels, random weights."""
    torch.manual_seed(0)
    blocks = {
        "down_block_types": ("DownEncoderBlock2D",) * 4,
        "up_block_types": ("UpDecoderBlock2D",) * 4,
    }
    settings = {
        "block_out_channels": (32, 32, 64, 64),
        "layers_per_block": 1,
        "latent_channels": 4,
        "sample_size": 512,
    }
    return AutoencoderKL(**{**blocks, **settings, **options})


@pytest.fixture(scope="module")
def kl_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("kl")
    small_kl().save_pretrained(folder)
    return folder


def ldm_key(key: str, levels: int = 4) -> str:
    """diffusers' name of an AutoencoderKL tensor in the naming of the original latent diffusion
    code.
    """
    key = re.sub(r"encoder\.down_blocks\.(\d)\.resnets\.(\d)", r"encoder.down.\1.block.\2", key)
    key = re.sub(r"encoder\.down_blocks\.(\d)\.downsamplers\.0", r"encoder.down.\1.downsample", key)
    key = re.sub(
        r"decoder\.up_blocks\.(\d)\.resnets\.(\d)",
        lambda m: f"decoder.up.{levels - 1 - int(m[1])}.block.{m[2]}",
        key,
    )
    key = re.sub(
        r"decoder\.up_blocks\.(\d)\.upsamplers\.0",
        lambda m: f"decoder.up.{levels - 1 - int(m[1])}.upsample",
        key,
    )
    key = re.sub(r"mid_block\.resnets\.(\d)", lambda m: f"mid.block_{int(m[1]) + 1}", key)
    key = (
        key.replace("mid_block.attentions.0", "mid.attn_1")
        .replace("conv_shortcut", "nin_shortcut")
        .replace("conv_norm_out", "norm_out")
    )
    for ours, theirs in (
        ("group_norm", "norm"),
        ("to_q", "q"),
        ("to_k", "k"),
        ("to_v", "v"),
        ("to_out.0", "proj_out"),
    ):
        key = key.replace(f"attn_1.{ours}.", f"attn_1.{theirs}.")
    return key


def write_checkpoint(folder: Path, file: Path, prefix: str, rename: Any) -> Path:
    """The weights of a folder as one file, with other tensors in it if it is a full checkpoint."""
    tensors = {
        prefix + rename(k): t
        for k, t in load_file(folder / "diffusion_pytorch_model.safetensors").items()
    }
    if "attn_1" in "".join(tensors):  # 1 x 1 convolutions there
        tensors = {
            k: t[..., None, None] if re.search(r"attn_1\.(q|k|v|proj_out)\.weight", k) else t
            for k, t in tensors.items()
        }
    if prefix:
        tensors["model.diffusion_model.input_blocks.0.0.weight"] = torch.zeros(1)
    save_file({k: t.contiguous() for k, t in tensors.items()}, file)
    return file


def old_attention_key(key: str) -> str:
    names = {new: old for old, new in stable_diffusion.OLD_ATTENTION.items()}
    return re.sub(r"(attentions\.0\.)(to_q|to_k|to_v|to_out\.0)", lambda m: m[1] + names[m[2]], key)


@needs_tiny
@pytest.mark.parametrize("codec", TINY)
def test_the_tiny_autoencoders_reconstruct_a_picture(codec: Any) -> None:
    space = space_of_codec(codec)
    transform = StableDiffusionTransform.load(space, str(WEIGHTS / TINY[codec]), "cpu")
    assert (transform.space, len(transform.model_hash)) == (space, 4)
    picture = scene(72, 50)
    y = analyze(transform, picture)
    assert (y.shape, y.dtype) == ((space.channels, 7, 9), np.float32)
    x_hat = synthesize(transform, y, picture)
    assert (x_hat.shape, x_hat.dtype) == ((50, 72, 3), np.uint8)
    assert np.mean((x_hat.astype(float) - picture.x) ** 2) < 255**2 / 10**2.3  # 23 dB


@needs_tiny
@pytest.mark.parametrize("codec", TINY)
def test_a_tiny_latent_is_what_diffusers_gives(codec: Any) -> None:
    folder = WEIGHTS / TINY[codec]
    tensors = load_file(folder / "diffusion_pytorch_model.safetensors")
    model, picture = AutoencoderTiny(latent_channels=space_of_codec(codec).channels), scene(64, 48)
    model.load_state_dict(tensors)
    with torch.inference_mode():
        batch = diffusers.image_processor.VaeImageProcessor().preprocess(
            picture.x[None].astype(np.float32) / 255
        )
        expected = model.float().eval().encode(batch).latents[0].numpy()
    transform = StableDiffusionTransform.load(space_of_codec(codec), str(folder), "cpu")
    np.testing.assert_allclose(analyze(transform, picture), expected, atol=1e-4)


def test_a_kl_latent_is_the_scaled_mean_and_its_picture_is_rounded(kl_folder: Any) -> None:
    transform = StableDiffusionTransform.load(SD15, str(kl_folder), "cpu")
    y = analyze(transform, picture := scene(64, 48))
    np.testing.assert_array_equal(y, analyze(transform, picture))  # the mean, not a sample
    model = AutoencoderKL.from_pretrained(kl_folder).eval()
    with torch.inference_mode():
        batch = torch.from_numpy(picture.x).permute(2, 0, 1)[None] / 127.5 - 1
        posterior = model.encode(batch).latent_dist
        x_hat = model.decode(posterior.mean).sample[0].permute(1, 2, 0).numpy()
    np.testing.assert_allclose(y, posterior.mean[0].numpy() * SD15.scaling, atol=1e-5)
    exact = np.clip((x_hat + 1) * 127.5, 0, 255)
    assert np.abs(synthesize(transform, y, picture) - exact).max() <= 0.51


def test_a_transform_ends_where_its_work_is_canceled(kl_folder: Any) -> None:
    transform = StableDiffusionTransform.load(SD15, str(kl_folder), "cpu")
    y, event = analyze(transform, picture := scene(64, 48)), threading.Event()
    event.set()
    with canceled_by(event):
        with pytest.raises(Canceled):
            analyze(transform, picture)
        with pytest.raises(Canceled):
            synthesize(transform, y, picture)


def test_sd3_and_flux_shift_and_have_no_quant_conv(tmp_path: Path) -> None:
    options = {
        "latent_channels": 16,
        "use_quant_conv": False,
        "use_post_quant_conv": False,
        "scaling_factor": 1.5305,
    }
    small_kl(**options, shift_factor=0.0609).save_pretrained(tmp_path / "vae")
    transform = StableDiffusionTransform.load(SD3, str(tmp_path), "cpu")
    model = AutoencoderKL.from_pretrained(tmp_path / "vae").eval()
    picture = scene(32, 32)
    with torch.inference_mode():
        mean = (
            model.encode(torch.from_numpy(picture.x).permute(2, 0, 1)[None] / 127.5 - 1)
            .latent_dist.mean[0]
            .numpy()
        )
    y = analyze(transform, picture)
    np.testing.assert_allclose(y, (mean - 0.0609) * 1.5305, atol=1e-5)
    bare = write_checkpoint(tmp_path / "vae", tmp_path / "ae.safetensors", "", ldm_key)
    np.testing.assert_allclose(
        analyze(StableDiffusionTransform.load(SD3, str(bare), "cpu"), picture), y, atol=1e-6
    )


@pytest.mark.parametrize("prefix", ["", "first_stage_model."])
@pytest.mark.parametrize("rename", [ldm_key, old_attention_key, str])
def test_a_single_checkpoint_gives_the_latents_of_the_folder(
    kl_folder: Any, tmp_path: Path, prefix: Any, rename: Any
) -> None:
    picture = scene(40, 24)
    file = write_checkpoint(kl_folder, tmp_path / "model.safetensors", prefix, rename)
    found, expected = (
        StableDiffusionTransform.load(SD15, str(f), "cpu") for f in (file, kl_folder)
    )
    y = analyze(found, picture)
    np.testing.assert_allclose(y, analyze(expected, picture), atol=1e-6)
    np.testing.assert_array_equal(synthesize(found, y, picture), synthesize(expected, y, picture))


@pytest.mark.parametrize("size", [(1, 1), (7, 13), (64, 48), (17, 8)])
@pytest.mark.parametrize("kind", ["KL", pytest.param("tiny", marks=needs_tiny)])
def test_any_size_comes_back(kl_folder: Any, size: Any, kind: Any) -> None:
    transform = StableDiffusionTransform.load(
        SD15, str(kl_folder if kind == "KL" else WEIGHTS / "taesd"), "cpu"
    )
    picture = scene(*size)
    y = analyze(transform, picture)
    assert y.shape == (4, -(-size[1] // 8), -(-size[0] // 8))
    assert synthesize(transform, y, picture).shape == picture.x.shape


@needs_tiny
@pytest.mark.parametrize("size", [(403, 20), (20, 390)])
def test_windows_of_a_tiny_autoencoder_give_the_whole_picture(
    monkeypatch: pytest.MonkeyPatch, size: Any
) -> None:
    transform = StableDiffusionTransform.load(SDXL, str(WEIGHTS / "taesdxl"), "cpu")
    picture = scene(*size)
    y = analyze(transform, picture)
    x_hat = synthesize(transform, y, picture)
    monkeypatch.setattr(stable_diffusion, "TINY_WINDOW", 44)  # of about 50 positions: 9 windows
    np.testing.assert_allclose(analyze(transform, picture), y, atol=1e-4)
    strips = np.split(y, [1], axis=1)
    assert (
        np.abs(np.concatenate(list(transform.synthesize(strips, *size))).astype(int) - x_hat).max()
        <= 1
    )


def reach(axis: np.ndarray, low: int, high: int) -> tuple[int, int]:
    """How many positions the changed ones go beyond low..high (inclusive) to each side."""
    changed = np.flatnonzero(axis)
    return low - changed[0], changed[-1] - high


def test_the_halos_of_a_tiny_autoencoder_are_its_receptive_field() -> None:
    model = AutoencoderTiny(
        encoder_block_out_channels=(1,) * 4, decoder_block_out_channels=(1,) * 4, latent_channels=1
    ).double()
    for parameter in model.parameters():
        # weights 1, biases 0: what is not seen stays exactly 0
        torch.nn.init.constant_(parameter, float(parameter.ndim > 1))
    encoder, decoder = stable_diffusion.receptive_halos(model.config)
    # a row of n latent positions, the k-th of them changed; the convolutions are square, so one
    # axis tells both
    n, k = 64, 30
    x = torch.zeros(1, 3, 8, 8 * n, dtype=torch.float64)
    x[..., 8 * k : 8 * k + 8] = 1
    z = torch.zeros(1, 1, 1, n, dtype=torch.float64)
    z[..., k] = 1
    with torch.inference_mode():
        y, x_hat = (
            layers(values).numpy()[0, 0].any(0)
            for layers, values in ((model.encoder.layers, x), (model.decoder.layers, z))
        )
    assert max(reach(y, k, k)) == encoder == 19
    assert -(-max(reach(x_hat, 8 * k, 8 * k + 7)) // 8) == decoder == 19


def test_a_large_kl_picture_goes_through_tiles(
    kl_folder: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    transform = StableDiffusionTransform.load(SD15, str(kl_folder), "cpu")
    picture = scene(520, 40)
    monkeypatch.setattr(stable_diffusion, "KL_PIXEL_LIMIT", 100 * 100)
    y = analyze(transform, picture)
    assert transform.autoencoder.use_tiling
    assert y.shape == (4, 5, 65)
    assert synthesize(transform, y, picture).shape == picture.x.shape
    analyze(transform, scene(64, 64))
    assert not transform.autoencoder.use_tiling


def test_other_channels_and_another_scaling_are_refused(kl_folder: Any, tmp_path: Path) -> None:
    folder = write_config(kl_folder, tmp_path / "a", scaling_factor=SD3.scaling)
    with pytest.raises(
        WeightsError, match=r"latents of 4 channels, but those of the space sd3 have 16"
    ):
        StableDiffusionTransform.load(SD3, str(folder), "cpu")
    with pytest.raises(
        WeightsError, match=r"scaling factor 0.18215, but the space sdxl has 0.13025"
    ):
        StableDiffusionTransform.load(SDXL, str(kl_folder), "cpu")


def write_config(source: Path, target: Path, **changes: Any) -> Path:
    shutil.copytree(source, target)
    config = json.loads((source / "config.json").read_text()) | changes
    (target / "config.json").write_text(
        json.dumps({k: v for k, v in config.items() if v is not None})
    )
    return target


def test_another_factor_is_refused(tmp_path: Path) -> None:
    blocks = {
        "down_block_types": ("DownEncoderBlock2D",) * 2,
        "up_block_types": ("UpDecoderBlock2D",) * 2,
    }
    small_kl(block_out_channels=(32, 32), **blocks).save_pretrained(tmp_path)
    with pytest.raises(WeightsError, match="reduces by a factor of 2, but the space sd15 by 8"):
        StableDiffusionTransform.load(SD15, str(tmp_path), "cpu")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"_class_name": "UNet2DConditionModel"}, "of the class UNet2DConditionModel"),
        ({"_class_name": None}, "does not describe an autoencoder"),
        ({"layers_per_block": 2}, "are not those of the AutoencoderKL"),
        ({"norm_num_groups": 7}, "are not those of the AutoencoderKL"),
        ({"act_fn": "nothing"}, "are not those of the AutoencoderKL"),
    ],
)
def test_a_config_that_does_not_fit_is_refused(
    kl_folder: Any, tmp_path: Path, changes: Any, message: Any
) -> None:
    with pytest.raises(WeightsError, match=message):
        StableDiffusionTransform.load(
            SD15, str(write_config(kl_folder, tmp_path / "a", **changes)), "cpu"
        )


def test_a_config_without_scaling_and_shift_and_with_more_is_accepted(
    kl_folder: Any, tmp_path: Path
) -> None:
    folder = write_config(
        kl_folder, tmp_path / "a", scaling_factor=None, shift_factor=None, an_option_to_come=1
    )
    picture = scene(16, 16)
    y, expected = (
        analyze(StableDiffusionTransform.load(SD15, str(f), "cpu"), picture)
        for f in (folder, kl_folder)
    )
    np.testing.assert_array_equal(y, expected)


def test_damaged_and_foreign_files_are_refused(kl_folder: Any, tmp_path: Path) -> None:
    content, cut = (
        (kl_folder / "diffusion_pytorch_model.safetensors").read_bytes(),
        tmp_path / "cut.safetensors",
    )
    cut.write_bytes(content[: len(content) // 2])
    with pytest.raises(WeightsError, match="damaged"):
        StableDiffusionTransform.load(SD15, str(cut), "cpu")
    other = tmp_path / "lora.safetensors"
    save_file({"lora.weight": torch.zeros(2)}, other)
    with pytest.raises(WeightsError, match="holds no autoencoder"):
        StableDiffusionTransform.load(SD15, str(other), "cpu")
    folder = write_config(kl_folder, tmp_path / "nan")
    tensors = load_file(folder / "diffusion_pytorch_model.safetensors")
    tensors["quant_conv.bias"][:] = torch.nan
    save_file(tensors, folder / "diffusion_pytorch_model.safetensors")
    with pytest.raises(WeightsError, match="not finite"):
        analyze(StableDiffusionTransform.load(SD15, str(folder), "cpu"), scene(8, 8))


def test_weights_are_read_once_and_again_when_they_change(
    kl_folder: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, checked, verify = tmp_path / "vae", [], stage2_weights.verify
    shutil.copytree(kl_folder, folder)
    monkeypatch.setattr(
        stage2_weights,
        "verify",
        lambda found, space: checked.append(found.name) or verify(found, space),
    )
    first = StableDiffusionTransform.load(SD15, str(folder), "cpu")
    assert StableDiffusionTransform.load(SD15, str(folder), "cpu") is first
    assert checked == [str(folder)]
    file = next(folder.rglob("*.safetensors"))
    file.write_bytes(file.read_bytes()[:-1])
    with pytest.raises(WeightsError, match="damaged"):
        StableDiffusionTransform.load(SD15, str(folder), "cpu")
    with pytest.raises(WeightsError, match="damaged"):  # and is not kept
        StableDiffusionTransform.load(SD15, str(folder), "cpu")
    found = []
    thread = threading.Thread(
        target=lambda: found.append(StableDiffusionTransform.load(SD15, str(kl_folder), "cpu"))
    )
    thread.start()
    thread.join()
    assert StableDiffusionTransform.load(SD15, str(kl_folder), "cpu") is not found[0]


def test_wrong_arguments_are_refused(kl_folder: Any) -> None:
    transform = StableDiffusionTransform.load(SD15, str(kl_folder), "auto")
    with pytest.raises(UsageError, match="shape"):
        list(transform.synthesize([np.zeros((4, 2, 2), np.float32)], 17, 16))
    with pytest.raises(UsageError, match="device 'tpu' is not available"):
        StableDiffusionTransform.load(SD15, str(kl_folder), "tpu")


@pytest.mark.parametrize(
    ("upcast", "bf16", "expected"),
    [(True, True, "bfloat16"), (True, False, "float32"), (False, True, "float16")],
)
def test_precision_on_cuda(
    monkeypatch: pytest.MonkeyPatch, upcast: Any, bf16: Any, expected: Any
) -> None:
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda: bf16)
    assert stable_diffusion.precision_on({"force_upcast": upcast}, "cuda") == expected
    assert stable_diffusion.precision_on({"force_upcast": upcast}, "cpu") == "float32"


@needs_tiny
def test_threads_that_load_the_first_model_at_a_time() -> None:
    """In a process of its own, where diffusers is not imported yet."""
    program = f"""
import concurrent.futures
import numpy as np
import latentpress

def pressed(i):
    picture = np.full((16, 16, 3), 40 * i, np.uint8)
    return len(latentpress.compress(picture, codec="sd15", model=MODEL, content="photo"))

MODEL = {str(WEIGHTS / "taesd")!r}
with concurrent.futures.ThreadPoolExecutor(4) as pool:
    print(len(list(pool.map(pressed, range(4)))))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout == "4\n", done.stderr
