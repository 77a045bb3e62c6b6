"""Planted faults of runs: what happens to populations of events, put into good runs of any columns, with truth.

Sizes are in widths (half of the range of 68 % of the events, on the scale of the column) or in shares.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from scipy.spatial import KDTree

from lynkeus.commission.plant.good_events import Events, GoodEvents, RunTruth
from lynkeus.commission.plant.planter import HARMLESS, Kind
from lynkeus.core import Array, Floats

NEAR = 0.01  # share of the good events that are a crowded place
BLOB = 0.1  # width of a new population in an empty place, in widths


KINDS = {
    "shift": Kind("a column and those that rise with it, in all events", (0.03, 0.1, 0.3), "widths", "shifted"),
    "shift_one": Kind("the same in one population or group alone", (0.1, 0.3, 1.0), "widths", "shifted"),
    "gone": Kind("a share of one population or group is missing", (0.2, 0.5, 1.0), "share", "gone"),
    "threshold": Kind("the lowest events of a column are missing", (0.01, 0.03, 0.1), "share of all", "gone"),
    "new_empty": Kind("a narrow population where there are none", (0.005, 0.01, 0.03), "share of all", "new"),
    "new_crowded": Kind("further events at one place among good ones", (0.01, 0.03, 0.1), "share of all", "new"),
    "more": Kind("further events of one population or group", (0.01, 0.03, 0.1), "share of all", "new"),
    "noise": Kind("noise on all values", (0.01, 0.03, 0.1), "widths", HARMLESS),
    "loss": Kind("a share of all events is lost at random", (0.1, 0.5), "share", HARMLESS),
    "drift": Kind("a column moves as good runs do", (0.5, 1.0), "spreads of their medians", HARMLESS),
}


class Planted(NamedTuple):
    """A run with a fault: raw `values` (n, column), `group` (n,)."""

    values: Floats
    group: Array
    truth: RunTruth


def plant(kind: str, size: float, good: GoodEvents, run: tuple[Floats, Array], rng: np.random.Generator) -> Planted:
    """Return a good run, raw values (n, column) and group (n,), with a fault in it; column, population, place and sign
    are drawn."""
    scale = good.columns.scale
    after, truth = _PLANT[kind](good, size, Events(scale.of(run[0]), run[1]), rng)
    raw = np.where(scale.log, 10.0 ** np.where(scale.log, after.scaled, 0.0), after.scaled)
    return Planted(raw, after.group, truth._replace(change=KINDS[kind].change))


Answer = tuple[Events, RunTruth]


def _shift(good: GoodEvents, size: float, run: Events, rng: np.random.Generator) -> Answer:
    return _moved(good, size * good.width, -1, run, rng)


def _shift_one(good: GoodEvents, size: float, run: Events, rng: np.random.Generator) -> Answer:
    return _moved(good, size * good.width, good.a_population(rng), run, rng)


def _drift(good: GoodEvents, size: float, run: Events, rng: np.random.Generator) -> Answer:
    return _moved(good, size * good.wander, -1, run, rng)


def _moved(good: GoodEvents, steps: Floats, population: int, run: Events, rng: np.random.Generator) -> Answer:
    """All columns that move with one are moved by as many widths of that one."""
    moves, variables = good.moving(rng)
    step = rng.choice([-1.0, 1.0]) * steps[moves].mean()
    own = good.of_population(run, population)
    scaled = run.scaled + own[:, None] * np.where(moves, step, 0.0)
    return Events(scaled, run.group), good.truth_of(run.at(own), variables)


def _gone(good: GoodEvents, size: float, run: Events, rng: np.random.Generator) -> Answer:
    own = good.of_population(run, good.a_population(rng))
    return run.at(~own | (rng.random(len(own)) >= size)), good.truth_of(run.at(own))


def _threshold(good: GoodEvents, size: float, run: Events, rng: np.random.Generator) -> Answer:
    moves, variables = good.moving(rng)
    column = int(rng.choice(np.flatnonzero(moves)))
    low = run.scaled[:, column] < np.nanquantile(good.pool.scaled[:, column], size)
    return run.at(~low), good.truth_of(run.at(low), variables)


def _new_empty(good: GoodEvents, size: float, run: Events, rng: np.random.Generator) -> Answer:
    """A blob in the columns that tell populations; all others are as usual."""
    group, count = str(rng.choice(good.pool.group)), _count(size, run)
    own = good.pool.scaled[good.pool.group == group]
    units = own[:, good.told] / good.width[good.told]
    units = units[np.isfinite(units).all(axis=1)]
    low, high = np.quantile(units, [0.01, 0.99], axis=0)
    tried = rng.uniform(low, high, (200, len(low)))
    place = tried[np.argsort(KDTree(units).query(tried)[0])[-20:]][rng.integers(20)]
    scaled = own[rng.integers(len(own), size=count)]
    scaled[:, good.told] = (place + BLOB * rng.standard_normal((count, len(place)))) * good.width[good.told]
    added = Events(scaled, np.full(count, group))
    return run.and_also(added), good.truth_of(added, good.columns.names)


def _new_crowded(good: GoodEvents, size: float, run: Events, rng: np.random.Generator) -> Answer:
    known, units = good.units(good.pool)
    own = np.flatnonzero(known & (good.pool.group == rng.choice(good.pool.group)))
    nearest = KDTree(units[own]).query(units[rng.choice(own)], max(1, int(NEAR * len(own))))[1]
    place = good.pool.at(own[np.atleast_1d(nearest)])
    added = place.at(rng.integers(len(place.group), size=_count(size, run)))
    return run.and_also(added), good.truth_of(place, good.columns.names)


def _more(good: GoodEvents, size: float, run: Events, rng: np.random.Generator) -> Answer:
    own = np.flatnonzero(good.of_population(good.pool, good.a_population(rng)))
    added = good.pool.at(rng.choice(own, _count(size, run)))
    return run.and_also(added), good.truth_of(good.pool.at(own), good.columns.names)


def _noise(good: GoodEvents, size: float, run: Events, rng: np.random.Generator) -> Answer:
    step = np.zeros(len(good.width))
    step[good.movable] = size * good.width[good.movable]
    return Events(run.scaled + step * rng.standard_normal(run.scaled.shape), run.group), RunTruth()


def _loss(good: GoodEvents, size: float, run: Events, rng: np.random.Generator) -> Answer:
    return run.at(rng.random(len(run.group)) >= size), RunTruth()


def _count(size: float, run: Events) -> int:
    return max(1, round(size * len(run.group)))


_PLANT: dict[str, Callable[[GoodEvents, float, Events, np.random.Generator], Answer]] = {
    "shift": _shift, "shift_one": _shift_one, "gone": _gone, "threshold": _threshold, "new_empty": _new_empty,
    "new_crowded": _new_crowded, "more": _more, "noise": _noise, "loss": _loss, "drift": _drift,
}  # fmt: skip
