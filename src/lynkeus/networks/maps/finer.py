"""Finer: what is between the pixels of a coarse map, as channels of each of its pixels (Shi et al. 2016,
arXiv:1609.05158)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from lynkeus.networks.maps.padding import RingConvolution

EDGES = (False, False)


class Finer(nn.Module):
    """Coarse maps (b, c, row, column) to (b, outputs, row, column): `blocks` residual ones, 0 before training."""

    def __init__(self, channels: int, outputs: int, width: int, blocks: int) -> None:
        super().__init__()
        self.first = RingConvolution(channels, width, 3, EDGES)
        self.blocks = nn.ModuleList(
            nn.Sequential(
                nn.SiLU(), RingConvolution(width, width, 3, EDGES), nn.SiLU(), RingConvolution(width, width, 3, EDGES)
            )
            for _ in range(blocks)
        )
        self.last = nn.Conv2d(width, outputs, 1)
        nn.init.zeros_(self.last.weight)
        nn.init.zeros_(self.last.bias)

    def forward(self, x: Tensor) -> Tensor:
        x = self.first(x)
        for block in self.blocks:
            x = x + block(x)
        found: Tensor = self.last(functional.silu(x))
        return found


class FinerGenerator(nn.Module):
    """Noise (b, outputs, row, column) and what is `known` (b, known, row, column) to maps like the noise: before
    training the noise itself."""

    def __init__(self, known: int, outputs: int, width: int, blocks: int) -> None:
        super().__init__()
        self.outputs = outputs
        self.network = Finer(known + outputs, outputs, width, blocks)

    def forward(self, noise: Tensor, known: Tensor) -> Tensor:
        found: Tensor = noise + self.network(torch.cat([noise, known], dim=1))
        return found


class FinerCritic(nn.Module):
    """Maps (b, channels, row, column), beside what is known of them, to values (b,), by means over places."""

    def __init__(self, channels: int, known: int, width: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList([
            RingConvolution(channels + known, 2 * width, 3, EDGES), RingConvolution(2 * width, 2 * width, 3, EDGES),
            RingConvolution(2 * width, 2 * width, 3, EDGES),
        ])  # fmt: skip
        self.last = nn.Linear(6 * width + channels, 1)

    def forward(self, x: Tensor, known: Tensor) -> Tensor:
        own, x = [(x**2).mean(dim=(2, 3))], torch.cat([x, known], dim=1)
        for layer in self.layers:
            x = functional.leaky_relu(layer(x), 0.1)
            own.append(x.mean(dim=(2, 3)))
        found: Tensor = self.last(torch.cat(own, dim=1)).squeeze(1)
        return found
