"""FinerGame: what is not known of fine pixels, by a conditional WGAN-GP (Mirza & Osindero 2014; Gulrajani et al. 2017).

It begins as noise that is alike nowhere, with the spread that is right, and learns from the critic what hangs together.
"""

from __future__ import annotations

import torch
from torch import Tensor

from lynkeus.networks.maps.finer import FinerCritic, FinerGenerator
from lynkeus.scorers.generators.gan import MapGame


class FinerGame(MapGame):
    """`networks`: generator and critic; x of a step are maps (b, channels, row, column), y what is known of them, maps
    of the same size."""

    def __init__(self, channels: int, known: int, width: int, blocks: int) -> None:
        super().__init__(FinerGenerator(known, channels, width, blocks), FinerCritic(channels, known, width), channels)

    def made(self, condition: Tensor, draw: torch.Generator | None = None) -> Tensor:
        """Return maps for what is known (b, known, row, column), by the random numbers of `draw`, or of the process."""
        generator = self.networks["generator"]
        noise = torch.randn((len(condition), self.latent, *condition.shape[2:]), generator=draw).to(condition.device)
        found: Tensor = generator(noise, condition)
        return found

    def judge(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """Return how far means, squares and products with neighbours of maps that are made are from those of maps x,
        the same for each (b,), and the share of them that is nearer than a tenth."""
        made = self.made(y, torch.Generator().manual_seed(0))
        apart = _alike(made) - _alike(x)
        return (apart**2).mean().expand(len(x)), (apart.abs() < 0.1).float().mean().expand(len(x))

    def spread(self, x: Tensor) -> Tensor:
        """Return 1: noise differs, and so do maps."""
        return torch.ones(())


def _alike(x: Tensor) -> Tensor:
    """Return (numbers,) means and squares of each channel, products with neighbours, and of two channels."""
    pairs = [x[:, :, :, 1:] * x[:, :, :, :-1], x[:, :, 1:] * x[:, :, :-1]]
    own = [x.mean(dim=(0, 2, 3)), *(pair.mean(dim=(0, 2, 3)) for pair in pairs)]
    both = torch.einsum("nirs,njrs->ij", x, x) / (len(x) * x.shape[2] * x.shape[3])
    return torch.cat([*own, both.flatten()])
