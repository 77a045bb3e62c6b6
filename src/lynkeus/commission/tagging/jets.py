"""JetScores: the probabilities of jets by a model, and by it of the same jets in a worse detector, with what is known
of each jet."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sized
from dataclasses import dataclass
from functools import partial

import numpy as np

from lynkeus.core import Array, Batch, Floats, Schema, SchemaError, SettingsError, Source
from lynkeus.core.weights import joined_weights
from lynkeus.fitting.fitted import Fitted
from lynkeus.sources.wrappers.classed import Classed
from lynkeus.transforms.jets.four_vectors import four_vectors, mass, pseudorapidity, sums
from lynkeus.transforms.jets.vary import fewer_tracks, worse_impact

AS_MEASURED = "as they are"
VARIATIONS: Mapping[str, Callable[..., object]] = {
    "10 % fewer tracks": fewer_tracks,
    "impact parameters 1.2 times worse": worse_impact,
}
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


def jet_scores(
    fitted: Fitted, source: Source, labels: str, vary: bool, seed: int, tell: Callable[[str, float], None]
) -> JetScores:
    """Score jets whose class is known. Raises SettingsError where two classes of the model are not there."""
    prepared = Classed(fitted.prepare(source), labels, fitted.scorer.outputs)
    many = len(source) if isinstance(source, Sized) else 0
    parts: list[tuple[Batch, Floats, Floats]] = []
    varied: dict[str, list[Floats]] = {name: [] for name in VARIATIONS} if vary else {}
    seen, changed = 0, set[str]()
    for batch in prepared:
        scored = fitted.score_batch(batch)
        for name, other in _worse(batch, seed + seen) if vary else ():
            same = _same(other, batch)
            varied[name].append(scored.scores if same else fitted.scorer.score(other))
            changed |= set() if same else {name}
        parts.append((_known_only(batch), scored.scores, scored.p_values))
        seen += len(batch)
        tell("scoring jets", min(seen / many, 1.0) if many else 0.0)
    if not parts:
        raise SettingsError("the data hold no jets of a class that the model knows")
    batches, scores, p_values = zip(*parts, strict=True)
    truth = np.concatenate([np.asarray(batch.truth) for batch in batches])
    _require_classes(truth, fitted.scorer.outputs)
    known = {name: np.concatenate([batch.meta[name] for batch in batches]) for name in batches[0].meta}
    heavy = joined_weights([batch.weight for batch in batches], [len(batch) for batch in batches])
    joined = {name: np.concatenate(own) for name, own in varied.items() if name in changed}
    probability = np.concatenate(scores)
    lost = int((~np.isfinite(probability[:, 0])).sum())
    said = [f"{lost} jets without particles have no score: they pass no cut"] if lost else []
    said += [
        f"{name}: not measured, as the inputs of these jets have no such column"
        for name in sorted(varied.keys() - changed)
    ]
    return JetScores(
        fitted.scorer.outputs,
        probability,
        np.concatenate(p_values),
        truth,
        heavy,
        known,
        joined,
        (*prepared.messages, *said),
    )


def _require_classes(truth: Array, outputs: tuple[str, ...]) -> None:
    counts = np.bincount(truth, minlength=len(outputs))
    enough = [name for name, count in zip(outputs, counts, strict=True) if count >= FEWEST]
    if len(enough) < 2:
        said = ", ".join(f"{name}: {count}" for name, count in zip(outputs, counts.tolist(), strict=True))
        raise SettingsError(f"at least {FEWEST} jets of two classes of the model are needed; the data have {said}")


def _worse(batch: Batch, seed: int) -> Iterator[tuple[str, Batch]]:
    for number, (name, vary) in enumerate(VARIATIONS.items()):
        change = partial(vary, batch.packed, batch.schema.names, np.random.default_rng((seed, number)))
        yield name, batch.with_values(change())


def _same(one: Batch, other: Batch) -> bool:
    """Return whether nothing of the jets was changed; what is changed is another array."""
    groups = other.packed.groups
    return all(group.values is groups[name].values for name, group in one.packed.groups.items())


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
