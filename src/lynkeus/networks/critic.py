"""Critic and encoder of waveforms and images: residual blocks that halve the axes, the same in one or two dimensions.

No batch normalisation: the gradient penalty is asked of every sample by itself.
"""

from __future__ import annotations

from math import prod
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool1d, avg_pool2d, leaky_relu

from lynkeus.networks.convolution import halvings
from lynkeus.networks.dense import SLOPE, DenseEncoder
from lynkeus.networks.shapes import Codes, PerSample, Samples, Shape

FEATURES = 64  # numbers that the critic computes before its last layer
WIDEST = 4  # times the channels of the first block


def channels(step: int, width: int) -> int:
    """Return the number of channels after `step` halvings."""
    return min(2**step, WIDEST) * width


def convolution(axes: int) -> type[nn.Module]:
    """Return the convolution layer for samples with that many axes: 2 for waveforms, 3 for images."""
    return nn.Conv1d if axes == 2 else nn.Conv2d


class Halving(nn.Module):
    """Two convolutions, the second with stride 2, beside a mean of neighbours."""

    def __init__(self, axes: int, given: int, made: int) -> None:
        super().__init__()
        kind = convolution(axes)
        self.first, self.second = kind(given, given, 3, 1, 1), kind(given, made, 3, 2, 1)
        self.beside = kind(given, made, 1)
        self.pool = avg_pool1d if axes == 2 else avg_pool2d

    def forward(self, x: Tensor) -> Tensor:
        out = self.second(leaky_relu(self.first(leaky_relu(x, SLOPE)), SLOPE))
        beside: Tensor = self.beside(self.pool(x, 2, ceil_mode=True))
        return out + beside


class ResidualEncoder(nn.Module):
    """Samples (b, c, t) or (b, c, h, w) to `size` numbers (b, size)."""

    def __init__(self, shape: Shape, size: int, width: int) -> None:
        super().__init__()
        sizes, axes = halvings(shape), len(shape)
        steps = max(len(sizes) - 2, 0)
        blocks = [Halving(axes, channels(step, width), channels(step + 1, width)) for step in range(steps)]
        stride = min(len(sizes), 2)  # blocks at full size would cost most of the time
        self.blocks = nn.Sequential(convolution(axes)(shape[0], width, 5, stride, 2), *blocks)
        self.last = nn.Linear(channels(steps, width) * prod(sizes[-1]), size)

    def forward(self, x: Samples) -> Codes:
        out: Tensor = self.last(leaky_relu(self.blocks(x), SLOPE).flatten(1))
        return out


def encoder(shape: Shape, size: int, width: int) -> nn.Module:
    """Return an encoder: dense for tables, of residual blocks for all else."""
    return DenseEncoder(shape, size, width) if len(shape) == 1 else ResidualEncoder(shape, size, width)


class CriticOutput(NamedTuple):
    """`value`: higher = more like the training samples; `features` (b, FEATURES); `slope`: norm of d value / d x."""

    value: PerSample
    features: Tensor
    slope: PerSample


class Critic(nn.Module):
    """An encoder to `features` numbers, and one from them. `feature_sigma`: unit of the features that are given out."""

    feature_sigma: Tensor

    def __init__(self, encoder: nn.Module, features: int, leak: float = SLOPE) -> None:
        super().__init__()
        self.encoder, self.leak = encoder, leak
        self.last = nn.Linear(features, 1)
        self.register_buffer("feature_sigma", torch.ones(features))

    def forward(self, x: Samples, with_slope: bool = False) -> CriticOutput:
        """Return value, features and slope; the slope is 0 where it is not asked for, as it costs a backward pass."""
        return self._with_slope(x) if with_slope else self._without_slope(x)

    def _without_slope(self, x: Samples) -> CriticOutput:
        features = self.encoder(x)
        value = self.last(leaky_relu(features, self.leak)).squeeze(1)
        return CriticOutput(value, features / self.feature_sigma, torch.zeros_like(value))

    @torch.compiler.disable  # what is compiled cannot be gone back through twice
    def _with_slope(self, x: Samples) -> CriticOutput:
        x = x.detach().requires_grad_(True)
        found = self._without_slope(x)
        (gradient,) = torch.autograd.grad(found.value.sum(), x, create_graph=True)
        return found._replace(slope=gradient.flatten(1).norm(dim=1))


def critic(shape: Shape, width: int) -> Critic:
    """Return a critic with the same layers as the encoder."""
    return Critic(encoder(shape, FEATURES, width), FEATURES)
