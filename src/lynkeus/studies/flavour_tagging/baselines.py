"""What a flavour tagger must beat: the most significant track, and the mass of the secondary vertex."""

from __future__ import annotations

import numpy as np

from lynkeus.core import Array, Batch, Floats

NO_TRACK, NO_VERTEX = -1.0, -1.0
LEAST_ERROR = 1e-3  # mm: a track without an error is not significant


def _column(batch: Batch, group: str, name: str) -> Floats:
    names = [one for one in batch.schema.names if one.startswith(f"{group}/")]
    found: Floats = batch.packed.groups[group].values[:, names.index(f"{group}/{name}")].astype(float)
    return found


def _largest(batch: Batch, group: str, values: Floats, none: float) -> Floats:
    """Return (n,) the largest of the values (rows,) of each jet, `none` where it has no rows."""
    found: Array = np.full(len(batch), none)
    np.maximum.at(found, batch.packed.groups[group].sample, values)
    return found


def track_significance(batch: Batch) -> Floats:
    """Return (n,) the largest |d0| / error of the charged particles of a jet; -1 without any."""
    d0, error = (_column(batch, "particles", f"part_{name}") for name in ("d0val", "d0err"))
    charged = _column(batch, "particles", "part_charge") != 0
    significance = np.where(charged, np.abs(d0) / np.maximum(error, LEAST_ERROR), NO_TRACK)
    return _largest(batch, "particles", significance, NO_TRACK)


def second_track_significance(batch: Batch) -> Floats:
    """Return (n,) the second largest |d0| / error of the charged particles (track counting); -1 without two."""
    d0, error = (_column(batch, "particles", f"part_{name}") for name in ("d0val", "d0err"))
    charged = np.flatnonzero(_column(batch, "particles", "part_charge") != 0)
    jet = batch.packed.groups["particles"].sample[charged]
    size = np.abs(d0[charged]) / np.maximum(error[charged], LEAST_ERROR)
    order = np.lexsort((-size, jet))
    jet, size = jet[order], size[order]
    first = np.searchsorted(jet, np.arange(len(batch)))
    there = np.bincount(jet, minlength=len(batch)) > 1
    found = np.full(len(batch), NO_TRACK)
    found[there] = size[first[there] + 1]
    return found


def vertex_mass(batch: Batch) -> Floats:
    """Return (n,) the mass in GeV of the heaviest secondary vertex of a jet; -1 without any."""
    return _largest(batch, "vertices", _column(batch, "vertices", "sv_mass"), NO_VERTEX)
