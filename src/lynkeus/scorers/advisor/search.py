"""Settings of the learner by Optuna: Gaussian processes where PyTorch is there, else trees of Parzen estimators."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from importlib.util import find_spec
from typing import Any

import numpy as np
from scipy.special import log_softmax

from lynkeus.core import Array, Floats, SettingsError
from lynkeus.core.extras import needing
from lynkeus.scorers.advisor.learners import COMPARED, TRIED, Recipe, folds_of, learn, precision_of

SAMPLERS = ("gp", "tpe")
FEWEST_GAUSSIAN = 10  # trials from which a Gaussian process is worth its time: its first ten are drawn at random


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

    study = _opened(optuna, how, _sampler(optuna, how), points, truth)
    done = sum(one.state == optuna.trial.TrialState.COMPLETE for one in study.trials)
    study.optimize(worth, n_trials=max(how.trials - done, 0))
    best = _drawn(optuna.trial.FixedTrial(study.best_params), candidates)
    kept = [f"{done} of {how.trials} trials were in {how.study}"] if done else []
    return best, [*kept, f"{how.trials} trials: {best.says()}, average precision {study.best_value:.3f} (taken)"]


def _sampler(optuna: Any, how: Any) -> Any:
    there = find_spec("torch") is not None
    if how.sampler == "gp" and not there:
        raise SettingsError("sampler=gp: needs PyTorch (pip install 'lynkeus[learn]'); or take sampler=tpe")
    gaussian = how.sampler == "gp" or (how.sampler == "auto" and there and how.trials >= FEWEST_GAUSSIAN)
    return (optuna.samplers.GPSampler if gaussian else optuna.samplers.TPESampler)(seed=how.seed)


def _opened(optuna: Any, how: Any, sampler: Any, points: Floats, truth: Array) -> Any:
    """Return the study, in the file that the settings name: of other tasks it is another study there."""
    if not how.study:
        return optuna.create_study(direction="maximize", sampler=sampler)
    own = hashlib.blake2b(np.ascontiguousarray(points).tobytes(), digest_size=8)
    own.update(np.ascontiguousarray(truth).tobytes())
    own.update(f"{how.learner} {how.imbalance} {how.seed}".encode())
    try:
        return optuna.create_study(
            direction="maximize", sampler=sampler, storage=f"sqlite:///{how.study}", load_if_exists=True,
            study_name=f"advisor {own.hexdigest()}",
        )  # fmt: skip
    except Exception as error:  # of whatever keeps it: a folder that is not there, a file of something else
        first = str(error).splitlines()[0]
        raise SettingsError(f"study={how.study}: cannot be opened ({first}); give the path of a new file") from error


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
