"""ByObservables: what taggers by observables of jets share: reading them, and how much each jet counts."""

from __future__ import annotations

from typing import ClassVar, NamedTuple

import numpy as np

from lynkeus.core import Array, Batch, Floats, Source
from lynkeus.core.weights import joined_weights
from lynkeus.scorers.taggers.tagger import Tagger
from lynkeus.scorers.taggers.weighting import training_weight
from lynkeus.transforms.jets.four_vectors import four_vectors, pseudorapidity, sums
from lynkeus.transforms.jets.observables import observables


class KnownJets(NamedTuple):
    """Observables (n, many), classes (n,) and weights (n,) of jets that have particles; `said` of those that do not."""

    values: Floats
    truth: Array
    weight: Floats
    said: list[str]


class ByObservables(Tagger):
    """A tagger by observables of jets of `radius`, groomed with `z_cut`; see `observables`."""

    radius: float
    z_cut: float
    reweight: str
    quick: ClassVar[bool] = False

    def observables_of(self, batch: Batch) -> Floats:
        """Return (n, observables) of a batch."""
        return observables(batch.packed, batch.schema.names, self.radius, self.z_cut, self.quick)

    def read(self, source: Source) -> KnownJets:
        """Return what is learned from, in one pass."""
        values: list[Floats] = []
        moving: list[Floats] = []
        truths: list[Array] = []
        weights: list[Array | None] = []
        for batch in source:
            values.append(self.observables_of(batch))
            moving.append(kinematics(batch))
            truths.append(np.asarray(batch.truth))
            weights.append(batch.weight)
        found, truth = np.concatenate(values), np.concatenate(truths)
        there = np.isfinite(found[:, 0])
        heavy = joined_weights(weights, [len(one) for one in values])
        own, said = training_weight(
            self.reweight, self.outputs, truth[there], np.concatenate(moving)[there],
            None if heavy is None else heavy[there],
        )  # fmt: skip
        empty = len(there) - int(there.sum())
        said += [f"{empty} jets without particles are not learned from, and have no score"] if empty else []
        return KnownJets(found[there], truth[there], own, said)


def kinematics(batch: Batch) -> Floats:
    """Return (n, 2) pT in GeV and pseudorapidity of the sum of the particles of each jet."""
    jets = sums(four_vectors(batch.packed, batch.schema.names))
    return np.stack([np.hypot(jets[:, 0], jets[:, 1]), pseudorapidity(jets)], axis=1)
