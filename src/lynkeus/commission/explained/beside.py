"""Beside: what is said beside a ranking: what shuffling an input changes, and which inputs carry the same thing.

Permutation importance: Breiman 2001, Fisher, Rudin & Dominici 2019 (arXiv:1801.01489). Both are of some of the data.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from lynkeus.core import Batch, Floats, Tracking, concatenate
from lynkeus.explain.taylor.relevance import ALL
from lynkeus.fitting.fitted import Fitted

MOST_EVENTS = 4000  # that are shuffled
MOST_INPUTS = 200
SAME = 0.9  # rank correlation from which two inputs are said to carry the same thing
COPY = 0.9999  # and from which they are called copies
NAMED = 5  # pairs that are named
Row = dict[str, Any]


@dataclass
class Sample:
    """Some of the samples of a source, evenly from all of it: each pass over the limit halves what is kept."""

    most: int
    parts: list[Batch] = field(default_factory=list)
    step: int = 1
    seen: int = 0

    def add(self, batch: Batch) -> None:
        """Keep every `step`-th sample."""
        if batch.schema.kind != "table" or len(batch.values.shape) != 2:
            return
        rows = np.flatnonzero((self.seen + np.arange(len(batch))) % self.step == 0)
        self.seen += len(batch)
        if len(rows):
            self.parts.append(batch[rows])
        while sum(len(part) for part in self.parts) > 2 * self.most:
            joined = concatenate(self.parts)
            self.parts, self.step = [joined[::2]], 2 * self.step

    @property
    def batch(self) -> Batch | None:
        """Return all that was kept, None where there is nothing."""
        return concatenate(self.parts) if self.parts else None


class Beside:
    """Adds to the rows of a table of single inputs `permutation`: the mean size of the change of an output where the
    input is shuffled among the samples; `correlated_with`: inputs that carry the same thing; `with_correlated`: the
    relevance where all others move along with an input as they do in the data (Taylor only)."""

    def __init__(self, fitted: Fitted) -> None:
        self.fitted, self.sample = fitted, Sample(MOST_EVENTS)

    def add_to(self, rows: list[Row]) -> list[str]:
        """Add the columns to rows, and return what is to be said."""
        for row in rows:
            row |= {"permutation": float("nan"), "with_correlated": float("nan"), "correlated_with": ""}
        batch = self.sample.batch
        if batch is None or len(batch) < 2:
            return []
        names, width = tuple(self.fitted.view.names), batch.values.shape[1]
        if width > MOST_INPUTS or width != len(names):
            return [f"{width} inputs: what shuffling changes is measured for {MOST_INPUTS} at most, and left out"]
        ranks = rank_correlation(np.asarray(batch.values, float))
        alike = {i: [j for j in range(width) if j != i and abs(ranks[i, j]) >= SAME] for i in range(width)}
        shuffled = self._shuffled(batch)
        along = self._along(batch)
        number = {name: k for k, name in enumerate(names)}
        for row in rows:
            if row["order"] != 1 or row["process"] != ALL or row["input"] not in number:
                continue
            i, k = number[row["input"]], self.fitted.scorer.outputs.index(row["output"])
            row["correlated_with"] = ", ".join(names[j] for j in alike[i])
            if shuffled is not None:
                row["permutation"] = float(shuffled[i, k])
            if along is not None:
                row["with_correlated"] = float(along[k, i])
        return _said(names, ranks)

    def _shuffled(self, batch: Batch) -> Floats | None:
        """Return (inputs, outputs) mean changes; None for scorers that follow their instrument in time."""
        if isinstance(self.fitted.scorer, Tracking):
            return None
        few = batch[:: -(-len(batch) // MOST_EVENTS)]
        before, draw = self.fitted.scorer.score(few), np.random.default_rng(0)
        weight = None if few.weight is None else few.weight
        found = []
        for i in range(few.values.shape[1]):
            values = np.array(few.values)
            values[:, i] = values[draw.permutation(len(values)), i]
            off = np.abs(np.nan_to_num(self.fitted.scorer.score(few.with_values(values)) - before))
            found.append(np.average(off, axis=0, weights=weight))
        return np.array(found)

    def _along(self, batch: Batch) -> Floats | None:
        """Return (outputs, inputs) relevance of first order with all inputs moving along by linear regression."""
        coefficients = getattr(self.fitted.scorer, "coefficients", None)
        if coefficients is None:
            return None
        x = np.asarray(batch.values, float)
        sigma = x.std(axis=0)
        covariance = np.atleast_2d(np.cov(x.T))
        slopes = covariance / np.where(sigma > 0, sigma, 1.0)[:, None] ** 2  # (i, j): how much j moves with i
        first = coefficients(batch, 1)  # (n, outputs, inputs)
        moved = np.abs(first @ slopes.T) * sigma
        found: Floats = np.average(moved, axis=0, weights=batch.weight)
        return found


def rank_correlation(x: Floats) -> Floats:
    """Return (d, d) rank correlations (Spearman) of columns (n, d); 0 with a column of one number, missing as 0."""
    from scipy.stats import rankdata  # here: it takes half a second to import

    ranks = rankdata(np.nan_to_num(x), axis=0)
    ranks = ranks - ranks.mean(axis=0)
    spread = np.sqrt((ranks**2).sum(axis=0))
    ranks = ranks / np.where(spread > 0, spread, 1.0)
    return np.asarray(ranks.T @ ranks)


def _said(names: tuple[str, ...], ranks: Floats) -> list[str]:
    first, second = np.triu_indices(len(names), 1)
    size = np.abs(ranks[first, second])
    order = np.argsort(-size, kind="stable")
    order = order[size[order] >= SAME]
    found = []
    for at in order[:NAMED]:
        one, other, rank = names[first[at]], names[second[at]], ranks[first[at], second[at]]
        what = "are copies of one another" if abs(rank) >= COPY else "carry much of the same"
        found.append(f"{one} and {other} {what} (rank correlation {rank:+.3f})")
    if len(order) > NAMED:
        found.append(f"... and {len(order) - NAMED} more pairs: see correlated_with in the table")
    if len(order):
        found.append(
            "of such inputs the network may use either, so that a small relevance of one says nothing: compare "
            "with_correlated, or leave one out"
        )
    return found
