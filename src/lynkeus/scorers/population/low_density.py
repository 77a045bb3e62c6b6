"""The low-density test of a run: how many of its events are in places where few good ones are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from scipy.special import betainc

from lynkeus.core import Array, Floats
from lynkeus.scorers.population.questions import SIZES, reference_of, unseen
from lynkeus.scorers.population.trials import of_trials

LEVELS = (0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3)  # shares of good events in a place as empty as this
FEWEST_BEYOND = 5  # good events beyond a level that is used


@dataclass(frozen=True)
class LowDensityTest:
    """The low-density test: how many events of a run are in places where few good ones are. `levels` (l,) of the log
    density, `beyond` (l,) events of the `reference` (3,) below them, which were not used to learn the density;
    `between` (l,) relative spread from run to run; `trials` (sizes,): the least p-value in good runs of these sizes is
    that of so many."""

    levels: Floats
    beyond: Floats
    reference: Floats
    between: Floats
    trials: Floats

    @classmethod
    def fit(cls, runs: Sequence[Floats], rng: np.random.Generator, whole: LowDensityTest | None = None) -> Self:
        """Learn from the log density (n,) of the events of each good run; `whole`: the same test of more runs, which
        says how many tests it amounts to."""
        pooled = np.sort(np.concatenate(runs))
        ranks = np.unique([max(FEWEST_BEYOND, round(level * len(pooled))) for level in LEVELS])
        ranks = ranks[ranks <= max(FEWEST_BEYOND, len(pooled) // 2)]
        levels, share = pooled[np.minimum(ranks, len(pooled) - 1)], ranks / len(pooled)
        sizes = np.array([len(run) for run in runs])
        counts = np.stack([np.searchsorted(np.sort(run), levels) for run in runs])
        between = _overdispersion(counts, sizes, share)
        steady = cls(levels, ranks.astype(float), reference_of(sizes), np.zeros(len(levels)), np.ones(len(SIZES)))
        if whole is not None:
            return replace(steady, between=between, trials=whole.trials)
        trials = []
        for size in SIZES:
            parts = np.diff(np.concatenate([[0.0], share, [1.0]]))
            drawn = np.cumsum(rng.multinomial(size, parts, 1000)[:, :-1], axis=1)
            least = float(np.quantile(steady.local(drawn, size).min(axis=1), 0.05))
            trials.append(max(1.0, 0.05 / max(least, 1e-4)))
        return replace(steady, between=between, trials=np.array(trials))

    def local(self, counts: Array, size: int) -> Floats:
        """Return the p-values (..., l) of so many events below each level in a run of `size`: negative binomial, as the
        finite reference and what differs between runs widen the Poisson."""
        share = (self.beyond + 0.5) / self.reference[0]
        shape = 1.0 / (1.0 / (self.beyond + 0.5) + self.between**2 + unseen(self.reference, size) / share)
        expected = size * share
        share_of_expected = expected / (shape + expected)
        # SciPy's nbinom.sf does the same in ten times the time for a few numbers.
        return np.where(counts > 0, betainc(np.maximum(counts, 1), shape, share_of_expected), 1.0)

    def counted(self, log_density: Floats) -> Array:
        """Return how many events (..., l) are below each level, from their log densities (..., n)."""
        return np.stack([(log_density < level).sum(axis=-1) for level in self.levels], axis=-1)

    def emptiest(self, log_density: Floats) -> Floats:
        """Return the level (d,) that the p-value of each of several runs (d, n) is due to."""
        local = self.local(self.counted(log_density), log_density.shape[-1])
        return self.levels[local.argmin(axis=-1)]

    def test(self, log_density: Floats) -> tuple[float, float]:
        """Return the p-value of a run, from the log density (n,) of its events, and the level of the log density that
        it is due to."""
        local = self.local(self.counted(log_density), len(log_density))
        size = np.log(np.clip(len(log_density), SIZES[0], SIZES[-1]))
        trials = float(np.exp(np.interp(size, np.log(SIZES), np.log(self.trials))))
        return of_trials(float(local.min()), trials), float(self.levels[local.argmin()])


def _overdispersion(counts: Array, sizes: Array, share: Floats) -> Floats:
    """Return the relative spread (l,) of counts from run to run beyond counting; 0 where that may be chance."""
    if len(sizes) < 5:
        return np.zeros(len(share))
    expected = sizes[:, None] * share
    excess = ((counts - expected) ** 2 - expected).mean(axis=0)
    noise = 2.0 * np.sqrt((2.0 * expected**2 + expected).mean(axis=0) / len(sizes))
    return np.where(excess > noise, np.sqrt(np.maximum(excess, 0.0)) / expected.mean(axis=0), 0.0)
