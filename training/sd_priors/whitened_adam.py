"""Adam on linear layers as if their inputs were whitened.

What a pass of a prior sees is neighboring values of correlated channels: their second moments
span four orders of magnitude, and Adam, which scales each weight alone, crawls along the small
ones. Each joint weight W = [weight, bias] of a layer on x = [inputs, 1] is moved as if it were V M
with M = E[x x^T]^(-1/2): the gradient of V is that of W times M, and a step of V is one of W times
M. The layer itself stays as it is. This is the input half of K-FAC (Martens and Grosse 2015,
arXiv:1503.05671), with the moments taken once.
"""

import torch
from torch import Tensor, nn

RIDGE = 1e-4  # of the mean second moment
BETAS = (0.9, 0.98)
EPSILON = 1e-10


def inverse_root(moments: Tensor) -> Tensor:
    """M = E[x x^T]^(-1/2) of inputs x whose last entry is 1.

    Args:
        moments: (n, n), the sum of x x^T over the samples. Its last entry is their number.

    Returns:
        (n, n) float32, symmetric.
    """
    c = moments.double() / moments[-1, -1]
    ridge = RIDGE * c.diagonal().mean() * torch.eye(len(c), dtype=c.dtype)
    values, vectors = torch.linalg.eigh(c + ridge)
    return ((vectors * values.rsqrt()) @ vectors.T).float()


class WhitenedAdam:
    """The optimizer of a list of layers.

    Args:
        layers: Each layer with its share of the learning rate and the `inverse_root` of its
            inputs' moments, or None for plain Adam.
    """

    def __init__(self, layers: list[tuple[nn.Linear, float, Tensor | None]]) -> None:
        self.layers = layers
        self.states = []
        for layer, _, _ in layers:
            outputs, inputs = layer.weight.shape
            joint = inputs + (layer.bias is not None)
            self.states.append(layer.weight.new_zeros(2, outputs, joint))
        self.steps = 0

    @torch.no_grad()
    def step(self, rate: float) -> None:
        """Move all layers once along their gradients, at a learning rate."""
        self.steps += 1
        first, second = BETAS
        for (layer, share, m), (mean, square) in zip(self.layers, self.states, strict=True):
            g = layer.weight.grad
            if layer.bias is not None:
                g = torch.cat([g, layer.bias.grad[:, None]], 1)
            if m is not None:
                g = g @ m
            mean.lerp_(g, 1 - first)
            square.mul_(second).addcmul_(g, g, value=1 - second)
            deviation = (square / (1 - second**self.steps)).sqrt()
            u = mean / (1 - first**self.steps) / (deviation + EPSILON)
            if m is not None:
                u = u @ m
            layer.weight.sub_(share * rate * u[:, : layer.weight.shape[1]])
            if layer.bias is not None:
                layer.bias.sub_(share * rate * u[:, -1])
