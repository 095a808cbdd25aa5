"""Stage 2 of 5: analysis and synthesis by the Stable Diffusion family, AutoencoderKL and
AutoencoderTiny of diffusers.

A latent holds the numbers that the diffusion model of its space sees: for AutoencoderKL (mean -
shift) * scaling, with the constants of the space; AutoencoderTiny gives them as they are. The mean
of the posterior is taken, never a random sample. torch and diffusers (extra `sd`) are imported only
when a model is loaded.
"""

from __future__ import annotations

import inspect
import json
import re
import threading
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from latentpress._typing import Floats, Pixels
from latentpress.errors import UsageError, WeightsError
from latentpress.runtimes.threads import check_canceled
from latentpress.spaces import Space
from latentpress.transforms import hub
from latentpress.transforms.hub import Weights
from latentpress.transforms.tiling import padded_pixels, with_halo

if TYPE_CHECKING:
    from latentpress.image.picture import Picture

# a whole AutoencoderKL takes about 3.5 kB a pixel in float32: 4 GB here
KL_PIXEL_LIMIT = 1024 * 1024
TINY_WINDOW = 120  # latent positions each way, 960 pixels: 1 GB in float32
LDM_PREFIXES = ("first_stage_model.", "vae.", "")
# group normalization of every published LDM autoencoder; the shapes of the tensors do not tell it
LDM_GROUPS = 32
# names of diffusers before 0.16
OLD_ATTENTION = {"query": "to_q", "key": "to_k", "value": "to_v", "proj_attn": "to_out.0"}


# the transform that a thread used last: a batch, a target or a benchmark reads and checks its
# weights once
_last = threading.local()
# diffusers puts another module in its own place when its import ends: a thread whose `import` had
# to wait for that gets the first one, which lacks the autoencoders
_importing = threading.Lock()


class StableDiffusionTransform:
    """The two transforms of a space, on one model.

    space: the latent space. name: the model that was loaded. model_hash: first 4 bytes of the
    SHA-256 of its weights file. autoencoder: the model itself, on its device.
    """

    space: Space
    name: str
    model_hash: bytes
    autoencoder: Any

    def __init__(
        self, space: Space, name: str, model_hash: bytes, autoencoder: Any, device: str, dtype: str
    ) -> None:
        """autoencoder: an AutoencoderKL or AutoencoderTiny; WeightsError where its latents are not
        those of the space.
        """
        import torch

        self.space = space
        self.name = name
        self.model_hash = model_hash
        self._device = device
        self._dtype = getattr(torch, dtype)
        # diffusers' own `to` logs a warning
        torch.nn.Module.to(autoencoder, device, self._dtype, memory_format=torch.channels_last)
        self.autoencoder = autoencoder.eval().requires_grad_(False)
        config = autoencoder.config
        self._tiny = "num_encoder_blocks" in config
        if config["latent_channels"] != space.channels:
            channels = config["latent_channels"]
            raise WeightsError(
                f"{name} has latents of {channels} channels, but those of the space {space.name} "
                f"have {space.channels}"
            )
        halvings = (
            len(config["num_encoder_blocks"] if self._tiny else config["block_out_channels"]) - 1
        )
        if 2**halvings != space.factor:
            raise WeightsError(
                f"{name} reduces by a factor of {2**halvings}, but the space {space.name} by "
                f"{space.factor}"
            )
        self._scaling, self._shift = (1.0, 0.0) if self._tiny else (space.scaling, space.shift)
        self._halos = receptive_halos(config) if self._tiny else (0, 0)

    @classmethod
    def load(
        cls, space: Space, model: str | None = None, device: str = "auto"
    ) -> StableDiffusionTransform:
        """The transform of a space (sd15, sdxl, sd3, flux1).

        model: a folder in diffusers layout, a .safetensors file, a hub id, or None for the space's
        default model. device: auto, cpu, cuda or mps. WeightsError where the weights are missing,
        damaged or of another space; UsageError for the device.
        """
        if not all(find_spec(name) for name in ("torch", "diffusers", "safetensors")):
            raise WeightsError(hub.EXTRA)
        weights = hub.resolve(model, space)
        device = _device(device)
        key = space, weights, device, _stamp(weights.file), _stamp(weights.config)
        return _last_used(key, lambda: cls._open(space, weights, device))

    @classmethod
    def _open(cls, space: Space, weights: Weights, device: str) -> StableDiffusionTransform:
        import torch

        sha256 = hub.verify(weights, space)
        with torch.inference_mode(False):  # the caller's, in which no gradient goes through
            autoencoder = load_autoencoder(weights, space)
            return cls(
                space,
                weights.name,
                bytes.fromhex(sha256[:8]),
                autoencoder,
                device,
                precision_on(autoencoder.config, device),
            )

    def analyze(self, picture: Picture) -> Iterator[Floats]:
        """The latent, as one strip: shape (C, ceil(H / 8), ceil(W / 8)), float32.

        The picture is continued by its edge pixels up to a multiple of 8. AutoencoderTiny works in
        windows that overlap by its receptive field: the result is that of the whole picture.
        AutoencoderKL takes the picture whole up to KL_PIXEL_LIMIT, and above it in the tiles of
        diffusers, which are blended where they meet and so only resemble the whole. WeightsError
        where the model gives numbers that are not finite.
        """
        f = self.space.factor
        h, w = -(-picture.height // f), -(-picture.width // f)
        y = np.empty((self.space.channels, h, w), np.float32)
        for rows in self._windows(h, self._halos[0]):
            for columns in self._windows(w, self._halos[0]):
                x = padded_pixels(picture, rows[2] * f, rows[3] * f, columns[2] * f, columns[3] * f)
                y[:, rows[0] : rows[1], columns[0] : columns[1]] = _core(
                    self._encode(x), rows, columns, 1
                )
        if not np.isfinite(y).all():
            raise WeightsError(
                f"{self.name} gives latents that are not finite: its weights are damaged, or "
                "overflow in this precision"
            )
        yield y

    def synthesize(self, strips: Iterable[Floats], width: int, height: int) -> Iterator[Pixels]:
        """Strips of the reconstruction from top to bottom, each of shape (rows, width, 3), uint8,
        rounded and clipped.

        strips: of the latent, each (C, rows, ceil(width / 8)), float32, together ceil(height / 8)
        rows. UsageError for another shape; WeightsError for pixels that are not finite. Windows and
        tiles as in `analyze`.
        """
        f = self.space.factor
        h, w = -(-height // f), -(-width // f)
        y = np.concatenate(list(strips), axis=1)
        if y.shape != (self.space.channels, h, w):
            raise UsageError(
                f"the latent has the shape {y.shape}, but {width} x {height} pixels need "
                f"{(self.space.channels, h, w)}"
            )
        for rows in self._windows(h, self._halos[1]):
            x = np.empty(((rows[1] - rows[0]) * f, w * f, 3), np.uint8)
            for columns in self._windows(w, self._halos[1]):
                window = self._decode(y[:, rows[2] : rows[3], columns[2] : columns[3]])
                x[:, columns[0] * f : columns[1] * f] = _core(window, rows, columns, f).transpose(
                    1, 2, 0
                )
            yield x[: height - rows[0] * f, :width]

    def _windows(self, n: int, halo: int) -> Iterator[tuple[int, int, int, int]]:
        """(start, stop, first, last) along one axis of n latent positions: start..stop is the
        result of the window first..last.
        """
        step = TINY_WINDOW - 2 * halo if self._tiny and n > TINY_WINDOW else n
        for start in range(0, n, step):
            stop = min(start + step, n)
            yield start, stop, *with_halo(start, stop, halo, n)

    def _encode(self, x: Pixels) -> Floats:
        """Pixels (H, W, 3), multiples of 8, to the latent (C, H / 8, W / 8)."""
        import torch

        check_canceled()
        with torch.inference_mode():
            batch = (
                torch.from_numpy(x).to(self._device).permute(2, 0, 1)[None].to(torch.float32)
                / 127.5
                - 1
            )
            self._choose_tiling(x.shape[0] * x.shape[1])
            encoding = self.autoencoder.encode(batch.to(self._dtype))
            y = (encoding.latents if self._tiny else encoding.latent_dist.mode()).to(torch.float32)
            latent: Floats = ((y[0] - self._shift) * self._scaling).cpu().numpy()
        return latent

    def _decode(self, y: Floats) -> Pixels:
        """The latent (C, h, w) to pixels (3, 8 h, 8 w)."""
        import torch

        check_canceled()
        with torch.inference_mode():
            x = self.decode_tensor(torch.from_numpy(np.ascontiguousarray(y, np.float32))[None])[0]
            if not torch.isfinite(x).all():
                raise WeightsError(
                    f"{self.name} gives pixels that are not finite: its weights are damaged, or "
                    "overflow in this precision"
                )
            pixels: Pixels = x.round().clamp(0, 255).to(torch.uint8).cpu().numpy()
        return pixels

    def decode_tensor(self, y: Any) -> Any:
        """A latent (1, C, h, w) -> pixels about [0, 255], neither rounded nor clipped, (1, 3, 8 h,
        8 w) float32: torch tensors, with gradients where they are wanted.
        """
        import torch

        raw = y.to(self._device) / self._scaling + self._shift
        self._choose_tiling(y.shape[2] * y.shape[3] * self.space.factor**2)
        return (self.autoencoder.decode(raw.to(self._dtype)).sample.to(torch.float32) + 1) * 127.5

    def _choose_tiling(self, pixels: int) -> None:
        if self._tiny or pixels <= KL_PIXEL_LIMIT:
            self.autoencoder.disable_tiling()
        else:
            self.autoencoder.enable_tiling()


def _core(
    window: NDArray[Any],
    rows: tuple[int, int, int, int],
    columns: tuple[int, int, int, int],
    f: int,
) -> NDArray[Any]:
    """Of a window (C, H, W) with f values a latent position, the part that is exact."""
    (top, bottom, first_row, _) = rows
    (left, right, first_column, _) = columns
    return window[
        :,
        (top - first_row) * f : (bottom - first_row) * f,
        (left - first_column) * f : (right - first_column) * f,
    ]


def receptive_halos(config: Mapping[str, Any]) -> tuple[int, int]:
    """How far, in latent positions, the encoder and the decoder of an AutoencoderTiny look beyond a
    position.

    A block is three 3 x 3 convolutions. Encoder: one convolution and its blocks a stage, each stage
    after the first with stride 2, then one convolution. Decoder: one convolution; blocks, doubling
    and one convolution a stage, the last without doubling (Bohan,
    https://github.com/madebyollin/taesd; `EncoderTiny` and `DecoderTiny` of diffusers).
    """
    encoder, factor = 0, 1
    for stage, blocks in enumerate(config["num_encoder_blocks"]):
        encoder += factor  # the convolution reads at the resolution of the stage before
        factor *= 2 if stage else 1
        encoder += 3 * blocks * factor
    encoder += factor
    decoder = 1  # the last convolution, in pixels
    for stage, blocks in enumerate(reversed(config["num_decoder_blocks"])):
        decoder = -(-(decoder + 1) // 2) if stage else decoder
        decoder += 3 * blocks
    return -(-encoder // factor), decoder + 1


def _device(name: str) -> str:
    """auto, cpu, cuda or mps to one that torch has here; UsageError for another."""
    import torch

    available = {
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
        "cpu": True,
    }
    if name == "auto":
        return next(device for device, here in available.items() if here)
    if not available.get(name, False):
        raise UsageError(
            f"device {name!r} is not available: choose auto or one of "
            f"{', '.join(d for d, here in available.items() if here)}"
        )
    return name


def precision_on(config: Mapping[str, Any], device: str) -> str:
    """float32, but on CUDA float16, or bfloat16 for a model whose config says that float16
    overflows (`force_upcast`, SDXL).
    """
    import torch

    if device != "cuda":
        return "float32"
    if not config.get("force_upcast", True):
        return "float16"
    return "bfloat16" if torch.cuda.is_bf16_supported() else "float32"


def load_autoencoder(weights: Weights, space: Space) -> Any:
    """An autoencoder with these weights; WeightsError where they are no autoencoder
    of diffusers or LDM.
    """
    with _importing:
        import diffusers
        import torch
        from diffusers.loaders.single_file_utils import convert_ldm_vae_checkpoint

    tensors = _tensors(weights)
    if "encoder.mid.block_1.norm1.weight" in tensors:
        levels = len({key.split(".")[2] for key in tensors if key.startswith("encoder.down.")})
        # only their number is read
        blocks = {"down_block_types": [""] * levels, "up_block_types": [""] * levels}
        tensors = convert_ldm_vae_checkpoint(tensors, blocks)
    try:
        config = (
            json.loads(weights.config.read_bytes()) if weights.config else _config(tensors, space)
        )
        kind = config["_class_name"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise WeightsError(
            f"{weights.config or weights.file} does not describe an autoencoder"
        ) from error
    if kind not in ("AutoencoderKL", "AutoencoderTiny"):
        raise WeightsError(
            f"{weights.name} is a model of the class {kind}, not an AutoencoderKL or "
            "AutoencoderTiny"
        )
    scaling = config.get("scaling_factor", space.scaling)
    if kind == "AutoencoderKL" and scaling != space.scaling:
        raise WeightsError(
            f"{weights.name} has the scaling factor {scaling}, but the space {space.name} has "
            f"{space.scaling}"
        )
    family = getattr(diffusers, kind)
    accepted = inspect.signature(family.__init__).parameters
    try:
        with torch.device("meta"):  # no memory and no random numbers for what is replaced at once
            autoencoder = family(**{key: value for key, value in config.items() if key in accepted})
        autoencoder.load_state_dict(tensors, strict=True, assign=True)
    except (
        RuntimeError,
        TypeError,
        ValueError,
        IndexError,
        AttributeError,
        ZeroDivisionError,
    ) as error:
        raise WeightsError(
            f"the tensors of {weights.file} are not those of the {kind} that its config describes"
        ) from error
    return autoencoder


def _tensors(weights: Weights) -> dict[str, Any]:
    """The autoencoder's tensors of a file, without the prefix that a full checkpoint gives them, in
    float32.
    """
    import safetensors
    import torch

    try:
        with safetensors.safe_open(weights.file, framework="pt") as stream:
            keys = list(stream.keys())
            first = ("encoder.conv_in.weight", "encoder.layers.0.weight")
            prefix = next((p for p in LDM_PREFIXES if any(p + f in keys for f in first)), None)
            if prefix is None:
                raise WeightsError(
                    f"{weights.file} holds no autoencoder of the Stable Diffusion family"
                )
            part = re.compile(
                re.escape(prefix) + r"((encoder|decoder|quant_conv|post_quant_conv)\..*)"
            )
            tensors = {
                m[1]: stream.get_tensor(m[0]).to(torch.float32)
                for m in map(part.fullmatch, keys)
                if m
            }
    except (safetensors.SafetensorError, OSError) as error:
        raise WeightsError(f"{weights.file} is no valid safetensors file") from error
    old = re.compile(rf"(attentions\.0\.)({'|'.join(OLD_ATTENTION)})(\.)")
    return {
        old.sub(lambda m: m[1] + OLD_ATTENTION[m[2]] + m[3], key): tensor
        for key, tensor in tensors.items()
    }


def _config(tensors: Mapping[str, Any], space: Space) -> dict[str, Any]:
    """The config of a bare checkpoint, read off the shapes of its tensors (diffusers' names);
    KeyError where one is missing.
    """
    if "encoder.layers.0.weight" in tensors:
        return {
            "_class_name": "AutoencoderTiny",
            "latent_channels": tensors["decoder.layers.0.weight"].shape[1],
        }
    levels = len({key.split(".")[2] for key in tensors if key.startswith("encoder.down_blocks.")})
    layers = len(
        {key.split(".")[4] for key in tensors if key.startswith("encoder.down_blocks.0.resnets.")}
    )
    return {
        "_class_name": "AutoencoderKL",
        "block_out_channels": [
            tensors[f"encoder.down_blocks.{i}.resnets.0.conv1.weight"].shape[0]
            for i in range(levels)
        ],
        "down_block_types": ["DownEncoderBlock2D"] * levels,
        "up_block_types": ["UpDecoderBlock2D"] * levels,
        "layers_per_block": layers,
        "latent_channels": tensors["decoder.conv_in.weight"].shape[1],
        "norm_num_groups": LDM_GROUPS,
        "use_quant_conv": "quant_conv.weight" in tensors,
        "use_post_quant_conv": "post_quant_conv.weight" in tensors,
        "mid_block_add_attention": "encoder.mid_block.attentions.0.to_q.weight" in tensors,
        "sample_size": 512,
        "scaling_factor": space.scaling,
    }


def _last_used(
    key: Hashable, load: Callable[[], StableDiffusionTransform]
) -> StableDiffusionTransform:
    """The transform that was loaded for this key, where it is the one that this thread used last;
    else what load gives.
    """
    if getattr(_last, "key", None) != key:
        _last.key = _last.transform = None  # not two in memory
        _last.transform = load()
        _last.key = key
    transform: StableDiffusionTransform = _last.transform
    return transform


def _stamp(path: Path | None) -> tuple[int, ...]:
    """What changes when a file is written anew; () for none."""
    if path is None or not path.exists():
        return ()
    status = path.stat()
    return status.st_mtime_ns, status.st_size, status.st_ino
