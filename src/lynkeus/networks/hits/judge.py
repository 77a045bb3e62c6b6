"""Networks that judge hits: dense, of features and all cells; convolutional, of the cells as a picture and features."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from lynkeus.networks.dense import SLOPE, layers
from lynkeus.networks.hits.features import HitFeatures

NEAR = 3.0  # sigmas beyond which an input grows only logarithmically


class HitJudge(nn.Module):
    """Raw values (n, columns) to log odds (n,) of noise, by `features` in sigmas of the training data (`centre`,
    `sigma`) and the cells; what is missing is the mean."""

    centre: Tensor
    sigma: Tensor

    def __init__(self, features: HitFeatures, width: int, convolutional: bool) -> None:
        super().__init__()
        self.features = features
        self.register_buffer("centre", torch.zeros(features.size))
        self.register_buffer("sigma", torch.ones(features.size))
        cells = features.shape[0] * features.shape[1]
        self.convolutions: nn.Module | None = None
        made = cells
        if convolutional:
            self.convolutions = nn.Sequential(
                nn.Conv2d(1, 16, 3, padding=1), nn.LeakyReLU(SLOPE), nn.Conv2d(16, 32, 3, padding=1),
                nn.LeakyReLU(SLOPE), nn.Flatten(), nn.Linear(32 * cells, width), nn.LeakyReLU(SLOPE),
            )  # fmt: skip
            made = width
        self.last = layers((features.size + made, width, width // 2, 1))

    def learn_scale(self, values: Tensor) -> None:
        """Take centre and sigma of the features from training data."""
        with torch.no_grad():
            found = self.features(values).double()
        known = torch.isfinite(found)
        count = known.sum(dim=0).clamp(min=1)
        filled = torch.where(known, found, 0.0)
        centre = filled.sum(dim=0) / count
        spread = (torch.where(known, found - centre, 0.0) ** 2).sum(dim=0) / count
        self.centre.copy_(centre)
        self.sigma.copy_(torch.where(spread > 1e-18, spread.sqrt(), 1.0))

    def forward(self, values: Tensor) -> Tensor:
        """Return (n,) log odds."""
        found = (self.features(values) - self.centre) / self.sigma
        found = torch.where(torch.isfinite(found), found, 0.0)
        parts = [NEAR * torch.asinh(found / NEAR)]
        if self.features.shape[0]:
            cells = self.features.cells(values)
            parts.append(cells.flatten(1) if self.convolutions is None else self.convolutions(cells))
        odds: Tensor = self.last(torch.cat(parts, dim=1))
        return odds[:, 0]
