"""Values of the template variable of each jet: an observer, a feature of the best vertex, or a lifetime probability."""

from __future__ import annotations

import numpy as np
from scipy.special import erfc, gammaincc

from lynkeus.core import Batch, Floats, Schema, SourceError
from lynkeus.core.packed import Group

PROBABILITY, MASS = "jet_probability", "sv_mass"
TRACK_NEEDS = ("part_d0val", "part_d0err", "part_dphi", "part_px", "part_py")
RANK = ("sv_d3dsig", "sv_dxysig")  # of vertices: how far from the collision, in its error
LOWEST_PT, LARGEST_D0 = 1.0, 2.0  # of a track, GeV and mm: softer ones scatter, farther ones are of K0 and Lambda
RAREST = 0.005  # probability of a track: the tails of the resolution are not Gaussian
LARGEST = 50.0  # of -ln of the probability of a jet


def template_values(batch: Batch, name: str, who: str) -> Floats:
    """Return (n,) the variable of each jet of a batch, NaN where it has none.

    `name`: an observer of the batch (jet_sdmass), a feature of vertices (sv_mass: that of the vertex whose flight
    distance is most significant), or jet_probability: -ln of the chance that tracks of positive lifetime sign come from
    the collision. Raises SourceError, for the data `who`, where it is not there.
    """
    if name in batch.meta:
        return physical(name, np.asarray(batch.meta[name], float))
    where = _group_of(batch.schema, name)
    if where is not None:
        group = batch.packed.groups[where]
        return physical(name, _of_best_vertex(group, features(batch.schema, where), name))
    if name == PROBABILITY:
        tracks = _group_of(batch.schema, TRACK_NEEDS[0])
        lacking = [need for need in TRACK_NEEDS if tracks is None or need not in features(batch.schema, tracks)]
        if tracks is None or lacking:
            raise SourceError(f"{who}: {PROBABILITY} needs the features {', '.join(lacking)}; give another --template")
        return jet_probability(batch.packed.groups[tracks], features(batch.schema, tracks))
    known = [column for column, values in batch.meta.items() if np.asarray(values).dtype.kind in "fiu"]
    vertices = [one.rpartition("/")[2] for one in batch.schema.names if one.rpartition("/")[2].startswith("sv_")]
    raise SourceError(
        f"{who}: no template variable {name!r}; choose by --template one of {', '.join([*known, *vertices]) or 'none'}"
    )


def physical(name: str, values: Floats) -> Floats:
    """Return values with NaN where a number stands for "there is none": masses of vertices that are not positive."""
    return np.where(values > 0, values, np.nan) if name == MASS else values


def features(schema: Schema, group: str) -> tuple[str, ...]:
    """Return the names of the features of a group of a cloud, in their order."""
    return tuple(name.partition("/")[2] for name in schema.names if name.partition("/")[0] == group)


def _group_of(schema: Schema, feature: str) -> str | None:
    """Return the group that has a feature; None where none has."""
    if schema.kind != "cloud":
        return None
    found = [name.partition("/")[0] for name in schema.names if name.partition("/")[2] == feature]
    return found[0] if found else None


def _of_best_vertex(group: Group, names: tuple[str, ...], feature: str) -> Floats:
    """Return (n,) a feature of the vertex of each jet that ranks highest, or of its first one."""
    values = np.asarray(group.values, float)
    found = np.full(len(group.offsets) - 1, np.nan)
    rank = next((values[:, names.index(one)] for one in RANK if one in names), np.zeros(len(values)))
    order = np.lexsort((-np.nan_to_num(rank, nan=-np.inf), group.sample))  # stable: of equal ones the first
    there = group.lengths > 0
    found[there] = values[order[group.offsets[:-1][there]], names.index(feature)]
    return found


def jet_probability(tracks: Group, names: tuple[str, ...]) -> Floats:
    """Return (n,) -ln of the chance that the tracks of a jet come from the collision, NaN without such tracks.

    Of tracks whose impact parameter has a positive lifetime sign (the point of closest approach lies along the jet):
    with P the product of their probabilities, P times the sum over k < N of (-ln P)^k / k! (ALEPH, Buskulic et al.
    1993, Phys. Lett. B 313, 535). Before the resolution is known it is taken as Gaussian, the same for all samples.
    """
    column = {name: np.asarray(tracks.values[:, names.index(name)], float) for name in TRACK_NEEDS}
    d0, error = column["part_d0val"], column["part_d0err"]
    pt = np.hypot(column["part_px"], column["part_py"])
    toward = -d0 * np.sin(column["part_dphi"])  # > 0: along the jet; d0 = -x sin(phi) + y cos(phi)
    with np.errstate(invalid="ignore"):
        used = (error > 0) & (toward > 0) & (pt > LOWEST_PT) & (np.abs(d0) < LARGEST_D0)
    significance = np.abs(d0[used]) / error[used]
    logs = -np.log(np.maximum(erfc(significance / np.sqrt(2.0)), RAREST))
    jets = len(tracks.offsets) - 1
    sums = np.bincount(tracks.sample[used], logs, jets)
    counts = np.bincount(tracks.sample[used], minlength=jets)
    chance = gammaincc(np.maximum(counts, 1), sums)  # e^-x times the sum of x^k / k! below N
    return np.where(counts > 0, np.minimum(-np.log(np.maximum(chance, 1e-300)), LARGEST), np.nan)
