"""Answer: what a model says of one sample that stands alone; of runs of histograms, with what their yields say."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from lynkeus.core import NOTHING, Array, Batch, Finding, Plot
from lynkeus.fitting.views.run_plots import RunPlots

YIELDS = 0.2  # of the false alarms are for plots too full or too empty, the others for the scorer
ODD_YIELD = 0.01  # p-value from which a yield is said beside what the scorer found
LOUD = 0.5  # of the sigmas of the oddest plot that others must reach to be named with it
MOST_NAMED = 3
GONE = 0.01  # of what is expected
PARTLY = 0.5  # of it, above which the place that the scorer names matters more


class Answer(NamedTuple):
    """What a model says of one sample that stands alone: `score`, `p_value` (NaN: not enough data), what it `found`,
    the most conspicuous first, and the `reason` in a sentence; `rarest`: no p-value is smaller; `beside`: of a run that
    is like one of the reference that was left out, the p-value beside all others."""

    score: float
    p_value: float
    found: tuple[Finding, ...]
    reason: str
    rarest: float = 0.0
    beside: float = np.nan

    @property
    def chief(self) -> Finding:
        """What matters most; of kind none where nothing was found."""
        return self.found[0] if self.found else NOTHING


def with_yields(said: Answer, view: RunPlots, reference: dict[str, Array], batch: Batch) -> Answer:
    """Return an answer to both questions, what the scorer says and whether a plot is too full or too empty beside the
    rest of its run; each has its share of the false alarms."""
    yields = view.yields_of(reference)
    sums = view.sums(batch.meta["counts"][0].astype(float))
    by_yield = np.nan if yields is None else yields.p_value(sums) / YIELDS
    if yields is None or np.isnan(by_yield):
        return said
    left = 1.0 - YIELDS if said.rarest else 1.0  # a model of before gave all its false alarms to the scorer
    by_scorer, rarest = said.p_value / left, max(said.rarest, yields.rarest) / YIELDS
    if np.isnan(by_scorer) and by_yield >= ODD_YIELD:
        return said
    p_value = min(float(np.fmin(by_scorer, by_yield)), 1.0)
    rarest = rarest if by_yield <= np.nan_to_num(by_scorer, nan=1.0) else said.rarest / left
    if by_yield >= ODD_YIELD:
        return said._replace(p_value=p_value, rarest=rarest)
    sigmas, expected = yields.sigmas(sums), yields.expected(sums)
    loud = np.nan_to_num(np.abs(sigmas))
    order = [int(k) for k in np.lexsort((-expected, -loud)) if loud[k] >= LOUD * loud.max()]
    found = tuple(_yield(view.book.plots[k], sums[k], expected[k], loud[k]) for k in order)
    # Of a plot that is filled still, which bins are empty says more than that it is too empty.
    partly = sums[order[0]] > PARTLY * expected[order[0]] and said.chief.population == found[0].population
    if by_yield > by_scorer or (partly and by_scorer < ODD_YIELD):
        return Answer(said.score, p_value, (*said.found, *found), f"{said.reason}; {found[0].says}", rarest)
    others = [change.population for change in found[1 : MOST_NAMED + 1]]
    more = f" and {len(found) - 1 - MOST_NAMED} more" if len(found) > MOST_NAMED + 1 else ""
    reason = found[0].says + (f"; so are {', '.join(others)}{more}" if others else "")
    return Answer(said.score, p_value, (*found, *said.found), reason, rarest)


def _yield(plot: Plot, count: float, expected: float, sigma: float) -> Finding:
    """Return what is said of a plot that is too full or too empty: `gone` with the share that is missing."""
    region = {name: (axis[0], axis[-1]) for name, axis in zip(plot.variables, plot.edges, strict=True)}
    variables = ", ".join(plot.variables)
    fewer = count < expected
    told = "gone" if count < GONE * expected else "too empty" if fewer else "too full"
    says = f"{plot.name}: {told} for its run, {count:,.6g} events where the other plots let expect {expected:,.0f}"
    size, unit = (1.0 - count / expected, "of it") if fewer else (count - expected, "events")
    kind = "gone" if fewer else "new"
    return NOTHING._replace(
        kind=kind, population=plot.name, variable=variables, where=f"all of {plot.name}", size=float(size), unit=unit,
        sigma=float(sigma), region=region, group=plot.group, says=f"{says} ({sigma:.1f} sigma)",
    )  # fmt: skip
