"""Convolutional encoder and decoder of waveforms and of images: the same layers in one or two dimensions."""

from __future__ import annotations

from itertools import pairwise
from math import prod

from torch import Tensor, nn

from lynkeus.networks.dense import SLOPE
from lynkeus.networks.shapes import Codes, Samples, Shape

SMALLEST = 5  # halved until an axis is at most this long


def halvings(shape: Shape) -> list[tuple[int, ...]]:
    """Sizes of the axes after the channel, from the input down, each step halving them (rounded up)."""
    sizes = [tuple(shape[1:])]
    while max(sizes[-1]) > SMALLEST and len(sizes) <= 6:
        sizes.append(tuple(-(-length // 2) for length in sizes[-1]))
    return sizes


def _channels(step: int, width: int) -> int:
    return min(width * 2**step, 4 * width)


class ConvolutionEncoder(nn.Module):
    """Samples (b, c, t) or (b, c, h, w) to codes (b, latent): strided convolutions, then one linear map."""

    def __init__(self, shape: Shape, latent: int, width: int, bias: bool = True) -> None:
        super().__init__()
        flat = len(shape) == 2
        convolution, norm = (nn.Conv1d, nn.BatchNorm1d) if flat else (nn.Conv2d, nn.BatchNorm2d)
        sizes, found, given = halvings(shape), [], shape[0]
        for step in range(len(sizes) - 1):
            made = _channels(step, width)
            found += [convolution(given, made, 5, 2, 2, bias=False), norm(made, affine=bias), nn.LeakyReLU(SLOPE)]
            given = made
        self.convolutions = nn.Sequential(*found)
        self.last = nn.Linear(given * prod(sizes[-1]), latent, bias=bias)

    def forward(self, x: Samples) -> Codes:
        out: Tensor = self.last(self.convolutions(x).flatten(1))
        return out


class ConvolutionDecoder(nn.Module):
    """Codes (b, latent) to samples: the mirror of ConvolutionEncoder, in which every step doubles the axes."""

    def __init__(self, shape: Shape, latent: int, width: int) -> None:
        super().__init__()
        flat = len(shape) == 2
        convolution, norm = (nn.ConvTranspose1d, nn.BatchNorm1d) if flat else (nn.ConvTranspose2d, nn.BatchNorm2d)
        self.sizes = halvings(shape)[::-1]
        channels = [shape[0], *(_channels(step, width) for step in range(len(self.sizes) - 1))][::-1]
        self.first_shape = (channels[0], *self.sizes[0])
        self.first = nn.Linear(latent, prod(self.first_shape))
        self.norms = nn.ModuleList(nn.Sequential(norm(given), nn.LeakyReLU(SLOPE)) for given in channels[:-1])
        self.steps = nn.ModuleList(convolution(given, made, 5, 2, 2) for given, made in pairwise(channels))

    def forward(self, code: Codes) -> Samples:
        x: Tensor = self.first(code).unflatten(1, self.first_shape)
        for size, norm, step in zip(self.sizes[1:], self.norms, self.steps, strict=True):
            x = step(norm(x), output_size=size)
        return x
