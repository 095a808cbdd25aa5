"""One latent <-> one record of the file.

    method | kind of numbers | C, H, W | length of the name, name | length of the metadata, metadata
    | payload

C, H, W and lengths are LEB128, the name is UTF-8, the metadata a JSON object (empty: none; spaces
may end it).
"""

import json
from dataclasses import dataclass
from typing import Any

from latentpress.errors import FormatError, UsageError
from latentpress.latents.dtypes import BITS_TYPE, NAMES, Array
from latentpress.latents.index import RAW
from latentpress.latents.methods import learned, lossless, predictive
from latentpress.latents.precision import LEARNED, LOSSLESS, PREDICTIVE, Precision, encode
from latentpress.spaces import STABLE_DIFFUSION
from latentpress.system.environment import whole_number
from latentpress.varint import read_varint, write_varint

METHODS = {LOSSLESS: "lossless", PREDICTIVE: "predictive", LEARNED: "learned"}
CHANNELS = {space.id: space.channels for space in STABLE_DIFFUSION}  # of the named spaces
# a record is at least this full, so that its size bounds what reading it takes
MAX_VALUES_PER_BYTE = 1 << 12
MAX_INFLATION = 1032  # of zlib: a pair of two bits stands for 258 bytes at most
# of one latent, unless LATENTPRESS_MAX_NUMBERS says otherwise: a gigapixel picture has 250 million
# in sd3 and flux1
MAX_NUMBERS = 1 << 28
MAX_SIDE, MAX_TEXT = 1 << 16, 1 << 24
Shape = tuple[int, int, int]


@dataclass(frozen=True)
class Info:
    """What a record says before its numbers are decoded.

    Attributes:
        method: "lossless", "predictive" or "learned".
        dtype: "float32", "float16" or "bfloat16", as it was saved.
        shape: (C, H, W).
        name: as it was given.
        metadata: as it was given, a JSON object.
        size: bytes of the record.
    """

    method: str
    dtype: str
    shape: Shape
    name: str
    metadata: dict[str, Any]
    size: int


def pack(
    y: Array,
    kind: int,
    space: int,
    precision: Precision,
    name: str,
    metadata: dict[str, Any] | None,
) -> bytes:
    """A latent (C, H, W) of a kind of numbers -> its record. UsageError where its shape does not
    fit the space or the format.
    """
    check_shape(y.shape, space)
    if not isinstance(name, str):
        raise UsageError(f"the name of a latent must be text, not {type(name).__name__}")
    if metadata is not None and not isinstance(metadata, dict):
        raise UsageError(
            f"the metadata of a latent must be a dictionary, not {type(metadata).__name__}"
        )
    candidates = (space,) if space != RAW else (predictive.GENERIC, predictive.NONE)
    method, payload = min(
        (encode(y, kind, precision, model) for model in candidates), key=lambda coded: len(coded[1])
    )
    try:
        text = name.encode()
        label = b""
    except UnicodeEncodeError as error:
        raise UsageError(
            f"the name of a latent must be text, which {name!r} is not: a file name in another "
            "encoding?"
        ) from error
    if metadata:
        try:
            label = json.dumps(
                metadata, ensure_ascii=False, allow_nan=False, separators=(",", ":")
            ).encode()
        except (TypeError, ValueError, RecursionError) as error:
            raise UsageError(
                f"the metadata of a latent must be what JSON can say: {error}"
            ) from error
    if max(len(text), len(label)) > MAX_TEXT:
        raise UsageError(
            f"the name and the metadata of a latent must be at most {MAX_TEXT} bytes each"
        )
    head = (
        bytes([method, kind])
        + b"".join(write_varint(n) for n in y.shape)
        + write_varint(len(text))
        + text
    )
    lacking = -(-y.size // MAX_VALUES_PER_BYTE) - len(head) - len(label) - len(payload)
    if lacking > 0:
        label = (label or b"{}") + b" " * lacking
    return head + write_varint(len(label)) + label + payload


def unpack_head(record: bytes) -> tuple[int, int, Info, int]:
    """(method, kind, what it says, where the payload begins); FormatError where the head is damaged
    or promises too much.
    """
    if len(record) < 2 or record[0] not in METHODS or record[1] not in NAMES:
        raise FormatError(
            "the latent is coded in a way that this version of latentpress does not know"
        )
    sides, position = [], 2
    for _ in range(3):
        side, position = read_varint(record, position)
        sides.append(side)
    c, h, w = sides
    if not (
        0 < c <= MAX_SIDE and 0 < h <= MAX_SIDE and 0 < w <= MAX_SIDE
    ) or c * h * w > most_numbers(record[0], record[1], len(record)):
        raise FormatError(
            f"the latent promises {c} x {h} x {w} numbers, which its {len(record)} bytes cannot "
            "hold"
        )
    if c * h * w > max_numbers():
        raise FormatError(
            f"the latent promises {c} x {h} x {w} numbers, more than the limit of {max_numbers()} "
            "(LATENTPRESS_MAX_NUMBERS)"
        )
    texts = []
    for _ in range(2):
        size, position = read_varint(record, position)
        if size > len(record) - position:
            raise FormatError("the latent is cut off")
        texts.append(record[position : position + size])
        position += size
    try:
        name = texts[0].decode()
        metadata = json.loads(texts[1].decode(), parse_constant=_no_number) if texts[1] else {}
    except (ValueError, RecursionError) as error:
        raise FormatError("the name or the metadata of a latent is damaged") from error
    if not isinstance(metadata, dict):
        raise FormatError("the metadata of a latent is no JSON object")
    return (
        record[0],
        record[1],
        Info(METHODS[record[0]], NAMES[record[1]], (c, h, w), name, metadata, len(record)),
        position,
    )


def _no_number(constant: str) -> None:
    raise ValueError(f"{constant} is no number of JSON")


def max_numbers() -> int:
    """The most numbers of one latent that are read or written here."""
    # places of exceptions have 32 bits
    return min(whole_number("LATENTPRESS_MAX_NUMBERS", MAX_NUMBERS, 1), (1 << 31) - 1)


def most_numbers(method: int, kind: int, size: int) -> int:
    """How many numbers a record of so many bytes may promise. A constant latent costs the entropy
    coder next to nothing, however large it is: there the format draws the line, and `pack` pads the
    metadata. A lossless one is bounded by zlib.
    """
    return (
        MAX_INFLATION * size // BITS_TYPE[kind].itemsize
        if method == LOSSLESS
        else MAX_VALUES_PER_BYTE * size
    )


def unpack(record: bytes, space: int) -> tuple[Array, int, Info]:
    """The record -> (latent (C, H, W) float32 or float16, kind, what it says). FormatError where it
    is damaged.
    """
    method, kind, info, position = unpack_head(record)
    if space != RAW and info.shape[0] != CHANNELS[space]:
        raise FormatError(
            f"the latent has {info.shape[0]} channels, those of its space {CHANNELS[space]}"
        )
    payload = record[position:]
    (c, h, w) = info.shape
    if method == LOSSLESS:
        return lossless.decode(payload, c * h * w, kind).reshape(c, h, w), kind, info
    if method == LEARNED:
        if space == RAW:
            raise FormatError("a latent of no named space is coded under the prior of one")
        return learned.decode(payload, info.shape, kind, space), kind, info
    return predictive.decode(payload, info.shape, kind), kind, info


def check_shape(shape: tuple[int, ...], space: int) -> None:
    """UsageError unless (C, H, W) fits the format and the space."""
    if len(shape) != 3 or not all(0 < n <= MAX_SIDE for n in shape):
        raise UsageError(f"a latent has the shape (C, H, W), each 1 to {MAX_SIDE}, not {shape}")
    if shape[0] * shape[1] * shape[2] > max_numbers():
        raise UsageError(
            f"a latent {shape} has more than {max_numbers()} numbers, the limit "
            "(LATENTPRESS_MAX_NUMBERS): cut it up"
        )
    if space != RAW and shape[0] != CHANNELS[space]:
        raise UsageError(
            f"latents of this space have {CHANNELS[space]} channels, not {shape[0]}: name another "
            "space, or raw"
        )
