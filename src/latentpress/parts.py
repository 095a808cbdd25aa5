"""What each latent space is made of: its transform, its entropy coders and its latent optimizer.

One row a space. Rows import what they name when they are asked, so that reading a header, or
decoding one space, loads nothing of the others.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Protocol, cast

from latentpress import spaces
from latentpress.container import (
    CHUNK_NAMES,
    LATENT_CONTINUED,
    LATENT_FACTORIZED,
    LATENT_MASKED,
    LATENT_MULTISTAGE,
    LATENT_TRELLIS,
    Header,
)
from latentpress.errors import WeightsError
from latentpress.optimize import check_torch
from latentpress.options import FIRST_EFFORT, ITERATIONS, EncodeOptions

if TYPE_CHECKING:
    from latentpress.entropy import Coder, Encoder
    from latentpress.image.picture import Picture
    from latentpress.spaces import Space
    from latentpress.transforms import Transform
    from latentpress.transforms.stable_diffusion import StableDiffusionTransform

# Lagrangian weights of rate-distortion optimized quantization at efforts 4 to 6: bits that a
# squared error of one step^2 is worth.
# lp1 was trained with LPIPS, and there zeros take away texture that LPIPS misses: none for
# perceptual quality.
LP1_WEIGHTS: dict[str, dict[int, float]] = {"mse": {4: 60.0, 5: 40.0, 6: 25.0}, "perceptual": {}}
# In the Stable Diffusion spaces a restoration puts back what rounding took, but not what a zero
# took: wide dead zones serve PSNR alone (docs/how-it-works/quantization.md).
STABLE_DIFFUSION_WEIGHTS: dict[str, dict[int, float]] = {
    "mse": {4: 60.0, 5: 30.0, 6: 20.0},
    "perceptual": {4: 60.0, 5: 60.0, 6: 60.0},
}


class Parts(Protocol):
    """What a latent space is made of."""

    @property
    def space(self) -> Space:
        """The space."""
        ...

    def transform(self, model: str | None, device: str) -> Transform:
        """The model of the space. WeightsError where it is missing or does not fit; UsageError for
        a device that is not there.
        """
        ...

    def open_ahead(self, device: str, *, encoding: bool) -> None:
        """Begin to load what one direction needs, in a thread: for a command that has yet to import
        and to read.
        """
        ...

    def works_alone(self, device: str, *, encoding: bool) -> bool:
        """Whether the work on one picture takes all cores and much memory in this direction, so
        that a command works on one file after the other unless --jobs asks. UsageError for a device
        that is not there.
        """
        ...

    def chunk_type(self, options: EncodeOptions) -> int:
        """The type of the latent chunk that `encoder` makes under these options, but for tiny,
        large or made-up pictures.
        """
        ...

    def coder(
        self, chunk_type: int, quality: float, lagrangian_weight: float | None = None
    ) -> Coder:
        """The coder of a latent chunk at a quality. lagrangian_weight: of the encoder's rdoq; None
        rounds to the nearest.
        """
        ...

    def check_model(self, header: Header) -> None:
        """WeightsError where the file needs a model for its integers that is not the shipped
        one.
        """
        ...

    def decoding_model(self, header: Header) -> str | None:
        """The model that decodes a file where none is named; None for the space's default."""
        ...

    def encoder(self, options: EncodeOptions, grid: tuple[int, int]) -> Encoder:
        """Stages 3 and 4 without latent optimization, at the effort below it where more is asked
        for. grid: rows and columns of the latent.
        """
        ...

    def optimizer(self, options: EncodeOptions, picture: Picture, transform: Transform) -> Encoder:
        """Stages 3 and 4 with latent optimization, efforts 7 to 9. UsageError without torch."""
        ...


class Lp1Parts:
    """Space lp1: the shipped transform, and a hyperprior with a checkerboard context."""

    space = spaces.LP1

    def transform(self, model: str | None, device: str) -> Transform:
        """As of Parts; the one model is the shipped one."""
        from latentpress.transforms import lp1

        return lp1.load(model, device)

    def open_ahead(self, device: str, *, encoding: bool) -> None:
        """As of Parts: its graphs, and the tables that code symbols."""
        from latentpress.models import open_ahead

        def prepare() -> None:
            from latentpress.entropy import rans, trellis

            rans.new_coder()
            trellis.bit_costs()

        prior = ("features.onnx", "context.onnx")
        if encoding:
            names = ("analysis.onnx", *prior, "hyper_analysis.onnx")
            open_ahead(self.space.name, names, device, prepare)
        else:
            open_ahead(self.space.name, (*prior, "synthesis.onnx"), device)

    def works_alone(self, device: str, *, encoding: bool) -> bool:
        """As of Parts: where neither ONNX Runtime on the CPU nor the package's own convolutions
        run the transform.
        """
        from latentpress.models import takes_bands, takes_rows

        graph = "analysis.onnx" if encoding else "synthesis.onnx"
        return not any(takes(self.space.name, graph, device) for takes in (takes_bands, takes_rows))

    def chunk_type(self, options: EncodeOptions) -> int:
        """As of Parts: with steps that follow the activity, but where these are not wanted."""
        return LATENT_MASKED if options.has_masking else LATENT_TRELLIS

    def coder(
        self, chunk_type: int, quality: float, lagrangian_weight: float | None = None
    ) -> Coder:
        """As of Parts."""
        from latentpress.entropy.hyperprior import HyperpriorCoder

        return HyperpriorCoder(self.space.name, quality, lagrangian_weight, chunk_type)

    def check_model(self, header: Header) -> None:
        """As of Parts: the prior's networks are part of the model."""
        from latentpress.shipped import manifest

        ours = manifest(self.space.name)["model_hash"]
        if header.model_hash != ours:
            raise WeightsError(
                f"the file was made with lp1 model {header.model_hash}; this latentpress ships "
                f"{ours}"
            )

    def decoding_model(self, header: Header) -> str | None:
        """As of Parts: there is one."""
        return None

    def encoder(self, options: EncodeOptions, grid: tuple[int, int]) -> Encoder:
        """As of Parts. Where a masked latent has several segments, its chunk continues them."""
        from latentpress.entropy.hyperprior import HyperpriorCoder
        from latentpress.entropy.smallest import Smallest
        from latentpress.transforms.tiling import STRIP_ROWS

        kind, (rows, columns) = self.chunk_type(options), grid
        if kind == LATENT_MASKED and max(rows, columns) > STRIP_ROWS:
            kind = LATENT_CONTINUED
        weight = rdoq_weight(LP1_WEIGHTS, options)
        return Smallest([HyperpriorCoder(self.space.name, options.quality, weight, kind, rows)])

    def optimizer(self, options: EncodeOptions, picture: Picture, transform: Transform) -> Encoder:
        """As of Parts."""
        check_torch()
        from latentpress.optimize.lp1_optimizer import Lp1Optimizer
        from latentpress.optimize.objective import choose_objective

        objective, _ = choose_objective(options.optimize_for)
        iterations = ITERATIONS[options.effort]
        return Lp1Optimizer(
            picture, self.space.name, options.quality, objective, iterations, options.progress
        )


class StableDiffusionParts:
    """A Stable Diffusion space: a transform through diffusers, a multistage prior or a factorized
    one.
    """

    def __init__(self, space: Space) -> None:
        self.space = space

    def transform(self, model: str | None, device: str) -> Transform:
        """As of Parts; needs the extra `sd`."""
        from latentpress.transforms.stable_diffusion import StableDiffusionTransform

        return StableDiffusionTransform.load(self.space, model, device)

    def open_ahead(self, device: str, *, encoding: bool) -> None:
        """As of Parts: nothing."""

    def works_alone(self, device: str, *, encoding: bool) -> bool:
        """As of Parts: torch does."""
        return True

    def chunk_type(self, options: EncodeOptions) -> int:
        """As of Parts."""
        return LATENT_MULTISTAGE

    def coder(
        self, chunk_type: int, quality: float, lagrangian_weight: float | None = None
    ) -> Coder:
        """As of Parts."""
        if chunk_type == LATENT_FACTORIZED:
            from latentpress.entropy.factorized import FactorizedCoder

            return FactorizedCoder(self.space, quality, lagrangian_weight)
        from latentpress.entropy.multistage import MultistageCoder

        return MultistageCoder(self.space, quality, lagrangian_weight)

    def check_model(self, header: Header) -> None:
        """As of Parts: any model of the space decodes any file of it."""

    def decoding_model(self, header: Header) -> str | None:
        """As of Parts: the encoder's, where its hash is known; the default where only that is
        here.
        """
        from latentpress.transforms import hub

        known = hub.known_by_prefix(header.model_hash, self.space)
        if known is None or known.name == self.space.default_model:
            return None
        only_default = hub.cached(self.space.default_model) and not hub.cached(known.name)
        return None if only_default else known.name

    def encoder(self, options: EncodeOptions, grid: tuple[int, int]) -> Encoder:
        """As of Parts: the multistage prior, or the factorized one where it takes fewer bytes."""
        from latentpress.entropy.smallest import Smallest

        weight = rdoq_weight(STABLE_DIFFUSION_WEIGHTS, options)
        return Smallest(
            [
                self.coder(kind, options.quality, weight)
                for kind in (LATENT_MULTISTAGE, LATENT_FACTORIZED)
            ]
        )

    def optimizer(self, options: EncodeOptions, picture: Picture, transform: Transform) -> Encoder:
        """As of Parts."""
        check_torch()
        from latentpress.optimize.objective import choose_objective
        from latentpress.optimize.stable_diffusion_optimizer import StableDiffusionOptimizer

        objective, _ = choose_objective(options.optimize_for)
        iterations = ITERATIONS[options.effort] // 2  # these decoders cost several times as much
        own = cast("StableDiffusionTransform", transform)  # of `transform` above
        return StableDiffusionOptimizer(
            picture, own, options.quality, objective, iterations, options.progress
        )


ROWS: tuple[Parts, ...] = (
    Lp1Parts(),
    *(StableDiffusionParts(space) for space in spaces.STABLE_DIFFUSION),
)
PARTS = {row.space.name: row for row in ROWS}


def parts_of(space: Space) -> Parts:
    """The row of a space."""
    return PARTS[space.name]


def load_transform(space: Space, model: str | None = None, device: str = "auto") -> Transform:
    """The model of a space: the shipped one for lp1, else through diffusers (extra `sd`).

    model: None for the space's default, a folder, a .safetensors file or a hub id. device: auto,
    cpu, cuda or mps. WeightsError where it is missing or does not fit; UsageError for a device that
    is not there.
    """
    return parts_of(space).transform(model, device)


def open_decoder(header: Header, chunks: Mapping[int, bytes]) -> tuple[Coder, bytes]:
    """The coder of a file's latent chunk, and its body. WeightsError where another model made
    it.
    """
    parts = parts_of(header.latent_space)
    [(chunk_type, body)] = [
        (kind, chunk) for kind, chunk in chunks.items() if CHUNK_NAMES.get(kind) == "latent"
    ]
    parts.check_model(header)
    return parts.coder(chunk_type, header.quality), body


def rdoq_weight(weights: dict[str, dict[int, float]], options: EncodeOptions) -> float | None:
    """The Lagrangian weight of an effort, of the highest one without latent optimization for more;
    None for plain rounding.
    """
    return weights[options.objective].get(min(options.effort, FIRST_EFFORT - 1))
