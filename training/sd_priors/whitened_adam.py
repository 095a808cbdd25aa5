"""Adam on layers that see whitened inputs.

What a pass of a prior sees is neighbouring values of correlated channels: their second moments span four orders of magnitude, and
Adam, which scales each weight alone, crawls along the small ones. Each joint weight W = [weight, bias] of a layer on x = [inputs, 1] is
moved as if it were V M with M = E[x x^T]^(-1/2): the gradient of V is that of W times M, and a step of V is one of W times M. The layer
itself stays as it is. (The input half of K-FAC, Martens and Grosse 2015, with the moments taken once.)
"""

import torch
from torch import Tensor, nn

RIDGE = 1e-4  # of the mean second moment
BETAS = (0.9, 0.98)
EPSILON = 1e-10


def inverse_root(moments: Tensor) -> Tensor:
    """(n, n) sums of x x^T whose last input is 1 -> M, (n, n) float32."""
    c = moments.double() / moments[-1, -1]
    values, vectors = torch.linalg.eigh(
        c + RIDGE * c.diagonal().mean() * torch.eye(len(c), dtype=c.dtype)
    )
    return ((vectors * values.rsqrt()) @ vectors.T).float()


class WhitenedAdam:
    """layers: each with its share of the learning rate and the `inverse_root` of its inputs' moments, or None for plain Adam."""

    def __init__(self, layers: list[tuple[nn.Linear, float, Tensor | None]]) -> None:
        self.layers = layers
        sizes = [layer.weight.shape[1] + (layer.bias is not None) for layer, _, _ in layers]
        self.states = [
            layer.weight.new_zeros(2, len(layer.weight), n)
            for (layer, _, _), n in zip(layers, sizes, strict=True)
        ]
        self.steps = 0

    @torch.no_grad()
    def step(self, rate: float) -> None:
        """One step of all layers; rate: the learning rate."""
        self.steps += 1
        first, second = BETAS
        for (layer, share, m), (mean, square) in zip(self.layers, self.states, strict=True):
            g = (
                layer.weight.grad
                if layer.bias is None
                else torch.cat([layer.weight.grad, layer.bias.grad[:, None]], 1)
            )
            if m is not None:
                g = g @ m
            mean.lerp_(g, 1 - first)
            square.mul_(second).addcmul_(g, g, value=1 - second)
            u = (
                mean
                / (1 - first**self.steps)
                / ((square / (1 - second**self.steps)).sqrt() + EPSILON)
            )
            if m is not None:
                u = u @ m
            layer.weight.sub_(share * rate * u[:, : layer.weight.shape[1]])
            if layer.bias is not None:
                layer.bias.sub_(share * rate * u[:, -1])
