"""Lots: hits drawn evenly from those that a track can spare, the same ones whenever and wherever they are read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

import torch
from torch import Tensor, nn

ALIGNED = "near/aligned"
COMPUTED = "near/"
WHOLE = 5.5  # rows on a line with a hit, of the six around, above which it can be spared
MOST = 8  # columns that a ticket is made of
JUST = 1e-3  # above 0: what hits that are drawn score at least


class Lots(nn.Module):
    """A `share` of the hits whose column `rows` is above WHOLE is drawn, by tickets that are made of the last digits of
    `columns`, which have nothing to do with the track."""

    columns: Tensor
    share: Tensor
    factors: Tensor

    def __init__(self, rows: int, columns: Sequence[int], share: float = 0.0) -> None:
        super().__init__()
        self.rows = rows
        self.register_buffer("columns", torch.tensor(list(columns), dtype=torch.int64))
        self.register_buffer("share", torch.tensor(share, dtype=torch.float32))
        self.register_buffer("factors", 10.0 * torch.sqrt(torch.tensor(PRIMES[: len(columns)])))

    @classmethod
    def of(cls, names: Sequence[str]) -> Self | None:
        """Return lots of hits with columns of such names; None where nothing is said of the rows around."""
        if ALIGNED not in names:
            return None
        return cls(names.index(ALIGNED), [k for k, name in enumerate(names) if not name.startswith(COMPUTED)][:MOST])

    def tickets(self, values: Tensor) -> Tensor:
        """Return (n,) numbers from 0 to 1, as if drawn; below 0 for hits that cannot be spared."""
        own = values[:, self.columns] * self.factors
        own = torch.where(torch.isfinite(own), own, 0.0)
        own = (own - torch.floor(own)).sum(dim=1)
        spared = values[:, self.rows] > WHOLE
        return torch.where(spared, own - torch.floor(own), -1.0)

    def lift(self, values: Tensor, scores: Tensor) -> Tensor:
        """Return scores (n,), above 0 for hits that are drawn."""
        return torch.where(self.tickets(values) > 1.0 - self.share, scores.clamp(min=JUST), scores)


PRIMES = (2.0, 3.0, 5.0, 7.0, 11.0, 13.0, 17.0, 19.0)
