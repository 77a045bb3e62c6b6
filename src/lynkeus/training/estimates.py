"""Estimates: the task of a network of numbers: mean and spread of each, by the likelihood of a normal distribution.

Nix & Weigend 1994; the gradient of each sample is weighted by the size of its spread, so that what is hard to learn is
learned at all (Seitzer et al. 2022, arXiv:2203.09168).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from lynkeus.training.task import ADAM, Losses, Update

BETA = 0.5
LEAST_LOG, MOST_LOG = -12.0, 6.0  # of a variance, in units of the variance of what is learned


class Estimates:
    """`networks`: one, from samples to (b, 2 outputs, ...): estimates, then logarithms of variances."""

    betas = ADAM

    def __init__(self, network: nn.Module) -> None:
        self.networks = nn.ModuleDict({"estimate": network})

    def start(self, x: Tensor) -> None:
        """Learn nothing before the first epoch."""

    def parts(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return estimates and log variances (b, outputs, ...)."""
        mean, log_variance = self.networks["estimate"](x).chunk(2, dim=1)
        return mean, log_variance.clamp(LEAST_LOG, MOST_LOG)

    def step(self, x: Tensor, y: Tensor, update: Update) -> Losses:
        """Step the network and return its loss."""
        mean, log_variance = self.parts(x)
        losses = 0.5 * (log_variance + (y - mean) ** 2 / log_variance.exp())
        loss = (losses * log_variance.detach().exp() ** BETA).mean()
        update("estimate", loss)
        return {"likelihood": loss}

    def judge(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """Return the mean square error (b,), and the share of numbers within one spread (b,)."""
        mean, log_variance = self.parts(x)
        inside = (y - mean).abs() <= (0.5 * log_variance).exp()
        return ((y - mean) ** 2).flatten(1).mean(dim=1), inside.float().flatten(1).mean(dim=1)

    def spread(self, x: Tensor) -> Tensor:
        """Return the standard deviation (scalar) of the estimates over the samples."""
        return self.parts(x)[0].std(dim=0).mean()

    def loss(self, x: Tensor) -> Tensor:
        """Not asked of a task of numbers."""
        raise NotImplementedError

    score = loss


class Rests(Estimates):
    """Estimates of what a simpler model beside the network has left, which may be nothing."""

    def spread(self, x: Tensor) -> Tensor:
        """Return 1: samples come out differently by the model beside it, whatever the network adds."""
        return torch.ones(())
