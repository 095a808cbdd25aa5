"""What an encoder is asked for: the quality grid, the effort, the objective, and what follows from
them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from latentpress.errors import UsageError
from latentpress.spaces import LP1, Space, space_of_codec

if TYPE_CHECKING:
    from typing_extensions import TypedDict

    class EncodeFields(TypedDict, total=False):
        """The fields of EncodeOptions as keywords, all of them optional."""

        quality: float
        codec: str
        model: str | None
        device: str
        strict: bool
        strip: str | Sequence[str]
        exact: bool
        effort: int
        optimize_for: str | None
        progress: Progress | None
        content: str


Progress = Callable[[float, float], None]  # (share done 0 to 1, seconds left)
QUALITY_UNIT = 100  # steps of the quality grid in one unit of quality
TOP_STEP = 100 * QUALITY_UNIT  # the quality grid: 0 to TOP_STEP, hundredths of a unit
FIRST_EFFORT = 7  # efforts from here on optimize the latent
# metadata that `strip` leaves out, beside the other things that a picture may carry
STRIPPABLE = ("exif", "xmp", "icc", "thumbnail", "gps", "text", "dpi", "iptc", "gainmap")
ALL = "all"
OBJECTIVES = ("mse", "perceptual")
CONTENTS = ("auto", "photo", "screen")
ITERATIONS = {7: 50, 8: 130, 9: 300}  # of a latent optimization, a tile


@dataclass(frozen=True, kw_only=True)
class EncodeOptions:
    """What `compress` and the functions of `latentpress.targets` are asked for.

    Args:
        quality: 0 to 100, rounded to hundredths; the size of the file rises with it. A target
            chooses it itself.
        codec: "builtin", "sd15", "sdxl", "sd3" or "flux1": the latent space.
        model: of a Stable Diffusion space a folder, a .safetensors file or a hub id; None is the
            space's default.
        device: "auto", "cpu", "cuda" or "mps".
        strict: what would be lost of the input is an error: samples of more than 8 bits, colors
            that must be converted (CMYK, Lab, PQ, HLG, ...), an ICC profile or declared colors
            that do not fit, further frames, and IPTC data, HDR gain maps, motion videos and long
            XMP, which a file cannot hold. Not what `strip` names, nor thumbnails and comments of
            encoders.
        strip: metadata that is left out: names of STRIPPABLE, or "all"; a sequence, or one text
            with commas. Without its ICC profile a picture is converted to sRGB. The
            thumbnail is always left out.
        exact: keep the colors under full transparency, which are otherwise filled from the visible
            ones.
        effort: 0 to 9, what the encoder spends on a better file of the same format; 7 to 9 optimize
            the latent, which needs torch.
        optimize_for: "mse", "perceptual" or None: perceptual where LPIPS's weights are here, else
            mse. The effect at each effort is told in docs/guide/effort.md.
        progress: called with the share of a latent optimization that is done, 0 to 1, and the
            seconds left.
        content: "auto", the default: the encoder measures which serves each place of the picture
            better, a latent or a screen layer, made by tools for text and graphics; "photo": the
            whole picture is a latent; "screen": all of it is a screen layer. The Stable Diffusion
            spaces know photographs only: "auto" is "photo" there, and "screen" an error.

    Raises:
        UsageError: a field is outside its range.

    Example:
        >>> EncodeOptions(quality=30, effort=6).quality
        30.0
    """

    quality: float = 50.0
    codec: str = "builtin"
    model: str | None = None
    device: str = "auto"
    strict: bool = False
    strip: str | Sequence[str] = ()
    exact: bool = False
    effort: int = 3
    optimize_for: str | None = None
    progress: Progress | None = None
    content: str = "auto"

    def __post_init__(self) -> None:
        object.__setattr__(self, "quality", check_quality(self.quality))
        space_of_codec(self.codec)
        object.__setattr__(self, "strip", check_strip(self.strip))
        check_effort(self.effort)
        check_objective(self.optimize_for)
        check_content(self.content, self.codec)

    @property
    def space(self) -> Space:
        """The latent space of the codec."""
        return space_of_codec(self.codec)

    @property
    def objective(self) -> str:
        """One of OBJECTIVES: perceptual where nothing was said."""
        return self.optimize_for or "perceptual"

    @property
    def optimizes_latent(self) -> bool:
        """Whether the effort asks for latent optimization."""
        return self.effort >= FIRST_EFFORT

    @property
    def has_masking(self) -> bool:
        """Whether lp1 uses activity-dependent steps: efforts 0 to 6, unless optimizing for mse."""
        return not self.optimizes_latent and self.objective != "mse"


def grid_step(quality: float) -> int:
    """Quality 0..100 -> its step on the quality grid, 0..TOP_STEP: the integer of the header."""
    return round(float(quality) * QUALITY_UNIT)  # which NumPy's small integers do not hold


def check_quality(quality: float) -> float:
    """Quality as the file will hold it (hundredths); UsageError outside 0..100."""
    try:
        fits = 0 <= quality <= 100
    except TypeError:  # it comes from outside
        fits = False
    if not fits:
        raise UsageError(f"quality must lie in 0..100, not {quality!r}")
    return grid_step(quality) / QUALITY_UNIT


def check_strip(wanted: str | Sequence[str]) -> tuple[str, ...]:
    """Names of STRIPPABLE in its order, of a sequence of names or a text with commas between them;
    all of them for "all". UsageError for any other name.
    """
    if isinstance(wanted, str):
        names: Sequence[str] = [name.strip().lower() for name in wanted.split(",")]
    else:  # it comes from outside, as a generator or None
        names = list(wanted) if isinstance(wanted, Iterable) else [wanted]
    for name in names:
        if name not in (*STRIPPABLE, ALL, ""):
            raise UsageError(
                f"what can be stripped is {', '.join(STRIPPABLE)} or {ALL}, not {name!r}"
            )
    return tuple(name for name in STRIPPABLE if name in names or ALL in names)


def check_effort(effort: int) -> int:
    """effort as it is; UsageError outside 0..9."""
    if effort not in range(10):
        raise UsageError(f"effort must be a whole number from 0 to 9, not {effort!r}")
    return effort


def check_objective(wanted: str | None) -> None:
    """UsageError for what is neither None nor one of OBJECTIVES."""
    if wanted not in (None, *OBJECTIVES):
        raise UsageError(f"optimize for one of {', '.join(OBJECTIVES)}, not {wanted!r}")


def check_content(content: str, codec: str) -> None:
    """UsageError for what is none of CONTENTS, and for screens in a Stable Diffusion space."""
    if content not in CONTENTS:
        raise UsageError(f"content is one of {', '.join(CONTENTS)}, not {content!r}")
    if content == "screen" and codec != LP1.codec:
        raise UsageError(
            f"{codec} codes photographs only: content screen is for the built-in codec"
        )
