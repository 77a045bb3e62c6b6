"""Normalising flow: an invertible map of samples to standard normal numbers, so that the density is known.

First the principal axes, then affine couplings (RealNVP, Dinh et al. 2017, arXiv:1605.08803), each after a fixed
rotation.
"""

from __future__ import annotations

from math import prod

import torch
from torch import Tensor, nn

from lynkeus.networks.dense import layers
from lynkeus.networks.shapes import PerSample, Samples, Shape

MOST_LOG_SCALE = 2.0  # of one coupling: what lies far outside of all training samples stays finite
NOISE_SIGMA = 0.05  # below this deviations mean nothing: columns of few values have no density without it


class Coupling(nn.Module):
    """Half of the numbers are scaled and shifted by what the other half says; the identity before training."""

    rotation: Tensor

    def __init__(self, size: int, width: int) -> None:
        super().__init__()
        self.kept = size // 2
        self.layers = layers((self.kept, width, width, 2 * (size - self.kept)))
        nn.init.zeros_(self.layers[-1].weight)
        nn.init.zeros_(self.layers[-1].bias)
        self.register_buffer("rotation", torch.linalg.qr(torch.randn(size, size))[0])

    def forward(self, x: Samples) -> tuple[Samples, PerSample]:
        x = x @ self.rotation  # volumes stay the same
        kept, moved = x[:, : self.kept], x[:, self.kept :]
        scale, shift = self.layers(kept).chunk(2, dim=1)
        log_scale = MOST_LOG_SCALE * torch.tanh(scale / MOST_LOG_SCALE)
        return torch.cat([kept, moved * log_scale.exp() + shift], dim=1), log_scale.sum(dim=1)


class CouplingFlow(nn.Module):
    """Samples (b, *shape) to normal numbers (b, n) and the log of the Jacobian determinant (b,).

    Couplings act on the `mixed` leading principal components; the rest counts as one variance, which makes the whole a
    density of all numbers (probabilistic PCA, Tipping & Bishop 1999).
    """

    centre: Tensor
    axes: Tensor
    sigma: Tensor

    def __init__(self, shape: Shape, mixed: int, couplings: int, width: int) -> None:
        super().__init__()
        size = prod(shape)
        self.mixed = min(mixed, size)
        count = couplings if self.mixed > 1 else 0
        self.couplings = nn.ModuleList(Coupling(self.mixed, width) for _ in range(count))
        self.register_buffer("centre", torch.zeros(size))
        self.register_buffer("axes", torch.eye(size))
        self.register_buffer("sigma", torch.ones(size))

    def set_axes(self, x: Samples) -> None:
        """Principal axes of some good samples; to be called before training."""
        flat = x.flatten(1).double()
        self.centre.copy_(flat.mean(dim=0))
        variance, axes = torch.linalg.eigh(torch.atleast_2d(torch.cov(flat.T, correction=0)))
        variance = variance.flip(0).clamp(min=0.0) + NOISE_SIGMA**2
        if self.mixed < len(variance):
            variance[self.mixed :] = variance[self.mixed :].mean()
        self.axes.copy_(axes.flip(1))
        self.sigma.copy_(variance.sqrt())

    def forward(self, x: Samples) -> tuple[Samples, PerSample]:
        z = (x.flatten(1) - self.centre) @ self.axes / self.sigma
        mixed, rest = z[:, : self.mixed], z[:, self.mixed :]
        log_volume = -self.sigma.log().sum().expand(len(x))
        for coupling in self.couplings:
            mixed, gained = coupling(mixed)
            log_volume = log_volume + gained
        return torch.cat([mixed, rest], dim=1), log_volume
