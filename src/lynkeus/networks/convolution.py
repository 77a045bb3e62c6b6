"""Convolutional encoder and decoder of waveforms and of images: the same layers in one or two dimensions."""

from __future__ import annotations

from math import prod

import torch
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
    """Codes (b, latent) to samples: one linear map, then convolutions after each doubling of the axes."""

    def __init__(self, shape: Shape, latent: int, width: int) -> None:
        super().__init__()
        flat = len(shape) == 2
        convolution, norm = (nn.Conv1d, nn.BatchNorm1d) if flat else (nn.Conv2d, nn.BatchNorm2d)
        self.sizes = halvings(shape)[::-1]
        steps = len(self.sizes) - 1
        given = _channels(max(steps - 1, 0), width) if steps else shape[0]
        self.first_shape = (given, *self.sizes[0])
        self.first = nn.Linear(latent, prod(self.first_shape))
        self.steps = nn.ModuleList()
        for step in reversed(range(steps)):
            made = _channels(step - 1, width) if step else width
            block = (norm(given), nn.LeakyReLU(SLOPE), convolution(given, made, 5, 1, 2))
            self.steps.append(nn.Sequential(*block))
            given = made
        self.last = convolution(given, shape[0], 5, 1, 2)

    def forward(self, code: Codes) -> Samples:
        x = self.first(code).unflatten(1, self.first_shape)
        for size, step in zip(self.sizes[1:], self.steps, strict=True):
            x = step(torch.nn.functional.interpolate(x, size=size))
        out: Tensor = self.last(x)
        return out
