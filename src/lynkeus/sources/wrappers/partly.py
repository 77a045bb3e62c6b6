"""Partly: samples of which some have a label in words or numbers, numbered by the labels that there are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

import numpy as np

from lynkeus.core.batch import Array, Batch
from lynkeus.core.errors import SettingsError
from lynkeus.core.protocols import Source
from lynkeus.sources.wrappers.classed import MOST_CLASSES, UNKNOWN
from lynkeus.sources.wrappers.wrapper import Wrapper
from lynkeus.transforms.pads.spectra import IDENTITY

UNLABELLED = (*UNKNOWN, "unlabelled", "unlabeled", "-")


class Partly(Wrapper):
    """All samples of a source, with the class of those that its column `labels`, or people, `said` one of; -1 for the
    others. `said` is of pads, by "sector/row/pad", and counts more than the column.

    Words are classes as they are; of whole numbers those below 0 and NaN mean that it is not known. Raises
    SettingsError where the source has no such column, no sample has a label, or there are more kinds than classes.
    """

    def __init__(self, source: Source, labels: str, said: Mapping[str, str] | None = None) -> None:
        super().__init__(source)
        self.labels, self.said = labels, dict(said or {})
        found: set[str] = set()
        for batch in source:
            found |= set(np.unique(self._words(batch)).tolist()) - {""}
            if len(found) > MOST_CLASSES:
                raise SettingsError(f"--labels {labels}: more than {MOST_CLASSES} kinds; name a column of classes")
        if not found:
            raise SettingsError(
                f"--labels {labels or '(of people)'}: no sample has a label; leave it out, or label some"
            )
        self.given = tuple(sorted(found))
        self.schema = replace(source.schema, classes=self.given)

    def _words(self, batch: Batch) -> Array:
        words = self._of_column(batch) if self.labels else np.full(len(batch), "")
        if not self.said:
            return words
        found = words.astype(object)
        names = zip(*(batch.meta[part].tolist() for part in IDENTITY), strict=True)
        for k, name in enumerate(names):
            own = self.said.get("/".join(map(str, name)))
            found[k] = found[k] if own is None else own
        return found.astype(str)

    def _of_column(self, batch: Batch) -> Array:
        if self.labels not in batch.meta:
            known = ", ".join(sorted(batch.meta)) or "none"
            raise SettingsError(f"the samples have no column {self.labels!r}; columns that are there: {known}")
        column = np.asarray(batch.meta[self.labels])
        if column.dtype.kind == "b":
            return column.astype(np.int64).astype(str)
        if column.dtype.kind in "iuf":
            there = np.isfinite(column) & (column >= 0)
            return np.where(there, np.char.mod("%g", np.where(there, column, 0)), "")
        words = np.char.strip(column.astype(str))
        return np.where(np.isin(np.char.lower(words), UNLABELLED), "", words)

    def __iter__(self) -> Iterator[Batch]:
        number = {name: k for k, name in enumerate(self.given)} | {"": -1}
        for batch in self.source:
            words, place = np.unique(self._words(batch), return_inverse=True)
            truth = np.array([number[str(word)] for word in words], np.int64)[place.reshape(-1)]
            yield replace(batch, schema=self.schema, truth=truth)
