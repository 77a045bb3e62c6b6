"""Linear models of texts, and their mixture: each is given the weight that it earns on texts that it has not seen."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from scipy.optimize import minimize
from scipy.special import log_softmax, softmax
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold
from sklearn.naive_bayes import ComplementNB
from sklearn.svm import LinearSVC

from lynkeus.core import Array, Floats

# What each model reads, and how it learns.
MODELS = {"words": "words", "letters": "letters", "bayes": "letters", "embedding": "embedding"}
SMOOTHING = 0.1  # of naive Bayes (Rennie et al. 2003)
STRENGTH = {"words": 1.0, "letters": 0.5, "embedding": 10.0}
PULL = 1e-3  # of the weights towards equal ones, so that few texts give no extreme ones
MOST_WEIGHT = 12.0


class Linear(NamedTuple):
    """`weights` (features, classes) and `bias` (classes,); `spread`: what its outputs are divided by."""

    weights: Floats
    bias: Floats
    spread: float

    def of(self, rows: Any) -> Floats:
        """Return (n, classes) how much speaks for each class, of about the size of 1."""
        found = np.asarray(rows @ self.weights, float) + self.bias
        found -= found.mean(axis=1, keepdims=True)
        return found / self.spread


@dataclass(frozen=True)
class Mixture:
    """Models by name with the `share` of each and the `bias` (classes,) of their sum, so that probabilities hold."""

    names: tuple[str, ...]
    models: tuple[Linear, ...]
    share: Floats
    bias: Floats

    def of(self, rows: Mapping[str, Any]) -> Floats:
        """Return (n, classes) probabilities of texts, as rows of each kind of features."""
        parts = [model.of(rows[MODELS[name]]) for name, model in zip(self.names, self.models, strict=True)]
        return mixed(np.stack(parts), self.share, self.bias)


def mixed(parts: Floats, share: Floats, bias: Floats) -> Floats:
    """Return (n, classes) probabilities of (models, n, classes)."""
    found: Floats = softmax(np.tensordot(share, parts, axes=1) + bias, axis=1)
    return found


def learn(rows: Mapping[str, Any], truth: Array, classes: int, folds: int, seed: int) -> tuple[Mixture, Floats]:
    """Return the mixture of models of rows of each kind, and (n, classes) the probabilities that texts are given by one
    that has not seen them."""
    names = tuple(name for name, kind in MODELS.items() if kind in rows)
    parts = np.zeros((len(names), len(truth), classes))
    split = StratifiedKFold(max(2, min(folds, int(np.bincount(truth).max()))), shuffle=True, random_state=seed)
    with warnings.catch_warnings():  # a class of two texts is in two parts of five
        warnings.simplefilter("ignore", UserWarning)
        parted = list(split.split(np.zeros(len(truth)), truth))
    for seen, left in parted:
        for k, name in enumerate(names):
            own = rows[MODELS[name]]
            parts[k, left] = one_model(name, own[seen], truth[seen], classes).of(own[left])
    share, bias = shares_of(parts, truth)
    apart = np.empty(parts.shape[1:])
    half = np.random.default_rng(seed).permutation(len(truth)) % 2 == 0
    for part in (half, ~half):  # also the weights of the models come from other texts
        apart[part] = mixed(parts[:, part], *shares_of(parts[:, ~part], truth[~part], classes))
    models = tuple(one_model(name, rows[MODELS[name]], truth, classes) for name in names)
    return Mixture(names, models, share, bias), apart


def one_model(name: str, rows: Any, truth: Array, classes: int) -> Linear:
    """Return one model, learned from rows (n, features) of classes (n,), each of which is there or gets no support."""
    there = np.unique(truth)
    if name == "bayes":
        fitted: Any = ComplementNB(alpha=SMOOTHING).fit(rows, truth)
        weights, bias = fitted.feature_log_prob_.T, np.zeros(len(there))
    else:
        kind: Any = (
            LogisticRegression(C=STRENGTH[name], max_iter=300) if name == "embedding" else LinearSVC(C=STRENGTH[name])
        )
        fitted = kind.fit(rows, truth)
        weights, bias = fitted.coef_.T, fitted.intercept_
        if len(there) == 2:
            weights, bias = np.hstack([-weights, weights]), np.array([-bias[0], bias[0]])
    if len(there) < classes:
        whole, own = np.zeros((weights.shape[0], classes)), np.full(classes, float(np.min(bias)) - 1.0)
        whole[:, there], own[there] = weights, bias
        weights, bias = whole, own
    linear = Linear(np.ascontiguousarray(weights, np.float32), np.asarray(bias, float), 1.0)
    return linear._replace(spread=float(max(linear.of(rows).std(), 1e-9)))


def shares_of(parts: Floats, truth: Array, classes: int | None = None) -> tuple[Floats, Floats]:
    """Return how much each model of (models, n, classes) counts, and the bias of each class, for which the classes
    (n,) are most probable."""
    models, n, width = parts.shape
    own = np.eye(width)[truth]

    def loss(x: Floats) -> tuple[float, Floats]:
        share, bias = x[:models], x[models:]
        logs = log_softmax(np.tensordot(share, parts, axes=1) + bias, axis=1)
        error = (np.exp(logs) - own) / n
        by_share = np.tensordot(parts, error, axes=([1, 2], [0, 1]))
        away = np.concatenate([share - share.mean(), bias])
        value = -(logs * own).sum() / n + PULL * (away**2).sum()
        return float(value), np.concatenate([by_share, error.sum(axis=0)]) + 2 * PULL * away

    bounds = [(0.0, MOST_WEIGHT)] * models + [(-10.0, 10.0)] * width
    found = minimize(loss, np.r_[np.ones(models), np.zeros(width)], jac=True, method="L-BFGS-B", bounds=bounds).x
    return found[:models], found[models:]
