"""The same jets in a detector that is a little worse: fewer tracks, impact parameters that are less well known."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from lynkeus.core import Array, Group, Packed
from lynkeus.transforms.jets.four_vectors import columns_of

ROLES = ("points", "features", "vectors")
FEWER, WORSE = 0.1, 1.2  # share of tracks that are lost; factor of the resolution of impact parameters


def fewer_tracks(packed: Packed, names: tuple[str, ...], rng: np.random.Generator, share: float = FEWER) -> Packed:
    """Return jets that lack a `share` of their charged particles, drawn at random; of particles whose charge is not
    known, of all. Groups of one row a jet, and groups of what is not measured by tracks, are as they were."""
    columns = columns_of(names)
    groups = dict(packed.groups)
    for alike in _same_particles(packed.groups):
        lost = rng.uniform(size=len(groups[alike[0]].values)) < share
        lost &= _charged(groups, columns, alike)
        for name in alike:
            own = groups[name]
            kept = np.flatnonzero(~lost)
            lengths = np.bincount(own.sample[kept], minlength=len(packed))
            groups[name] = Group.of_lengths(own.values[kept], lengths)
    return Packed(groups)


def worse_impact(packed: Packed, names: tuple[str, ...], rng: np.random.Generator, factor: float = WORSE) -> Packed:
    """Return jets whose tracks have impact parameters of a resolution that is larger by a `factor`.

    Numbers are drawn by their stated errors, which stay as they are, as a detector does not know it; where there are no
    errors, values are multiplied.
    """
    columns = columns_of(names)
    groups = dict(packed.groups)
    for name, group in packed.groups.items():
        own = {feature.rpartition("_")[2]: column for column, feature in enumerate(columns.get(name, ()))}
        values = group.values
        for parameter in ("d0", "dz"):
            at, error = own.get(f"{parameter}val"), own.get(f"{parameter}err")
            if at is None:
                continue
            values = values.copy() if values is group.values else values
            if error is None:
                values[:, at] *= factor
            else:
                width = np.sqrt(factor**2 - 1) * np.abs(np.nan_to_num(values[:, error]))
                values[:, at] += (width * rng.normal(size=len(values))).astype(values.dtype)
        groups[name] = Group(values, group.offsets)
    return Packed(groups)


def _same_particles(groups: Mapping[str, Group]) -> list[list[str]]:
    """Return names of groups, those together that are inputs of the same particles; see `Tagger.explain`."""
    found: dict[str, list[str]] = {}
    for name, group in groups.items():
        first, _, last = name.rpartition("_")
        if last not in ROLES and not name.startswith(("particles", "charged", "tracks")):
            continue
        if len(group.values):
            found.setdefault(first if last in ROLES else name, []).append(name)
    return list(found.values())


def _charged(groups: Mapping[str, Group], columns: Mapping[str, list[str]], alike: list[str]) -> npt.NDArray[np.bool_]:
    """Return which particles are charged; all, where nothing says so."""
    for name in alike:
        for column, feature in enumerate(columns.get(name, ())):
            if feature.rpartition("_")[2] == "charge":
                own: Array = groups[name].values[:, column]
                return np.abs(np.nan_to_num(own)) > 0.5
    return np.ones(len(groups[alike[0]].values), bool)
