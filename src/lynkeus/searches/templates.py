"""Templates: what simulation expects in each cell, nominal and varied, and what is seen there, at one mass point."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from lynkeus.core import Array, Floats, SettingsError
from lynkeus.searches.cells import NOWHERE, Cells, cells_of, choose_cells, members
from lynkeus.searches.classifier import Classifier
from lynkeus.searches.events import Events, require_finite, shifted_columns
from lynkeus.searches.negative import require_positive, settled
from lynkeus.searches.plan.plan import COLUMNS, REFUSE, SIZE, WAYS, WEIGHTS, Plan, Point, Systematic


@dataclass(frozen=True)
class Sample:
    """Everything that a search reads: `simulation`, `data`, and `other` simulations of systematics by name and way."""

    simulation: Events
    data: Events
    other: Mapping[tuple[str, str], Events]


@dataclass(frozen=True)
class Templates:
    """At one point: `counts` and `variance` (processes, cells) sums of weights and of their squares; `varied` of each
    systematic (2, processes, cells) up and down; `observed` (cells,) events of data, NaN where they stay blind;
    `uncovered`: data in no region; `half` (2, processes, cells) of two halves of the
    simulation, each scaled to the whole; `entries` (processes, cells) simulated events; `assumed`: bins
    of signal regions whose background is an assumption; `settled`: sums that fluctuated below 0, and count as 0."""

    point: Point
    cells: Cells
    processes: tuple[str, ...]
    counts: Floats
    variance: Floats
    varied: Mapping[str, Floats]
    observed: Floats
    uncovered: int
    half: Floats
    entries: Floats
    assumed: tuple[str, ...] = ()
    settled: tuple[str, ...] = ()

    @property
    def control(self) -> Array:
        """Return (cells,) which cells are control regions."""
        return ~self.cells.is_signal

    def rows(self, names: tuple[str, ...]) -> Array:
        """Return the rows of processes."""
        return np.array([self.processes.index(name) for name in names], np.int64)


def templates(plan: Plan, classifier: Classifier, sample: Sample, point: Point, unblind: bool) -> Templates:
    """Return the templates of a point. Data in signal regions are dropped before anything is counted, unless `unblind`.

    Raises SettingsError: processes without events, data in no region, a variation without its columns.
    """
    simulation, signal = sample.simulation, classifier.classes.index(plan.signal)
    of_point = _of_point(plan, simulation, point)
    if not of_point.any():
        raise SettingsError(f"{simulation.name}: no events of {plan.signal} at the point {point.name or 'asked for'}")
    kept = of_point | ~simulation.of(plan.signal, plan.samples.labels)
    simulation, of_point = simulation.cut(kept), of_point[kept]
    p = classifier.probabilities(simulation, point)
    inside = members(plan, classifier, simulation, p, "")
    cells = choose_cells(plan, simulation, inside, p[:, signal], of_point)
    number = _numbers(plan, simulation)
    place = cells_of(cells, inside, p[:, signal])
    share = float((place == NOWHERE).mean())
    if share > 0 and plan.uncovered == REFUSE:
        raise SettingsError(
            f"{share:.1%} of the simulated events are in no region, and data would be lost there: add a region "
            'for them, or say uncovered = "leave out"'
        )
    summed = _Sums(len(plan.processes), len(cells.region_of))
    halves = np.arange(len(place)) % 2
    weight = simulation.weight
    at = _At(plan, classifier, simulation, point, cells, summed, number, place)
    varied = {one.name: _varied(at, sample, one) for one in plan.systematics}
    observed, uncovered = _observed(plan, classifier, sample.data, point, cells, unblind)
    counts, variance = summed(number, place, weight), summed(number, place, weight**2)
    entries = summed(number, place, np.ones(len(place)))
    counts, below = settled(counts, variance, plan.processes, cells.names)
    varied = {name: require_positive(name, both, plan.processes) for name, both in varied.items()}
    assumed = _assume(plan, cells, counts, variance, entries, varied)
    return Templates(
        point, cells, plan.processes, counts, variance, varied, observed, uncovered,
        np.maximum([summed(number, np.where(halves == k, place, NOWHERE), 2 * weight) for k in (0, 1)], 0.0),
        entries, assumed, below,
    )  # fmt: skip


def _assume(
    plan: Plan, cells: Cells, counts: Floats, variance: Floats, entries: Floats, varied: Mapping[str, Floats]
) -> tuple[str, ...]:
    """Put one event of background, uncertain by all of it, into bins of signal regions where none was simulated, and
    return their names: no simulated event is not no background. It is of the process whose events weigh most."""
    rows = [plan.processes.index(name) for name in plan.backgrounds]
    bare = np.flatnonzero(cells.is_signal & (counts[rows].sum(axis=0) <= 0))  # also where weights cancel
    weights = counts[rows].sum(axis=1) / np.maximum(entries[rows].sum(axis=1), 1.0)
    row, weight = rows[int(np.argmax(weights))], float(weights.max())
    counts[row, bare], variance[row, bare] = weight, weight**2
    for both in varied.values():
        both[:, row, bare] = np.maximum(both[:, row, bare], weight)
    return tuple(cells.names[k] for k in bare)


@dataclass(frozen=True)
class _At:
    """A point: its events of `simulation`, of which process `number` and in which cell `place` each is."""

    plan: Plan
    classifier: Classifier
    simulation: Events
    point: Point
    cells: Cells
    summed: _Sums
    number: Array
    place: Array

    def places(self, events: Events, shifted: Mapping[str, str]) -> Array:
        """Return (n,) the cell of each event; shifted columns stand for others, in cuts too."""
        if shifted:
            columns = {**events.columns, **{name: events.columns[own] for name, own in shifted.items()}}
            events = Events(events.name, columns, events.weight)
        p = self.classifier.probabilities(events, self.point)
        inside = members(self.plan, self.classifier, events, p, "")
        return cells_of(self.cells, inside, p[:, self.classifier.classes.index(self.plan.signal)])


class _Sums:
    """Sums of weights by process and cell; what is in no cell, or of no process of the plan, is none of them."""

    def __init__(self, processes: int, cells: int) -> None:
        self.processes, self.cells = processes, cells

    def __call__(self, number: Array, place: Array, weight: Floats) -> Floats:
        own = (number >= 0) & (place >= 0)
        at = number[own] * self.cells + place[own]
        found: Floats = np.bincount(at, np.asarray(weight, float)[own], self.processes * self.cells).astype(float)
        return found.reshape(self.processes, self.cells)


def points_of(plan: Plan, simulation: Events) -> tuple[Point, ...]:
    """Return the mass points of the plan, else all that the signal of the simulation has."""
    if plan.points or not plan.parameters:
        return plan.points or (Point(plan.signal),)
    own = simulation.cut(simulation.of(plan.signal, plan.samples.labels))
    values = np.unique(own.values(plan.parameters), axis=0)
    if not 0 < len(values) <= 100:
        raise SettingsError(f"{simulation.name}: the signal has {len(values)} points; name those to search by points")
    return tuple(Point("_".join(f"{v:g}" for v in row), tuple(map(float, row))) for row in values)


def _of_point(plan: Plan, events: Events, point: Point) -> Array:
    own = events.of(plan.signal, plan.samples.labels)
    if plan.parameters:
        own = own & np.isclose(events.values(plan.parameters), point.values, rtol=1e-6).all(axis=1)
    return own


def _numbers(plan: Plan, events: Events) -> Array:
    """Return (n,) the number of the process of each event. Raises SettingsError for one without events."""
    labels, found = plan.samples.labels, np.full(len(events), -1)
    for k, name in enumerate(plan.processes):
        own = events.of(name, labels)
        if not own.any():
            there = ", ".join(sorted({str(one) for one in events.columns[labels].tolist()})[:8])
            raise SettingsError(f"{events.name}: the process {name} has no events; there are {there}")
        found[own] = k
    return found


def _varied(at: _At, sample: Sample, one: Systematic) -> Floats:
    """Return (2, processes, cells) with a systematic up and down; of processes that it does not change the nominal."""
    plan, simulation, summed = at.plan, at.simulation, at.summed
    plain = summed(at.number, at.place, simulation.weight)
    found = np.stack([plain, plain])
    changed = [plan.processes.index(name) for name in (one.processes or _all(plan, one))]
    for k, way in enumerate(WAYS):
        if one.kind == SIZE:
            counts = plain * (1 + one.size if k == 0 else max(1 - one.size, 0.0))
        elif one.kind == WEIGHTS:
            column = f"weight_{one.name}_{way}"
            _require(simulation, [column], one)
            varied = simulation.values([column])[:, 0]
            require_finite(varied, f"{simulation.name}: {column}")
            counts = summed(at.number, at.place, varied)
        elif one.kind == COLUMNS:
            counts = summed(at.number, at.places(simulation, shifted_columns(simulation, one)[k]), simulation.weight)
        else:
            other = sample.other[one.name, way]
            other = other.cut(_of_point(plan, other, at.point) | ~other.of(plan.signal, plan.samples.labels))
            counts = summed(_numbers_or_none(plan, other), at.places(other, {}), other.weight)
            there = np.array([other.of(name, plan.samples.labels).any() for name in plan.processes])
            counts = np.where(there[:, None], counts, plain)
        found[k, changed] = counts[changed]
    return found


def _all(plan: Plan, one: Systematic) -> tuple[str, ...]:
    """Return the processes that a systematic changes by itself: a size is of what is not scaled to data."""
    return (plan.signal, *plan.fixed) if one.kind == SIZE else plan.processes


def _numbers_or_none(plan: Plan, events: Events) -> Array:
    found = np.full(len(events), -1)
    for k, name in enumerate(plan.processes):
        found[events.of(name, plan.samples.labels)] = k
    return found


def _require(events: Events, columns: list[str], one: Systematic) -> None:
    lacking = [name for name in columns if name not in events.columns]
    if lacking:
        raise SettingsError(
            f"{events.name}: systematics.{one.name}: has no column {lacking[0]} (kind {one.kind}); write it, or leave "
            "the systematic out"
        )


def _observed(
    plan: Plan, classifier: Classifier, data: Events, point: Point, cells: Cells, unblind: bool
) -> tuple[Floats, int]:
    """Return how many events of data are in each cell, and in none. Blind: nothing is counted in a signal region."""
    p = classifier.probabilities(data, point)
    inside = members(plan, classifier, data, p, " (data)")
    twice = int((inside.sum(axis=1) > 1).sum())
    if twice:
        raise SettingsError(
            f"{data.name}: {twice} events are in two regions, where no simulated one is; cut them apart"
        )
    place = cells_of(cells, inside, p[:, classifier.classes.index(plan.signal)])
    lost = int((place == NOWHERE).sum())
    if lost and plan.uncovered == REFUSE:
        raise SettingsError(
            f"{data.name}: {lost} of {len(data)} events are in no region: add a region for them, or say "
            'uncovered = "leave out"'
        )
    blind = np.array([region.signal for region in plan.regions]) & (not unblind)
    seen = place[(place >= 0) & ~inside[:, blind].any(axis=1)]
    counts = np.bincount(seen, minlength=len(cells.region_of)).astype(float)
    return np.where(cells.is_signal & (not unblind), np.nan, counts), lost
