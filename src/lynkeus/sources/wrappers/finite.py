"""Finite: a Source without Inf; the readers leave it in, this wrapper turns it into NaN and counts what is missing."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from lynkeus.core.batch import Array, Batch
from lynkeus.core.packed import Group, Packed
from lynkeus.sources.wrappers.wrapper import Wrapper


class Finite(Wrapper):
    """The same samples with Inf as NaN (missing); `messages` counts both and names the first channel."""

    def __len__(self) -> int:
        return len(self.source)  # type: ignore[arg-type]

    def __iter__(self) -> Iterator[Batch]:
        self.own_messages.clear()
        infinite, missing = _Count("infinite values are taken as missing (NaN)"), _Count("values are missing (NaN)")
        for batch in self.source:
            if isinstance(batch.values, Packed):
                batch, seen = _finite(batch, batch.values)
                infinite.total, missing.total = infinite.total + seen[0], missing.total + seen[1]
                self.own_messages[:] = [count.line for count in (infinite, missing) if count.total]
                yield batch
                continue
            if batch.values.dtype.kind != "f" or np.isfinite(batch.values).all():
                yield batch
                continue
            is_infinite = np.isinf(batch.values)
            infinite.add(is_infinite, self.schema.names)
            missing.add(np.isnan(batch.values), self.schema.names)
            self.own_messages[:] = [count.line for count in (infinite, missing) if count.total]
            if is_infinite.any():
                values = np.where(is_infinite, np.nan, batch.values).astype(batch.values.dtype, copy=False)
                batch = batch.with_values(values)
            yield batch


def _finite(batch: Batch, packed: Packed) -> tuple[Batch, tuple[int, int]]:
    """Return clouds without Inf, and how many values were infinite and how many are missing."""
    groups, infinite, missing = {}, 0, 0
    for name, (values, offsets) in packed.groups.items():
        here = np.isinf(values)
        infinite, missing = infinite + int(here.sum()), missing + int(np.isnan(values).sum())
        groups[name] = Group(np.where(here, np.nan, values).astype(values.dtype) if here.any() else values, offsets)
    return (batch.with_values(Packed(groups)) if infinite else batch), (infinite, missing)


class _Count:
    """How many values of one kind there are, and where the first one is."""

    def __init__(self, what: str) -> None:
        self.what, self.total, self.first = what, 0, ""

    def add(self, here: Array, names: tuple[str, ...]) -> None:
        if not self.total and here.any() and names and here.ndim > 1:
            self.first = f", first in {names[int(np.argwhere(here)[0][1])]}"
        self.total += int(here.sum())

    @property
    def line(self) -> str:
        return f"{self.total} {self.what}{self.first}"
