"""JetScores: the probabilities of jets by a model, and by it of the same jets in a worse detector, with what is known
of each jet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from lynkeus.commission.tagging.hearing import Heard
from lynkeus.core import Array, Batch, Floats, Schema, SchemaError, SettingsError
from lynkeus.core.weights import joined_weights
from lynkeus.sources.wrappers.classed import Classed
from lynkeus.transforms.jets.four_vectors import four_vectors, mass, pseudorapidity, sums

AS_MEASURED = "as they are"
PILE_UP = ("npv", "nPV", "PV_npvs", "jet_npv", "pileup", "mu")
OBSERVERS = {"pt": "jet_pt", "eta": "jet_eta", "mass": "jet_sdmass"}
FEWEST = 20  # jets of each class


@dataclass(frozen=True)
class JetScores:
    """Of n jets: `probability` (n, classes) and `p_value` (n, classes) of `outputs`, `truth` (n,), `weight` (n,) or
    None; `known` columns (n,): pt (GeV), eta, mass (GeV), pile-up, where they are known; `varied`: probabilities of the
    same jets by name of the variation; `messages` of what was left out."""

    outputs: tuple[str, ...]
    probability: Floats
    p_value: Floats
    truth: Array
    weight: Floats | None
    known: Mapping[str, Floats]
    varied: Mapping[str, Floats]
    messages: tuple[str, ...]

    def of(self, jets: Array) -> JetScores:
        """Return some of the jets."""
        return JetScores(
            self.outputs, self.probability[jets], self.p_value[jets], self.truth[jets],
            None if self.weight is None else self.weight[jets],
            {name: column[jets] for name, column in self.known.items()},
            {name: column[jets] for name, column in self.varied.items()}, self.messages,
        )  # fmt: skip


class Known(NamedTuple):
    """What is known of the jets of a sample before they are scored: how many are in each batch (`lengths`), and of all
    of them `truth` (n,), `weight` (n,) or None and `columns` (n,); `messages` of what was left out."""

    lengths: list[int]
    truth: Array
    weight: Floats | None
    columns: Mapping[str, Floats]
    messages: tuple[str, ...]


def known_of(jets: Classed, outputs: tuple[str, ...]) -> Known:
    """Read jets once. Raises SettingsError where two classes of the model are not there."""
    batches = [_known_only(batch) for batch in jets]
    if not batches:
        raise SettingsError("the data hold no jets of a class that the model knows")
    truth = np.concatenate([np.asarray(batch.truth) for batch in batches])
    _require_classes(truth, outputs)
    lengths = [len(batch) for batch in batches]
    columns = {name: np.concatenate([batch.meta[name] for batch in batches]) for name in batches[0].meta}
    return Known(lengths, truth, joined_weights([one.weight for one in batches], lengths), columns, (*jets.messages,))


def jet_scores(outputs: tuple[str, ...], known: Known, heard: Sequence[Heard]) -> JetScores:
    """Put together what was heard of all stretches of a sample, in their order."""
    changed = frozenset[str]().union(*(part.changed for part in heard))
    varied = {name: np.concatenate([part.varied[name] for part in heard]) for name in heard[0].varied}
    probability = np.concatenate([part.probability for part in heard])
    lost = int((~np.isfinite(probability[:, 0])).sum())
    said = [f"{lost} jets without particles have no score: they pass no cut"] if lost else []
    said += [
        f"{name}: not measured, as the inputs of these jets have no such column"
        for name in sorted(varied.keys() - changed)
    ]
    return JetScores(
        outputs, probability, np.concatenate([part.p_value for part in heard]), known.truth, known.weight,
        known.columns, {name: own for name, own in varied.items() if name in changed}, (*known.messages, *said),
    )  # fmt: skip


def _require_classes(truth: Array, outputs: tuple[str, ...]) -> None:
    counts = np.bincount(truth, minlength=len(outputs))
    enough = [name for name, count in zip(outputs, counts, strict=True) if count >= FEWEST]
    if len(enough) < 2:
        said = ", ".join(f"{name}: {count}" for name, count in zip(outputs, counts.tolist(), strict=True))
        raise SettingsError(f"at least {FEWEST} jets of two classes of the model are needed; the data have {said}")


def _known_only(batch: Batch) -> Batch:
    """Return a batch without its particles, whose meta are the columns that are looked at."""
    meta = {name: np.asarray(batch.meta[key], float) for name, key in OBSERVERS.items() if key in batch.meta}
    try:
        p4 = sums(four_vectors(batch.packed, batch.schema.names))
        own = {"pt": np.hypot(p4[:, 0], p4[:, 1]), "eta": pseudorapidity(p4), "mass": mass(p4)}
    except SchemaError:  # inputs of a network without four-vectors
        own = dict[str, Floats]()
    kept = own | meta
    for name in PILE_UP:
        if name in batch.meta:
            kept["pile-up"] = np.asarray(batch.meta[name], float)
            break
    few = np.zeros((len(batch), 0))
    return Batch(_EMPTY, few, truth=batch.truth, weight=batch.weight, meta=kept)


_EMPTY = Schema("table", shape=(0,))
