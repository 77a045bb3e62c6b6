"""Runs of the reference that were left out as odd: named by the fit, and again where a run is like one of them.

Nobody called them bad, and no statistic can tell whether they are. If they are good, such a run comes as often as in
the reference, and that is its p-value; it is a warning all the same, which names the one before and what to do.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from scipy.special import chdtri

from lynkeus.core import Array, Batch, Floats
from lynkeus.fitting.answer import Answer
from lynkeus.fitting.evidence.plots import ReferencePlots
from lynkeus.fitting.views.run_plots import RunPlots
from lynkeus.sources.runs.folder import Run
from lynkeus.transforms.alike import ALIKE, likeness, second_kind

RARE, HALF = 1e-6, 0.5  # p-value of a plot, and share of its oddness, that another run leaves unexplained
COUNTS, EVENTS = "left_out_counts", "left_out_events"  # in the reference of a model
NAMES = "outlying"  # in its lineage


def reference_of(own: Sequence[Run], left_out: Sequence[Run]) -> dict[str, Array]:
    """Return what a model keeps of the plots of its good runs, and of those that were left out."""
    kept = {"counts": _counts(own), "events": np.array([run.events for run in own], float)}
    if not left_out:
        return kept
    return kept | {COUNTS: _counts(left_out), EVENTS: np.array([run.events for run in left_out], float)}


def _counts(runs: Sequence[Run]) -> Array:
    return np.stack([run.counts for run in runs]).astype(np.float32)


def of_a_kind(odd: Sequence[Run], others: Sequence[Run]) -> list[str]:
    """Return the names of the odd runs whose plots are off, beside those of others, in the way of other odd ones."""
    if len(odd) < 2 or not others:
        return []
    plots = ReferencePlots.fit(_counts(others).astype(float), np.array([run.events for run in others], float))
    rows = np.stack([plots.pulls(run.counts, run.events) for run in odd])
    return [run.name for run, is_like in zip(odd, second_kind(rows, len(odd) + len(others)), strict=True) if is_like]


def like_left_out(
    said: Answer, view: RunPlots, reference: dict[str, Array], lineage: Mapping[str, Any], batch: Batch
) -> Answer:
    """Return an answer that names the run of the reference that was left out and is most like this one, if any is."""
    if COUNTS not in reference:
        return said
    plots, here = view.plots_of(reference), float(batch.meta["events"][0])
    own = plots.pulls(batch.meta["counts"][0].astype(float), here)
    there = reference[EVENTS].astype(float)
    theirs = np.stack(
        [plots.pulls(row.astype(float), size) for row, size in zip(reference[COUNTS], there, strict=True)]
    )
    cosines = likeness(own, theirs)
    cosines[_more_than(own, theirs, np.sqrt(here / np.maximum(there, 1.0)), view.book.slices())] = 0.0
    best, names = int(cosines.argmax()), list(lineage.get(NAMES, ()))
    if cosines[best] <= ALIKE or best >= len(names):
        return said
    like, runs = int((cosines > ALIKE).sum()), len(reference["events"]) + len(theirs)
    more = (
        f"{said.reason}; like {names[best]!r}, a run of the reference that was left out: take that one away if it is "
        "bad, call it good if it is, and fit again"
    )
    p_value = max(said.p_value, (like + 1.0) / (runs + 1.0))
    return said._replace(reason=more, p_value=p_value, beside=said.p_value)


def _more_than(own: Floats, theirs: Floats, scale: Floats, plots: Sequence[slice]) -> Array:
    """Return (k,) True for the runs (k, bins) that do not explain a plot of this one, by their pulls in sigmas, times
    `scale` (k,) for a run of this size: it is off in another way, too."""
    starts = [where.start for where in plots]
    size = np.array([where.stop - where.start for where in plots])
    away = np.add.reduceat((own - scale[:, None] * theirs) ** 2, starts, axis=1)
    unexplained = away > HALF * np.add.reduceat(own**2, starts)
    found: Array = (unexplained & (away / (1.0 + scale[:, None] ** 2) > chdtri(size, RARE))).any(axis=1)
    return found
