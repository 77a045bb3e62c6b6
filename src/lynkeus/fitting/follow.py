"""Scorers that follow their instrument, and those that do not, asked the same way: start, move past a batch, state."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from lynkeus.core import Array, Batch, Scorer, Scores, Source, Tracking


def start(scorer: Scorer, state: Mapping[str, Array] | None = None) -> None:
    """Let a scorer go on from a state, or start afresh."""
    if isinstance(scorer, Tracking):
        scorer.resume(dict(state or {}))


def move_past(scorer: Scorer, batch: Batch) -> None:
    """Move a scorer past a batch that was scored."""
    if isinstance(scorer, Tracking):
        scorer.update(batch)


def state_of(scorer: Scorer) -> dict[str, Array]:
    """Return what a scorer would go on from; nothing where it follows nothing."""
    return scorer.state() if isinstance(scorer, Tracking) else {}


def scores_along(scorer: Scorer, source: Source, fresh: bool = True) -> Iterator[Scores]:
    """Score all batches of a source in their order, from a fresh start or from where the scorer is."""
    if fresh:
        start(scorer)
    for batch in source:
        yield scorer.score(batch)
        move_past(scorer, batch)
