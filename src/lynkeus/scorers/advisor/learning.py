"""All that an advisor learns: two stages for the action, one for each further question, what may be applied, doubts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, Protocol

import numpy as np

from lynkeus.core import Array, Floats, Scores, SettingsError
from lynkeus.files.arrays import part_of
from lynkeus.scorers.advisor.doubtful import doubtful, self_confidence, usual_confidence
from lynkeus.scorers.advisor.learners import CANDIDATES, Model, Recipe, choose, crossed
from lynkeus.scorers.advisor.promise import Promise, promise
from lynkeus.scorers.advisor.search import searched
from lynkeus.scorers.advisor.stages import Learning, TwoStages, learn_stages


class How(Protocol):
    """The settings that are used here; see Advisor."""

    learner: str
    imbalance: str
    false_alarms: float
    max_error: float
    sure: float
    cost_wrong: float
    costs: Mapping[str, float]
    folds: int
    trials: int
    sampler: str
    study: str
    seed: int


class Kept(NamedTuple):
    """What is kept of it: `stages`, models of `further` questions, what was promised, how probable decisions usually
    are (`usual`, by action)."""

    stages: TwoStages
    further: tuple[Model, ...]
    promise: Promise
    usual: Floats


@dataclass(frozen=True)
class Learned:
    """What an advisor has learned of the questions `heads`; `doubtful` (n,): which decisions of the fit look wrong."""

    heads: Mapping[str, tuple[str, ...]]
    kept: Kept
    doubtful: Array

    @classmethod
    def from_arrays(cls, heads: Mapping[str, tuple[str, ...]], arrays: Mapping[str, Array], prefix: str) -> Learned:
        """Return what was kept."""
        return cls(heads, part_of(Kept, arrays, prefix), np.zeros(0, bool))

    @property
    def stages(self) -> TwoStages:
        """Return both stages of the first question."""
        return self.kept.stages

    @property
    def promise(self) -> Promise:
        """Return what may be applied without asking."""
        return self.kept.promise

    def of(self, points: Floats) -> Scores:
        """Return the probabilities of all answers (n, outputs)."""
        return np.hstack([self.stages.of(points), *(model.of(points) for model in self.kept.further)])

    def doubts(self, probabilities: Floats, given: Array) -> tuple[Floats, Array]:
        """Return (n,) how probable decisions are that were taken, and whether they are doubtful."""
        return self_confidence(probabilities, given), doubtful(probabilities, given, self.kept.usual)


def learn_all(
    points: Floats, truth: Array, heads: Mapping[str, tuple[str, ...]], how: How
) -> tuple[Learned, tuple[Scores, Array], list[str]]:
    """Return what was learned from points (n, features) and answers (n, heads), -1 where there is none, the
    probabilities that samples were given by what has not seen them, with their answers, and what is to be said."""
    said: list[str] = []
    unseen: list[Floats] = []
    further: list[Model] = []
    (action, classes), *more = heads.items()
    known = truth[:, 0] >= 0
    own, answer, least = points[known], truth[known, 0], least_of(classes, how)
    first, lines = _recipe(own, (answer != np.bincount(answer).argmax()).astype(int), 2, how)
    said += [f"{action}: {line}" for line in lines or [first.says()]]
    learning = Learning(first, _plain(first), how.folds, how.false_alarms, how.seed)
    stages, apart = learn_stages(own, answer, len(classes), learning)
    unseen.append(_spread(apart, known))
    for number, (_, words) in enumerate(more, 1):
        there = truth[:, number] >= 0
        model, apart_too = crossed(_plain(first), points[there], truth[there, number], len(words), how.folds, how.seed)
        further.append(model)
        unseen.append(_spread(apart_too, there))
    decision = stages.decide(apart)
    sure = apart[np.arange(len(apart)), decision]
    # What the costs ask to be asked about is none of which something is promised.
    asked = sure < least[decision]
    allowed = promise(np.where(asked, -1.0, sure), decision == answer, how.max_error, how.sure)
    said += [_figures(answer, decision, classes, stages.usual), allowed.says(how.max_error, how.sure)]
    usual = usual_confidence(apart, answer)
    odd = np.zeros(len(truth), bool)
    odd[known] = doubtful(apart, answer, usual)
    kept = Kept(stages, tuple(further), allowed, usual)
    return Learned(dict(heads), kept, odd), (np.hstack(unseen), truth), said


def least_of(classes: tuple[str, ...], how: Any) -> Floats:
    """Return of each action the confidence below which asking is cheaper than that it may be wrong. Raises
    SettingsError for the cost of an action that there is not."""
    unknown = [name for name in how.costs if name not in classes]
    if unknown:
        raise SettingsError(f"costs.{unknown[0]}: no such action; there are: {', '.join(classes)}")
    return np.array([1.0 - 1.0 / how.costs.get(word, how.cost_wrong) for word in classes])


def _recipe(points: Floats, truth: Array, classes: int, how: How) -> tuple[Recipe, list[str]]:
    """Return what to learn with: as the settings say, else what is best on tasks that were not seen."""
    candidates = tuple(
        one for one in CANDIDATES
        if how.learner in ("auto", one.kind) and how.imbalance in ("auto", one.imbalance)
        and (one.imbalance != "smote" or how.imbalance == "smote" or _has_smote())
    )  # fmt: skip
    if not candidates:
        candidates = (replace(next(one for one in CANDIDATES if one.kind == how.learner), imbalance=how.imbalance),)
    if how.trials:
        return searched(candidates, points, truth, classes, how)
    if len(candidates) == 1:
        return candidates[0], []
    return choose(candidates, points, truth, classes, how.seed)


def _has_smote() -> bool:
    from importlib.util import find_spec

    return find_spec("imblearn") is not None


def _plain(recipe: Recipe) -> Recipe:
    """Return the same learner without synthetic samples, which classes of few samples do not bear."""
    return replace(recipe, imbalance="none") if recipe.imbalance == "smote" else recipe


def _spread(found: Floats, rows: Any) -> Floats:
    """Return (n, classes) with the rows that are known, NaN elsewhere."""
    whole = np.full((len(rows), found.shape[1]), np.nan)
    whole[rows] = found
    return whole


def _figures(answer: Array, decision: Array, classes: tuple[str, ...], usual: int) -> str:
    """Return how good the advice is on tasks that were not learned from, beside taking all as usual."""
    right, majority = float((answer == decision).mean()), float((answer == usual).mean())
    recalls = [float((decision[answer == k] == k).mean()) for k in np.unique(answer)]
    rare = answer != usual
    balanced = 0.5 * (float((decision[rare] != usual).mean()) + float((decision[~rare] == usual).mean()))
    return (
        f"on tasks not learned from: right in {100 * right:.1f} % (always {classes[usual]}: {100 * majority:.1f} %), "
        f"mean recall {np.mean(recalls):.3f}, balanced accuracy of usual or not {balanced:.3f}"
    )
