"""What an advisor learns with: linear models and boosted trees, each with what is done about rare classes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, Protocol

import numpy as np
from scipy.optimize import minimize
from scipy.special import log_softmax
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score
from sklearn.model_selection import StratifiedKFold

from lynkeus.core import Array, Floats, SettingsError
from lynkeus.core.extras import needing
from lynkeus.transforms.boosted import Boosted, boosted_of, two_sided
from lynkeus.transforms.probabilities import Probabilities

KINDS = ("linear", "boosted")
IMBALANCE = ("none", "weights", "smote", "focal")
FOCUS = 2.0  # of the focal loss (Lin et al. 2017, arXiv:1708.02002): what is sure counts less
SMOTE_NEIGHBOURS = 5
TRIED = 6000  # tasks on which kinds of learners are compared
COMPARED = 3  # folds of that comparison


@dataclass(frozen=True)
class Recipe:
    """How to learn: `kind` of learner, what is done about rare classes, `strength` of its regularisation (linear: the
    inverse, C), `trees`, `leaves` and `rate` of boosted trees."""

    kind: str = "boosted"
    imbalance: str = "none"
    strength: float = 1.0
    trees: int = 80
    leaves: int = 15
    rate: float = 0.1

    def says(self) -> str:
        """Return it in words."""
        what = "boosted trees" if self.kind == "boosted" else "a linear model"
        return (
            what
            + {"none": "", "weights": ", rare classes weigh more", "smote": ", with SMOTE", "focal": ", by focal loss"}[
                self.imbalance
            ]
        )


CANDIDATES = (
    Recipe("linear", strength=0.02), Recipe("linear", "weights", strength=0.02), Recipe(), Recipe(imbalance="weights"),
    Recipe("linear", "smote", strength=0.02), Recipe("linear", "focal", strength=0.02),
)  # fmt: skip


class Linear(NamedTuple):
    """`weights` (features, classes) and `bias` (classes,) of features less their `mean`, in units of their `spread`."""

    weights: Floats
    bias: Floats
    mean: Floats
    spread: Floats

    def decide(self, points: Floats) -> Floats:
        """Return (n, classes) log odds."""
        found: Floats = ((points - self.mean) / self.spread) @ self.weights + self.bias
        return found


class Learned(Protocol):
    """What has been learned: log odds of points (n, features)."""

    def decide(self, points: Floats) -> Floats: ...


@dataclass(frozen=True)
class Model:
    """A `linear` model or `trees`, with the probabilities that its log odds mean."""

    linear: Linear | None
    trees: Boosted | None
    probabilities: Probabilities

    def logits(self, points: Floats) -> Floats:
        """Return (n, classes) log odds."""
        if self.linear is not None:
            return self.linear.decide(points)
        assert self.trees is not None
        return two_sided(self.trees.decide(points.astype(float)))

    def of(self, points: Floats) -> Floats:
        """Return (n, classes) probabilities."""
        return self.probabilities.of(self.logits(points))


def learn(recipe: Recipe, points: Floats, truth: Array, classes: int, seed: int = 0) -> Model:
    """Learn from points (n, features) of classes (n,), each of which is there."""
    if recipe.imbalance == "smote":
        points, truth = _with_smote(points, truth, seed)
    weights = "balanced" if recipe.imbalance == "weights" else None
    plain = Probabilities.as_they_are(classes)
    if recipe.kind == "boosted":
        grown = HistGradientBoostingClassifier(
            max_iter=recipe.trees, max_leaf_nodes=recipe.leaves, learning_rate=recipe.rate, class_weight=weights,
            l2_regularization=recipe.strength, early_stopping=False, random_state=seed, max_bins=63,
        ).fit(points, truth)  # fmt: skip
        return Model(None, boosted_of(grown), plain)
    mean, spread = points.mean(axis=0, dtype=float), points.std(axis=0, dtype=float)
    spread = np.where(spread > 1e-6, spread, 1.0)
    scaled = ((points - mean) / spread).astype(np.float32)
    if recipe.imbalance == "focal":
        return Model(Linear(*by_focal_loss(scaled, truth, classes, recipe.strength), mean, spread), None, plain)
    fitted = LogisticRegression(C=recipe.strength, class_weight=weights, max_iter=300, tol=1e-3)
    fitted.fit(scaled, truth)
    coefficients, bias = fitted.coef_.T.astype(float), fitted.intercept_.astype(float)
    if classes == 2:
        coefficients, bias = (np.hstack([np.zeros_like(one), one]) for one in (coefficients, bias))
    return Model(Linear(coefficients, bias, mean, spread), None, plain)


def by_focal_loss(points: Floats, truth: Array, classes: int, strength: float) -> tuple[Floats, Floats]:
    """Return weights (features, classes) and bias (classes,) of a linear model for which the focal loss is smallest."""
    n, width = points.shape
    own = np.eye(classes, dtype=points.dtype)[truth]

    def loss(x: Floats) -> tuple[float, Floats]:
        weights, bias = x[:-classes].reshape(width, classes), x[-classes:]
        logs = log_softmax(points @ weights.astype(points.dtype) + bias.astype(points.dtype), axis=1)
        log_p = (logs * own).sum(axis=1)
        p = np.exp(log_p)
        away = np.maximum(1.0 - p, 1e-12)
        slope = (away**FOCUS - FOCUS * p * away ** (FOCUS - 1.0) * log_p)[:, None] * (np.exp(logs) - own)
        value = -float((away**FOCUS * log_p).sum(dtype=float)) + (weights**2).sum() / (2 * strength)
        by_weight = (points.T @ slope).astype(float) + weights / strength
        return value / n, np.concatenate([by_weight.ravel(), slope.sum(axis=0, dtype=float)]) / n

    start = np.zeros((width + 1) * classes)
    found = minimize(loss, start, jac=True, method="L-BFGS-B", options={"maxiter": 150}).x
    return found[:-classes].reshape(width, classes), found[-classes:]


def _with_smote(points: Floats, truth: Array, seed: int) -> tuple[Floats, Array]:
    """Return points with synthetic ones between neighbours of the rare classes (Chawla et al. 2002)."""
    with needing("--set imbalance=smote", "operations"):
        from imblearn.over_sampling import SMOTE
    fewest = int(np.bincount(truth)[np.unique(truth)].min())
    if fewest < 2:
        return points, truth
    found: Any = SMOTE(k_neighbors=min(SMOTE_NEIGHBOURS, fewest - 1), random_state=seed).fit_resample(points, truth)
    return found


def folds_of(truth: Array, folds: int, seed: int) -> Iterator[tuple[Array, Array]]:
    """Yield which samples are learned from and which are not, in `folds` parts with all classes in each."""
    fewest = int(np.bincount(truth)[np.unique(truth)].min())
    if fewest < 2:
        raise SettingsError("a class has a single sample: none can be learned and tried on another; leave it out")
    split = StratifiedKFold(min(folds, fewest), shuffle=True, random_state=seed)
    yield from split.split(np.zeros(len(truth)), truth)


def crossed(recipe: Recipe, points: Floats, truth: Array, classes: int, folds: int, seed: int) -> tuple[Model, Floats]:
    """Return what is learned from all samples, with calibrated probabilities, and (n, classes) those that each sample
    is given by what has not seen it."""
    logits = np.empty((len(truth), classes))
    for seen, left in folds_of(truth, folds, seed):
        logits[left] = learn(recipe, points[seen], truth[seen], classes, seed).logits(points[left])
    probabilities = Probabilities.fit(logits, truth)
    found = np.empty_like(logits)
    # Also the calibration of a sample comes from others.
    half = np.random.default_rng(seed).permutation(len(truth)) % 2 == 0
    for part in (half, ~half):
        found[part] = Probabilities.fit(logits[~part], truth[~part]).of(logits[part])
    return replace(learn(recipe, points, truth, classes, seed), probabilities=probabilities), found


def choose(
    candidates: tuple[Recipe, ...], points: Floats, truth: Array, classes: int, seed: int
) -> tuple[Recipe, list[str]]:
    """Return the recipe that tells the classes apart best on samples that it has not seen, by the average precision of
    the rarer ones, and a line on each."""
    few = np.random.default_rng(seed).permutation(len(truth))[:TRIED]
    few = few if len(np.unique(truth[few])) == classes else np.arange(len(truth))
    points, truth = points[few], truth[few]
    found = []
    for recipe in candidates:
        logits = np.empty((len(truth), classes))
        for seen, left in folds_of(truth, COMPARED, seed):
            logits[left] = learn(recipe, points[seen], truth[seen], classes, seed).logits(points[left])
        found.append(precision_of(log_softmax(logits, axis=1), truth))
    best = int(np.argmax(found))
    said = [f"{one.says()}: average precision {value:.3f}" for one, value in zip(candidates, found, strict=True)]
    return candidates[best], [f"{line}{' (taken)' if k == best else ''}" for k, line in enumerate(said)]


def precision_of(logits: Floats, truth: Array) -> float:
    """Return the mean of the average precision of all classes but the most frequent."""
    usual = np.bincount(truth).argmax()
    own = [average_precision_score(truth == k, logits[:, k]) for k in np.unique(truth) if k != usual]
    return float(np.mean(own))
