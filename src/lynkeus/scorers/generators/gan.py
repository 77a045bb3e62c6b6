"""MapGame: a generator of maps against a critic, Wasserstein distance with gradient penalty, at given conditions.

Gulrajani et al. 2017 (arXiv:1704.00028); conditions are shown to both (Mirza & Osindero 2014). What the losses say of
the generator is nothing; kept is the epoch whose maps have the channel moments of held-out ones.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from lynkeus.training import Losses, Update

PENALTY, CRITIC_STEPS = 10.0, 3
JUDGED = 128  # maps that are generated to judge an epoch


class MapGame:
    """`networks`: generator and critic; `y` of a step are the conditions (b, conditions), in their spreads."""

    betas: tuple[float, float] = (0.0, 0.9)  # as published

    def __init__(self, generator: nn.Module, critic: nn.Module, latent: int) -> None:
        self.networks = nn.ModuleDict({"generator": generator, "critic": critic})
        self.latent = latent

    def start(self, x: Tensor) -> None:
        """Learn nothing before the first epoch."""

    def made(self, condition: Tensor, draw: torch.Generator | None = None) -> Tensor:
        """Return maps at conditions (b, conditions), by the random numbers of `draw`, or of the process."""
        generator = self.networks["generator"]
        size = [(len(condition), self.latent, *sides) for sides in (generator.code_size, generator.sizes[0])]
        codes = [torch.randn(one, generator=draw).to(condition.device) for one in size]
        found: Tensor = generator(*codes, condition)
        return found

    def step(self, x: Tensor, y: Tensor, update: Update) -> Losses:
        """One part of the batch for each step of the critic, then one step of the generator."""
        critic, distances = self.networks["critic"], []
        for real, condition in zip(x.chunk(CRITIC_STEPS), y.chunk(CRITIC_STEPS), strict=True):
            made = self.made(condition).detach()
            between = torch.lerp(made, real, torch.rand(len(real), 1, 1, 1, device=x.device)).requires_grad_(True)
            (gradient,) = torch.autograd.grad(critic(between, condition).sum(), between, create_graph=True)
            slope = gradient.flatten(1).norm(dim=1)
            distance = critic(real, condition).mean() - critic(made, condition).mean()
            update("critic", PENALTY * ((slope - 1.0) ** 2).mean() - distance)
            distances.append(distance.detach())
        update("generator", -critic(self.made(y), y).mean())
        return {"wasserstein": torch.stack(distances).mean()}

    def judge(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """Return how far the moments of the channels of generated maps are from those of maps x, in spreads of a map,
        the same for each (b,); and 1 where they are nearer than one spread."""
        made = self.made(y[:JUDGED], torch.Generator().manual_seed(0))
        own, theirs = (_moments(one) for one in (x, made))
        apart = (own.mean(dim=0) - theirs.mean(dim=0)) / own.std(dim=0).clamp(min=1e-6)
        wide = (theirs.std(dim=0) / own.std(dim=0).clamp(min=1e-6)).clamp(min=1e-3).log()
        distance = (apart**2).mean() + (wide**2).mean()
        return distance.expand(len(x)), (apart.abs() < 1).float().mean().expand(len(x))

    def spread(self, x: Tensor) -> Tensor:
        """Return the variance of generated maps over that of others; near 0 all are the same."""
        conditions = self.networks["generator"].first.in_channels - self.latent
        made = self.made(torch.zeros(len(x), conditions, device=x.device), torch.Generator().manual_seed(0))
        found: Tensor = made.var(dim=0).sum() / x.var(dim=0).sum().clamp(min=1e-12)
        return found

    def loss(self, x: Tensor) -> Tensor:
        """Not asked of a game."""
        raise NotImplementedError

    score = loss


def _moments(x: Tensor) -> Tensor:
    return torch.cat([x.mean(dim=(2, 3)), x.abs().mean(dim=(2, 3)), (x**2).mean(dim=(2, 3))], dim=1)
