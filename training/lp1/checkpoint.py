"""Checkpoints in small files: weights, and what an optimizer needs to go on.

Weights are float16 where a tensor is large, float32 else, in as many files as keep each below
FILE_BYTES. Momenta take a byte a number and one file; what does not fit is left out.
"""

import json
from collections.abc import Iterable
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from training.lp1.codec import Codec
from training.lp1.variant import Variant, as_table, from_table

FILE_BYTES = 16_600_000  # of the 16 MiB that a file may have on its way back
LARGE = 4096  # numbers: smaller tensors keep float32
BLOCK = 256  # numbers that share a scale
OCTAVE = 4  # steps an octave of a second moment's logarithm


def half(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Large tensors as float16, contiguous, on the host."""
    small = lambda t: t.half() if t.numel() >= LARGE else t.float()
    return {name: small(t.detach().cpu()).contiguous() for name, t in state.items()}


def write_replacing(tensors: dict[str, Tensor], path: Path, metadata: dict[str, str]) -> None:
    """Write a file at once: a reader sees the old one or the new one."""
    partial = path.with_name(f".{path.name}.partial")
    save_file(tensors, partial, metadata)
    partial.replace(path)


def save_weights(
    state: dict[str, Tensor], variant: Variant, folder: Path, name: str = "weights"
) -> list[Path]:
    """Write weights as NAME-1.safetensors and so on, in the place of others of that name.

    Returns:
        The files.
    """
    parts: list[dict[str, Tensor]] = [{}]
    size = 0
    for key, tensor in half(state).items():
        taken = tensor.numel() * tensor.element_size() + 200  # its entry in the header
        if parts[-1] and size + taken > FILE_BYTES:
            parts.append({})
            size = 0
        parts[-1][key] = tensor
        size += taken
    metadata = {"variant": json.dumps(as_table(variant)), "files": str(len(parts))}
    paths = [folder / f"{name}-{i}.safetensors" for i in range(1, len(parts) + 1)]
    for part, path in zip(parts, paths, strict=True):
        write_replacing(part, path, metadata)
    for old in set(parts_of(folder, name)) - set(paths):  # of a larger network
        old.unlink()
    return paths


def parts_of(folder: Path, name: str) -> list[Path]:
    """The files of weights, in order."""
    return sorted(folder.glob(f"{name}-[0-9].safetensors"))


def load_weights(folder: Path, name: str = "weights") -> tuple[dict[str, Tensor], Variant]:
    """What `save_weights` wrote, as float32.

    Raises:
        ValueError: A part is missing, or there are none.
    """
    paths = parts_of(folder, name)
    if not paths:
        raise ValueError(f"no {name}-1.safetensors in {folder}")
    with safe_open(paths[0], "pt") as file:
        metadata = file.metadata()
    if len(paths) != int(metadata["files"]):
        raise ValueError(f"{folder} has {len(paths)} of {metadata['files']} files of {name}")
    state: dict[str, Tensor] = {}
    for path in paths:
        state |= {key: t.float() for key, t in load_file(path).items()}
    return state, from_table(json.loads(metadata["variant"]))


def split_source(source: str, name: str = "weights") -> tuple[Path, str]:
    """The folder and the name of weights: "folder", or "folder:NAME" of a run of pairs."""
    if Path(source).is_dir() or ":" not in source:
        return Path(source), name
    folder, _, name = source.rpartition(":")
    return Path(folder), name


def load_run(source: str) -> Codec:
    """A model in torch from what a run left, see `split_source`."""
    state, variant = load_weights(*split_source(source))
    net = Codec(variant.shape).eval()
    net.load_state_dict(state)
    return net


def _blocks(t: Tensor) -> Tensor:
    flat = t.flatten().float()
    return torch.nn.functional.pad(flat, (0, -len(flat) % BLOCK)).view(-1, BLOCK)


def pack_state(state: dict[str, Tensor], limit: int = FILE_BYTES) -> dict[str, Tensor]:
    """The tensors of an optimizer's state in a byte a number.

    First moments are integers of 8 bits in units of their block's largest; second moments
    (`*.square`), whose smallest numbers matter, are logarithms in quarters of an octave below
    their largest. Small tensors are kept as they are. What exceeds the limit is left out, last
    ones first.
    """
    out: dict[str, Tensor] = {}
    size = 0
    for name, tensor in state.items():
        t = tensor.detach().cpu().float()
        if t.numel() < LARGE:
            packed = {name: t.clone()}
        elif name.endswith(".square"):
            largest = t.max().clamp_min(1e-30)
            octaves = OCTAVE * torch.log2(t / largest).clamp_min(-255 / OCTAVE)
            packed = {name: (255 + octaves.round()).to(torch.uint8), f"{name}.largest": largest}
        else:
            blocks = _blocks(t)
            unit = blocks.abs().amax(1, keepdim=True).clamp_min(1e-30) / 127
            packed = {name: (blocks / unit).round().to(torch.int8), f"{name}.unit": unit}
        taken = sum(p.numel() * p.element_size() + 200 for p in packed.values())
        if size + taken <= limit:
            out |= {key: p.contiguous() for key, p in packed.items()}
            size += taken
    return out


def unpack_state(packed: dict[str, Tensor], state: dict[str, Tensor]) -> list[str]:
    """Fill an optimizer's state with what `pack_state` made.

    Returns:
        The names of what was left out there, which stays as it is.

    Raises:
        ValueError: A tensor is not of the state's size.
    """
    left_out = []
    for name, tensor in state.items():
        if name not in packed:
            left_out.append(name)
            continue
        t = packed[name]
        if f"{name}.largest" in packed:
            t = torch.exp2((t.float() - 255) / OCTAVE) * packed[f"{name}.largest"]
        elif f"{name}.unit" in packed:
            t = (t.float() * packed[f"{name}.unit"]).flatten()
            if 0 <= t.numel() - tensor.numel() < BLOCK:
                t = t[: tensor.numel()]
        if t.numel() != tensor.numel():
            raise ValueError(f"{name} has {t.numel()} numbers, the network's {tensor.numel()}")
        tensor.copy_(t.view(tensor.shape))
    return left_out


def bytes_of(paths: Iterable[Path]) -> int:
    """Of all files together."""
    return sum(path.stat().st_size for path in paths)
