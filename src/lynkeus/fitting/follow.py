"""Scorers that follow their instrument, and those that do not, asked the same way: start, move past a batch, state."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from lynkeus.core import Array, Batch, Scorer, Scores, Source, Standing, Stands, Tracking


def follows(scorer: Scorer) -> bool:
    """Return whether what a scorer says of a batch depends on those before it."""
    return isinstance(scorer, Tracking)


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


def can_mask(scorer: Scorer) -> bool:
    """Return whether a scorer can leave channels out for a while, and says what stands."""
    return isinstance(scorer, Stands)


def standing_of(scorer: Scorer) -> list[Standing]:
    """Return what a scorer has taken for its reference or left out; nothing where it does neither."""
    return list(scorer.standing()) if isinstance(scorer, Stands) else []


def mask(scorer: Scorer, channels: Sequence[str]) -> None:
    """Let a scorer leave out these channels, and no others; one that cannot goes on with all."""
    if isinstance(scorer, Stands):
        scorer.mask(list(channels))
