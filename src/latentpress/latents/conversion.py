"""Files that hold latents: .npy, .safetensors, .pt, .ltp, and photographs through an analysis
transform; read and written.
"""

import io
import json
from collections.abc import Iterator
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import numpy as np

from latentpress.container import read_header
from latentpress.errors import ImageError, LatentpressError, UsageError, first_line
from latentpress.latents.dtypes import torch_module
from latentpress.system.files import atomic_write
from latentpress.system.sources import ByteSource

LATENTS = (".npy", ".safetensors", ".pt", ".ltp")
PHOTOGRAPHS = (".png", ".jpg", ".jpeg", ".webp", ".avif", ".jxl", ".tif", ".tiff", ".bmp")
Named = tuple[str, dict[str, Any] | None, Any]


def space_of(name: str, data: ByteSource) -> str:
    """The space that a file of latents says they are in: raw where nobody knows, as of all but .ltp
    files, and of lp1's. FormatError, ImageError.
    """
    if not name.lower().endswith(".ltp"):
        return "raw"
    space = read_header(data).space
    return "raw" if space == "lp1" else space


def read(
    data: bytes,
    name: str,
    metadata: dict[str, Any] | None,
    space: str,
    codec: str | None = None,
    model: str | None = None,
    device: str = "auto",
) -> Iterator[Named]:
    """(name, metadata, latent (C, H, W)) of all latents in a file's bytes.

    Args:
        data: the whole file.
        name: its own, whose suffix tells what it is; without it, the latent's.
        metadata: of each.
        space: what the numbers are taken for.
        codec: of photographs, as of `codec.encode_latent`.
        model: as codec.
        device: as codec.

    Raises:
        ImageError: it cannot be read, or a .ltp file says that the numbers are of another space
            (raw takes any).
        UsageError: a photograph, and no codec.
    """
    stem, dot, suffix = name.rpartition(".")
    try:
        tensors = _tensors(data, name, f"{dot}{suffix}".lower(), space, codec, model, device)
    except (LatentpressError, MemoryError):
        raise
    except Exception as error:  # on damaged files their readers raise nearly anything
        reason = first_line(error)
        raise ImageError(f"cannot be read as {suffix or 'a latent'}: {reason}") from error
    if not tensors or any(tensor.ndim == 4 and not len(tensor) for tensor in tensors.values()):
        raise ImageError("it holds no latent")
    for key, tensor in tensors.items():
        label = f"{stem}/{key}" if key else stem
        if tensor.ndim == 4 and len(tensor) == 1:
            yield label, metadata, tensor[0]
        elif tensor.ndim == 4:
            yield from ((f"{label}/{i}", metadata, latent) for i, latent in enumerate(tensor))
        else:
            yield label, metadata, tensor


def _tensors(
    data: bytes,
    name: str,
    suffix: str,
    space: str,
    codec: str | None,
    model: str | None,
    device: str,
) -> dict[str, Any]:
    """Key -> tensor; the key is empty where the file holds one."""
    if suffix == ".npy":
        array = np.load(io.BytesIO(data), allow_pickle=False)
        if not isinstance(array, np.ndarray):
            raise ImageError(
                "it holds several arrays, as .npz files do: save each into a .npy of its own"
            )
        return {"": array}
    if suffix == ".ltp":
        from latentpress.codec import decode_latent

        said = read_header(data).space
        if space not in ("raw", said):
            raise ImageError(f"its latent is of space {said}, not {space}")
        return {"": decode_latent(data)}
    if suffix == ".safetensors":
        try:
            from safetensors.torch import load  # NumPy's loader does not know bfloat16
        except ImportError:
            from safetensors.numpy import load
        return _single(dict(sorted(load(data).items())))
    if suffix == ".pt":
        try:
            loaded = torch_module().load(io.BytesIO(data), map_location="cpu", weights_only=True)
        except UnpicklingError as error:
            raise ImageError(
                "cannot be read as pt: it is damaged, or holds other objects than tensors, which "
                "are not loaded: save the tensors alone"
            ) from error
        return _single(loaded if isinstance(loaded, dict) else {"": loaded})
    if suffix == ".ltps":
        raise ImageError("its latents are packed already: `latentpress latents unpack` opens it")
    if codec is None or codec == "builtin":
        raise UsageError(
            f"{name}: a photograph becomes a latent with --codec sd15, sdxl, sd3 or flux1"
        )
    from latentpress.codec import encode_latent

    return {"": encode_latent(data, codec=codec, model=model, device=device)}


def _single(tensors: dict[str, Any]) -> dict[str, Any]:
    wrong = [key for key, value in tensors.items() if not hasattr(value, "ndim")]
    if wrong:
        what = f"its entry {wrong[0]!r}" if wrong[0] != "" else "what it holds"
        raise ImageError(f"{what} is no tensor")
    return (
        {"": next(iter(tensors.values()))}
        if len(tensors) == 1
        else {str(k): v for k, v in tensors.items()}
    )


def read_metadata(data: bytes, name: str) -> dict[str, Any]:
    """The JSON object in the file beside a latent. name: its own, for messages. ImageError where it
    is no JSON object.
    """
    try:
        metadata = json.loads(data.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise ImageError(f"{name} beside it is no JSON: {error}") from error
    if not isinstance(metadata, dict):
        raise ImageError(f"{name} beside it is no JSON object")
    return metadata


def targets(names: list[str], folder: Path, suffix: str) -> list[Path]:
    """Where latents of these names go: below the folder, never outside of it; nameless ones by
    their number. UsageError for doubles.
    """
    digits = len(str(max(len(names) - 1, 0)))
    paths = []
    for n, name in enumerate(names):
        parts = [
            p
            for p in name.replace("\\", "/").replace("\0", "").replace(":", "_").split("/")
            if p not in ("", ".", "..")
        ]
        path = folder.joinpath(*parts) if parts else folder / f"{n:0{digits}}"
        paths.append(path.with_name(f"{path.name}.{suffix}"))
    if len(set(paths)) < len(paths):
        twice = next(f for f in paths if paths.count(f) > 1)
        raise UsageError(
            f"two latents have the name of {twice}: read the file with latentpress.latents instead"
        )
    return paths


def write(latent: Any, metadata: dict[str, Any], file: Path, overwrite: bool) -> None:
    """One latent into .npy (an array), .safetensors or .pt (a tensor), and its metadata, if any,
    into .json beside it.
    """
    stream = io.BytesIO()
    if file.suffix == ".npy":
        np.save(stream, latent)
    elif file.suffix == ".safetensors":
        try:
            from safetensors.torch import save
        except ImportError as error:
            raise UsageError(
                "writing .safetensors needs safetensors and torch: pip install 'latentpress[sd]', "
                "or write npy"
            ) from error
        stream.write(save({"latent": latent.contiguous()}))
    else:
        torch_module().save(latent, stream)
    atomic_write(file, stream.getvalue(), overwrite=overwrite)
    if metadata:
        text = json.dumps(metadata, ensure_ascii=False, indent=1)
        atomic_write(
            file.with_name(file.stem + ".json"),
            text.encode("utf-8", "backslashreplace"),
            overwrite=overwrite,
        )
