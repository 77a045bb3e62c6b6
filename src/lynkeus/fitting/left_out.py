"""Runs of the reference that were left out as odd: named by the fit, and again where a run is like one of them.

Nobody called them bad, and no statistic can tell whether they are. If they are good, such a run comes as often as in
the reference, and that is its p-value; it is a warning all the same, which names the one before and what to do.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from lynkeus.core import Array, Batch, Floats
from lynkeus.fitting.answer import Answer
from lynkeus.fitting.evidence.plots import ReferencePlots
from lynkeus.fitting.views.run_plots import RunPlots
from lynkeus.sources.runs.folder import Run
from lynkeus.transforms.alike import ALIKE, likeness, second_kind

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
    plots = view.plots_of(reference)

    def pulls(counts: Floats, events: float) -> Floats:
        return plots.pulls(counts.astype(float), float(events))

    theirs = np.stack([pulls(*own) for own in zip(reference[COUNTS], reference[EVENTS], strict=True)])
    cosines = likeness(pulls(batch.meta["counts"][0], batch.meta["events"][0]), theirs)
    best, names = int(cosines.argmax()), list(lineage.get(NAMES, ()))
    if cosines[best] <= ALIKE or best >= len(names):
        return said
    like = int((cosines > ALIKE).sum())
    runs = len(reference["events"]) + len(theirs)
    more = (
        f"{said.reason}; like {names[best]!r}, a run of the reference that was left out: if such runs are good, call "
        "it good, or give more of them, and fit again"
    )
    p_value = max(said.p_value, (like + 1.0) / (runs + 1.0))
    return said._replace(reason=more, p_value=p_value, beside=said.p_value)
