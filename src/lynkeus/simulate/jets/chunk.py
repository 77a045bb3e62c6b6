"""Chunks of jets: a fixed number each, made from the seed and the number of the chunk alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from lynkeus.core.batch import Array, Batch, Floats
from lynkeus.core.packed import Group, Packed
from lynkeus.simulate.jets.columns import jet_columns, jet_schema, particle_columns
from lynkeus.simulate.jets.detector.seen import Seen
from lynkeus.simulate.jets.detector.vertices import find_vertices
from lynkeus.simulate.jets.four_vectors import eta_of, phi_of
from lynkeus.simulate.jets.substructure.shapes import substructure

CHUNK = 500


@dataclass(frozen=True)
class Jets:
    """n jets: `p` (n, 4) GeV, the `seen` objects in them (owner: the jet), and what is `known` of each (n,)."""

    p: Floats
    seen: Seen
    known: Mapping[str, Array]

    def __len__(self) -> int:
        return len(self.p)

    def cut(self, rows: Array) -> Jets:
        """Return the jets of these numbers, in this order."""
        place = np.full(len(self.p), -1)
        place[rows] = np.arange(len(rows))
        inside = self.seen.cut(place[self.seen.owner] >= 0)
        inside = inside.of(place[inside.owner])
        return Jets(
            self.p[rows], inside.cut(np.argsort(inside.owner, kind="stable")),
            {name: column[rows] for name, column in self.known.items()},
        )  # fmt: skip

    @classmethod
    def join(cls, parts: list[Jets]) -> Jets:
        """Return the jets of all parts, one after the other."""
        first = np.cumsum([0, *map(len, parts[:-1])])
        seen = Seen.join([part.seen.of(part.seen.owner + start) for part, start in zip(parts, first, strict=True)])
        known = {name: np.concatenate([part.known[name] for part in parts]) for name in parts[0].known}
        return cls(np.concatenate([part.p for part in parts]), seen, known)


def class_counts(shares: tuple[float, ...], rng: np.random.Generator) -> Array:
    """Return the class (CHUNK,) of each jet of a chunk, drawn by the shares."""
    return rng.choice(len(shares), CHUNK, p=np.array(shares))


def batch_of(jets: Jets, label: Array, classes: tuple[str, ...], radius: float) -> Batch:
    """Return jets as a batch of clouds; `label` (n,) is the number of the class of each."""
    count = len(jets)
    sizes = np.bincount(jets.seen.owner, minlength=count)
    groomed, tau = substructure(jets.seen.p, jets.seen.owner, count, radius)
    vertices, found = find_vertices(jets.seen, jets.p)
    groups = {
        "particles": Group.of_lengths(particle_columns(jets.seen, jets.p), sizes),
        "vertices": Group.of_lengths(vertices, found),
    }
    meta = jet_columns(jets.p, sizes, groomed, tau) | dict(jets.known)
    return Batch(jet_schema(classes), Packed(groups), truth=label, meta=meta)


def axes_of(jets: Floats) -> tuple[Floats, Floats]:
    """Return pseudorapidity and azimuth of jets (n, 4)."""
    return eta_of(jets), phi_of(jets)
