"""Ways from the scores of the plots of a run to a verdict on the run, and on each of its plots."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, StratifiedKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from lynkeus.core import Array, Floats, plugins
from lynkeus.metrics.rates import auroc
from lynkeus.sources import InMemory
from lynkeus.studies.cms_run_flags.combine_plots import COMBINATIONS, FLAGGED, CombinedPlots, Ranks, SizeCorrection
from lynkeus.studies.cms_run_flags.table import BAD, GOOD, RunTable

FOLDS = 5
STRENGTHS = {"logisticregression__C": [1e-4, 1e-3, 1e-2, 1e-1]}
TREES = {"max_leaf_nodes": [3, 6]}


class RunScores(NamedTuple):
    """Of every run of the table, higher = worse: one number (n,), and one for each plot (n, plots) where there is one.

    Runs that were learned from are judged as if they had not been, so that thresholds can be set on the good ones.
    """

    run: Floats
    plots: Floats | None = None


Method = Callable[[RunTable, Array], RunScores]  # the table, and the rows that may be learned from


@dataclass(frozen=True)
class Size:
    """The trivial one: how few entries."""

    def __call__(self, table: RunTable, train: Array) -> RunScores:
        """Score by the number of entries; nothing is learned."""
        return RunScores(-table.log_size, -table.entries)


@dataclass(frozen=True)
class Combine:
    """One combination of the plots of one test, learned from good runs; `size_taken_out`: what a score owes to the size
    of the run."""

    test: str
    how: str
    size_taken_out: bool = False

    def __call__(self, table: RunTable, train: Array) -> RunScores:
        """Labels are used to leave bad runs out only."""
        good = _good(table, train)
        scores = _without_size(table, self.test, good) if self.size_taken_out else table.scores[self.test]
        combined = CombinedPlots.fit(scores[good], self.how)
        run = combined.score(scores)
        run[good] = combined.score(scores[good], learned=True)
        return RunScores(run, scores)


@dataclass(frozen=True)
class BestCombination:
    """The combination, of the `tests` or of entries, that tells the labelled runs apart best."""

    tests: Sequence[str]

    def __call__(self, table: RunTable, train: Array) -> RunScores:
        """Chooses by the AUROC of the runs to learn from."""
        methods = [Combine(test, how, out) for test in self.tests for how in COMBINATIONS for out in (False, True)]
        found = [Size()(table, train), *(method(table, train) for method in methods)]
        return max(found, key=lambda one: auroc(table.label[train] == BAD, one.run[train]))


@dataclass(frozen=True)
class Joined:
    """Without labels: a plot's score is the mean deviate of its `tests` and of its entries (few are high), a run's
    score the mean of these over the plots."""

    tests: Sequence[str]

    def __call__(self, table: RunTable, train: Array) -> RunScores:
        """Score all runs by what the good runs among `train` teach."""
        good = _good(table, train)
        deviates = np.stack(
            [_ranked(own, good) for own in (-table.entries, *(table.scores[test] for test in self.tests))]
        )
        plots = np.nansum(deviates, axis=0) / np.maximum(np.isfinite(deviates).sum(axis=0), 1)
        return RunScores(Combine("joined", "mean")(replace(table, scores={"joined": plots}), train).run, plots)


@dataclass(frozen=True)
class Logistic:
    """Regularised logistic regression on the deviates of all plots in the `tests`, as they are and without size, and of
    their entries. A plot's score is what its deviates add to the log odds."""

    tests: Sequence[str]

    def __call__(self, table: RunTable, train: Array) -> RunScores:
        """Score all runs; the regularisation is chosen within the runs to learn from."""
        features, bad = _crossed(self._deviates, table, train), table.label == BAD
        regression = LogisticRegression(class_weight="balanced", max_iter=2000)
        learned, run = _chosen(make_pipeline(StandardScaler(), regression), STRENGTHS, features, bad, train)
        parts = learned[0].transform(features) * learned[1].coef_[0]
        return RunScores(run, parts.reshape(len(parts), -1, table.entries.shape[1]).sum(axis=1))

    def _deviates(self, table: RunTable, good: Array) -> Floats:
        """Return (n, (1 + 2 tests) x plots); 0 where there is no score."""
        found = [_ranked(-table.entries, good)]
        for test in self.tests:
            found += [_ranked(table.scores[test], good), _ranked(_without_size(table, test, good), good)]
        return np.nan_to_num(np.concatenate(found, axis=1))


@dataclass(frozen=True)
class BoostedTrees:
    """Boosted trees on the combinations of the `tests`, as they are and without size, and on the size of the run."""

    tests: Sequence[str]

    def __call__(self, table: RunTable, train: Array) -> RunScores:
        """Score all runs; the size of the trees is chosen within the runs to learn from."""
        grown = HistGradientBoostingClassifier(max_iter=50, min_samples_leaf=10, random_state=0)
        features = _crossed(self._combinations, table, train)
        return RunScores(_chosen(grown, TREES, features, table.label == BAD, train)[1])

    def _combinations(self, table: RunTable, good: Array) -> Floats:
        methods = [Combine(test, how, out) for test in self.tests for how in COMBINATIONS for out in (False, True)]
        return np.stack([table.log_size, *(method(table, good).run for method in methods)], axis=1)


@dataclass(frozen=True)
class ColumnScorer:
    """A scorer of this package, with `options`, on the logarithms of all columns, learned from good runs."""

    name: str
    options: Mapping[str, Any] = field(default_factory=dict)

    def __call__(self, table: RunTable, train: Array) -> RunScores:
        """The good runs to learn from are scored by scorers that were fitted without them."""
        good = _good(table, train)
        run = self._scores(table, good, np.arange(len(table.run)))
        for part in range(FOLDS):
            run[good[part::FOLDS]] = self._scores(table, np.delete(good, np.s_[part::FOLDS]), good[part::FOLDS])
        return RunScores(run)

    def _scores(self, table: RunTable, good: Array, rows: Array) -> Floats:
        scorer: Any = plugins.make_scorer(self.name, self.options)
        scorer.fit(InMemory(table.batch(good)))
        return np.asarray(scorer.score(table.batch(rows))[:, 0])


def _good(table: RunTable, train: Array) -> Array:
    """Rows of the good runs to learn from."""
    return np.asarray(train[table.label[train] == GOOD])


def _inner() -> StratifiedKFold:
    return StratifiedKFold(FOLDS, shuffle=True, random_state=0)


def _ranked(scores: Floats, good: Array) -> Floats:
    """Return (n, plots) normal deviates; good runs that were learned from are left out of their own reference."""
    ranks = Ranks.fit(scores[good])
    found = ranks.deviates(scores)
    found[good] = ranks.deviates(scores[good], learned=True)
    return found


def _without_size(table: RunTable, test: str, good: Array) -> Floats:
    deviates = _ranked(table.scores[test], good)
    return SizeCorrection.fit(deviates[good], table.log_size[good]).apply(deviates, table.log_size)


def _crossed(features: Callable[[RunTable, Array], Floats], table: RunTable, train: Array) -> Floats:
    """Features by good runs to learn from; of labelled runs to learn from, good or bad, by those of other folds.

    A run that is compared with itself has features that a new run never has, and trees see that.
    """
    found = features(table, _good(table, train))
    for others, own in _inner().split(train, table.label[train]):
        found[train[own]] = features(table, _good(table, train[others]))[train[own]]
    return found


def _chosen(model: Any, grid: dict[str, list[Any]], features: Floats, bad: Array, train: Array) -> tuple[Any, Floats]:
    """The model with the settings of the best AUROC in folds of `train`, and its log odds of all runs: of those that it
    has learned from by models that have not."""
    search = GridSearchCV(model, grid, scoring="roc_auc", cv=_inner()).fit(features[train], bad[train])
    best = search.best_estimator_
    odds = best.decision_function(features)
    odds[train] = cross_val_predict(best, features[train], bad[train], cv=_inner(), method="decision_function")
    return best, odds


def flagged(scores: Floats, good: Array) -> Array:
    """Return where a score is rarer than 2 % of good runs: as a p-value that keeps what it promises with few runs."""
    return Ranks.fit(scores[good]).p_values(scores) <= FLAGGED


def beyond_quantile(scores: Floats, good: Array) -> Array:
    """Return where a score is above the 98 % quantile of good runs, as published; of few runs that is less rare than 2
    %."""
    with np.errstate(invalid="ignore"):
        return scores > np.nanquantile(scores[good], 1 - FLAGGED, axis=0)
