"""Points: a search at several mass points, whose signals are looked for one at a time beside the whole background.

The expected significance is that of one point: its own signal, and all background events as a network for that point
sees them. Of all points together, signals would add up to one that there is at none of them, and each background event
would count at one of them only.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from lynkeus.core import Array, Floats
from lynkeus.training.discovery import Discovery
from lynkeus.training.profiled import Profiled

MOST = 50  # points that are told apart; of more all together are one signal
AT_ONCE = 4  # points of a step

Significance = Discovery | Profiled


@dataclass(frozen=True)
class Points:
    """`values` (points, k) of the mass `columns` as the network reads them, and how many events of the signal are
    `expected` at each, (points,)."""

    columns: tuple[int, ...]
    values: Tensor
    expected: tuple[float, ...]

    @classmethod
    def of(cls, columns: list[int], x: Floats, signal: Array, weight: Floats, expected: float) -> Points | None:
        """Return the points of events x (n, columns) of which some are `signal` (n,), `expected` events by their
        weights; None where there is one, or more than MOST."""
        values, which = np.unique(np.asarray(x)[signal][:, columns], axis=0, return_inverse=True)
        if not 1 < len(values) <= MOST:
            return None
        own = np.bincount(which.reshape(-1), np.asarray(weight, float)[signal], len(values))
        kept = own > 0
        return cls(tuple(columns), torch.from_numpy(values[kept]), tuple(expected * own[kept] / own.sum()))

    def __len__(self) -> int:
        return len(self.values)

    def numbers(self, x: Tensor) -> Tensor:
        """Return (n,) the number of the point of each event."""
        return torch.cdist(x[:, list(self.columns)], self.values.to(x)).argmin(dim=1)

    def loss(
        self, loss: Significance, outputs: Callable[[Tensor], Tensor], x: Tensor, y: Tensor, signal: int,
        weight: Tensor | None, chosen: list[int],
    ) -> Tensor:  # fmt: skip
        """Return the scalar loss of events x (n, columns) of classes y (n,): the mean logarithm of it at the `chosen`
        points, so that each counts by how much of itself it gains. `outputs`: (n, columns) to the output (n,)."""
        is_signal = y == signal
        backgrounds, number = torch.nonzero(~is_signal)[:, 0], torch.full_like(y, -1)
        number[is_signal] = self.numbers(x[is_signal])
        found = []
        for k in chosen:
            own = torch.nonzero(number == k)[:, 0]
            if not len(own):
                continue
            rows = torch.cat([own, backgrounds])
            at = x[rows]
            at[:, list(self.columns)] = self.values[k].to(x)
            heavy = None if weight is None else weight[rows]
            value = self._with(loss, signal, k).of_classes(outputs(at), y[rows], signal, heavy)
            found.append(torch.sign(value.detach()) * value.abs().clamp(min=1e-9).log())
        return torch.stack(found).mean() if found else outputs(x[:1]).sum() * 0.0

    def _with(self, loss: Significance, signal: int, k: int) -> Significance:
        if isinstance(loss, Discovery):
            return replace(loss, signal=self.expected[k])
        expected = list(loss.expected)
        expected[signal] = self.expected[k]
        return replace(loss, expected=tuple(expected))

    def some(self, y: Tensor) -> list[int]:
        """Return the points of a step, drawn by the batch itself, so that a training that goes on draws them again."""
        draw = torch.Generator().manual_seed(int((y.cpu() * torch.arange(1, len(y) + 1)).sum()) % (2**31))
        return torch.randperm(len(self), generator=draw)[:AT_ONCE].tolist()
