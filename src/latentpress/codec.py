"""The whole pipeline on one page: an image travels down `compress` and up `decompress`.

stage 1  image/                read_picture   / assemble
stage 2  transforms/           analyze        / synthesize
stage 3  entropy/quantizer.py  quantize       / dequantize   (within stage 4, which knows mu)
stage 4  entropy/              encode         / decode
stage 5  container.py          pack           / unpack
"""

import os
from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from latentpress import container
from latentpress.container import ALPHA, EXIF, GRAY, ICC, LATENT_TYPES, LP1_TYPES, XMP, Header
from latentpress.entropy import Encoder, open_coder, open_encoder
from latentpress.errors import FormatError, WeightsError
from latentpress.image.alpha import decode_alpha, encode_alpha
from latentpress.image.limits import max_pixels
from latentpress.image.picture import Outline, Picture, assemble, read_picture
from latentpress.options import (
    FIRST_EFFORT,
    Progress,
    check_effort,
    check_objective,
    check_quality,
    has_masking,
    lagrangian_weight,
)
from latentpress.spaces import Space, space_by_id, space_of_codec
from latentpress.transforms import Transform, load_transform, restoration

PASTE_ROWS = 64  # a part of a strip at a time: Pillow makes a copy with four bytes a pixel
Source = str | os.PathLike[str] | Image.Image | NDArray[np.uint8] | Picture


def compress(
    image: Source,
    *,
    quality: float = 50,
    codec: str = "builtin",
    model: str | None = None,
    device: str = "auto",
    strict: bool = False,
    effort: int = 3,
    optimize_for: str | None = None,
    progress: Progress | None = None,
) -> bytes:
    """An image -> the bytes of an .ltp file.

    image: a path, a PIL image, a uint8 array (H, W), (H, W, 1), (H, W, 3) or (H, W, 4), or a
    Picture; 1 to 65,535 pixels a side. quality: 0..100, in hundredths; the size rises with it.
    codec: builtin, sd15, sdxl, sd3 or flux1. model: for the Stable Diffusion spaces a folder, a
    .safetensors file or a hub id. device: auto, cpu, cuda or mps. strict: a lossy conversion (16
    bits, CMYK, frames) is an error. effort: 0..9, what the encoder spends on a better file of the
    same format; 7 to 9 need torch. optimize_for: mse or perceptual (the default, where LPIPS's
    weights are here): what efforts 4 to 9 minimise; 4 to 6 of the built-in codec have a way for mse
    only, and else are as 0 to 3; for mse its steps are the same everywhere, below effort 7 they
    else follow the activity (`entropy/masking.py`). progress: called with the share of the search
    that is done and the seconds left. To ask for a size, a rate or a metric instead of a quality:
    `latentpress.targets`. Raises ImageError, ConversionError, WeightsError, UsageError.
    """
    quality = check_quality(quality)
    space = space_of_codec(codec)
    effort = check_effort(effort)
    picture = image if isinstance(image, Picture) else read_picture(image, strict=strict)
    transform = load_transform(space, model, device)
    y = transform.analyze(picture)
    coder = encoder(
        picture,
        transform,
        quality,
        effort,
        optimize_for,
        progress,
        masking=has_masking(effort, optimize_for),
    )
    return write(picture.outline, transform, y, quality, side_chunks(picture), coder)


def encoder(
    picture: Picture | None,
    transform: Transform,
    quality: float,
    effort: int,
    optimize_for: str | None = None,
    progress: Progress | None = None,
    *,
    masking: bool,
) -> Encoder:
    """What makes stages 3 and 4 of a picture: the coder, at efforts 4 to 6 with dead zones where
    they pay, or from effort 7 on the search that gives a file of the same format. Only the search
    looks at the picture. masking: of the coder, as of `open_encoder`.
    """
    if effort >= FIRST_EFFORT:
        assert picture is not None
        from latentpress.optimize import open_optimizer

        return open_optimizer(picture, transform, quality, effort, optimize_for, progress)
    check_objective(optimize_for)
    weight = lagrangian_weight(effort, optimize_for, lp1=transform.space.name == "lp1")
    return open_encoder(transform.space, quality, weight, masking=masking)


def write(
    outline: Outline,
    transform: Transform,
    y: Iterable[NDArray[np.float32]],
    quality: float,
    side: dict[int, bytes],
    coder: Encoder,
) -> bytes:
    """Stages 3 to 5: a picture's latent, in strips (C, r, w), at a quality, with its side chunks ->
    the bytes of an .ltp file.
    """
    body = coder.encode(y)
    chunks = {coder.chunk_type: body} | restoration.chunks(transform.space) | side
    return container.pack(
        transform.space, transform.model_hash, outline.width, outline.height, quality, chunks
    )


def side_chunks(picture: Picture) -> dict[int, bytes]:
    """What a file carries beside the latent: alpha, grey, ICC, EXIF, XMP, each where the picture
    has it.
    """
    chunks = {ALPHA: encode_alpha(picture.alpha)} if picture.alpha is not None else {}
    if picture.gray:
        chunks[GRAY] = b""
    for kind, value in ((ICC, picture.icc), (EXIF, picture.exif), (XMP, picture.xmp)):
        if value:
            chunks[kind] = value
    return chunks


def decompress(data: bytes, *, model: str | None = None, device: str = "auto") -> Image.Image:
    """The bytes of an .ltp file -> the image, in mode RGB, RGBA, L or LA, its ICC, EXIF and XMP in
    `image.info`.

    model, device: as in `compress`; the decoder's model may differ from the encoder's within a
    Stable Diffusion space. Raises FormatError for bytes that are no valid file, WeightsError for
    weights that are missing or do not fit.
    """
    header, chunks = container.unpack(data)
    space = space_by_id(header.space_id)
    y_hat = decode_strips(header, chunks, space)
    transform = load_transform(space, model, device)
    image = paste(
        transform.synthesize(y_hat, header.width, header.height), header.width, header.height
    )
    alpha = decode_alpha(chunks[ALPHA], header.width, header.height) if ALPHA in chunks else None
    return assemble(
        image,
        alpha=alpha,
        gray=GRAY in chunks,
        icc=chunks.get(ICC),
        exif=chunks.get(EXIF),
        xmp=chunks.get(XMP),
    )


def decode_strips(
    header: Header, chunks: dict[int, bytes], space: Space
) -> Iterator[NDArray[np.float32]]:
    """The strips of y_hat (C, r, w) of an unpacked file, restored where it asks for it;
    WeightsError where another lp1 model coded it.
    """
    if header.width * header.height > max_pixels():
        size = f"{header.width} x {header.height} pixels"
        raise FormatError(
            f"the header promises {size}, more than the limit of {max_pixels()} "
            "(LATENTPRESS_MAX_PIXELS)"
        )
    kind = next(k for k in chunks if k in LATENT_TYPES)
    if (kind in LP1_TYPES) != (space.name == "lp1"):
        raise FormatError(f"latents of space {space.name} are not coded this way")
    if space.name == "lp1":
        from latentpress.models import manifest

        ours = manifest(space.name)["model_hash"]
        if header.model_hash != ours:
            raise WeightsError(
                f"the file was made with lp1 model {header.model_hash}; this latentpress ships "
                f"{ours}"
            )
    rows, columns = -(-header.height // space.factor), -(-header.width // space.factor)
    restored = restoration.is_wanted(space, chunks)
    y_hat = open_coder(space, kind, header.quality).decode(chunks[kind], rows, columns)
    return restoration.restore(space, y_hat, header.quality) if restored else y_hat


def paste(strips: Iterable[NDArray[np.uint8]], width: int, height: int) -> Image.Image:
    """Strips of pixels (rows, width, 3), top to bottom -> one RGB image, made when the first strip
    has come.
    """
    image, top = None, 0
    for pixels in strips:
        image = image or Image.new("RGB", (width, height))
        for i in range(0, len(pixels), PASTE_ROWS):
            image.paste(Image.fromarray(pixels[i : i + PASTE_ROWS]), (0, top + i))
        top += len(pixels)
        del pixels  # before the next strip is made
    if image is None:
        raise FormatError("the file holds no pixels")
    return image


def encode_latent(
    image: Source, *, codec: str = "builtin", model: str | None = None, device: str = "auto"
) -> NDArray[np.float32]:
    """The latent of an image before quantisation: (C, ceil(H / factor), ceil(W / factor))
    float32.
    """
    picture = image if isinstance(image, Picture) else read_picture(image)
    return np.concatenate(
        list(load_transform(space_of_codec(codec), model, device).analyze(picture)), axis=1
    )


def decode_latent(data: bytes) -> NDArray[np.float32]:
    """The latent that the decoder takes of an .ltp file, (C, h, w) float32: y_hat, or z where the
    file asks for its restoration (`transforms/restoration.py`). Needs no weights but those in the
    package.
    """
    header, chunks = container.unpack(data)
    return np.concatenate(list(decode_strips(header, chunks, space_by_id(header.space_id))), axis=1)
