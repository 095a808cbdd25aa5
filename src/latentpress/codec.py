"""The whole pipeline on one page: an image travels down `compress` and up `decompress`.

stage 1  image/                read_picture   / Decoded
stage 2  transforms/           analyze        / synthesize
stage 3  entropy/quantizer.py  quantize       / dequantize   (within stage 4, which knows mu)
stage 4  entropy/              encode         / decode
stage 5  container.py          pack           / unpack

What stages 2 to 4 are in a latent space is a row of parts.py. Latents travel in strips of rows, and
while a strip is used, a thread makes the next one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from latentpress import container
from latentpress._typing import Floats, Pixels
from latentpress.container import (
    ALPHA,
    GRAY,
    METADATA_TYPES,
    SCREEN,
    SCREEN_WHOLE,
    Header,
    metadata_bodies,
)
from latentpress.content import screen_layer
from latentpress.entropy import Encoder
from latentpress.errors import FormatError
from latentpress.image.alpha import decode_alpha, encode_alpha
from latentpress.image.decoded import Decoded
from latentpress.image.hidden import fill_hidden
from latentpress.image.limits import max_pixels
from latentpress.image.metadata_chunks import decode_metadata, encode_metadata
from latentpress.image.picture import Outline, Picture, Source, read_picture
from latentpress.options import EncodeOptions
from latentpress.parts import load_transform, open_decoder, parts_of
from latentpress.screen.layer import read_layer
from latentpress.system.ahead import ahead
from latentpress.system.sources import ByteSource, reading
from latentpress.transforms import Transform, restoration
from latentpress.transforms.tiling import STRIP_ROWS

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from latentpress.options import EncodeFields
    from latentpress.spaces import Space


def compress(
    image: Source | Picture,
    *,
    options: EncodeOptions | None = None,
    **fields: Unpack[EncodeFields],
) -> bytes:
    """An image -> the bytes of an .ltp file.

    To ask for a size, a rate or a metric instead of a quality: `latentpress.targets`.

    Args:
        image: a path, a URL (with the extra `remote`), the bytes of an image file, an open binary
            file, a PIL image, a uint8 array (H, W), (H, W, 1), (H, W, 3) or (H, W, 4), or a
            Picture, which was read with its own `strict` and `strip`; 1 to 65,535 pixels a side.
        options: what the encoder is asked for; None for the defaults of EncodeOptions.
        **fields: fields of EncodeOptions that take the place of those in `options`: quality (0 to
            100), codec, model, device, strict, strip, exact, effort (0 to 9), optimize_for,
            progress, content.

    Returns:
        The whole file.

    Raises:
        ImageError: the image cannot be read or is too large.
        ConversionError: `strict`, and something of the image would be lost.
        WeightsError: weights are missing or do not fit.
        UsageError: an option is outside its range.

    Example:
        >>> import numpy as np, latentpress
        >>> data = latentpress.compress(np.zeros((48, 64, 3), np.uint8), quality=30)
        >>> latentpress.read_header(data).width
        64
    """
    options = replace(options or EncodeOptions(), **fields)
    picture = as_picture(image, options)
    parts = parts_of(options.space)
    transform = parts.transform(options.model, options.device)
    layer = screen_layer(picture, options)
    rest = layer.rest() if layer else picture
    layers = layer.chunks(options.quality) if layer else {}
    if rest is None:
        side = side_chunks(picture) | layers
        return write_without_latent(picture.outline, transform, options.quality, side)
    has_more = options.optimizes_latent or rest.alpha is not None or bool(layers)
    with ahead(
        transform.analyze(rest), is_single=is_alone(transform.space, rest.height, has_more)
    ) as y:
        encoder: Encoder  # made while the first strip is analyzed
        if options.optimizes_latent:
            encoder = parts.optimizer(options, rest, transform)
        else:
            encoder = parts.encoder(options, options.space.grid(rest.width, rest.height))
        side = side_chunks(picture) | layers
        return write(picture.outline, transform, y, options.quality, side, encoder)


def is_alone(space: Space, height: int, has_more: bool) -> bool:
    """Whether a picture of so many rows has one strip, and nothing more to do while it is made."""
    return height <= STRIP_ROWS * space.factor and not has_more


def as_picture(image: Source | Picture, options: EncodeOptions) -> Picture:
    """Stage 1: the picture as it is analyzed, its hidden colors filled unless they are wanted."""
    if isinstance(image, Picture):
        picture = image
    else:
        picture = read_picture(image, strict=options.strict, strip=options.strip)
    return picture if options.exact else fill_hidden(picture)


def write(
    outline: Outline,
    transform: Transform,
    y: Iterable[Floats],
    quality: float,
    side: Mapping[int, bytes],
    encoder: Encoder,
) -> bytes:
    """Stages 3 to 5: a latent, in strips (C, r, w), at a quality, with the side chunks of its
    picture -> the bytes of an .ltp file.
    """
    chunk_type, body = encoder.encode(y)
    chunks = {chunk_type: body, **restoration.chunks(transform.space), **side}
    return container.pack(
        transform.space, transform.model_hash, outline.width, outline.height, quality, chunks
    )


def write_without_latent(
    outline: Outline, transform: Transform, quality: float, side: Mapping[int, bytes]
) -> bytes:
    """Stage 5 where the side chunks hold the whole picture -> the bytes of an .ltp file."""
    return container.pack(
        transform.space, transform.model_hash, outline.width, outline.height, quality, {**side}
    )


def side_chunks(picture: Picture) -> dict[int, bytes]:
    """What a file carries beside the latent: alpha, gray, metadata, each where the picture has
    it.
    """
    chunks = {ALPHA: encode_alpha(picture.alpha)} if picture.alpha is not None else {}
    if picture.gray:
        chunks[GRAY] = b""
    coded = encode_metadata(picture.metadata)
    return chunks | {METADATA_TYPES[name]: body for name, body in coded.items()}


def decompress(data: ByteSource, *, model: str | None = None, device: str = "auto") -> Image.Image:
    """The bytes of an .ltp file -> the image.

    Args:
        data: a whole file: a path, a URL, its bytes, or an open binary file.
        model: as in EncodeOptions; within a Stable Diffusion space the decoder's model may differ
            from the encoder's. None is the encoder's where it is a known one, else the space's
            default.
        device: "auto", "cpu", "cuda" or "mps".

    Returns:
        The image in mode RGB, RGBA, L or LA, its ICC profile, EXIF, XMP, texts and density in
        `image.info`.

    Raises:
        FormatError: the bytes are no valid file.
        ImageError: the file cannot be read.
        WeightsError: weights are missing or do not fit.
        UsageError: the device is not there.

    Example:
        >>> import numpy as np, latentpress
        >>> data = latentpress.compress(np.zeros((48, 64, 3), np.uint8))
        >>> latentpress.decompress(data).size
        (64, 48)
    """
    with decoding(data, model=model, device=device) as decoded:
        return decoded.image()


@contextmanager
def decoding(
    data: ByteSource, *, model: str | None = None, device: str = "auto"
) -> Iterator[Decoded]:
    """The picture of an .ltp file, to be taken within the block. Arguments and errors as of
    `decompress`; those that the pixels raise come when they are asked for.
    """
    with reading(data) as whole:
        header, chunks = container.unpack(whole)
        if not header.has_latent:
            yield put_together((), header, chunks)
            return
        latent = decode(header, chunks)
        model = model or parts_of(header.latent_space).decoding_model(header)
        transform = load_transform(header.latent_space, model, device)
        has_more = bool(chunks.keys() & {ALPHA, SCREEN})
        with ahead(
            latent, is_single=is_alone(header.latent_space, header.height, has_more)
        ) as strips:
            pixels = transform.synthesize(strips, header.width, header.height)
            yield put_together(pixels, header, chunks)


def decode(header: Header, chunks: Mapping[int, bytes]) -> Iterator[Floats]:
    """Stages 4 and 3: the strips (C, r, w) of an unpacked file's y_hat, restored where it asks for
    it. FormatError where it is too large or damaged, or holds no latent; WeightsError where another
    lp1 model coded it.
    """
    check_pixels(header)
    if not header.has_latent:
        raise FormatError("the file holds no latent: its whole picture is a screen layer")
    coder, body = open_decoder(header, chunks)
    y_hat = coder.decode(body, *header.grid)
    return restoration.restore_wanted(header.latent_space, y_hat, header.quality, chunks)


def check_pixels(header: Header) -> None:
    """FormatError where a picture is larger than the limit."""
    if header.width * header.height > max_pixels():
        raise FormatError(
            f"the header promises {header.width} x {header.height} pixels, more than the limit of "
            f"{max_pixels()} (LATENTPRESS_MAX_PIXELS)"
        )


def put_together(
    strips: Iterable[Pixels], header: Header, chunks: Mapping[int, bytes], reduction: int = 1
) -> Decoded:
    """Strips of pixels (rows, width, 3) and the side chunks of a file -> the picture.

    strips: of the latent; not looked at where there is none. reduction: pixels of the file's
    picture, each way, a pixel of the strips.
    """
    check_pixels(header)
    layer = read_layer(chunks.get(SCREEN), chunks.get(SCREEN_WHOLE), header.width, header.height)
    if layer is not None:
        strips = layer.pasted(strips if header.has_latent else layer.black(reduction), reduction)
    width, height = (-(-side // reduction) for side in (header.width, header.height))

    def read_alpha() -> Pixels:
        alpha = decode_alpha(chunks[ALPHA], header.width, header.height)
        return alpha if reduction == 1 else np.asarray(Image.fromarray(alpha).reduce(reduction))

    return Decoded(
        width,
        height,
        strips,
        gray=GRAY in chunks,
        metadata=decode_metadata(metadata_bodies(chunks)),
        read_alpha=read_alpha if ALPHA in chunks else None,
    )


def encode_latent(
    image: Source | Picture,
    *,
    codec: str = "builtin",
    model: str | None = None,
    device: str = "auto",
) -> Floats:
    """The latent of an image before quantization.

    Args:
        image: as in `compress`.
        codec: as in EncodeOptions.
        model: as in EncodeOptions.
        device: as in EncodeOptions.

    Returns:
        (C, ceil(H / factor), ceil(W / factor)) float32.

    Raises:
        ImageError, WeightsError, UsageError: as `compress`.

    Example:
        >>> encode_latent(np.zeros((48, 64, 3), np.uint8)).shape
        (320, 3, 4)
    """
    options = EncodeOptions(codec=codec, model=model, device=device)
    picture = as_picture(image, options)
    transform = load_transform(options.space, model, device)
    return np.concatenate(list(transform.analyze(picture)), axis=1)


def decode_latent(data: ByteSource) -> Floats:
    """The latent that the decoder takes of an .ltp file; needs no weights but those in the package.

    Args:
        data: as in `decompress`.

    Returns:
        (C, h, w) float32: y_hat, or z where the file asks for its restoration.

    Raises:
        FormatError: the bytes are no valid file.
        WeightsError: another lp1 model coded it.

    Example:
        >>> data = compress(np.zeros((48, 64, 3), np.uint8), content="photo")
        >>> decode_latent(data).shape
        (320, 3, 4)
    """
    with reading(data) as whole:
        header, chunks = container.unpack(whole)
        return np.concatenate(list(decode(header, chunks)), axis=1)
