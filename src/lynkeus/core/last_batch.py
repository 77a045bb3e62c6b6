"""LastBatch: what was computed of the batch asked for last, for `score`, `explain` and `find` of one scorer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from lynkeus.core.batch import Batch

T = TypeVar("T")


@dataclass
class LastBatch(Generic[T]):
    """Holds one result, of the very batch it was computed from; asked for another one, it computes anew."""

    batch: Batch | None = None
    result: T | None = None

    def of(self, batch: Batch, compute: Callable[[Batch], T]) -> T:
        """Return what `compute` gives of a batch, from memory where it is the last one."""
        if self.batch is not batch or self.result is None:
            self.batch, self.result = batch, compute(batch)
        return self.result

    def forget(self) -> None:
        """Hold nothing, as after the state of the scorer has moved."""
        self.batch = self.result = None
