"""Files whose latent stands in another chunk than the encoder writes."""

from PIL import Image

from latentpress import codec
from latentpress.entropy.hyperprior import HyperpriorCoder
from latentpress.entropy.smallest import Smallest
from latentpress.image.picture import Picture, read_picture
from latentpress.parts import load_transform
from latentpress.spaces import LP1


def with_chunk(chunk_type: int, image: Image.Image | Picture, quality: float) -> bytes:
    """A file of another of lp1's latent chunks than the encoder writes: 02 as a search does, 04 as
    for least squared error.
    """
    picture = image if isinstance(image, Picture) else read_picture(image)
    transform = load_transform(LP1)
    coder = HyperpriorCoder("lp1", quality, chunk_type=chunk_type)
    return codec.write(
        picture.outline,
        transform,
        transform.analyze(picture),
        quality,
        codec.side_chunks(picture),
        Smallest([coder]),
    )
