"""Two-sample classifier: can a classifier tell the events of a run from good ones (Lopez-Paz & Oquab 2017)?

It learns the ratio of the densities of run and reference, which is the best test statistic there is for the difference
that it finds (D'Agnolo & Wulzer 2019). Every event is judged by a classifier that has not seen it.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import ClassVar, Self

import numpy as np
from scipy.spatial.distance import cdist
from sklearn.cluster import MiniBatchKMeans
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression

from lynkeus.core import About, Array, Batch, Evidence, Floats, Scores, SettingsError, Source
from lynkeus.files.arrays import arrays_of, part_of, read_scorer, write_folder
from lynkeus.transforms.plot_scores import NullDistribution, worst_plot
from lynkeus.transforms.standard_events import FEWEST, StandardEvents, decorrelated, evidence_of

MODELS = ("logistic", "boosting")
POOL = 20_000
LANDMARKS = 60  # good events whose neighbourhoods are the features of the logistic model
FOLDS = 3
REFERENCE_TIMES = 4  # as many good events as the run has are compared with it


@dataclass
class TwoSampleClassifier:
    """`anomaly` of a run: -log10 of how often a good run is told so well from the reference.

    `model`: logistic (of neighbourhoods of good events, milliseconds) or boosting (trees, slower). The statistic is by
    how much the learned logarithm of the ratio of densities is larger in the run, in sigmas for its size. At most
    `most` events of a run are learned from. Learned: `events_`, `reference_` (n, c), `landmarks_`, `null_` runs.
    """

    outputs: ClassVar[tuple[str, ...]] = ("anomaly",)
    about: ClassVar[About] = About(
        ("cloud",), False, "learned density ratio where an event is", "seconds to minutes", runs=True
    )
    model: str = "logistic"
    most: int = 5000
    seed: int = 0

    def fit(self, source: Source) -> Self:
        """Learn in two passes over good runs. Raises SettingsError for the model, SchemaError for too few events."""
        if self.model not in MODELS:
            raise SettingsError(f"model must be one of {', '.join(MODELS)}, got {self.model!r}")
        self.schema_ = source.schema
        self.events_, pool = StandardEvents.fit(source, "two_sample_classifier", POOL, self.seed)
        self.mix_ = decorrelated(pool)
        self.reference_ = pool @ self.mix_
        count = min(LANDMARKS, len(pool) // 4)
        means = MiniBatchKMeans(count, n_init=1, random_state=self.seed).fit(self.reference_)
        self.landmarks_ = means.cluster_centers_.astype(np.float64)
        away = np.sort(cdist(self.landmarks_, self.landmarks_), axis=1)[:, 1:4].mean(axis=1)
        self.width_ = np.maximum(away, 1e-3)
        self.null_ = NullDistribution.fit(np.concatenate([self._deviates(batch) for batch in source]))
        return self

    def score(self, batch: Batch) -> Scores:
        """Return -log10 of the chance of so large a difference (n, 1); NaN for a run of too few events."""
        self.schema_.require(batch.schema, "the scorer two_sample_classifier")
        return worst_plot(self.null_.of(self._deviates(batch)))

    def explain(self, batch: Batch, output: str = "anomaly") -> Evidence:
        """Return the logarithm of the learned ratio of densities at each event, the same for all of its values."""
        self.schema_.require(batch.schema, "the scorer two_sample_classifier")
        found = [self._ratio(run)[0] for run in self.events_.runs(batch)]
        return evidence_of(batch, [np.repeat(own[:, None], batch.values.shape[2], axis=1) for own in found])

    def save(self, folder: Path) -> None:
        """Write the fitted scorer to a folder."""
        own = {"reference": self.reference_, "landmarks": self.landmarks_, "width": self.width_, "mix": self.mix_}
        own |= self.events_.to_arrays() | arrays_of(self.null_, "usual_")
        write_folder(folder, self.schema_, asdict(self), own)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read from a folder. Raises ModelError naming what is damaged."""
        own = ("reference", "landmarks", "width", "mix")
        scorer, arrays = read_scorer(cls, folder)
        scorer.events_, scorer.null_ = StandardEvents.from_arrays(arrays), part_of(NullDistribution, arrays, "usual_")
        scorer.reference_, scorer.landmarks_, scorer.width_, scorer.mix_ = (arrays[name] for name in own)
        return scorer

    def _deviates(self, batch: Batch) -> Floats:
        found = [self._deviate(*self._ratio(run)) for run in self.events_.runs(batch)]
        return np.array(found).reshape(len(batch), 1)

    def _deviate(self, run: Floats, reference: Floats) -> float:
        """Return how much the mean ratio of the run is larger, in standard errors with the variance of the reference
        for both."""
        if len(run) < FEWEST:
            return np.nan
        variance = reference.var() * (1 / len(run) + 1 / len(reference))
        return float((run.mean() - reference.mean()) / np.sqrt(max(variance, 1e-12)))

    def _ratio(self, run: Floats) -> tuple[Floats, Floats]:
        """Return the log ratio of densities at each event of the run, and of the reference, each by a classifier that
        was trained without it (cross-fitting)."""
        if len(run) < FEWEST:
            return np.zeros(len(run)), np.zeros(0)
        rng = np.random.default_rng(self.seed)
        own, all_own = run @ self.mix_, np.arange(len(run))
        learned = all_own if len(run) <= self.most else rng.choice(len(run), self.most, replace=False)
        many = min(len(self.reference_), REFERENCE_TIMES * len(learned), 2 * self.most)
        good = self.reference_[rng.choice(len(self.reference_), many, replace=False)]
        points = np.concatenate([own, good])
        features = self._features(points)
        label = np.arange(len(points)) < len(run)
        used = np.isin(np.arange(len(points)), learned) | ~label
        fold = rng.permutation(len(points)) % FOLDS
        ratio = np.empty(len(points))
        for number in range(FOLDS):
            inside = used & (fold != number)
            ratio[fold == number] = self._learned(features, label, inside)[fold == number]
        return ratio[: len(run)], ratio[len(run) :]

    def _features(self, points: Floats) -> Floats:
        if self.model == "boosting":
            return points
        near: Floats = np.exp(-0.5 * (cdist(points, self.landmarks_) / self.width_) ** 2)
        return np.hstack([near, 0.3 * points])

    def _learned(self, features: Floats, label: Array, inside: Array) -> Floats:
        """Return the log odds (n,) at all points of a classifier that has learned from those `inside`."""
        weight = np.where(label, (inside & ~label).sum() / max((inside & label).sum(), 1), 1.0)[inside]
        if self.model == "logistic":
            model = LogisticRegression(C=0.1, max_iter=100)
        else:
            model = HistGradientBoostingClassifier(
                max_iter=40, max_depth=3, learning_rate=0.1, early_stopping=False, random_state=self.seed
            )
        found: Floats = model.fit(features[inside], label[inside], weight).decision_function(features)
        return found
