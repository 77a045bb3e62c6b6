"""The adversarial part: generator against critic, Wasserstein distance with gradient penalty (WGAN-GP).

Gulrajani et al. 2017, arXiv:1704.00028. The losses of the two say nothing about how good the generator is. The energy
score of held-out samples does: a proper scoring rule (Gneiting & Raftery 2007), least for a generator that makes what
the instrument makes; too few kinds of samples cost as much as wrong ones.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from lynkeus.training import Losses, Update

PENALTY = 10.0  # weight of (slope - 1)^2, as published
MADE = 256  # generated samples, always the same codes, by which the generator is judged


class Game:
    """The task: critic steps on parts of a batch, then one step of the generator. `spread` of 0 is a mode collapse."""

    betas: tuple[float, float] = (0.0, 0.9)  # as published

    def __init__(self, generator: nn.Module, critic: nn.Module, latent: int, critic_steps: int) -> None:
        self.networks = nn.ModuleDict({"generator": generator, "critic": critic})
        self.latent, self.critic_steps = latent, critic_steps
        self.codes = torch.randn(MADE, latent, generator=torch.Generator().manual_seed(0))

    def start(self, x: Tensor) -> None:
        """Draw the codes by which the generator is measured, on the device of the samples."""
        self.codes = self.codes.to(x.device)

    def step(self, x: Tensor, y: Tensor, update: Update) -> Losses:
        """Known anomalies are not learned from. One part of the batch for each step of the critic."""
        generator, critic = self.networks["generator"], self.networks["critic"]
        good = x[y == 0]
        if not len(good):
            return {}
        distances = []
        for real in good.chunk(self.critic_steps):
            made = generator(self._codes_like(real)).detach()
            # One pass for all three: real and made samples are told apart, slopes are taken in between.
            between = torch.lerp(made, real, torch.rand(len(real), *[1] * (real.ndim - 1), device=real.device))
            slope = critic(between, with_slope=True).slope
            value_real, value_made = critic(torch.cat([real, made])).value.split(len(real))
            distance = value_real.mean() - value_made.mean()
            update("critic", PENALTY * ((slope - 1.0) ** 2).mean() - distance)
            distances.append(distance.detach())
        loss = -critic(generator(self._codes_like(real))).value.mean()
        update("generator", loss)
        return {"wasserstein": torch.stack(distances).mean()}

    def loss(self, x: Tensor) -> Tensor:
        """Return (b,) energy score: mean distance to generated samples, less half of their distance to one another."""
        made = self._made()
        size = x[0].numel() ** 0.5
        among = torch.cdist(made, made).sum() / (MADE * (MADE - 1))
        return (torch.cdist(x.flatten(1), made).mean(dim=1) - 0.5 * among) / size

    def score(self, x: Tensor) -> Tensor:
        """Return (b,) zeros: nothing is found by a generator alone, so that the energy score says which epoch is kept.

        By the distance to the nearest generated sample more faults are found early, when all are near the mean.
        """
        return torch.zeros(len(x), device=x.device)

    def spread(self, x: Tensor) -> Tensor:
        """Variance of generated samples, relative to that of good ones."""
        return variance_ratio(self._made(), x)

    def _made(self) -> Tensor:
        return torch.cat([self.networks["generator"](codes) for codes in self.codes.split(64)]).flatten(1)

    def _codes_like(self, x: Tensor) -> Tensor:
        return torch.randn(len(x), self.latent, device=x.device)


def variance_ratio(made: Tensor, good: Tensor) -> Tensor:
    """Total variance of some samples over that of others."""
    return made.flatten(1).var(dim=0).sum() / good.flatten(1).var(dim=0).sum().clamp(min=1e-12)
