"""Good events, as faults are planted into them: how wide columns are, which rise together, where populations are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple, Self

import numpy as np

from lynkeus.core import Array, Finding, Floats, SettingsError
from lynkeus.core.finding import Region
from lynkeus.transforms.event_columns import EventColumns

if TYPE_CHECKING:
    from sklearn.mixture import GaussianMixture

POOL = 20_000  # good events that are kept
FITTED = 5000  # of which populations are learned
TOGETHER = 0.95  # rank correlation from which columns move together
STRUCTURE = 0.5  # of the largest mutual information of two columns: columns that tell populations
CELLS = 8  # of each column, equally full, for that
COMPONENTS = (1, 2, 3, 4, 6, 8, 12)
WIDEST = 5.0  # times the range of the events concerned: a wider place says nothing
PURE, LEAST_SHARE, MOST_SHARE = 0.85, 0.02, 0.6  # of a population that is worth planting in


class RunTruth(NamedTuple):
    """What was planted: `change` none (harmless), shifted, gone or new; any of the `variables` is right; `region`:
    where 95 % of the events concerned are, in the columns that tell populations; `group` of them, '' for all."""

    change: str = "none"
    variables: tuple[str, ...] = ()
    region: Region = MappingProxyType({})
    group: str = ""
    luck: float = float("nan")

    def holds(self, found: Finding) -> bool:
        """Whether a finding names what was planted: the variable of a shift, else the group or the place.

        A place is right where it holds the middle of the events concerned in all columns that it names, and is not much
        wider than they are in at least one of them.
        """
        variable = bool(set(found.variable.split(", ")) & set(self.variables))
        if self.change == "shifted":
            return variable
        if self.group and not found.region:
            return self.group in (found.group, found.population)
        if self.group and found.group and found.group != self.group:
            return False
        named = [(found.region[name], self.region[name]) for name in self.region if name in found.region]
        inside = all(low <= 0.5 * (first + last) <= high for (low, high), (first, last) in named)
        narrow = any(high - low <= WIDEST * max(last - first, 1e-12) for (low, high), (first, last) in named)
        return inside and narrow if named else variable


class Events(NamedTuple):
    """(n, column) on the scale of the columns, and the group of each."""

    scaled: Floats
    group: Array

    def at(self, chosen: Array) -> Events:
        """Some of them."""
        return Events(self.scaled[chosen], self.group[chosen])

    def and_also(self, others: Events) -> Events:
        """These and others."""
        return Events(np.concatenate([self.scaled, others.scaled]), np.concatenate([self.group, others.group]))


@dataclass(frozen=True)
class GoodEvents:
    """What faults are planted by: a `pool` of good events, the `width` (c,) of each column and `wander` (c,) of its
    median from run to run, `together` (c, c) columns that move with one another; the `told` columns (indices) that tell
    populations, and the `population` of each event by `mixture` (-1: none), of which `pure` ones are planted in."""

    columns: EventColumns
    pool: Events
    width: Floats
    wander: Floats
    together: Array
    told: Array
    mixture: GaussianMixture | None
    population: Array
    pure: Array

    @classmethod
    def fit(cls, columns: EventColumns, runs: Sequence[tuple[Floats, Array]], seed: int = 0) -> Self:
        """Learn from the raw values (n, column) and groups (n,) of good runs. Raises SettingsError for none."""
        if not sum(len(group) for _, group in runs):
            raise SettingsError("no events to plant faults in: give good runs that can be read")
        rng = np.random.default_rng(seed)
        scaled = [columns.scale.of(values) for values, _ in runs]
        every = Events(np.concatenate(scaled), np.concatenate([group for _, group in runs]))
        pool = every.at(rng.permutation(len(every.group))[:POOL])
        low, high = np.nanquantile(pool.scaled, [0.16, 0.84], axis=0)
        deviation = np.nanstd(pool.scaled, axis=0)
        width = np.where(high > low, 0.5 * (high - low), np.where(deviation > 0, deviation, 1.0))
        wander = np.nanstd([np.nanmedian(run, axis=0) for run in scaled if len(run)], axis=0)
        known = pool.scaled[np.isfinite(pool.scaled).all(axis=1)]
        together, told = _together(known), _told(known)
        found = cls(columns, pool, width, wander, together, told, None, np.full(len(pool.group), -1), np.array([], int))
        return found if columns.group else found._with_populations(known[:FITTED], seed)

    def _with_populations(self, known: Floats, seed: int) -> Self:
        """Those of a mixture of Gaussians by BIC whose events are mostly their own."""
        if len(known) < 50:
            return self
        from sklearn.mixture import GaussianMixture

        units = known[:, self.told] / self.width[self.told]
        settings: dict[str, Any] = {"reg_covar": 1e-5, "random_state": seed, "max_iter": 50, "tol": 1e-2}
        fits = [GaussianMixture(k, **settings).fit(units) for k in COMPONENTS if k < len(units)]
        found = replace(self, mixture=min(fits, key=lambda fit: float(fit.bic(units))))
        population = found.population_of(self.pool)
        own = found._responsible(self.pool)
        numbers = np.unique(population[population >= 0])
        share = np.array([(population == p).mean() for p in numbers])
        purity = np.array([own[population == p].mean() for p in numbers])
        fit = (share > LEAST_SHARE) & (share < MOST_SHARE)
        pure = numbers[fit & (purity > PURE)]
        if not len(pure):
            pure = numbers[np.argsort(np.where(fit, purity, 0.0))[-1:]]
        return replace(found, population=population, pure=pure)

    def population_of(self, events: Events) -> Array:
        """(n,) number of the population of each event, of a group where there are groups; -1 for neither."""
        if self.mixture is None:
            groups = list(self.columns.groups)
            return np.array([groups.index(name) if name in groups else -1 for name in events.group.tolist()], int)
        known, units = self.units(events)
        found = np.full(len(events.group), -1)
        if known.any():
            found[known] = self.mixture.predict(units[known])
        return found

    def _responsible(self, events: Events) -> Floats:
        assert self.mixture is not None
        known, units = self.units(events)
        found = np.zeros(len(known))
        found[known] = self.mixture.predict_proba(units[known]).max(axis=1)
        return found

    def units(self, events: Events) -> tuple[Array, Floats]:
        """(n,) whether all is known, and (n, told) in widths, of the columns that tell populations."""
        units = events.scaled[:, self.told] / self.width[self.told]
        return np.asarray(np.isfinite(units).all(axis=1)), units

    @property
    def movable(self) -> Array:
        """Columns that can be shifted: those of whole numbers cannot, unless there are no others."""
        other = np.flatnonzero(~np.array(self.columns.scale.whole))
        return other if len(other) else np.arange(len(self.columns.names))

    def a_population(self, rng: np.random.Generator) -> int:
        """One to plant in; of groups any with events."""
        if self.mixture is None:
            numbers = np.unique(self.population_of(self.pool))
            return int(rng.choice(numbers[numbers >= 0])) if (numbers >= 0).any() else -1
        return int(rng.choice(self.pure))

    def of_population(self, events: Events, population: int) -> Array:
        """(n,) which events belong to it; all for -1."""
        return np.ones(len(events.group), bool) if population < 0 else self.population_of(events) == population

    def truth_of(self, events: Events, variables: tuple[str, ...] = ()) -> RunTruth:
        """That these events are concerned."""
        names, log = self.columns.names, self.columns.scale.log
        region = {}
        for k in self.told if len(events.group) else ():
            low, high = np.nanquantile(events.scaled[:, k], [0.025, 0.975])
            region[names[k]] = (float(10.0**low), float(10.0**high)) if log[k] else (float(low), float(high))
        groups = np.unique(events.group)
        return RunTruth("", variables, region, str(groups[0]) if len(groups) == 1 else "")

    def moving(self, rng: np.random.Generator) -> tuple[Array, tuple[str, ...]]:
        """(c,) True where a column moves, for one that is drawn, and the names."""
        moves = self.together[int(rng.choice(self.movable))]
        return moves, tuple(name for name, moved in zip(self.columns.names, moves, strict=True) if moved)


def _together(known: Floats) -> Array:
    columns = known.shape[1]
    if columns == 1 or len(known) < 10:
        return np.eye(columns, dtype=bool)
    from scipy.stats import spearmanr  # here, as below: to commission anything else than events starts sooner

    with np.errstate(invalid="ignore"):
        rank = np.atleast_2d(spearmanr(known).statistic)
    if rank.shape != (columns, columns):
        rank = np.array([[1.0, rank.flat[0]], [rank.flat[0], 1.0]])
    return (np.nan_to_num(rank) > TOGETHER) | np.eye(columns, dtype=bool)


def _told(known: Floats) -> Array:
    """The columns that say most of one another."""
    columns = known.shape[1]
    if columns < 3 or len(known) < 100:
        return np.arange(columns)
    from sklearn.metrics import mutual_info_score

    cells = [np.searchsorted(np.quantile(c, np.arange(1, CELLS) / CELLS), c) for c in known[:FITTED].T]
    said = np.array([[mutual_info_score(a, b) if a is not b else 0.0 for a in cells] for b in cells])
    return np.flatnonzero(said.max(axis=0) >= STRUCTURE * said.max())
