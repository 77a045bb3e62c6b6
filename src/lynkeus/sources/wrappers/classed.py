"""Classed and Fold: samples with the class that each is one of, and one part in so many of all samples."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from lynkeus.core.batch import Array, Batch
from lynkeus.core.errors import SettingsError
from lynkeus.core.protocols import Source
from lynkeus.sources.wrappers.wrapper import Wrapper

UNKNOWN = ("", "unknown", "nan", "none")  # words that say: not known
MOST_CLASSES = 200  # more are no classes but a number or a name of each sample
GOLDEN = 0.6180339887498949  # parts by it are even in every stretch, however a file is ordered
MIXING = 10_000_019


class Classed(Wrapper):
    """The samples whose class is known, numbered by `classes`: by the source itself, or by its column `labels`.

    `counts` of each class, `unknown` samples are left out and said. Raises SettingsError where there are no labels, or
    more kinds of them than classes.
    """

    def __init__(self, source: Source, labels: str = "", classes: tuple[str, ...] = ()) -> None:
        super().__init__(source)
        self.labels = labels
        self.counts: Counter[str] = Counter()
        own = source.schema.classes
        # A column that is named counts more than what the source says of itself.
        self.by_column = bool(labels) and (not own or self._has(labels))
        if own and not self.by_column:
            self.given = classes or own
        else:
            self.given = classes or tuple(sorted(self._words()))
        self.schema = replace(source.schema, classes=self.given)

    def _has(self, column: str) -> bool:
        first = next(iter(self.source), None)
        return first is not None and column in first.meta

    def _words(self) -> set[str]:
        found: set[str] = set()
        for batch in self.source:
            found |= set(np.unique(self._of(batch)).tolist())
            if len(found) > MOST_CLASSES:
                raise SettingsError(f"--labels {self.labels}: more than {MOST_CLASSES} kinds; name a column of classes")
        return found - set(UNKNOWN)

    def _of(self, batch: Batch) -> Array:
        """Return (n,) the class of each sample in words, '' where it is not known."""
        own = batch.schema.classes
        if own and not self.by_column:
            if batch.truth is None:
                return np.full(len(batch), "")
            return np.where(batch.truth >= 0, np.array([*own, ""])[np.minimum(batch.truth, len(own))], "")
        if self.labels and self.labels in batch.meta:
            words = np.asarray(batch.meta[self.labels])
        elif self.labels and batch.truth is not None:
            words = batch.truth
        else:
            known = ", ".join(sorted(batch.meta)) or "none"
            what = f"have no column {self.labels!r}" if self.labels else "do not say of which class they are"
            raise SettingsError(f"the samples {what}: name one by --labels; columns that are there: {known}")
        words = np.char.strip(words.astype(str))
        return np.where(np.isin(np.char.lower(words), UNKNOWN), "", words)

    def __iter__(self) -> Iterator[Batch]:
        number = {name: k for k, name in enumerate(self.given)}
        counts: Counter[str] = Counter()
        for batch in self.source:
            words = self._of(batch)
            found, place = np.unique(words, return_inverse=True)
            counts.update(dict(zip(found.tolist(), np.bincount(place, minlength=len(found)).tolist(), strict=True)))
            truth = np.array([number.get(str(word), -1) for word in found], np.int64)[place.reshape(-1)]
            known = truth >= 0
            meta = {name: column for name, column in batch.meta.items() if name != self.labels or not self.by_column}
            batch = replace(batch, schema=replace(batch.schema, classes=self.given), truth=truth, meta=meta)
            if known.any():
                yield batch if known.all() else batch[known]
        self.counts = Counter({name: counts[name] for name in self.given})
        left = sum(counts.values()) - sum(self.counts.values())
        others = sorted(set(counts) - set(self.given) - {""})
        also = f" (among them the classes {', '.join(others[:5])}, which were not asked for)" if others else ""
        self.own_messages = [f"{left} samples of no known class are left out{also}"] if left else []


class Fold(Wrapper):
    """One part in `folds` of the samples (`inside`), or all others; evenly from everywhere, whatever their order.

    `share`: what part of all samples it has.
    """

    def __init__(self, source: Source, folds: int, inside: bool) -> None:
        super().__init__(source)
        self.folds, self.inside = folds, inside
        self.share = 1 / folds if inside else 1 - 1 / folds

    def __iter__(self) -> Iterator[Batch]:
        first = 0
        for batch in self.source:
            number = (np.arange(first, first + len(batch)) + 1) % MIXING
            chosen = ((number * GOLDEN) % 1.0 < 1.0 / self.folds) == self.inside
            first += len(batch)
            if chosen.any():
                yield batch if chosen.all() else batch[chosen]
