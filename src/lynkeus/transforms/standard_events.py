"""The events of runs in sigmas of good ones: what every comparison of sets of events starts from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np

from lynkeus.core import Array, Batch, Floats, SchemaError, Source
from lynkeus.files.arrays import arrays_of
from lynkeus.transforms.event_columns import Scale
from lynkeus.transforms.reservoir import reservoir

FEWEST = 20  # events of a run below which it is not judged
FAR_SIGMA = 10.0  # no event is farther out
LEAST_VARIANCE = 1e-3  # of a combination of columns, relative to the largest: below it is rounding


@dataclass(frozen=True)
class StandardEvents:
    """`scale`: which columns are logarithmic; `centre`, `sigma` (c,) of pooled good events on that scale."""

    scale: Scale
    centre: Floats
    sigma: Floats

    @classmethod
    def fit(cls, source: Source, who: str, size: int, seed: int) -> tuple[Self, Floats]:
        """Learn from good runs, and return also `size` of their events (n, c), drawn at random, in sigmas and in random
        order.

        Raises SchemaError for another kind, or too few events.
        """
        if source.schema.kind != "cloud":
            raise SchemaError(f"the scorer {who} reads runs as events (a cloud), not a {source.schema.kind}")
        pooled = reservoir((run for batch in source for run in _raw(batch)), size, seed)
        if len(pooled) < 2 * FEWEST:
            raise SchemaError(f"all good runs together have {len(pooled)} events: too few for {who} to learn from")
        held = np.where(np.isfinite(pooled).any(axis=0), pooled, 0.0)  # a column that is never there says nothing
        scale = Scale.fit(held)
        scaled = scale.of(held)
        low, centre, high = np.nanquantile(scaled, [0.16, 0.5, 0.84], axis=0)
        spread = np.where(high > low, (high - low) / 2, np.nanstd(scaled, axis=0))
        own = cls(scale, centre, np.where(spread > 0, spread, 1.0))
        return own, own.of(pooled)[np.random.default_rng(seed).permutation(len(pooled))]

    def of(self, events: Floats) -> Floats:
        """Return events (n, c) in sigmas of good ones; a missing value is at the centre."""
        found = (self.scale.of(events) - self.centre) / self.sigma
        return np.clip(np.where(np.isfinite(found), found, 0.0), -FAR_SIGMA, FAR_SIGMA)

    def runs(self, batch: Batch) -> Iterator[Floats]:
        """Yield the events (events, c) of each run in sigmas; events without any value are left out."""
        return (self.of(run) for run in _raw(batch))

    def to_arrays(self) -> dict[str, Array]:
        """Return what was learned as arrays for a model folder."""
        return {"event_log": np.array(self.scale.log)} | arrays_of(self, "event_", ("scale",))

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, Array]) -> Self:
        """Rebuild from the arrays of `to_arrays`."""
        log = tuple(arrays["event_log"].tolist())
        return cls(Scale(log, (False,) * len(log)), arrays["event_centre"], arrays["event_sigma"])


def decorrelated(pool: Floats) -> Floats:
    """Return the matrix (c, c) of a ZCA whitening, which takes out of events (n, c), multiplied from the right, what
    their columns have in common: then a distance sees a column that leaves its relation to the others, such as S2 at a
    given S1."""
    variance, axes = np.linalg.eigh(np.atleast_2d(np.cov(pool.T)))
    matrix: Floats = axes / np.sqrt(np.maximum(variance, LEAST_VARIANCE * variance[-1])) @ axes.T
    return matrix


def present(batch: Batch) -> Array:
    """Return a mask (n, event) of the events that have a value."""
    there: Array = np.logical_or.reduce(np.isfinite(batch.values), axis=2)
    return there if batch.mask is None else there & batch.mask


def evidence_of(batch: Batch, runs: list[Floats]) -> Floats:
    """The shape of `values` from what was found of the events (k, c) of each run; 0 where there is no event."""
    found = np.zeros(batch.values.shape)
    found[present(batch)] = np.concatenate(runs) if runs else np.empty((0, batch.values.shape[2]))
    return np.where(np.isfinite(batch.values), found, 0.0)


def _raw(batch: Batch) -> Iterator[Floats]:
    for run, there in zip(batch.values, present(batch), strict=True):
        yield np.where(np.isfinite(run[there]), run[there], np.nan).astype(np.float64)
