"""What is compared: the advisor, one stage instead of two, boosted trees, a table of rules, always the usual action."""

from __future__ import annotations

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score, roc_auc_score
from sklearn.preprocessing import StandardScaler

from lynkeus.core import Array, Batch, Floats
from lynkeus.scorers.advisor.cases import patterns
from lynkeus.scorers.advisor.features import Vocabulary

# What the procedures of the trade say about the code of most jobs (see lynkeus.simulate.workflows.causes).
RULES = {
    **dict.fromkeys(("8001", "8002", "7001", "7002", "65", "99109", "137", "-1"), "clone"),
    **dict.fromkeys(("134", "99303", "8004"), "special"),
}


def one_stage(points: Floats, truth: Array, test: Floats, balanced: bool = False) -> Floats:
    """Return (m, classes) probabilities by one linear model of all actions."""
    scale = StandardScaler().fit(points)
    weights = "balanced" if balanced else None
    model = LogisticRegression(C=0.02, max_iter=300, tol=1e-3, class_weight=weights).fit(scale.transform(points), truth)
    found: Floats = model.predict_proba(scale.transform(test))
    return found


def boosted(points: Floats, truth: Array, test: Floats) -> Floats:
    """Return (m, classes) probabilities by boosted trees of all actions."""
    model = HistGradientBoostingClassifier(max_iter=80, max_leaf_nodes=15, max_bins=63, early_stopping=False)
    found: Floats = model.fit(points, truth).predict_proba(test)
    return found


def by_rules(test: Batch, known: Vocabulary, classes: tuple[str, ...], usual: int) -> Array:
    """Return (n,) what the rules say about the code of most jobs of each task."""
    found = patterns(known.entries(test.packed), known)
    return np.array([classes.index(RULES[one.code]) if one.code in RULES else usual for one in found])


def figures(truth: Array, said: Array, unusual: Floats | None, usual: int) -> dict[str, float]:
    """Return how right answers are; `unusual`: how probable it is that the action is not the usual one."""
    there = np.unique(truth)
    confusion = np.array([[(said[truth == k] == j).mean() for j in there] for k in there])
    named = [float((truth[said == k] == k).mean()) for k in there if (said == k).any()]
    rare = truth != usual
    return {
        "accuracy": float((said == truth).mean()),
        "balanced accuracy": 0.5 * float((said[rare] != usual).mean() + (said[~rare] == usual).mean()),
        "macro recall": float(np.trace(confusion) / len(there)),
        "macro precision": float(np.mean(named)),
        "AUC": float("nan") if unusual is None else float(roc_auc_score(rare, unusual)),
        "average precision": float("nan") if unusual is None else float(average_precision_score(rare, unusual)),
        "confusion MSE": float(((confusion - np.eye(len(there))) ** 2).mean()),
    }


def found_wrong(doubt: Floats, planted: Array, recall: float = 0.6) -> float:
    """Return the precision at which so many of the planted wrong decisions are found, the most doubtful first."""
    order = np.argsort(-doubt, kind="stable")
    hits = np.cumsum(planted[order])
    cut = int(np.searchsorted(hits, recall * hits[-1]))
    return float(hits[cut] / (cut + 1))
