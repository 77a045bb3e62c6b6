"""Profile: a map as the profile of its rows and what each place has beyond it: a spectrum in p_T, and flow in phi.

A profile is smooth and varies much, by what is not asked for (how hot the fluid ended, how fast it flew); its bends and
the structure along a row are small beside it, and a network that sees them at one scale does not see them.
"""

from __future__ import annotations

from typing import Self

import numpy as np
import torch
from torch import Tensor, nn

from lynkeus.core import Floats

DEGREE = 2  # of the polynomial that is taken out of a profile
CHANNELS = 3
NOISE = 0.02  # of the spread of a profile: bends that are smaller are not enlarged any further
FAR = 8.0


class Profile(nn.Module):
    """Maps (b, 1, row, column) to (b, 3, row, column): the mean of each row, the same without the polynomial that fits
    it best, and each place less the mean of its row; each row of each in its spreads over training maps."""

    channels = CHANNELS

    def __init__(self, rows: int) -> None:
        super().__init__()
        place = np.linspace(-1, 1, rows)
        basis = np.linalg.qr(np.stack([place**k for k in range(DEGREE + 1)], axis=1))[0]
        self.register_buffer("without", torch.from_numpy(np.eye(rows) - basis @ basis.T).float())
        self.register_buffer("centre", torch.zeros(CHANNELS, rows, 1))
        self.register_buffer("sigma", torch.ones(CHANNELS, rows, 1))

    def learn(self, maps: Floats) -> Self:
        """Take centre and spread from training maps (n, 1, row, column)."""
        with torch.no_grad():
            parts = self.parts(torch.from_numpy(maps))
            self.centre = parts.mean(dim=(0, 3))[..., None]
            sigma = parts.std(dim=(0, 3))[..., None]
            self.sigma = sigma.clamp(min=NOISE * float(sigma[0].mean()))
        return self

    def parts(self, x: Tensor) -> Tensor:
        """Return the three, not yet in spreads."""
        mean = x.mean(dim=3, keepdim=True)
        bent = torch.einsum("ij,bcjk->bcik", self.without, mean)
        return torch.cat([mean.expand_as(x), bent.expand_as(x), x - mean], dim=1)

    def forward(self, x: Tensor) -> Tensor:
        return ((self.parts(x) - self.centre) / self.sigma).clamp(-FAR, FAR)
