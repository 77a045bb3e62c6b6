"""Settings of the learner by Optuna: Gaussian processes where PyTorch is there, else trees of Parzen estimators."""

from __future__ import annotations

from dataclasses import replace
from importlib.util import find_spec
from typing import Any

import numpy as np
from scipy.special import log_softmax

from lynkeus.core import Array, Floats
from lynkeus.core.extras import needing
from lynkeus.scorers.advisor.learners import COMPARED, TRIED, Recipe, folds_of, learn, precision_of


def searched(
    candidates: tuple[Recipe, ...], points: Floats, truth: Array, classes: int, how: Any
) -> tuple[Recipe, list[str]]:
    """Return the best recipe of `how.trials`, by the average precision on folds, and a line on it.

    Raises SettingsError where Optuna is not installed.
    """
    with needing("--set trials=...", "operations"):
        import optuna
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    few = np.random.default_rng(how.seed).permutation(len(truth))[:TRIED]
    own, answer = points[few], truth[few]

    def worth(trial: Any) -> float:
        recipe = _drawn(trial, candidates)
        logits = np.empty((len(answer), classes))
        for seen, left in folds_of(answer, COMPARED, how.seed):
            logits[left] = learn(recipe, own[seen], answer[seen], classes, how.seed).logits(own[left])
        return precision_of(log_softmax(logits, axis=1), answer)

    gaussian = find_spec("torch") is not None and how.trials >= 10
    sampler: Any = optuna.samplers.GPSampler if gaussian else optuna.samplers.TPESampler
    study = optuna.create_study(direction="maximize", sampler=sampler(seed=how.seed))
    study.optimize(worth, n_trials=how.trials)
    best = _drawn(optuna.trial.FixedTrial(study.best_params), candidates)
    return best, [f"{how.trials} trials: {best.says()}, average precision {study.best_value:.3f} (taken)"]


def _drawn(trial: Any, candidates: tuple[Recipe, ...]) -> Recipe:
    recipe = candidates[trial.suggest_categorical("candidate", list(range(len(candidates))))]
    if recipe.kind == "linear":
        return replace(recipe, strength=trial.suggest_float("inverse_strength", 1e-3, 1.0, log=True))
    return replace(
        recipe,
        trees=trial.suggest_int("trees", 40, 200, log=True),
        leaves=trial.suggest_int("leaves", 4, 31, log=True),
        rate=trial.suggest_float("rate", 0.03, 0.3, log=True),
        strength=trial.suggest_float("ridge", 0.1, 30.0, log=True),
    )  # fmt: skip
