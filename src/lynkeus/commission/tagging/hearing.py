"""Hearing of taggers: stretches of the jets are shares that any process scores, reading them once and forwards."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import NamedTuple

import numpy as np
from safetensors.numpy import load, save

from lynkeus.core import Batch, Floats, SettingsError, Source
from lynkeus.core.progress import ReportProgress
from lynkeus.files.journal import Row
from lynkeus.fitting.fitted import Fitted
from lynkeus.sources.wrappers.classed import Classed
from lynkeus.transforms.jets.vary import fewer_tracks, worse_impact

STRETCH = 2000  # jets of a share, some seconds of a network
VARIATIONS: Mapping[str, Callable[..., object]] = {
    "10 % fewer tracks": fewer_tracks,
    "impact parameters 1.2 times worse": worse_impact,
}


class Asked(NamedTuple):
    """What is asked: `models` by name, `samples` by title, the first of them in worse detectors as well (`vary`), the
    column of `labels`, and the `seed` of what is drawn."""

    models: Mapping[str, Fitted]
    samples: Mapping[str, Source]
    labels: str = ""
    vary: bool = True
    seed: int = 0


class Stretch(NamedTuple):
    """A share: batches `first` to before `last` of a sample, by a model; `before`: jets before the first one."""

    model: str
    sample: str
    first: int
    last: int
    before: int


class Heard(NamedTuple):
    """Of the jets of a stretch: `probability` and `p_value` (n, classes), and by name of the variation probabilities of
    the same jets, where it changes something in them (`changed`)."""

    probability: Floats
    p_value: Floats
    varied: Mapping[str, Floats]
    changed: frozenset[str]

    def row(self) -> Row:
        """Return it as it is kept in a ledger."""
        arrays = {"probability": self.probability, "p_value": self.p_value}
        arrays |= {f"varied/{name}": own for name, own in self.varied.items()}
        content = save({name: np.ascontiguousarray(array) for name, array in arrays.items()})
        return {"arrays": base64.b64encode(content).decode(), "changed": sorted(self.changed)}

    @classmethod
    def of_row(cls, row: Row) -> Heard:
        """Inverse of `row`."""
        arrays = load(base64.b64decode(row["arrays"]))
        varied = {name.partition("/")[2]: own for name, own in arrays.items() if name.startswith("varied/")}
        return cls(arrays["probability"], arrays["p_value"], varied, frozenset(row["changed"]))


@dataclass
class JetHearing:
    """Scores stretches of what is asked; called with one it returns its row."""

    asked: Asked
    _open: tuple[tuple[str, str], Iterator[Batch], int] | None = field(default=None, repr=False)

    def classed(self, model: str, sample: str) -> Classed:
        """Return the jets of a sample as a model reads them, whose class is known."""
        fitted = self.asked.models[model]
        return Classed(fitted.prepare(self.asked.samples[sample]), self.asked.labels, fitted.scorer.outputs)

    def __call__(self, share: Stretch) -> list[Row]:
        """Return the row of a stretch."""
        fitted, before = self.asked.models[share.model], share.before
        vary = self.asked.vary and share.sample == next(iter(self.asked.samples))
        parts: list[Heard] = []
        for batch in self._batches(share):
            parts.append(_heard(fitted, batch, self.asked.seed + before, vary))
            before += len(batch)
        names = parts[0].varied
        joined = {name: np.concatenate([part.varied[name] for part in parts]) for name in names}
        changed = frozenset[str]().union(*(part.changed for part in parts))
        scores, p_values = (np.concatenate([part[k] for part in parts]) for k in (0, 1))
        return [Heard(scores, p_values, joined, changed).row()]

    def _batches(self, share: Stretch) -> Iterator[Batch]:
        """Go on in what was read last, or begin anew where that is past it."""
        key = (share.model, share.sample)
        if self._open is None or self._open[0] != key or self._open[2] > share.first:
            self._open = (key, iter(self.classed(*key)), 0)
        _, batches, place = self._open
        found = list(islice(batches, share.first - place, share.last - place))
        self._open = (key, batches, share.last)
        if len(found) < share.last - share.first:
            raise SettingsError(f"{share.sample or 'the data'}: changed while they were scored; start again")
        return iter(found)


def begin(again: Callable[[], Asked]) -> JetHearing:
    """Once in every other process: read the models and the data."""
    return JetHearing(again())


def stretches(model: str, sample: str, lengths: list[int]) -> dict[str, Stretch]:
    """Return shares by name, of so many jets or the batch that is longer."""
    found, first, before, jets = dict[str, Stretch](), 0, 0, 0
    for number, length in enumerate(lengths, 1):
        jets += length
        if jets - before >= STRETCH or number == len(lengths):
            name = f"{model}: jets {before} to {jets}{f' of {sample}' if sample else ''}"
            found[name] = Stretch(model, sample, first, number, before)
            first, before = number, jets
    return found


def told(tell: ReportProgress) -> ReportProgress:
    """Return what tells how far the scoring is."""
    return lambda what, share: tell(f"scoring {what}", share)


def _heard(fitted: Fitted, batch: Batch, seed: int, vary: bool) -> Heard:
    scored = fitted.score_batch(batch)
    varied: dict[str, Floats] = {}
    changed = set[str]()
    for number, (name, change) in enumerate(VARIATIONS.items() if vary else ()):
        other = batch.with_values(change(batch.packed, batch.schema.names, np.random.default_rng((seed, number))))
        same = _same(other, batch)
        varied[name] = scored.scores if same else fitted.scorer.score(other)
        changed |= set() if same else {name}
    return Heard(scored.scores, scored.p_values, varied, frozenset(changed))


def _same(one: Batch, other: Batch) -> bool:
    """Return whether nothing of the jets was changed; what is changed is another array."""
    groups = other.packed.groups
    return all(group.values is groups[name].values for name, group in one.packed.groups.items())
