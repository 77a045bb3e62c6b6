"""Answered: samples with the answers to several questions, each a column of words, numbered by classes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from lynkeus.core.batch import Array, Batch
from lynkeus.core.errors import SettingsError
from lynkeus.core.protocols import Source
from lynkeus.sources.wrappers.classed import MOST_CLASSES, UNKNOWN
from lynkeus.sources.wrappers.wrapper import Wrapper

FEWEST = 5  # samples of a class that can be learned and tried on others


class Answered(Wrapper):
    """The samples of which at least one of the columns `questions` has an answer; `truth` (n, questions) numbers the
    `heads`, the classes of each question, -1 where there is none.

    `counts`: of each question, how often each class. Classes of fewer than `fewest` samples are no answers; what is
    left out is said. Raises SettingsError where a question is no column, or has fewer than two classes.
    """

    def __init__(self, source: Source, questions: tuple[str, ...], fewest: int = FEWEST) -> None:
        super().__init__(source)
        self.fewest = fewest
        self.questions = questions
        self.counts: dict[str, Counter[str]] = {name: Counter() for name in questions}
        total = 0
        for batch in source:
            total += len(batch)
            for name in questions:
                self.counts[name].update(words_of(batch, name).tolist())
                if len(self.counts[name]) > MOST_CLASSES:
                    raise SettingsError(f"--labels {name}: more than {MOST_CLASSES} kinds; name a column of classes")
        self.heads = {name: self._classes(name, total) for name in questions}

    def _classes(self, name: str, total: int) -> tuple[str, ...]:
        counts = self.counts[name]
        open_ones = counts.pop("", 0)
        if open_ones:
            self.own_messages.append(f"{name}: {open_ones} of {total} samples have no answer, and teach nothing of it")
        few = {word: many for word, many in counts.items() if many < self.fewest}
        for word in few:
            del counts[word]
        if few:
            said = ", ".join(f"{word!r} ({many})" for word, many in sorted(few.items())[:5])
            self.own_messages.append(
                f"{name}: classes of fewer than {self.fewest} samples are left out, {sum(few.values())} samples: {said}"
            )
        if len(counts) < 2:
            only = f": all are {next(iter(counts))!r}" if counts else ""
            raise SettingsError(
                f"--labels {name}: {len(counts)} classes of at least {self.fewest} samples{only}; two are needed"
            )
        return tuple(sorted(counts))

    def __iter__(self) -> Iterator[Batch]:
        numbers = [{word: k for k, word in enumerate(self.heads[name])} for name in self.questions]
        for batch in self.source:
            columns = [
                np.array([own.get(word, -1) for word in words_of(batch, name).tolist()], np.int64)
                for name, own in zip(self.questions, numbers, strict=True)
            ]
            truth = np.stack(columns, axis=1)
            known = np.asarray((truth >= 0).any(axis=1))
            batch = replace(batch, truth=truth)
            if known.any():
                yield batch if known.all() else batch[known]


def words_of(batch: Batch, name: str) -> Array:
    """Return (n,) the words of a column, '' where they say nothing. Raises SettingsError where there is no such."""
    if name not in batch.meta:
        there = ", ".join(sorted(batch.meta)) or "none"
        raise SettingsError(f"--labels {name}: no such column; there are: {there}")
    words = np.char.strip(np.asarray(batch.meta[name]).astype(str))
    return np.where(np.isin(np.char.lower(words), UNKNOWN), "", words)
