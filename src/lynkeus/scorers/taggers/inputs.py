"""What networks of jets read, made of raw particles as in JetClass (arXiv:2202.03772), or taken as a layout has it.

Fixed shifts and scales, no statistics of the sample: a model of one sample reads another as it is.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from lynkeus.core import Array, Batch, Floats, Group, Packed, SchemaError
from lynkeus.transforms.jets.four_vectors import (
    MOMENTUM,
    columns_of,
    four_vectors,
    momentum_group,
    pseudorapidity,
    sums,
    turned,
)

ROLES = ("points", "features", "vectors")
LARGEST = 5.0  # a feature, after it was shifted and scaled
# (feature - shift) * scale, as in JetClass_full.yaml of jet-universe/particle_transformer
KINEMATICS = {
    "log_pt": (1.7, 0.7), "log_energy": (2.0, 0.7), "log_pt_share": (-4.7, 0.7), "log_energy_share": (-4.7, 0.7),
    "distance": (0.2, 4.0),
}  # fmt: skip
FLAGS = ("charge", "isChargedHadron", "isNeutralHadron", "isPhoton", "isElectron", "isMuon")
TRACKS = {"d0val": np.tanh, "dzval": np.tanh, "d0err": None, "dzerr": None}  # of errors only what lies from 0 to 1
SUMMARIES = ("global", "vertices", "subjets")  # groups that say something of a jet and hold no particles
FARTHEST = 6.0  # size of eta of a particle


def network_inputs(batch: Batch) -> Packed:
    """Return groups "points" (eta and phi relative to the axis), "features" and "vectors" (px, py, pz, E in GeV).

    Groups that end in these words are taken as they are; missing features are 0 there, which is their mean. Otherwise
    they are made of the group of particles with four-vectors; particles without a momentum are left out. Raises
    SchemaError where there are neither.
    """
    given = roles_of(batch.schema.names)
    if "features" in given and "points" in given:
        groups = {role: _finite(batch.packed.groups[name]) for role, name in given.items()}
    else:
        groups = _of_particles(batch)
    if "vectors" in groups and groups["vectors"].values.shape[1] == len(MOMENTUM):
        groups["vectors"] = groups["vectors"]._replace(values=_within(groups["vectors"].values))
    return Packed(groups)


def roles_of(names: tuple[str, ...]) -> dict[str, str]:
    """Return the groups that are inputs of a network by what they are: points, features, vectors."""
    found: dict[str, str] = {}
    for name in columns_of(names):
        for role in ROLES:
            if name == role or name.endswith(f"_{role}"):
                if role in found:
                    raise SchemaError(f"two groups are {role} of particles: {found[role]} and {name}; leave one out")
                found[role] = name
    return found


def features_of(names: tuple[str, ...]) -> list[str]:
    """Return the names of the features that `network_inputs` makes of a cloud with these names."""
    given = roles_of(names)
    if "features" in given and "points" in given:
        return columns_of(names)[given["features"]]
    own = _bare(names)
    return [*KINEMATICS, *(name for name in (*FLAGS, *TRACKS) if name in own), "deta", "dphi"]


def _bare(names: tuple[str, ...]) -> dict[str, int]:
    """Return the columns of the group of particles by name without "part_"."""
    group, _ = momentum_group(names)
    return {name.rpartition("_")[2]: column for column, name in enumerate(columns_of(names)[group])}


def _of_particles(batch: Batch) -> dict[str, Group]:
    names = batch.schema.names
    p4 = four_vectors(batch.packed, names)
    jet_of = np.repeat(np.arange(len(batch)), p4.lengths)
    jets = sums(p4)
    raw = batch.packed.groups[momentum_group(names)[0]].values[p4.rows]
    columns = _bare(names)
    points = _points(p4.values, jets, jet_of)
    pt, total = np.hypot(p4.values[:, 0], p4.values[:, 1]), np.hypot(jets[:, 0], jets[:, 1])
    made = {
        "log_pt": np.log(pt), "log_energy": np.log(p4.values[:, 3]), "log_pt_share": np.log(pt / total[jet_of]),
        "log_energy_share": np.log(p4.values[:, 3] / jets[jet_of, 3]), "distance": np.hypot(*points.T),
    }  # fmt: skip
    features = [np.clip((made[name] - shift) * scale, -LARGEST, LARGEST) for name, (shift, scale) in KINEMATICS.items()]
    features += [raw[:, columns[name]] for name in FLAGS if name in columns]
    for name, squeeze in TRACKS.items():
        if name in columns:
            own = raw[:, columns[name]]
            features.append(np.clip(own, 0.0, 1.0) if squeeze is None else squeeze(own))
    groups = {"points": points, "features": np.column_stack([*features, points]), "vectors": p4.values}
    return {name: _finite(Group(values, p4.offsets)) for name, values in groups.items()}


def _points(p4: Floats, jets: Floats, jet_of: Array) -> Floats:
    """Return (particles, 2): eta relative to the axis of the jet, away from the beam pipe where positive, and phi."""
    eta = pseudorapidity(jets)
    deta = (pseudorapidity(p4) - eta[jet_of]) * np.where(eta < 0, -1.0, 1.0)[jet_of]
    dphi = turned(np.arctan2(p4[:, 1], p4[:, 0]) - np.arctan2(jets[:, 1], jets[:, 0])[jet_of])
    return np.stack([deta, dphi], axis=1)


def _within(vectors: Floats) -> Floats:
    """Return vectors (particles, 4) whose size of eta is at most FARTHEST, with the same pT: closer to the beam single
    precision knows no rapidity, and one such particle would make a whole batch NaN."""
    eta = pseudorapidity(vectors)
    far = np.abs(eta) > FARTHEST
    if not far.any():
        return vectors
    vectors, pt = vectors.copy(), np.hypot(vectors[far, 0], vectors[far, 1])
    vectors[far, 2], vectors[far, 3] = pt * np.sinh(FARTHEST) * np.sign(eta[far]), pt * np.cosh(FARTHEST)
    return vectors


def _finite(group: Group) -> Group:
    values = np.nan_to_num(group.values.astype(np.float32), nan=0.0, posinf=0.0, neginf=0.0)
    return Group(values, group.offsets)


def particles_of(groups: Mapping[str, Group]) -> Array:
    """Return (n,) how many particles each jet has, in the group that has most; the group "global" has none.

    Of jets that are known by SUMMARIES alone, as those of NanoAOD, the one row of "global" counts: none is empty.
    """
    of_particles = [group.lengths for name, group in groups.items() if name not in SUMMARIES]
    if not of_particles and "global" in groups:
        return groups["global"].lengths
    return np.asarray(np.max(of_particles or [group.lengths for group in groups.values()], axis=0))
