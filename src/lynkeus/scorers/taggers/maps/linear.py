"""PCA and logistic regression, and logistic regression of observables: what a network of maps has to beat."""

from __future__ import annotations

from typing import NamedTuple, Self

import numpy as np

from lynkeus.core import Array, Floats

MOST_SCORES = 20
PENALTY = 10.0  # inverse strength, as scikit-learn counts it


class Linear(NamedTuple):
    """Logits of columns x: ((x - centre) / sigma) @ `slope` + `start`; `slope` (columns, classes)."""

    centre: Floats
    sigma: Floats
    slope: Floats
    start: Floats

    @classmethod
    def fit(cls, x: Floats, truth: Array, classes: int, scores: int = 0) -> Self:
        """Learn from columns (n, columns) and the numbers of the classes (n,); `scores`: how many principal components
        of the columns are used, 0 for the columns themselves."""
        from sklearn.linear_model import LogisticRegression

        centre, sigma = x.mean(axis=0), x.std(axis=0)
        sigma = np.where(sigma > 0, sigma, 1.0)
        scaled, onto = (x - centre) / sigma, np.eye(x.shape[1])
        if scores:
            _, size, right = np.linalg.svd(scaled, full_matrices=False)
            kept = min(scores, MOST_SCORES, len(x) // 4)
            onto = right[:kept].T / np.maximum(size[:kept] / np.sqrt(len(x)), 1e-9)
        model = LogisticRegression(C=PENALTY, max_iter=2000).fit(scaled @ onto, truth)
        slope, start = np.zeros((onto.shape[1], classes)), np.full(classes, -30.0)
        own = model.classes_.astype(int)
        if len(own) == 2:  # one function, of the second class
            slope[:, own[1]], start[own] = model.coef_[0], [0.0, model.intercept_[0]]
        else:
            slope[:, own], start[own] = model.coef_.T, model.intercept_
        return cls(centre, sigma, onto @ slope, start)

    def of(self, x: Floats) -> Floats:
        """Return logits (n, classes)."""
        found: Floats = (x - self.centre) / self.sigma @ self.slope + self.start
        return found
