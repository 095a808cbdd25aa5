"""The latent spaces: what the numbers of a latent mean. Ids are numbered by hand and never change
meaning.
"""

from dataclasses import dataclass

from latentpress.errors import SpaceError, UsageError

# quantization step at quality 0 and 100 of the Stable Diffusion spaces, in the latent's unit
COARSEST = 1.5
FINEST = 0.05


@dataclass(frozen=True)
class Space:
    """A latent space.

    id: the byte in the file. name: "lp1", "sd15", ... channels: of the latent. factor: pixels per
    latent position, each way. scaling, shift: latent = (raw - shift) * scaling, raw being what the
    family's AutoencoderKL gives. default_model: what `--codec` loads when no model is named ("" for
    the model in the package).
    """

    id: int
    name: str
    channels: int
    factor: int
    scaling: float
    shift: float
    default_model: str

    @property
    def codec(self) -> str:
        """The name that `--codec` takes: an alias of lp1, else the space's own."""
        return CODEC_OF_SPACE.get(self.name, self.name)

    def grid(self, width: int, height: int) -> tuple[int, int]:
        """Rows and columns of the latent of a picture."""
        return -(-height // self.factor), -(-width // self.factor)


CODEC_OF_SPACE = {"lp1": "builtin"}  # the aliases
LP1 = Space(1, "lp1", 320, 16, 1.0, 0.0, "")
STABLE_DIFFUSION = (
    Space(16, "sd15", 4, 8, 0.18215, 0.0, "stable-diffusion-v1-5/stable-diffusion-v1-5"),
    Space(17, "sdxl", 4, 8, 0.13025, 0.0, "stabilityai/sdxl-vae"),
    Space(18, "sd3", 16, 8, 1.5305, 0.0609, "stabilityai/stable-diffusion-3-medium-diffusers"),
    Space(19, "flux1", 16, 8, 0.3611, 0.1159, "black-forest-labs/FLUX.1-schnell"),
)
SPACES = (LP1, *STABLE_DIFFUSION)
CODECS = {space.codec: space for space in SPACES}


def space_by_id(number: int) -> Space:
    """The space of a file's id byte; SpaceError where unknown."""
    for space in SPACES:
        if space.id == number:
            return space
    raise SpaceError(
        f"the file is in latent space {number}, which this version of latentpress does not know"
    )


def space_of_codec(codec: str) -> Space:
    """The space of a `--codec` name; UsageError where unknown."""
    if codec not in CODECS:
        raise UsageError(f"unknown codec {codec!r}: choose one of {', '.join(CODECS)}")
    return CODECS[codec]


def step_size(quality: float) -> float:
    """The quantization step of the Stable Diffusion spaces at quality 0..100, in the latent's unit:
    geometric in the quality.
    """
    return COARSEST * float((FINEST / COARSEST) ** (quality / 100))
