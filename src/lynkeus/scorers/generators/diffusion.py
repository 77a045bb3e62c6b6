"""Denoising: maps are learned by taking noise off them, and made by taking it off noise, a level at a time.

Karras et al. 2022 (arXiv:2206.00364), with its preconditioning, its weights and its steps; maps come in their spreads.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from lynkeus.training import ADAM, Losses, Update

MIDDLE, WIDE = -1.0, 1.4  # of the logarithm of the levels that are learned
LEAST, MOST, BEND = 0.01, 40.0, 7.0  # levels at which maps are made, and how their steps are spread
JUDGED = (0.05, 0.15, 0.4, 1.0, 3.0)  # levels at which held-out maps are judged


class Denoising:
    """`networks`: one, a Denoiser; `y` of a step is what is known of the maps; `levels` of the noise of which maps are
    made, `learned`: middle and width of the logarithms of those that are learned, `judged`: at which held-out maps are
    judged; a loss, called `named`, is good below `good`."""

    betas = ADAM
    levels = (LEAST, MOST)
    learned = (MIDDLE, WIDE)
    judged: tuple[float, ...] = JUDGED
    named, good = "error", 1.0

    def __init__(self, denoiser: nn.Module) -> None:
        self.networks = nn.ModuleDict({"denoiser": denoiser})

    def start(self, x: Tensor) -> None:
        """Learn nothing before the first epoch."""

    def clean(self, x: Tensor, level: Tensor, known: Tensor) -> Tensor:
        """Return the best guess of maps from noisy ones x (b, ...) at their levels (b,)."""
        own = level[:, None, None, None]
        total = (own**2 + 1).sqrt()
        found: Tensor = self.networks["denoiser"](x / total, level.log(), known)
        return x / total**2 + found * own / total

    def _losses(self, x: Tensor, level: Tensor, noise: Tensor, known: Tensor) -> Tensor:
        """Return (b,) squared errors, weighted so that each level counts alike."""
        found = self.clean(x + noise * level[:, None, None, None], level, known)
        return ((found - x) ** 2).flatten(1).mean(dim=1) * (level**2 + 1) / level**2

    def step(self, x: Tensor, y: Tensor, update: Update) -> Losses:
        """Step the network on the loss of what it makes of noisy maps."""
        middle, wide = self.learned
        level = torch.exp(middle + wide * torch.randn(len(x), device=x.device))
        loss = self._losses(x, level, torch.randn_like(x), y).mean()
        update("denoiser", loss)
        return {self.named: loss}

    def judge(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """Return the mean loss over some levels (b,), and 1 where it is good: better than the noise itself (b,)."""
        draw = torch.Generator().manual_seed(0)
        noise = torch.randn(x.shape, generator=draw).to(x.device)
        losses = [self._losses(x, torch.full((len(x),), level, device=x.device), noise, y) for level in self.judged]
        loss = torch.stack(losses).mean(dim=0)
        return loss, (loss < self.good).float()

    def spread(self, x: Tensor) -> Tensor:
        """Return the variance of maps that are made of noise over that of others is not asked for: 1."""
        return torch.ones(())

    def loss(self, x: Tensor) -> Tensor:
        """Not asked of a generator."""
        raise NotImplementedError

    score = loss

    def made(self, known: Tensor, shape: tuple[int, ...], steps: int, draw: torch.Generator) -> Tensor:
        """Return maps (b, *shape) for what is known of each, by Heun's steps from noise of the `draw`."""
        levels = levels_of(self.levels, steps)
        x = torch.randn((len(known), *shape), generator=draw).to(known.device) * self.levels[1]
        for level, lower in zip(levels, [*levels[1:], torch.zeros(())], strict=True):
            slope = self._slope(x, level, known)
            moved = x + (lower - level) * slope
            if lower > 0:
                moved = x + (lower - level) * 0.5 * (slope + self._slope(moved, lower, known))
            x = moved
        return x

    def _slope(self, x: Tensor, level: Tensor, known: Tensor) -> Tensor:
        return (x - self.clean(x, level.expand(len(x)).to(x.device), known)) / level


def levels_of(ends: tuple[float, float], steps: int) -> Tensor:
    """Return so many levels of noise from the larger to the smaller of two, closer together where they are small."""
    least, most = (end ** (1 / BEND) for end in ends)
    found: Tensor = (most + torch.linspace(0, 1, steps) * (least - most)) ** BEND
    return found
