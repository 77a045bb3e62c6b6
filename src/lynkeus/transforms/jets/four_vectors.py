"""Four-vectors of the particles of jets, from whatever group of a cloud holds them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from lynkeus.core import Floats, Group, Packed, SchemaError

MOMENTUM = ("px", "py", "pz", "energy")
OTHER_NAMES = {"e": "energy", "E": "energy"}
FEWEST_GEV = 1e-9  # of transverse momentum: along the beam there is no rapidity


class FourVectors(NamedTuple):
    """Particles with `values` (particles, 4) px, py, pz, E in GeV, float64, and `offsets` (n + 1,) of the jets;
    `rows`: which rows of their group they are, `dropped` how many had no usable momentum."""

    values: Floats
    offsets: npt.NDArray[np.int64]
    rows: npt.NDArray[np.int64]
    dropped: int = 0

    @property
    def lengths(self) -> npt.NDArray[np.int64]:
        """Return (n,) how many particles each jet has."""
        return np.diff(self.offsets)


def columns_of(names: tuple[str, ...]) -> dict[str, list[str]]:
    """Return the features of each group of a cloud in order, from names "GROUP/FEATURE"."""
    found: dict[str, list[str]] = {}
    for name in names:
        group, _, feature = name.rpartition("/")
        found.setdefault(group, []).append(feature)
    return found


def momentum_columns(features: list[str]) -> list[int] | None:
    """Return where px, py, pz and E are among features such as part_px, or None."""
    bare = [name.rpartition("_")[2] for name in features]
    bare = [OTHER_NAMES.get(name, name) for name in bare]
    return [bare.index(name) for name in MOMENTUM] if all(name in bare for name in MOMENTUM) else None


def momentum_group(names: tuple[str, ...]) -> tuple[str, list[int]]:
    """Return the group with four-vectors and their columns: "particles" first, then any that has them, then inputs of
    a layout that end in "vectors". Raises SchemaError where there is none."""
    groups = columns_of(names)
    for name in sorted(groups, key=lambda one: one != "particles"):
        columns = momentum_columns(groups[name])
        if columns is not None:
            return name, columns
    for name, features in groups.items():
        if name.endswith("vectors") and len(features) == len(MOMENTUM):
            return name, list(range(len(MOMENTUM)))
    raise SchemaError(
        f"no group of particles has px, py, pz and energy; there are: {', '.join(groups) or 'none'}; name them "
        "part_px, part_py, part_pz, part_energy"
    )


def four_vectors(packed: Packed, names: tuple[str, ...]) -> FourVectors:
    """Return the four-vectors of a cloud with these names. Particles with a momentum that is missing, or along the
    beam, are dropped and counted; a mass that rounding has made imaginary is 0."""
    name, columns = momentum_group(names)
    group = packed.groups[name]
    values = group.values[:, columns].astype(float)
    transverse = np.hypot(values[:, 0], values[:, 1])
    usable = np.isfinite(values).all(axis=1) & (transverse > FEWEST_GEV)
    values[:, 3] = np.maximum(values[:, 3], np.sqrt(transverse**2 + values[:, 2] ** 2))
    rows = np.flatnonzero(usable)
    if len(rows) == len(values):
        return FourVectors(values, group.offsets, rows)
    lengths = np.bincount(group.sample[rows], minlength=len(packed))
    own = Group.of_lengths(values[rows], lengths)
    return FourVectors(own.values, own.offsets, rows, len(values) - len(rows))


def rapidity(p4: Floats) -> Floats:
    """Return the rapidity of four-vectors (..., 4); 0 where there is no momentum."""
    transverse = np.hypot(p4[..., 0], p4[..., 1])
    mass2 = np.maximum(p4[..., 3] ** 2 - transverse**2 - p4[..., 2] ** 2, 0.0)
    scale = np.sqrt(transverse**2 + mass2)
    found: Floats = np.where(scale > 0, np.arcsinh(p4[..., 2] / np.where(scale > 0, scale, 1.0)), 0.0)
    return found


def mass(p4: Floats) -> Floats:
    """Return the mass in GeV of four-vectors (..., 4), 0 where it is imaginary."""
    squared = p4[..., 3] ** 2 - p4[..., 0] ** 2 - p4[..., 1] ** 2 - p4[..., 2] ** 2
    return np.sqrt(np.maximum(squared, 0.0))


def apart(one: Floats, other: Floats) -> Floats:
    """Return how far azimuths between -pi and pi are apart, 0 to pi."""
    away = np.abs(one - other)
    found: Floats = np.minimum(away, 2 * np.pi - away)
    return found


def turned(angle: Floats) -> Floats:
    """Return differences of azimuths, between -2 pi and 2 pi, within -pi and pi."""
    found: Floats = np.where(angle > np.pi, angle - 2 * np.pi, np.where(angle < -np.pi, angle + 2 * np.pi, angle))
    return found


def pseudorapidity(p4: Floats) -> Floats:
    """Return the pseudorapidity of four-vectors (..., 4); 0 where there is no momentum."""
    transverse = np.hypot(p4[..., 0], p4[..., 1])
    found: Floats = np.arcsinh(p4[..., 2] / np.maximum(transverse, FEWEST_GEV))
    return found


def sums(p4: FourVectors) -> Floats:
    """Return (n, 4): the four-vector of each jet, the sum of those of its particles."""
    sample = np.repeat(np.arange(len(p4.offsets) - 1), p4.lengths)
    return np.stack([np.bincount(sample, p4.values[:, k], len(p4.offsets) - 1) for k in range(4)], axis=1)
