"""PadSpectra: clusters, however many, accumulated into a spectrum for each pad; parts that were filled apart are added.

Memory is that of the spectra: a billion clusters take no more than the pads that they are on.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from lynkeus.core.batch import Array, Floats
from lynkeus.core.errors import SourceError
from lynkeus.sources.pads.described import PadLayout
from lynkeus.transforms.pads.spectra import IDENTITY

ROWS, PADS = 1 << 16, 1 << 16  # more rows in a sector, or pads in a row, no detector has
CLUSTERS = 2_000_000  # that are read at a time


class PadSpectra:
    """Counts of clusters by pad and charge; `edges` (bins + 1,) rise. `lost`: clusters beyond the edges or without a
    charge."""

    def __init__(self, edges: Floats) -> None:
        self.edges = np.asarray(edges, float)
        self.keys = np.empty(0, np.int64)
        self.counts = np.zeros((0, len(self.edges) - 1), np.int64)
        self.lost = 0

    def add(self, charge: Floats, sector: Array, row: Array, pad: Array) -> None:
        """Count clusters (n,) of pads. Raises SourceError for numbers of pads that cannot be."""
        for name, column, most in (("sector", sector, 1 << 31), ("row", row, ROWS), ("pad", pad, PADS)):
            if len(column) and not (np.min(column) >= 0 and np.max(column) < most):
                raise SourceError(
                    f"a cluster has {name} {np.min(column)} to {np.max(column)}: must lie from 0 to {most - 1}"
                )
        key = (np.asarray(sector, np.int64) * ROWS + row) * PADS + pad
        at = np.searchsorted(self.edges, charge, side="right") - 1
        inside = (at >= 0) & (at < len(self.edges) - 1) & np.isfinite(charge)
        self.lost += int((~inside).sum())
        self._grow(key)
        rows = np.searchsorted(self.keys, key[inside])
        bins = self.counts.shape[1]
        self.counts += np.bincount(rows * bins + at[inside], minlength=self.counts.size).reshape(self.counts.shape)

    def merge(self, other: PadSpectra) -> None:
        """Add spectra that were filled apart, in the same bins. Raises SourceError for other bins."""
        if not np.array_equal(self.edges, other.edges):
            raise SourceError("spectra of other bin edges cannot be added up: fill both in the same bins")
        self._grow(other.keys)
        self.counts[np.searchsorted(self.keys, other.keys)] += other.counts
        self.lost += other.lost

    def _grow(self, keys: Array) -> None:
        found = np.union1d(self.keys, keys)
        if len(found) > len(self.keys):
            grown = np.zeros((len(found), self.counts.shape[1]), np.int64)
            grown[np.searchsorted(found, self.keys)] = self.counts
            self.keys, self.counts = found, grown

    def pads(self) -> tuple[Array, dict[str, Array]]:
        """Return counts (pads, bins) and the columns sector, row and pad."""
        above, pad = np.divmod(self.keys, PADS)
        sector, row = np.divmod(above, ROWS)
        return self.counts, dict(zip(IDENTITY, (sector, row, pad), strict=True))


def clusters_of(path: Path, tree: Any, layout: PadLayout) -> Iterator[tuple[Any, ...]]:
    """Yield charge, sector, row and pad of the clusters of a ROOT tree, some at a time; lists of an event are taken
    apart. Raises SourceError for a branch that is missing."""
    names = [layout.charge, layout.sector, layout.row, layout.pad]
    there = set(tree.keys())
    needed = [name for name in (layout.charge, layout.pad) if name not in there]
    if needed:
        raise SourceError(f"{path}: the tree has no branch {needed[0]!r}; there are: {', '.join(sorted(there)[:20])}")
    for chunk in tree.iterate([name for name in names if name in there], step_size=CLUSTERS, library="ak"):
        parts = [_flat(chunk[name]) if name in there else None for name in names]
        size = len(np.asarray(parts[0]))
        yield tuple(np.zeros(size, np.int64) if part is None else part for part in parts)


def _flat(column: Any) -> Array:
    import awkward

    return np.asarray(awkward.to_numpy(awkward.flatten(column, axis=None)))
