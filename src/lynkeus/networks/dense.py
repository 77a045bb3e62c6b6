"""Dense encoder and decoder: every number of a sample at once; for tables, and for short windows."""

from __future__ import annotations

from itertools import pairwise
from math import prod

from torch import Tensor, nn

from lynkeus.networks.shapes import Codes, Samples, Shape

SLOPE = 0.1  # of leaky rectifiers: no unit dies, none is bounded
WIDE = 256


def layers(sizes: tuple[int, ...], bias: bool = True) -> nn.Sequential:
    """Linear maps between `sizes` with leaky rectifiers in between, none after the last."""
    found: list[nn.Module] = []
    for wide, narrow in pairwise(sizes):
        found += [nn.Linear(wide, narrow, bias=bias), nn.LeakyReLU(SLOPE)]
    return nn.Sequential(*found[:-1])


def wide_layer(numbers: int, width: int, made: int, bias: bool = True) -> nn.Sequential:
    """Return a network for tables: rows of `numbers` to `made`, through one hidden layer of `width` (0: 256).

    After as many steps deeper networks were no better, in mean AUROC over ten labelled tables, and take longer.
    """
    return layers((numbers, width or WIDE, made), bias)


class DenseEncoder(nn.Module):
    """Samples (b, *shape) to codes (b, latent) through hidden layers of `width` and half of it."""

    def __init__(self, shape: Shape, latent: int, width: int, bias: bool = True) -> None:
        super().__init__()
        self.layers = layers((prod(shape), width, max(width // 2, latent), latent), bias)

    def forward(self, x: Samples) -> Codes:
        out: Tensor = self.layers(x.flatten(1))
        return out


class DenseDecoder(nn.Module):
    """Codes (b, latent) to samples (b, *shape): the mirror of DenseEncoder."""

    def __init__(self, shape: Shape, latent: int, width: int) -> None:
        super().__init__()
        self.shape = shape
        self.layers = layers((latent, max(width // 2, latent), width, prod(shape)))

    def forward(self, code: Codes) -> Samples:
        return self.layers(code).unflatten(1, self.shape)
