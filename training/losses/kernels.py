"""Whether losses take kernels of their own."""


class Kernels:
    """Whether they take those of `layer_kernels`.

    It is found out on CUDA (`training.lp1.kernels.choose_kernels`).
    """

    fused = False
