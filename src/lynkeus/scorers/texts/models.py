"""Linear models of texts, and their mixture: each is given the weight that it earns on texts that it has not seen."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Self

import numpy as np
from scipy.optimize import minimize
from scipy.special import log_softmax, softmax
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold
from sklearn.naive_bayes import ComplementNB
from sklearn.svm import LinearSVC

from lynkeus.core import Array, Floats

# What each model reads, and how it learns.
MODELS = {
    "words": "words", "letters": "letters", "bayes": "letters", "opening": "opening", "embedding": "embedding",
}  # fmt: skip
SMOOTHING = 0.1  # of naive Bayes (Rennie et al. 2003)
# Inverse regularisation of each (C): of several the one that is right most often on texts that were not learned from.
STRENGTHS = {
    "words": (1.0, 3.0), "letters": (0.5, 2.0), "bayes": (1.0,), "opening": (0.5, 2.0), "embedding": (10.0,),
}  # fmt: skip
MOST_TRIED = 20_000  # texts up to which several are tried: of more the first one does
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
        return Folded.of([self]).probabilities(rows)


class Folded(NamedTuple):
    """Mixtures of several questions as one linear model for each kind of features, since each is linear up to its
    probabilities: `weights` (features, answers of all questions), `bias` (answers,), and `ends` of each question."""

    weights: dict[str, Floats]
    bias: Floats
    ends: tuple[int, ...]

    @classmethod
    def of(cls, mixtures: Sequence[Mixture]) -> Self:
        """Return the same as mixtures, which read the same features."""
        parts: dict[str, list[Floats]] = {}
        biases = []
        for mixture in mixtures:
            own: dict[str, Floats] = {}
            bias = np.array(mixture.bias, float)
            for name, model, share in zip(mixture.names, mixture.models, mixture.share, strict=True):
                scale = share / model.spread
                weights = (model.weights - model.weights.mean(axis=1, keepdims=True, dtype=float)) * scale
                kind = MODELS[name]
                own[kind] = own[kind] + weights if kind in own else weights
                bias += scale * (model.bias - model.bias.mean())
            for kind, weights in own.items():
                parts.setdefault(kind, []).append(weights)
            biases.append(bias)
        ends = tuple(np.cumsum([len(bias) for bias in biases]).tolist())
        found = {kind: np.hstack(own).astype(np.float32) for kind, own in parts.items()}
        return cls(found, np.concatenate(biases), ends)

    def speaks(self, rows: Mapping[str, Any]) -> Floats:
        """Return (n, answers) how much speaks for each answer, of texts as rows of each kind of features."""
        found: Floats = sum((np.asarray(rows[kind] @ own, float) for kind, own in self.weights.items()), self.bias)
        return found

    def probabilities(self, rows: Mapping[str, Any]) -> Floats:
        """Return (n, answers) the probabilities of the answers to each question."""
        return self.told(self.speaks(rows))

    def told(self, speaks: Floats) -> Floats:
        """Return (n, answers) probabilities of what speaks for each answer."""
        starts = (0, *self.ends[:-1])
        return np.hstack([softmax(speaks[:, a:b], axis=1) for a, b in zip(starts, self.ends, strict=True)])


def mixed(parts: Floats, share: Floats, bias: Floats) -> Floats:
    """Return (n, classes) probabilities of (models, n, classes)."""
    found: Floats = softmax(np.tensordot(share, parts, axes=1) + bias, axis=1)
    return found


def learn(rows: Mapping[str, Any], truth: Array, classes: int, folds: int, seed: int) -> tuple[Mixture, Floats]:
    """Return the mixture of models of rows of each kind, and (n, classes) the probabilities that texts are given by one
    that has not seen them."""
    names = tuple(name for name, kind in MODELS.items() if kind in rows)
    tried = [STRENGTHS[name] if len(truth) <= MOST_TRIED else STRENGTHS[name][:1] for name in names]
    split = StratifiedKFold(max(2, min(folds, int(np.bincount(truth).max()))), shuffle=True, random_state=seed)
    with warnings.catch_warnings():  # a class of two texts is in two parts of five
        warnings.simplefilter("ignore", UserWarning)
        parted = list(split.split(np.zeros(len(truth)), truth))
    unseen = [np.zeros((len(strengths), len(truth), classes)) for strengths in tried]
    for seen, left in parted:
        for k, name in enumerate(names):
            own = rows[MODELS[name]]
            for j, strength in enumerate(tried[k]):
                unseen[k][j, left] = one_model(name, own[seen], truth[seen], classes, strength).of(own[left])
    best = [_best(parts, truth) for parts in unseen]
    share, bias = shares_of(np.stack([parts[j] for parts, j in zip(unseen, best, strict=True)]), truth)
    apart = np.empty((len(truth), classes))
    half = np.random.default_rng(seed).permutation(len(truth)) % 2 == 0
    for part in (half, ~half):  # also the strengths and the weights of the models come from other texts
        own_best = [_best(parts[:, ~part], truth[~part]) for parts in unseen]
        chosen = np.stack([parts[j] for parts, j in zip(unseen, own_best, strict=True)])
        apart[part] = mixed(chosen[:, part], *shares_of(chosen[:, ~part], truth[~part]))
    models = tuple(
        one_model(name, rows[MODELS[name]], truth, classes, tried[k][best[k]]) for k, name in enumerate(names)
    )
    return Mixture(names, models, share, bias), apart


def _best(parts: Floats, truth: Array) -> int:
    """Return which of several outputs (tried, n, classes) is right most often; the first of equal ones."""
    return int((parts.argmax(axis=2) == truth).mean(axis=1).argmax())


def one_model(name: str, rows: Any, truth: Array, classes: int, strength: float) -> Linear:
    """Return one model, learned from rows (n, features) of classes (n,), each of which is there or gets no support."""
    there = np.unique(truth)
    if name == "bayes":
        fitted: Any = ComplementNB(alpha=SMOOTHING).fit(rows, truth)
        weights, bias = fitted.feature_log_prob_.T, np.zeros(len(there))
    else:
        kind: Any = LogisticRegression(C=strength, max_iter=300) if name == "embedding" else LinearSVC(C=strength)
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


def shares_of(parts: Floats, truth: Array) -> tuple[Floats, Floats]:
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
