"""Mixture: good events as a sum of Gaussian populations; of a run the yield, position and width of each, and outliers.

Shapes stand still. What one step of expectation maximisation would change of a population in this run is a mean over
its events (Rao's score test, 1948), so that its scatter is known from good events for a run of any size.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import ClassVar, Self

import numpy as np
from scipy.special import logsumexp
from scipy.stats import poisson

from lynkeus.core import About, Batch, Evidence, Floats, Scores, Source
from lynkeus.files.arrays import arrays_of, part_of, read_scorer, write_folder
from lynkeus.transforms.mixture import Mixture
from lynkeus.transforms.plot_scores import NullDistribution, chi2_deviate, deviate_of, worst_plot
from lynkeus.transforms.standard_events import FEWEST, StandardEvents, evidence_of

POOL = 40_000
COMPONENTS = (1, 2, 4, 8, 16)
RARE = (0.003, 0.01, 0.03, 0.1)  # shares of good events that are farther out
FEWEST_HERE = np.array([5.0, 12.0, 40.0])  # events of a population in a run, for its yield, position and width
LEARNED = ("mean", "scatter", "crossed", "variation", "far")


@dataclass
class EventMixture:
    """`anomaly` of a run: -log10 of how often yield, position or width of any population of a good run, or the number
    of events far from all populations, are so far off.

    As many populations as good events that were held out want. Learned: `events_`, `mixture_`; of one event `mean_`
    (populations + 1, 1 + 2 c) and `scatter_` (populations + 1, 1 + 2 c, 1 + 2 c); `crossed_`: inverse of the scatter
    of all yields; `variation_` from run to run, in units of the scatter; `far_`: where rare events begin; `null_`.
    """

    outputs: ClassVar[tuple[str, ...]] = ("anomaly",)
    about: ClassVar[About] = About(
        ("cloud",), False, "distance of each value from its population", "seconds", runs=True
    )
    seed: int = 0

    def fit(self, source: Source) -> Self:
        """Learn in three passes over good runs. Raises SchemaError for too few events."""
        self.schema_ = source.schema
        self.events_, pool = StandardEvents.fit(source, "mixture", POOL, self.seed)
        self.mixture_ = Mixture.fit(pool, self.seed, COMPONENTS)[0]
        moments = self._moments(pool)
        self.mean_ = moments.mean(axis=2)
        self.scatter_ = np.stack([np.atleast_2d(np.cov(own)) for own in moments])
        self.crossed_ = np.linalg.pinv(np.atleast_2d(np.cov(moments[:-1, 0])), rcond=1e-6)
        self.far_ = np.quantile(self.mixture_.score(pool)[0], 1 - np.array(RARE))
        self.variation_ = np.zeros((len(self.mean_), 3))
        runs = [run for batch in source for run in self.events_.runs(batch) if len(run) >= FEWEST]
        if len(runs) > 1:
            excess = np.mean([self._chi2(run) / self._degrees() for run in runs], axis=0) - 1
            self.variation_ = np.maximum(excess, 0.0) / np.mean([len(run) for run in runs])
        usual = NullDistribution.fit(np.concatenate([self._deviates(batch) for batch in source]))
        rare = np.arange(len(usual.centre)) >= self.variation_.size  # few counts: exact as they are, at best
        self.null_ = NullDistribution(
            np.where(rare, 0.0, usual.centre), np.where(rare, np.maximum(usual.sigma, 1.0), usual.sigma)
        )
        return self

    def score(self, batch: Batch) -> Scores:
        """Return -log10 of the chance of the worst deviation (n, 1); NaN for a run of too few events."""
        self.schema_.require(batch.schema, "the scorer mixture")
        return worst_plot(self.null_.of(self._deviates(batch)))

    def explain(self, batch: Batch, output: str = "anomaly") -> Evidence:
        """Return by how much the squared distance of an event to its population falls when one of its values is left
        out."""
        self.schema_.require(batch.schema, "the scorer mixture")
        runs = list(self.events_.runs(batch))
        return evidence_of(batch, [self.mixture_.parts(run, self.mixture_.score(run)[1]) for run in runs])

    def save(self, folder: Path) -> None:
        """Write the fitted scorer to a folder."""
        own = arrays_of(self.mixture_) | {name: getattr(self, f"{name}_") for name in LEARNED}
        own |= self.events_.to_arrays() | arrays_of(self.null_, "usual_")
        write_folder(folder, self.schema_, asdict(self), own)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read from a folder. Raises ModelError naming what is damaged."""
        scorer, arrays = read_scorer(cls, folder)
        scorer.events_, scorer.null_ = StandardEvents.from_arrays(arrays), part_of(NullDistribution, arrays, "usual_")
        scorer.mixture_ = part_of(Mixture, arrays)
        for name in LEARNED:
            setattr(scorer, f"{name}_", arrays[name])
        return scorer

    def _moments(self, run: Floats) -> Floats:
        """Return what each event says of each population (populations + 1, 1 + 2 c, n): how much it belongs to it,
        times 1, where it is and how far out, in widths of the population. The last row is all of them together: how the
        density at the event changes when all move, or widen, in one column."""
        parts = self.mixture_.log_parts(run)
        log_density = logsumexp(parts, axis=0)
        belongs = np.exp(parts - log_density)
        away = np.einsum("knc,kcd->kdn", run[None] - self.mixture_.centre[:, None], self.mixture_.whiten)
        wide = np.concatenate([np.ones_like(away[:, :1]), away, away**2 - 1], axis=1)
        uphill = np.einsum("kdn,kcd->kcn", away, self.mixture_.whiten) * belongs[:, None]
        wider = uphill * (run[None] - self.mixture_.centre[:, None]).swapaxes(1, 2)
        together = np.concatenate([0 * log_density[None], uphill.sum(axis=0), wider.sum(axis=0)])
        return np.concatenate([wide * belongs[:, None], together[None]])

    def _degrees(self) -> Floats:
        """Return the degrees of freedom (populations + 1, 3) of the chi-squares of yield, position and width."""
        columns = self.mean_.shape[1] // 2
        degrees = np.tile([1.0, columns, columns], (len(self.mean_), 1))
        degrees[-1, 0] = max(np.linalg.matrix_rank(self.crossed_), 1)
        return degrees

    def _chi2(self, run: Floats) -> Floats:
        """Return the chi-squares (populations + 1, 3) of yield, position and width, with the scatter of good events."""
        columns = self.mean_.shape[1] // 2
        left = self._moments(run).mean(axis=2) - self.mean_
        found = np.empty((len(left), 3))
        for number, (a, b) in enumerate(((0, 1), (1, 1 + columns), (1 + columns, 1 + 2 * columns))):
            scatter = self.scatter_[:, a:b, a:b] + 1e-9 * np.eye(b - a)
            found[:, number] = len(run) * np.einsum("kp,kpq,kq->k", left[:, a:b], np.linalg.inv(scatter), left[:, a:b])
        found[-1, 0] = len(run) * left[:-1, 0] @ self.crossed_ @ left[:-1, 0]
        return found

    def _deviates(self, batch: Batch) -> Floats:
        """Return the normal deviates of each run (n, 3 (populations + 1) + rarities): of all chi-squares, and of how
        many events are rare."""
        found = [self._deviates_of(run) for run in self.events_.runs(batch)]
        return np.stack(found) if found else np.empty((0, self.variation_.size + len(RARE)))

    def _deviates_of(self, run: Floats) -> Floats:
        if len(run) < FEWEST:
            return np.full(self.variation_.size + len(RARE), np.nan)
        chi2 = self._chi2(run) / (1 + self.variation_ * len(run))
        here = np.append(len(run) * np.exp(self.mixture_.log_weight), np.inf)
        few = here[:, None] < FEWEST_HERE
        parts = np.where(few, np.nan, chi2_deviate(chi2, self._degrees()))
        far = (self.mixture_.score(run)[0][:, None] > self.far_).sum(axis=0)
        expected = len(run) * np.array(RARE)
        return np.concatenate([parts.ravel(), deviate_of(poisson.logsf(far - 1, expected))])
