"""The events of runs as the scorer population reads them: without padding, with their groups."""

from __future__ import annotations

import numpy as np

from lynkeus.core import Array, Batch, Floats, Source


def there_in(batch: Batch, row: int) -> Array:
    """Return a mask (event,) of the events that a run has; the others are padding."""
    return np.ones(batch.values.shape[1], bool) if batch.mask is None else np.asarray(batch.mask[row], bool)


def groups_of(batch: Batch, row: int) -> Array:
    """Return the group (event,) of each event of a run, '' where runs have none."""
    found = batch.meta.get("group")
    return np.full(batch.values.shape[1], "") if found is None else found[row]


def runs_of(source: Source, fewest: int) -> tuple[list[str], list[Floats], list[Array]]:
    """Return names, values (event, column) and groups (event,) of all runs with enough events."""
    names: list[str] = []
    runs: list[Floats] = []
    groups: list[Array] = []
    for batch in source:
        for row in range(len(batch)):
            there = there_in(batch, row)
            if there.sum() < fewest:
                continue
            names.append(str(batch.meta["run"][row]) if "run" in batch.meta else str(len(names)))
            runs.append(batch.values[row][there].astype(float))
            groups.append(groups_of(batch, row)[there])
    return names, runs, groups


def called_good(source: Source) -> list[str]:
    """Return the names of the runs that people called good."""
    return [
        str(name) for batch in source if "good" in batch.meta
        for name, good in zip(batch.meta["run"], batch.meta["good"], strict=True) if good
    ]  # fmt: skip
