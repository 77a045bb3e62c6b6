"""KnownFeed: samples of one shape whose answer is known, a class or numbers, and held-out ones that judge a training.

No sample is good or faulty here: what is planted into good ones to judge a scorer of anomalies has no place.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from lynkeus.core import Array
from lynkeus.training.feed import FIRST, Step, cut, shared
from lynkeus.training.settings import TrainSettings
from lynkeus.training.task import CHUNK_NUMBERS, Task


@dataclass(frozen=True)
class KnownSet:
    """Samples `values` (n, ...) float32 and what is known of them: the number of their class (n,) int64, or numbers
    (n, many) float32. `named`: they are classes, and the share that is named rightly is shown.

    Its task has `judge(x, y)`: loss (b,), and whether each is right (b,), as numbers."""

    values: Array
    known: Array
    named: bool = True


class KnownFeed:
    """Training and held-out samples; the latter are drawn at random."""

    def __init__(self, taught: KnownSet, settings: TrainSettings, seed: int, device: torch.device) -> None:
        self.settings, self.taught = settings, taught
        order = np.random.default_rng(seed).permutation(len(taught.values))
        held_out = min(max(1, round(settings.held_out * len(order))), len(order) - 1)
        self.held_out, self.training = np.sort(order[:held_out]), np.sort(order[held_out:])
        self.size = len(self.training)
        self.x, self.y = torch.from_numpy(taught.values).to(device), torch.from_numpy(taught.known).to(device)

    def first(self) -> Tensor:
        """Return some samples."""
        return self.x[torch.from_numpy(self.training[:FIRST])]

    def batches(self, draw: torch.Generator, rank: int, world: int) -> tuple[int, Iterator[Step]]:
        """See `Feed`."""
        size = self.settings.batch_of(self.size)
        parts = shared(cut(torch.randperm(self.size, generator=draw), size), rank, world)
        return len(parts), (self._step(rows, k * size) for k, rows in enumerate(parts))

    def _step(self, rows: Tensor, done: int) -> Step:
        chosen = torch.from_numpy(self.training)[rows].to(self.x.device)
        return Step(self.x[chosen], self.y[chosen], (), done)

    def measure(self, task: Task) -> tuple[float, float, float]:
        """Return mean held-out loss, the share that is right, and the spread of the outputs."""
        judged: Any = task
        size = max(1, CHUNK_NUMBERS // max(1, int(np.prod(self.x.shape[1:]))))
        rows = torch.from_numpy(self.held_out).to(self.x.device)
        with torch.no_grad():
            parts = [judged.judge(self.x[own], self.y[own]) for own in rows.split(size)]
            spread = float(task.spread(self.x[rows[:size]]))
        loss, right = (float(torch.cat([part[k] for part in parts]).double().mean()) for k in (0, 1))
        return loss, right, spread

    def digest(self, digest: Any) -> None:
        """Add all samples to a checksum."""
        for array in (self.taught.values, self.taught.known):
            digest.update(np.ascontiguousarray(array).data)
