"""Collections of a jet for networks that read them in order: charged and neutral particles, vertices, the jet itself.

Groups "charged", "neutral" and "global" of a layout are taken as they are; otherwise they are made of the group
"particles". Each feature is centred and scaled by its median and spread in the training jets, once, and kept.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np

from lynkeus.core import Array, Batch, Floats, Group, Packed, SchemaError, Source
from lynkeus.scorers.taggers.inputs import features_of, network_inputs, roles_of
from lynkeus.transforms.jets.flavour import GROUPS as FLAVOUR
from lynkeus.transforms.jets.flavour import PARTICLE, VERTEX, flavour_groups
from lynkeus.transforms.jets.four_vectors import FourVectors, columns_of, four_vectors, pseudorapidity, sums

GLOBAL, CHARGED, NEUTRAL, VERTICES = "global", "charged", "neutral", "vertices"
PARTICLES = "particles"
LARGEST = 8.0  # of a feature, in spreads
SAMPLE = 200_000  # rows of a group that a median is taken of
SEEN = 20_000  # jets that are looked at
WHOLE = 4  # features of a jet as a whole, where they are made
LEAST_PT = 1e-3


@dataclass(frozen=True)
class Scales:
    """Of each group its `centre` and `spread` (features,), one after the other in the order of `names`."""

    names: tuple[str, ...]
    centre: tuple[Floats, ...]
    spread: tuple[Floats, ...]

    @classmethod
    def fit(cls, source: Source, wanted: tuple[str, ...]) -> Self:
        """Look at the first SEEN jets of a source."""
        parts: list[Packed] = []
        for batch in source:
            parts.append(collections(batch, wanted))
            if sum(map(len, parts)) >= SEEN:
                break
        joined = Packed.join(parts)
        centres, spreads = [], []
        for group in joined.groups.values():
            values = group.values[:: max(1, len(group.values) // SAMPLE)]
            known = np.isfinite(values).any(axis=0) if len(values) else np.zeros(values.shape[1], bool)
            centre, spread = np.zeros(values.shape[1]), np.ones(values.shape[1])
            for column in np.flatnonzero(known):
                own = values[:, column][np.isfinite(values[:, column])]
                low, middle, high = np.quantile(own, [0.16, 0.5, 0.84])
                centre[column], spread[column] = middle, (high - low) / 2 or own.std() or 1.0
            centres.append(centre)
            spreads.append(spread)
        return cls(tuple(joined.groups), tuple(centres), tuple(spreads))

    def of(self, packed: Packed) -> Packed:
        """Return features in spreads from their median; what is missing is 0, as usual as can be."""
        groups = {}
        for name, centre, spread in zip(self.names, self.centre, self.spread, strict=True):
            group = packed.groups[name]
            scaled = np.clip((group.values - centre) / spread, -LARGEST, LARGEST)
            groups[name] = Group(np.nan_to_num(scaled, nan=0.0).astype(np.float32), group.offsets)
        return Packed(groups)


def present(names: tuple[str, ...], wanted: tuple[str, ...]) -> dict[str, int]:
    """Return those of the groups that are wanted which a cloud of these names has, or that can be made of it, with the
    number of their features. Raises SchemaError without the one that each tagger needs: the jet as a whole, or its
    particles."""
    columns = columns_of(names)
    sizes = {name: len(own) for name, own in columns.items()}
    if _says_flavour(names, wanted):
        sizes |= {name: len(own) for name, own in FLAVOUR.items() if name != VERTICES or VERTICES in columns}
    elif PARTICLES in columns and "features" not in roles_of(names):
        many, tracks = len(features_of(names)), len(_significances(columns[PARTICLES]))
        sizes |= {PARTICLES: many} | {name: sizes.get(name, size) for name, size in {
            CHARGED: many + tracks, NEUTRAL: many, GLOBAL: WHOLE}.items()}  # fmt: skip
    elif "features" in roles_of(names):
        sizes[PARTICLES] = len(features_of(names))
    found = {name: sizes[name] for name in wanted if name in sizes}
    if (GLOBAL if GLOBAL in wanted else PARTICLES) not in found:
        raise SchemaError(
            f"the network reads the groups {', '.join(wanted)}, which are neither there nor can be made of particles; "
            f"groups: {', '.join(columns)}"
        )
    return found


def collections(batch: Batch, wanted: tuple[str, ...]) -> Packed:
    """Return these groups of a batch, in this order: as they are, or made of its particles; see `present`.

    Of particles with all that taggers of flavour read, they are those of `flavour_groups`.
    """
    if _says_flavour(batch.schema.names, wanted):
        made = flavour_groups(batch).groups
        return Packed({name: made[name] for name in wanted})
    own = {name: batch.packed.groups[name] for name in wanted if name in batch.packed.groups and name != PARTICLES}
    made = _made(batch) if set(wanted) - set(own) else {}
    return Packed({name: own[name] if name in own else made[name] for name in wanted})


def _says_flavour(names: tuple[str, ...], wanted: tuple[str, ...]) -> bool:
    """Return whether the groups are to be made as taggers of flavour read them: of raw particles with tracks, and of
    raw vertices or none."""
    columns = columns_of(names)
    raw = CHARGED in wanted and not {CHARGED, NEUTRAL, GLOBAL} & set(columns)
    vertices = VERTICES not in columns or set(VERTEX) <= set(columns[VERTICES])
    return raw and vertices and set(PARTICLE) <= set(columns.get(PARTICLES, ()))


def _made(batch: Batch) -> dict[str, Group]:
    """Return what can be made of particles: all and neutral ones in falling order of pT, charged ones in that of the
    significance of their impact parameter where it is known, and the jet as a whole."""
    inputs = network_inputs(batch).groups["features"]
    if "features" in roles_of(batch.schema.names):
        return {PARTICLES: inputs}
    p4 = four_vectors(batch.packed, batch.schema.names)
    names = columns_of(batch.schema.names)[PARTICLES]
    raw = batch.packed.groups[PARTICLES].values[p4.rows]
    pt = np.hypot(p4.values[:, 0], p4.values[:, 1])
    found = {PARTICLES: _sorted(inputs, pt, np.ones(len(pt), bool))}
    bare = [name.rpartition("_")[2] for name in names]
    if "charge" not in bare:
        return found
    charged = np.abs(np.nan_to_num(raw[:, bare.index("charge")])) > 0.5
    tracks = [np.arcsinh(_ratio(raw[:, value], raw[:, error])) for value, error in _significances(names)]
    with_tracks = Group(np.column_stack([inputs.values, *tracks]), inputs.offsets)
    found[CHARGED] = _sorted(with_tracks, np.abs(tracks[0]) if tracks else pt, charged)
    found[NEUTRAL] = _sorted(inputs, pt, ~charged)
    found[GLOBAL] = _whole(p4, np.bincount(inputs.sample[charged], minlength=len(batch)))
    return found


def _significances(names: list[str]) -> list[tuple[int, int]]:
    """Return the columns of value and error of d0 and dz, where both are there."""
    bare = [name.rpartition("_")[2] for name in names]
    pairs = [(f"{one}val", f"{one}err") for one in ("d0", "dz")]
    return [(bare.index(value), bare.index(error)) for value, error in pairs if {value, error} <= set(bare)]


def _ratio(value: Floats, error: Floats) -> Floats:
    known = np.isfinite(value) & np.isfinite(error) & (error > 0)
    found: Floats = np.where(known, value / np.where(known, error, 1.0), 0.0)
    return found


def _sorted(group: Group, by: Floats, chosen: Array) -> Group:
    """Return the chosen particles of each jet, in falling order."""
    falling = np.lexsort((-by, group.sample))
    falling = falling[chosen[falling]]
    lengths = np.bincount(group.sample[chosen], minlength=len(group.offsets) - 1)
    return Group.of_lengths(group.values[falling], lengths)


def _whole(p4: FourVectors, charged: Array) -> Group:
    """Return one row a jet: log pT (GeV), size of eta, log of the numbers of charged and neutral particles."""
    jets = sums(p4)
    pt = np.maximum(np.hypot(jets[:, 0], jets[:, 1]), LEAST_PT)
    columns = [np.log(pt), np.abs(pseudorapidity(jets)), np.log1p(charged), np.log1p(p4.lengths - charged)]
    return Group.of_lengths(np.stack(columns, axis=1).astype(np.float32), np.ones(len(jets), np.int64))
