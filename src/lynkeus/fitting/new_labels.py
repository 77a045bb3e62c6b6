"""Labels that no good run has: each axis with labels has a bin of its own for them, which is asked by itself.

The other scorers merge a bin that no good run fills with its neighbours, in which it would drown.
"""

from __future__ import annotations

import numpy as np
from scipy.special import ndtri

from lynkeus.core import NOTHING, Array, Batch, Finding, Floats, Plot
from lynkeus.core.run_calibration import rarest_of
from lynkeus.core.runs import NEW_LABEL
from lynkeus.fitting.answer import ODD_YIELD, Answer
from lynkeus.fitting.evidence.plot_place import region_of, where_in_words
from lynkeus.fitting.views.run_plots import RunPlots

NEW_LABELS = 0.1  # of the false alarms are for new labels, in books that have bins of them
JEFFREYS = 0.5  # counts that are known of a bin before any is seen


def with_new_labels(said: Answer, view: RunPlots, reference: dict[str, Array], batch: Batch) -> Answer:
    """Return an answer also to whether a run has labels that no good run has, by the chance of so many events in a bin
    that all good runs left empty."""
    bins = {k: place for k, plot in enumerate(view.book.plots) if (place := _bins_of_new(plot)).any()}
    if not bins:
        return said
    slices, counts = view.book.slices(), np.nan_to_num(batch.meta["counts"][0].astype(float))
    good = np.nan_to_num(reference["counts"].astype(float)).sum(axis=0)
    p_values = {
        k: _chance(counts[slices[k]], good[slices[k]], place.ravel()) for k, place in bins.items()
    }  # fmt: skip
    chief = min(p_values, key=lambda k: p_values[k])
    rarest = rarest_of(len(reference["events"])) / NEW_LABELS
    p_new = max(min(len(bins) * p_values[chief] / NEW_LABELS, 1.0), rarest)
    p_said, floor = min(said.p_value / (1.0 - NEW_LABELS), 1.0), said.rarest / (1.0 - NEW_LABELS)
    said = said._replace(p_value=p_said, rarest=floor)
    if p_new >= ODD_YIELD:
        return said
    plot, count = view.book_of(batch).plots[chief], float(counts[slices[chief]][bins[chief].ravel()].sum())
    found = _found(plot, bins[chief], count, p_values[chief])
    if p_said <= p_new:
        return said._replace(found=(*said.found, found), reason=f"{said.reason}; {found.says}")
    return Answer(said.score, p_new, (found, *said.found), found.says, rarest)


def _bins_of_new(plot: Plot) -> Array:
    """Return True (shape of the bins) for the bins of labels that no good run has."""
    place = np.zeros(plot.shape, bool)
    for axis in range(len(plot.edges)):
        if NEW_LABEL in plot.named(axis):
            np.moveaxis(place, axis, 0)[-2] = True
    return place


def _chance(counts: Floats, good: Floats, place: Array) -> float:
    """Return how often so many events are in a place that holds as few of all good ones, by Jeffreys' prior."""
    from scipy.stats import betabinom  # here: it takes half a second to import, and all that fit import this

    events, known, filled = round(counts.sum()), good.sum(), good[place].sum()
    if not events or not counts[place].sum():
        return 1.0
    return float(betabinom.sf(round(counts[place].sum()) - 1, events, filled + JEFFREYS, known - filled + JEFFREYS))


def _found(plot: Plot, place: Array, count: float, p_value: float) -> Finding:
    where, sigma = where_in_words(plot, place), -float(ndtri(max(p_value, 1e-300)))
    return NOTHING._replace(
        kind="new", population=plot.name, variable=", ".join(plot.variables), where=where, size=count, unit="events",
        sigma=sigma, region=region_of(plot, place), group=plot.group,
        says=f"{where}: {count:,.6g} events of labels that no good run has ({sigma:.1f} sigma)",
    )  # fmt: skip
