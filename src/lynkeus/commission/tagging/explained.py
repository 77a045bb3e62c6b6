"""What a tagger looks at: how much the log odds of each class change when jets lack a kind of particles, or what one
feature says of them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from lynkeus.core import Array, Batch, Floats, Source
from lynkeus.core.background import log_odds
from lynkeus.core.batch import concatenate
from lynkeus.fitting.fitted import Fitted
from lynkeus.transforms.jets.changes import changes

MOST = 1000  # jets: each is scored as often as there are features and kinds of particles
Row = dict[str, Any]


def explain_tagger(fitted: Fitted, source: Source, seed: int = 0) -> tuple[int, list[Row], list[str]]:
    """Return how many jets were asked, rows for each class, class of jet and change, and what there is to say.

    `relevance` is the mean size of the change of log odds over the jets, `mean` the change itself: positive where what
    was taken away speaks for the class.
    """
    batch, seen = _some(source, seed)
    if batch is None:
        return 0, [], []
    outputs = fitted.scorer.outputs
    before = log_odds(fitted.scorer.score(batch))
    rows: list[Row] = []
    empty = 0
    for what, packed in changes(batch.packed, batch.schema.names, seed):
        change = before - log_odds(fitted.scorer.score(batch.with_values(packed)))
        scored: Any = np.isfinite(change).all(axis=1)
        if not scored.any():
            continue  # all that it reads was taken away
        empty = max(empty, int((~scored & np.isfinite(before).all(axis=1)).sum()))
        for process, jets in _chosen(batch):
            own = change[jets][scored[jets]]
            rows += [_row(output, process, what, own[:, k]) for k, output in enumerate(outputs) if len(own)]
    said = [f"{len(batch):,} of {seen:,} jets, drawn at random, were asked"] if seen > len(batch) else []
    said += [f"up to {empty} jets had nothing left of them, and are not counted there"] if empty else []
    return len(batch), rows, said


def _some(source: Source, seed: int) -> tuple[Batch | None, int]:
    """Return at most MOST jets, drawn evenly from all, and how many there are."""
    rng = np.random.default_rng(seed)
    kept: list[Batch] = []
    draws: Floats = np.empty(0)
    seen = 0
    for batch in source:
        seen += len(batch)
        draws = np.concatenate([draws, rng.random(len(batch))])
        kept.append(batch)
        if len(draws) > 2 * MOST:
            stay = np.sort(np.argpartition(draws, MOST)[:MOST])
            kept, draws = [concatenate(kept)[stay]], draws[stay]
    if not kept:
        return None, 0
    stay = np.sort(np.argsort(draws)[:MOST])
    return concatenate(kept)[stay], seen


def _row(output: str, process: str, what: str, change: Floats) -> Row:
    size = np.abs(change)
    mean, error = float(size.mean()), float(size.std() / np.sqrt(len(size)))
    return {
        "output": output, "process": process, "order": 1, "input": what, "second_input": "", "mean_abs": mean,
        "mean": float(change.mean()), "interval": [mean - error, mean + error], "relevance": mean, "events": len(size),
    }  # fmt: skip


def _chosen(batch: Batch) -> Iterator[tuple[str, Array]]:
    yield "all", np.arange(len(batch))
    for k, name in enumerate(batch.schema.classes if batch.truth is not None else ()):
        rows = np.flatnonzero(batch.truth == k)
        if len(rows):
            yield name, rows
