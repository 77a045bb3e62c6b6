"""Learn the views of good runs, each here or in another process, and what each says of runs that it has not seen."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from lynkeus.core import Array, Floats
from lynkeus.core.progress import report_progress
from lynkeus.files.workers import Work, as_done, processes_allowed
from lynkeus.scorers.population.columns import dependent_columns
from lynkeus.scorers.population.moves import Moves, together
from lynkeus.scorers.population.view import Asked, EventView

MANY_RUNS = 60  # of which every other one knows how small p-values of good runs are
FEWEST_TO_SHARE = 40  # views from which several processes learn them
FIFTHS, HALVES_FROM, FEWEST_TO_PART = 5, 20, 10  # parts that are held out one after the other; runs from which on


class Share(NamedTuple):
    """What one view is learned from: its `group` and `columns` (c,), the events (n, c) of each of the `runs`, and into
    how many `parts` these are divided, of which each is judged by what the others say (0: none is)."""

    group: str
    columns: Array
    runs: list[Floats]
    seed: int
    parts: int


class Learned(NamedTuple):
    """A `view` (None: too few events), what it says of each run, new populations aside, and what is said of each run
    that was `held_out`, with the `moves` of the others of each part."""

    view: EventView | None
    asked: list[Asked | None]
    held_out: list[Asked | None]
    moves: list[Moves | None]


def parts_of(runs: int) -> int:
    """Return into how many parts so many good runs are divided: fifths are held out of few, for half of them knows too
    little of how runs differ, else halves; 0 for too few, and for many, of which half are not learned from anyway."""
    if not FEWEST_TO_PART <= runs <= MANY_RUNS:
        return 0
    return FIFTHS if runs < HALVES_FROM else 2


def shares_of(scaled: Sequence[Floats], groups: Sequence[Array], names: Sequence[str], share: Share) -> list[Share]:
    """Return what each view of scaled runs (n, column) is learned from, by the groups of their events; seed and parts
    are those of `share`."""
    found = []
    for name in names:
        own = [run[group == name] for run, group in zip(scaled, groups, strict=True)]
        pooled = np.concatenate(own)
        known = np.flatnonzero(np.isfinite(pooled).mean(axis=0) > 0.5) if len(pooled) else np.empty(0, int)
        for part in dependent_columns(pooled[:, known]) if len(known) else ():
            columns = known[part]
            found.append(share._replace(group=name, columns=columns, runs=[run[:, columns] for run in own]))
    return found


def learned(shares: Sequence[Share]) -> list[Learned]:
    """Learn the views, in several processes where these are allowed and there are many; those of too few events are
    left out."""
    found: dict[int, Learned] = {}
    # Another process takes seconds to begin.
    processes = processes_allowed() if len(shares) >= FEWEST_TO_SHARE else 1
    for number, one in as_done(Work(_learner), shares, processes):
        found[number] = one
        report_progress(f"learn {len(found)} of {len(shares)} sets of columns", len(found) / len(shares))
    return _together([one for _, one in sorted(found.items(), key=lambda item: item[0]) if one.view is not None])


def _together(found: list[Learned]) -> list[Learned]:
    """Return what was learned of all views, after each was told how the columns of the others move."""
    whole = together([one.view.moves if one.view else None for one in found])
    parts = list(zip(*(together(part) for part in zip(*(one.moves for one in found), strict=True)), strict=True))
    told = []
    for one, own, others in zip(found, whole, parts or [()] * len(found), strict=True):
        view = one.view and replace(one.view, moves=own)
        held_out = [_told(asked, others[k % len(others)]) for k, asked in enumerate(one.held_out)]
        told.append(Learned(view, [_told(asked, own) for asked in one.asked], held_out, list(others)))
    return told


def _told(asked: Asked | None, moves: Moves | None) -> Asked | None:
    """Return what is said of a run by moves of which more is known now."""
    if asked is None or asked.place is None or moves is None:
        return asked
    return asked._replace(moved=moves.p_value(asked.place))


def _learner() -> Callable[[Share], Learned]:
    """Return what learns one view, here or in another process."""
    return _learned_view


def _learned_view(share: Share) -> Learned:
    runs, own = share.runs, np.arange(len(share.columns))
    view = EventView.fit(share.group, own, runs, share.seed)
    if view is None:
        return Learned(None, [], [], [])
    # Whether there is a new population takes longest to say: it is asked of runs by which others will be judged.
    many = len(runs) > MANY_RUNS
    asked = [view.ask(run, briefly=not (many and k % 2)) for k, run in enumerate(runs)]
    held_out: list[Asked | None] = [None] * len(runs) if share.parts else []
    moves = list[Moves | None]()
    for part in range(share.parts):
        others = EventView.fit(share.group, own, _without(runs, part, share.parts), share.seed, view)
        moves.append(others.moves if others else None)
        for k in range(part, len(runs), share.parts) if others else ():
            held_out[k] = others.ask(runs[k]) if others else None
    return Learned(replace(view, columns=share.columns), asked, held_out, moves)


def _without(runs: list[Floats], part: int, parts: int) -> list[Floats]:
    return [run for k, run in enumerate(runs) if k % parts != part]
