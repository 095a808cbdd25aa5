"""Stage 5 of 5: header and chunks <-> bitstream. docs/formats/ltp.md is the normative text of what
this file does.

    "LTP" version | space | model hash x4 | width u16 | height u16 | quality u16 | chunk table |
    CRC-32C | (body | CRC-32C)...

All integers are little-endian. Quality is in hundredths, 0 to 10000. The chunk table is a row a
chunk: a type byte (bit 7: last row; bit 6: may be skipped by a reader that does not know it), then
the body's length as LEB128.
"""

import struct
from collections.abc import Mapping
from dataclasses import dataclass

import google_crc32c

from latentpress.errors import FormatError, VersionError
from latentpress.options import QUALITY_UNIT, TOP_STEP, grid_step
from latentpress.spaces import LP1, Space, space_by_id
from latentpress.system.sources import LTP, LTPS, ByteSource, reading
from latentpress.varint import read_varint, write_varint

MAGIC, VERSION = LTP, 1
FIXED = struct.Struct("<3sBB4sHHH")  # magic, version, space, model hash, width, height, quality
LAST, SKIPPABLE = 0x80, 0x40
MAX_CHUNKS = 16

# How the latent is coded; later priors get further ids.
LATENT_FACTORIZED = 0x01
LATENT_HYPERPRIOR = 0x02
LATENT_MULTISTAGE = 0x03
LATENT_TRELLIS = 0x04
LATENT_MASKED = 0x05
LATENT_CONTINUED = 0x06
ALPHA, GRAY = 0x08, 0x09
# pixels beside a latent, where a mask says so; those of the whole picture, in place of a latent
SCREEN, SCREEN_WHOLE = 0x0A, 0x0B
ICC = SKIPPABLE | 0x01
EXIF = SKIPPABLE | 0x02
XMP = SKIPPABLE | 0x03
RESTORATION = SKIPPABLE | 0x04
ICC_KNOWN = SKIPPABLE | 0x05
ICC_DEFLATED = SKIPPABLE | 0x06
EXIF_DEFLATED = SKIPPABLE | 0x07
XMP_DEFLATED = SKIPPABLE | 0x08
TEXT = SKIPPABLE | 0x09
DENSITY = SKIPPABLE | 0x0A
LATENT_TYPES = (
    LATENT_FACTORIZED,
    LATENT_HYPERPRIOR,
    LATENT_MULTISTAGE,
    LATENT_TRELLIS,
    LATENT_MASKED,
    LATENT_CONTINUED,
)
# of space lp1; the other two are of the Stable Diffusion spaces
LP1_LATENTS = (LATENT_HYPERPRIOR, LATENT_TRELLIS, LATENT_MASKED, LATENT_CONTINUED)
CHUNK_NAMES = dict.fromkeys(LATENT_TYPES, "latent") | {
    ALPHA: "alpha",
    GRAY: "gray",
    SCREEN: "screen",
    SCREEN_WHOLE: "screen",
    ICC: "icc",
    EXIF: "exif",
    XMP: "xmp",
    RESTORATION: "restoration",
    ICC_KNOWN: "icc",
    ICC_DEFLATED: "icc",
    EXIF_DEFLATED: "exif",
    XMP_DEFLATED: "xmp",
    TEXT: "text",
    DENSITY: "dpi",
}
# The ways of coding metadata, by the names of image/metadata_chunks.py.
METADATA_TYPES = {
    "icc": ICC,
    "icc number": ICC_KNOWN,
    "icc deflated": ICC_DEFLATED,
    "exif": EXIF,
    "exif deflated": EXIF_DEFLATED,
    "xmp": XMP,
    "xmp deflated": XMP_DEFLATED,
    "text": TEXT,
    "dpi": DENSITY,
}


@dataclass(frozen=True)
class ChunkInfo:
    """A row of the chunk table. type: 0..127. name: of CHUNK_NAMES, "unknown" otherwise. size: body
    bytes. offset: in the file.
    """

    type: int
    name: str
    size: int
    offset: int


@dataclass(frozen=True)
class Header:
    """What a file says before its latent is decoded.

    Attributes:
        version: of the format.
        space: name of the latent space.
        space_id: its id byte.
        model_hash: first 4 bytes of the SHA-256 of the writer's model, 8 hex digits.
        width: columns of the picture, 1 to 65535.
        height: rows of the picture, 1 to 65535.
        quality: 0 to 100, in hundredths.
        chunks: rows of the chunk table, in file order.
        size: bytes of the whole file.
        bpp: 8 * size / (width * height), in bits per pixel.
    """

    version: int
    space: str
    space_id: int
    model_hash: str
    width: int
    height: int
    quality: float
    chunks: tuple[ChunkInfo, ...]
    size: int
    bpp: float

    @property
    def latent_space(self) -> Space:
        """The space of the latent."""
        return space_by_id(self.space_id)

    @property
    def codec(self) -> str:
        """The name that `--codec` takes."""
        return self.latent_space.codec

    @property
    def has_latent(self) -> bool:
        """Whether there is a latent; otherwise the whole picture is a screen layer."""
        return any(chunk.type in LATENT_TYPES for chunk in self.chunks)

    @property
    def metadata(self) -> dict[str, int]:
        """Bytes of the metadata's chunks, bodies alone, by the name of the chunk."""
        return {c.name: c.size for c in self.chunks if c.type in METADATA_TYPES.values()}

    @property
    def grid(self) -> tuple[int, int]:
        """Rows and columns of the latent."""
        return self.latent_space.grid(self.width, self.height)


def pack(
    space: Space,
    model_hash: bytes,
    width: int,
    height: int,
    quality: float,
    chunks: dict[int, bytes],
) -> bytes:
    """Header and chunk bodies (type -> body, the latent among them) -> the file's bytes."""
    rows = bytearray()
    bodies = bytearray()
    for i, (kind, body) in enumerate(chunks.items()):
        rows.append(kind | (LAST if i == len(chunks) - 1 else 0))
        rows += write_varint(len(body))
        bodies += body + crc(body)
    head = FIXED.pack(
        MAGIC, VERSION, space.id, model_hash, width, height, grid_step(quality)
    ) + bytes(rows)
    return head + crc(head) + bytes(bodies)


def read_header(data: ByteSource) -> Header:
    """The header of a file, without decoding it; needs neither weights nor NumPy.

    Args:
        data: a whole .ltp file: a path, its bytes, or an open binary file.

    Returns:
        What the file says of itself; the checksum of the header is verified, those of the chunks
        are not.

    Raises:
        FormatError: the bytes are no valid file.
        ImageError: the file cannot be read.

    Example:
        >>> read_header("photo.ltp").quality  # doctest: +SKIP
        50.0
    """
    with reading(data) as whole:
        return _parsed(whole)


def _parsed(data: bytes) -> Header:
    if data.startswith(LTPS):
        raise FormatError("a .ltps file of latents, which `latentpress latents info` reads")
    if data[:3] != MAGIC[: len(data)] or not data:
        raise FormatError("not an .ltp file" if data else "the file is empty")
    if len(data) < FIXED.size:
        raise FormatError("the file is cut off within its header")
    if data[3] != VERSION:
        raise VersionError(
            f"written in version {data[3]} of the format; this latentpress reads version {VERSION}"
        )
    _, version, space_id, model_hash, width, height, quality = FIXED.unpack_from(data)
    rows: list[tuple[int, int]] = []
    position = FIXED.size
    while True:
        if position >= len(data) or len(rows) == MAX_CHUNKS:
            raise FormatError("the chunk table is cut off or too long")
        kind = data[position]
        size, position = read_varint(data, position + 1)
        rows.append((kind & ~LAST, size))
        if kind & LAST:
            break
    if data[position : position + 4] != crc(data[:position]):
        raise FormatError("the header is damaged: its checksum does not match")
    space = space_by_id(space_id)
    if not (width and height and quality <= TOP_STEP):
        raise FormatError("the header holds an impossible size or quality")
    chunks, offset = [], position + 4
    for kind, size in rows:
        if kind not in CHUNK_NAMES and not kind & SKIPPABLE:
            raise FormatError(
                f"the file needs chunk type {kind}, which this version of latentpress does not know"
            )
        chunks.append(ChunkInfo(kind, CHUNK_NAMES.get(kind, "unknown"), size, offset))
        offset += size + 4
    types = {c.type for c in chunks}
    if len(types) < len(chunks) or len(types & {*LATENT_TYPES, SCREEN_WHOLE}) != 1:
        raise FormatError(
            "the chunk table must hold each type once, and one latent or a screen layer instead"
        )
    if any((kind in LP1_LATENTS) != (space == LP1) for kind in types & {*LATENT_TYPES}):
        raise FormatError(f"latents of space {space.name} are not coded this way")
    if {SCREEN, SCREEN_WHOLE} <= types:
        raise FormatError("the chunk table holds two screen layers")
    metadata = [c.name for c in chunks if c.type in METADATA_TYPES.values()]
    if len({*metadata}) < len(metadata):
        raise FormatError("the chunk table holds one kind of metadata in two ways of coding")
    if any(c.type == GRAY and c.size for c in chunks):
        raise FormatError("the gray chunk holds bytes, and must be empty")
    if any(c.type == RESTORATION and c.size != 1 for c in chunks):
        raise FormatError("the restoration chunk must be one byte, the number of its weights")
    if offset != len(data):
        raise FormatError(
            "the file is cut off" if offset > len(data) else "bytes follow the end of the file"
        )
    bpp = 8 * len(data) / (width * height)
    return Header(
        version,
        space.name,
        space_id,
        model_hash.hex(),
        width,
        height,
        quality / QUALITY_UNIT,
        tuple(chunks),
        len(data),
        bpp,
    )


def unpack(data: bytes) -> tuple[Header, dict[int, bytes]]:
    """The file's bytes -> header and chunk bodies (type -> body), every checksum verified.
    FormatError otherwise.
    """
    header = _parsed(data)
    bodies = {}
    for chunk in header.chunks:
        body = data[chunk.offset : chunk.offset + chunk.size]
        if data[chunk.offset + chunk.size : chunk.offset + chunk.size + 4] != crc(body):
            raise FormatError(f"the {chunk.name} chunk is damaged: its checksum does not match")
        bodies[chunk.type] = body
    return header, bodies


def metadata_bodies(chunks: Mapping[int, bytes]) -> dict[str, bytes]:
    """Those of a file's chunk bodies (type -> body) that hold metadata, by their way of coding."""
    return {name: chunks[kind] for name, kind in METADATA_TYPES.items() if kind in chunks}


def crc(data: bytes) -> bytes:
    """CRC-32C (Castagnoli), 4 bytes little-endian."""
    return struct.pack("<I", google_crc32c.value(data))
