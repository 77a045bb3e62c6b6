"""HitFeatures: what the cells of a cluster say of it, as a layer: shapes along pads and times, beside all columns."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

TINY = 1e-6
HIGH = 0.3  # of the highest cell, from which a cell counts as part of the cluster


class HitFeatures(nn.Module):
    """Raw values (n, columns) to `features` (n, size), and to `cells` (n, 1, pads, times) relative to the highest.

    `patch`: which columns are the cells of `shape` pads and times (none: there are only columns); `template`: the mean
    of cells of hits on tracks, each relative to its highest. Missing cells are 0, other missing values stay NaN.
    """

    patch: Tensor
    others: Tensor
    template: Tensor

    def __init__(self, columns: int, patch: Sequence[int], shape: tuple[int, int]) -> None:
        super().__init__()
        self.shape = shape if len(patch) else (0, 0)
        self.register_buffer("patch", torch.tensor(list(patch), dtype=torch.int64))
        rest = [k for k in range(columns) if k not in set(patch)]
        self.register_buffer("others", torch.tensor(rest, dtype=torch.int64))
        self.register_buffer("template", torch.ones(self.shape))

    @property
    def size(self) -> int:
        """Return the number of features."""
        own = 12 + sum(self.shape) if self.shape[0] else 0
        return len(self.others) + own

    def names(self, columns: Sequence[str]) -> tuple[str, ...]:
        """Return the names of the features, of columns as they are called."""
        rest = [columns[int(k)] for k in self.others]
        if not self.shape[0]:
            return tuple(rest)
        own = ["total", "highest", "pad_mean", "pad_rms", "time_mean", "time_rms", "time_skew", "below_zero", "border",
               "like_signal", "pads_alike", "times_alike"]  # fmt: skip
        own += [f"pad{k}" for k in range(self.shape[0])] + [f"time{k}" for k in range(self.shape[1])]
        return (*rest, *(f"cells/{name}" for name in own))

    def cells(self, values: Tensor) -> Tensor:
        """Return (n, 1, pads, times) the cells relative to the highest of each hit."""
        cells = self._patch(values)
        return (cells / cells.amax(dim=(1, 2), keepdim=True).clamp(min=TINY)).clamp(-3.0, 1.0)[:, None]

    def forward(self, values: Tensor) -> Tensor:
        """Return (n, size) features."""
        rest = values[:, self.others]
        if not self.shape[0]:
            return rest
        cells = self._patch(values)
        return torch.cat([rest, *self._shapes(cells)], dim=1)

    def _patch(self, values: Tensor) -> Tensor:
        cells = values[:, self.patch].reshape(-1, *self.shape)
        return torch.where(torch.isfinite(cells), cells, 0.0)

    def _shapes(self, cells: Tensor) -> list[Tensor]:
        up = cells.clamp(min=0.0)
        total = up.sum(dim=(1, 2)).clamp(min=TINY)
        highest = cells.amax(dim=(1, 2)).clamp(min=TINY)
        pads, times = up.sum(dim=2) / total[:, None], up.sum(dim=1) / total[:, None]
        pad_mean, pad_rms, _ = _moments(pads)
        time_mean, time_rms, time_skew = _moments(times)
        below = (-cells.clamp(max=0.0)).sum(dim=(1, 2)) / total
        square = (cells**2).sum(dim=(1, 2)).clamp(min=TINY)
        like = (cells * self.template).sum(dim=(1, 2)) / (square * (self.template**2).sum().clamp(min=TINY)).sqrt()
        alike_pads = (cells[:, 1:] * cells[:, :-1]).sum(dim=(1, 2)) / square
        alike_times = (cells[:, :, 1:] * cells[:, :, :-1]).sum(dim=(1, 2)) / square
        ends = torch.maximum(cells[:, [0, -1]].amax(dim=(1, 2)), cells[:, :, [0, -1]].amax(dim=(1, 2))) / highest
        own = [
            torch.log1p(total), torch.log1p(highest), pad_mean, pad_rms, time_mean, time_rms, time_skew, below, ends,
            like, alike_pads, alike_times,
        ]  # fmt: skip
        return [torch.stack(own, dim=1), pads, times]


def _moments(profile: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return mean, rms and skewness (n,) of profiles (n, k) whose sum is one."""
    place = torch.arange(profile.shape[1], dtype=profile.dtype, device=profile.device)
    mean = (profile * place).sum(dim=1)
    away = place[None, :] - mean[:, None]
    rms = (profile * away**2).sum(dim=1).clamp(min=TINY).sqrt()
    return mean, rms, (profile * away**3).sum(dim=1) / rms**3
