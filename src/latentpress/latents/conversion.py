"""Files that hold latents: .npy, .safetensors, .pt, .ltp, and photographs through an analysis
transform; found, read, written.
"""

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from latentpress.container import read_header
from latentpress.errors import FormatError, ImageError, LatentpressError, UsageError, prefixed
from latentpress.latents.dtypes import torch_module
from latentpress.system.files import atomic_write

LATENTS = (".npy", ".safetensors", ".pt", ".ltp")
PHOTOGRAPHS = (".png", ".jpg", ".jpeg", ".webp", ".avif", ".jxl", ".tif", ".tiff", ".bmp")
Named = tuple[str, dict[str, Any] | None, Any]


def find(source: Path) -> list[Path]:
    """The file itself, or all known files of a folder and its subfolders, sorted. UsageError where
    there are none.
    """
    if not source.exists():
        raise UsageError(f"{source} does not exist")
    if source.is_file():
        return [source]
    files = sorted(
        p for p in source.rglob("*") if p.suffix.lower() in (*LATENTS, *PHOTOGRAPHS) and p.is_file()
    )
    if not files:
        raise UsageError(f"{source} holds no {', '.join(LATENTS)} file and no photograph")
    return files


def common_space(files: list[Path]) -> str:
    """The space that .ltp files say they are in; raw where they differ, or other files are among
    them, whose space nobody knows.
    """
    if any(file.suffix.lower() != ".ltp" for file in files):
        return "raw"
    spaces = set()
    for file in files:
        try:
            spaces.add(read_header(file.read_bytes()).space)
        except FormatError as error:
            raise prefixed(file, error) from error
        except OSError as error:
            raise ImageError(f"{file}: {error.strerror or error}") from error
    return spaces.pop() if len(spaces) == 1 and "lp1" not in spaces else "raw"


def read(
    file: Path, root: Path, space: str, codec: str | None, model: str | None, device: str
) -> Iterator[Named]:
    """(name, metadata, latent (C, H, W)) of all latents in a file; names are paths below root,
    without the suffix.

    space: what the numbers are taken for; ImageError where a .ltp file says that they are another's
    (raw takes any).
    """
    name = (file.relative_to(root) if root.is_dir() else Path(file.name)).with_suffix("").as_posix()
    metadata = _metadata(file.with_suffix(".json"))
    try:
        tensors = _tensors(file, space, codec, model, device)
    except (LatentpressError, MemoryError):
        raise
    except Exception as error:  # on damaged files their readers raise nearly anything
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise ImageError(f"cannot be read as {file.suffix[1:] or 'a latent'}: {reason}") from error
    for key, tensor in tensors.items():
        label = f"{name}/{key}" if key else name
        if tensor.ndim == 4 and len(tensor) == 1:
            yield label, metadata, tensor[0]
        elif tensor.ndim == 4:
            yield from ((f"{label}/{i}", metadata, latent) for i, latent in enumerate(tensor))
        else:
            yield label, metadata, tensor


def _tensors(
    file: Path, space: str, codec: str | None, model: str | None, device: str
) -> dict[str, Any]:
    """Key -> tensor; the key is empty where the file holds one."""
    suffix = file.suffix.lower()
    if suffix == ".npy":
        with file.open("rb") as stream:
            array = np.load(stream, allow_pickle=False)
            if not isinstance(array, np.ndarray):
                raise ImageError(
                    "it holds several arrays, as .npz files do: save each into a .npy of its own"
                )
            return {"": array}
    if suffix == ".ltp":
        from latentpress.codec import decode_latent

        data = file.read_bytes()
        said = read_header(data).space
        if space not in ("raw", said):
            raise ImageError(f"its latent is of space {said}, not {space}")
        return {"": decode_latent(data)}
    if suffix == ".safetensors":
        try:
            from safetensors.torch import load_file  # NumPy's loader does not know bfloat16
        except ImportError:
            from safetensors.numpy import load_file
        return _single(dict(sorted(load_file(file).items())))
    if suffix == ".pt":
        loaded = torch_module().load(file, map_location="cpu", weights_only=True)
        return _single(loaded if isinstance(loaded, dict) else {"": loaded})
    if codec is None or codec == "builtin":
        raise UsageError(
            f"{file}: a photograph becomes a latent with --codec sd15, sdxl, sd3 or flux1"
        )
    from latentpress.codec import encode_latent

    return {"": encode_latent(file, codec=codec, model=model, device=device)}


def _single(tensors: dict[str, Any]) -> dict[str, Any]:
    wrong = [key for key, value in tensors.items() if not hasattr(value, "ndim")]
    if wrong:
        raise ImageError(f"its entry {wrong[0]!r} is no tensor")
    return (
        {"": next(iter(tensors.values()))}
        if len(tensors) == 1
        else {str(k): v for k, v in tensors.items()}
    )


def _metadata(file: Path) -> dict[str, Any] | None:
    """The JSON object in the file beside a latent, None where there is no file. ImageError where it
    is no JSON object.
    """
    if not file.is_file():
        return None
    try:
        metadata = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise ImageError(f"{file.name} beside it is no JSON: {error}") from error
    if not isinstance(metadata, dict):
        raise ImageError(f"{file.name} beside it is no JSON object")
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
