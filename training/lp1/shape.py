"""What a network looks like, in a few words, so that a variant is a line and not a branch."""

from dataclasses import dataclass

LEVELS = 7  # anchor levels of the quality; between them everything is interpolated


@dataclass(frozen=True)
class Shape:
    """The networks of a model.

    `analysis` and `synthesis` list the parts of the deep paths, first one first, as words of
    `training.lp1.blocks.build`. The analysis begins with 3 channels at full resolution and must
    end at 1/16 of it; the synthesis begins there and ends where `head` takes over. The last
    convolution of each, from and to the latent's channels, is not listed.

    Attributes:
        analysis: Parts of the analysis.
        synthesis: Parts of the synthesis.
        head: How pixels are made of the synthesis' last maps. "branch": a pixel shuffle beside a
            branch at twice the resolution that removes its grid. "shuffle": a pixel shuffle alone.
        activation: Between the convolutions: relu, gelu or wsilu (x * sigmoid(4 x)).
        leak: Share of the gradient that a residual block's ReLU lets through where it is zero.
            What the network computes is the same.
        scales: Learned factors for the inputs and outputs of every convolution, folded when
            exported.
        centered: Whether convolutions of the deep paths see their inputs less the inputs' means,
            folded when exported. Those of `haar` do not.
        haar: Up- and downsampling through the Haar basis, folded when exported.
        latent, hyper, features, context: Channels of the latent, the hyper latent, the hyper
            features and the context's hidden layer.
        prior: "checkerboard" is the shipped one, "grid" a trial (`training.lp1.grid_prior`).
        int8: Whether convolutions of the coarse blocks compute as int8 will, see `lp1.int8`.
        masking: Whether steps follow the activity of a place, as in files of latent chunk 05.
    """

    analysis: str = "conv:64:8:4 dense down:128 dense:3 down:192 dense:2"
    synthesis: str = "mix:192 dense:2 up:128 dense:3 up:64 dense:2"
    head: str = "branch"
    activation: str = "relu"
    leak: float = 0.0
    scales: bool = False
    centered: bool = False
    haar: bool = False
    latent: int = 320
    hyper: int = 64
    features: int = 128
    context: int = 192
    prior: str = "checkerboard"
    masking: bool = False
    int8: bool = False
