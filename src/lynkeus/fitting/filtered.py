"""Filtered and PerEvent: from hits, by a fitted filter, to the hits that are kept, and to a table of events to watch.

Both are sources: what is read is filtered block by block and written by any writer, so that a stream needs no more
memory than a block of whole events.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from lynkeus.core import Array, Batch, Describes, Floats, Schema, SettingsError, Source
from lynkeus.fitting.fitted import Fitted
from lynkeus.sources.hits.names import roles_of
from lynkeus.sources.hits.prepared import event_of
from lynkeus.sources.wrappers.wrapper import Wrapper

RATES = ("hits", "removed", "score_10", "score_50", "score_90")


class Filtered(Wrapper):
    """The hits of a source that a fitted filter keeps, with the columns of the source; counted in `hits`, `removed`."""

    def __init__(self, fitted: Fitted, source: Source) -> None:
        super().__init__(source, fitted.view.schema)
        self.fitted, self.hits, self.removed = fitted, 0, 0

    def __iter__(self) -> Iterator[Batch]:
        self.hits = self.removed = 0
        own = len(self.schema.names)
        for batch in self.fitted.prepare(self.source):
            remove, _ = judged(self.fitted, batch)
            self.hits, self.removed = self.hits + len(batch), self.removed + int(remove.sum())
            kept = batch[~remove]
            if len(kept):
                yield replace(kept, schema=self.schema, values=kept.values[:, :own])
        self.own_messages = [f"{self.removed} of {self.hits} hits are removed"]


class PerEvent(Wrapper):
    """A table with a row for each event: how many `hits`, the share that is `removed`, and quantiles of the scores:
    what is watched for a working point that drifts. In meta: `event`.

    Raises SettingsError where hits have no events.
    """

    def __init__(self, fitted: Fitted, source: Source) -> None:
        super().__init__(source, Schema("table", RATES, (), (len(RATES),)))
        self.fitted = fitted

    def __iter__(self) -> Iterator[Batch]:
        for batch in self.fitted.prepare(self.source):
            roles = roles_of([*batch.meta, *batch.schema.names])
            if not roles.event:
                raise SettingsError("the hits have no column of events: no rate per event can be given")
            remove, scores = judged(self.fitted, batch)
            names, which = np.unique(event_of(batch, roles), return_inverse=True)
            rows = [_rates(remove[which == k], scores[which == k]) for k in range(len(names))]
            yield Batch(self.schema, np.array(rows), meta={"event": names})


def judged(fitted: Fitted, batch: Batch) -> tuple[Array, Floats]:
    """Return which hits (n,) of a prepared batch are removed, and their scores. Raises SettingsError for a model that
    removes none."""
    scorer = fitted.scorer
    further = scorer.further(batch) if isinstance(scorer, Describes) else {}
    if "remove" not in further:
        raise SettingsError(f"the scorer {fitted.name} removes nothing; fit one that does, such as hit_filter")
    return further["remove"], scorer.score(batch)[:, 0]


def _rates(remove: Array, scores: Floats) -> Floats:
    known = scores[np.isfinite(scores)]
    spread = np.quantile(known, (0.1, 0.5, 0.9)) if len(known) else np.full(3, np.nan)
    return np.array([len(remove), remove.mean(), *spread])
