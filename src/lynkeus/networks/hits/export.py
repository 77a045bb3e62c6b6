"""HitScores: a judge of hits as it is exported: no score for a hit that misses more than half of its values."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class HitScores(nn.Module):
    """Raw values (n, columns) to scores (n, 1), NaN where more than half of the values are missing."""

    def __init__(self, judge: nn.Module) -> None:
        super().__init__()
        self.judge = judge

    def forward(self, values: Tensor) -> Tensor:
        """Return scores (n, 1)."""
        missing = (~torch.isfinite(values)).to(torch.float32).mean(dim=1)
        return torch.where(missing > 0.5, torch.nan, self.judge(values))[:, None]
