"""Generator of waveforms and images: residual blocks that double the axes, the same in one or two dimensions."""

from __future__ import annotations

from math import prod

from torch import Tensor, nn
from torch.nn.functional import interpolate, leaky_relu

from lynkeus.networks.convolution import halvings
from lynkeus.networks.critic import channels, convolution
from lynkeus.networks.dense import SLOPE, DenseDecoder
from lynkeus.networks.shapes import Codes, Samples, Shape


class Doubling(nn.Module):
    """Two convolutions after doubling the axes to `size`, beside the doubled input; each sample is normalised."""

    def __init__(self, given: int, made: int, size: tuple[int, ...]) -> None:
        super().__init__()
        kind = convolution(len(size) + 1)
        self.size = size
        self.norms = nn.ModuleList([nn.GroupNorm(1, given), nn.GroupNorm(1, made)])
        self.first, self.second = kind(given, made, 3, 1, 1), kind(made, made, 3, 1, 1)
        self.beside = kind(given, made, 1)

    def forward(self, x: Tensor) -> Tensor:
        out = self.first(interpolate(leaky_relu(self.norms[0](x), SLOPE), size=self.size))
        out = self.second(leaky_relu(self.norms[1](out), SLOPE))
        beside: Tensor = interpolate(self.beside(x), size=self.size)
        return out + beside


class ResidualGenerator(nn.Module):
    """Codes (b, latent) to samples (b, *shape)."""

    def __init__(self, shape: Shape, latent: int, width: int) -> None:
        super().__init__()
        self.size, *sizes = halvings(shape)
        sizes = sizes or [self.size]
        most = len(sizes) - 1
        self.first_shape = (channels(most, width), *sizes[-1])
        self.first = nn.Linear(latent, prod(self.first_shape))
        steps = range(most - 1, -1, -1)
        blocks = [Doubling(channels(step + 1, width), channels(step, width), sizes[step]) for step in steps]
        self.blocks = nn.Sequential(*blocks, nn.GroupNorm(1, width), nn.LeakyReLU(SLOPE))
        self.last = convolution(len(shape))(width, shape[0], 5, 1, 2)

    def forward(self, code: Codes) -> Samples:
        half = self.blocks(self.first(code).unflatten(1, self.first_shape))
        out: Tensor = self.last(interpolate(half, size=self.size))
        return out


def generator(shape: Shape, latent: int, width: int) -> nn.Module:
    """Dense for tables, residual blocks for all else."""
    return DenseDecoder(shape, latent, width) if len(shape) == 1 else ResidualGenerator(shape, latent, width)
