"""Cells: the bins of all regions; which of them each event is in, and what simulation expects there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from lynkeus.core import Array, Floats, SettingsError
from lynkeus.metrics.significance import asimov_significance
from lynkeus.searches.classifier import Classifier
from lynkeus.searches.events import Events
from lynkeus.searches.plan.plan import PROBABILITY, Plan, Region

NOWHERE = -1
CANDIDATES = 40  # thresholds on the signal's probability that are tried
FEWEST, MOST_ERROR = 1.0, 0.4  # background events of a bin, and how uncertain simulation may be of them
BACKGROUND_ERROR = 0.2  # share by which bins take the background to be uncertain when they are chosen
MOST_SIGNAL = 0.5  # share of the signal in a control region from which it is none


@dataclass(frozen=True)
class Cells:
    """The bins of all regions at one mass point: `edges` of the signal's probability in each signal region (inner ones
    only); cell k is bin `bin_of[k]` of region `region_of[k]`."""

    regions: Sequence[Region]
    edges: Mapping[str, tuple[float, ...]]

    @property
    def sizes(self) -> list[int]:
        """Return how many bins each region has."""
        return [len(self.edges.get(region.name, ())) + 1 for region in self.regions]

    @property
    def region_of(self) -> Array:
        """Return (cells,) the number of the region of each cell."""
        return np.repeat(np.arange(len(self.regions)), self.sizes)

    @property
    def is_signal(self) -> Array:
        """Return (cells,) whether the data of a cell stay blind."""
        return np.array([self.regions[k].signal for k in self.region_of])

    @property
    def names(self) -> list[str]:
        """Return the names of the cells: of the region, with the number of the bin where there are several."""
        found = []
        for region, size in zip(self.regions, self.sizes, strict=True):
            found += [region.name] if size == 1 else [f"{region.name}, bin {k + 1}" for k in range(size)]
        return found


def members(plan: Plan, classifier: Classifier, events: Events, p: Floats, where: str) -> Array:
    """Return (n, regions) which events are in each region. `p` (n, classes) their probabilities."""
    best = np.array(classifier.classes)[np.argmax(p, axis=1)] if len(p) else np.zeros(0, str)
    more = {f"{PROBABILITY}{name}": p[:, k] for k, name in enumerate(classifier.classes)}
    found = np.zeros((len(events), len(plan.regions)), bool)
    for k, region in enumerate(plan.regions):
        if region.of_class and region.of_class not in classifier.classes:
            raise SettingsError(
                f"regions.{region.name}.class: no class {region.of_class}; there are {', '.join(classifier.classes)}"
            )
        own = np.ones(len(events), bool) if not region.of_class else best == region.of_class
        if region.cut is not None:
            own = own & events.value(region.cut, f"regions.{region.name}.cut{where}", more).astype(bool)
        found[:, k] = own
    return found


def cells_of(cells: Cells, inside: Array, p_signal: Floats) -> Array:
    """Return (n,) the cell of each event, NOWHERE of what is in no region. Raises nothing: overlaps are checked once,
    on simulation."""
    found = np.full(len(inside), NOWHERE)
    start = np.cumsum([0, *cells.sizes])
    for k, region in enumerate(cells.regions):
        own = inside[:, k]
        edges = np.array(cells.edges.get(region.name, ()))
        found[own] = start[k] + np.searchsorted(edges, p_signal[own], side="right")
    return found


def choose_cells(plan: Plan, simulation: Events, inside: Array, p_signal: Floats, of_point: Array) -> Cells:
    """Return the bins, chosen on simulation only. `of_point` (n,): events of the signal at this point.

    Raises SettingsError for regions that overlap, for events of simulation in no region (unless the plan leaves them
    out), and for a control region with most of the signal.
    """
    check_overlap(plan, inside)
    names = [region.name for region in plan.regions]
    total = float(simulation.weight[of_point].sum())
    for k, region in enumerate(plan.regions):
        share = float(simulation.weight[of_point & inside[:, k]].sum()) / max(total, 1e-300)
        if not region.signal and total > 0 and share > MOST_SIGNAL:
            raise SettingsError(
                f"regions.{region.name}: has {share:.0%} of the signal, and its data would be looked at: give it "
                f"signal = true, or cut it elsewhere ({PROBABILITY}{plan.signal} below a value)"
            )
    background = np.isin(simulation.columns[plan.samples.labels], plan.backgrounds)
    edges = {
        region.name: _edges(region, simulation.weight, p_signal, inside[:, k] & background, inside[:, k] & of_point)
        for k, region in enumerate(plan.regions) if region.signal
    }  # fmt: skip
    assert len(set(names)) == len(names)
    return Cells(plan.regions, edges)


def check_overlap(plan: Plan, inside: Array) -> None:
    """Raise SettingsError where an event of simulation is in two regions: one of data would be counted twice, or seen
    although it is in a signal region."""
    for i, one in enumerate(plan.regions):
        for j in range(i + 1, len(plan.regions)):
            both = int((inside[:, i] & inside[:, j]).sum())
            if both:
                other = plan.regions[j]
                blind = next((region.name for region in (one, other) if region.signal), "")
                looks = f": it would look at data in the signal region {blind}" if blind else ""
                raise SettingsError(
                    f"regions.{other.name} and regions.{one.name} share {both} simulated events{looks}; cut them apart"
                )


def _edges(region: Region, weight: Floats, p: Floats, background: Array, signal: Array) -> tuple[float, ...]:
    """Return the inner edges of a signal region that give the largest expected significance, added one by one."""
    if region.bins < 2 or not signal.any() or not background.any():
        return ()
    tries = np.unique(np.quantile(p[signal], np.linspace(0.02, 0.98, CANDIDATES)))
    chosen: list[float] = []
    best = _significance(chosen, weight, p, background, signal)
    while len(chosen) < region.bins - 1:
        found = [(_significance(sorted([*chosen, t]), weight, p, background, signal), t) for t in tries.tolist()
                 if t not in chosen]  # fmt: skip
        value, edge = max(found, default=(0.0, 0.0))
        if value <= 1.01 * best:
            break
        best, chosen = value, sorted([*chosen, edge])
    return tuple(chosen)


def _significance(edges: Sequence[float], weight: Floats, p: Floats, background: Array, signal: Array) -> float:
    """Return the significance of all bins, 0 where one has too little background or simulation to be believed."""
    place = np.searchsorted(np.array(edges), p, side="right")
    bins = len(edges) + 1
    b, b2, s = (np.bincount(place[own], w[own], bins) for own, w in
                ((background, weight), (background, weight**2), (signal, weight)))  # fmt: skip
    if edges and ((b < FEWEST) | (np.sqrt(np.maximum(b2, 0)) > MOST_ERROR * b)).any():
        return 0.0
    z = asimov_significance(np.maximum(s, 0), np.maximum(b, 1e-9), BACKGROUND_ERROR * np.maximum(b, 1e-9))
    return float(np.sqrt((z[np.isfinite(z)] ** 2).sum()))
