"""Denoiser: what noise was put on maps, at a level that is given; convolutions only, so that no place is special.

As a diffusion model reads it: Karras et al. 2022 (arXiv:2206.00364), without attention and without coarser levels.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from lynkeus.networks.maps.padding import RingConvolution

WAVES = 8  # of the logarithm of the level


class Block(nn.Module):
    """Two convolutions beside what comes in, the first scaled and shifted by the level of the noise."""

    def __init__(self, width: int, level: int, rings: tuple[bool, bool]) -> None:
        super().__init__()
        self.first, self.second = RingConvolution(width, width, 3, rings), RingConvolution(width, width, 3, rings)
        self.level = nn.Linear(level, 2 * width)
        nn.init.zeros_(self.second.weight)

    def forward(self, x: Tensor, level: Tensor) -> Tensor:
        scale, shift = self.level(level)[:, :, None, None].chunk(2, dim=1)
        found: Tensor = self.second(functional.silu(self.first(functional.silu(x)) * (1 + scale) + shift))
        return x + found


class Denoiser(nn.Module):
    """Maps (b, c, row, column), log of the level (b,) and what is `known` of them, numbers (b, d) or maps (b, d, row,
    column), to maps of the same shape, or of `made` channels."""

    def __init__(
        self, channels: int, known: int, width: int, blocks: int, rings: tuple[bool, bool], made: int = 0
    ) -> None:
        super().__init__()
        level = 2 * width
        self.embed = nn.Sequential(nn.Linear(2 * WAVES, level), nn.SiLU(), nn.Linear(level, level), nn.SiLU())
        self.first = RingConvolution(channels + known, width, 3, rings)
        self.blocks = nn.ModuleList(Block(width, level, rings) for _ in range(blocks))
        self.last = RingConvolution(width, made or channels, 3, rings)
        nn.init.zeros_(self.last.weight)
        self.register_buffer("waves", torch.exp(torch.linspace(math.log(0.25), math.log(4.0), WAVES)))

    def forward(self, x: Tensor, log_level: Tensor, known: Tensor) -> Tensor:
        angle = log_level[:, None] * self.waves
        level = self.embed(torch.cat([angle.sin(), angle.cos()], dim=1))
        if known.ndim == 2:
            known = known[:, :, None, None].expand(-1, -1, *x.shape[2:])
        x = self.first(torch.cat([x, known], dim=1))
        for block in self.blocks:
            x = block(x, level)
        found: Tensor = self.last(functional.silu(x))
        return found
