"""Finer: what is between the pixels of a coarse map, as channels of each of its pixels (Shi et al. 2016,
arXiv:1609.05158)."""

from __future__ import annotations

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
