"""What is measured for one seed: the recovery of tasks, wrong decisions that are found, and months with drift."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from lynkeus.core import Array, Batch, Figures, concatenate
from lynkeus.metrics.trust import Trust
from lynkeus.monitor.advice.brake import is_audited
from lynkeus.scorers.advisor.scorer import Advisor
from lynkeus.simulate.workflows.source import DRIFTS, Workflows
from lynkeus.sources import InMemory
from lynkeus.sources.wrappers.answered import Answered
from lynkeus.studies.workflow_recovery import methods

ACTION = "action"
WRONG = 0.05  # of decisions that are planted wrong ones
PROMISED = 0.05


@dataclass(frozen=True)
class Recovery:
    """`n` tasks to learn from, and as many later ones; `drifts` that are tried; `settings` of the advisor."""

    n: int
    drifts: tuple[str, ...] = DRIFTS
    settings: Mapping[str, str] = field(default_factory=dict)

    def __call__(self, seed: int) -> dict[str, Figures]:
        """Return the figures of all parts."""
        train, test = (_batch(Workflows(self.n, seed=10 * seed + k)) for k in range(2))
        doubted = _batch(Workflows(self.n, seed=10 * seed + 2, wrong=WRONG))
        return {
            "recovery": recovery(self._fitted(train), train, test),
            "planted wrong decisions": wrong_decisions(self._fitted(doubted), doubted),
            "months with drift": self._drifted(10 * seed + 3),
        }

    def _fitted(self, train: Batch) -> Advisor:
        settings: dict[str, Any] = {"max_error": PROMISED, **self.settings}
        return Advisor(**settings).fit(Answered(InMemory(train), (ACTION,)))

    def _drifted(self, seed: int) -> dict[str, dict[str, float]]:
        """Return what is applied in a second half with each drift, by what was learned from a first half without."""
        months = {drift: _batch(Workflows(2 * self.n, seed=seed, drift=drift)) for drift in ("none", *self.drifts)}
        advisor = self._fitted(months["none"][: self.n])
        return {drift: applied(advisor, months[drift][self.n :]) for drift in self.drifts}


def _batch(source: Workflows) -> Batch:
    return concatenate(list(source))


def _numbered(batch: Batch, classes: tuple[str, ...]) -> Array:
    return np.array([classes.index(str(word)) for word in batch.meta[ACTION]])


def recovery(advisor: Advisor, train: Batch, test: Batch) -> Figures:
    """Return how right each method is on later tasks."""
    classes = advisor.heads[ACTION]
    known, usual = advisor.vocabulary_, advisor.learned_.stages.usual
    points, later = known.features(train.packed), known.features(test.packed)
    learned, truth = _numbered(train, classes), _numbered(test, classes)
    own = advisor.score(test)[:, : len(classes)]
    found = {"advisor": methods.figures(truth, advisor.learned_.stages.decide(own), 1 - own[:, usual], usual)}
    for name, p in (
        ("one stage, linear", methods.one_stage(points, learned, later)),
        ("one stage, linear, rare classes weigh more", methods.one_stage(points, learned, later, balanced=True)),
        ("boosted trees", methods.boosted(points, learned, later)),
    ):
        found[name] = methods.figures(truth, p.argmax(axis=1), 1 - p[:, usual], usual)
    ruled = methods.by_rules(test, known, classes, usual)
    found["table of rules"] = methods.figures(truth, ruled, (ruled != usual).astype(float), usual)
    found["always the usual action"] = methods.figures(truth, np.full(len(truth), usual), None, usual)
    return found


def wrong_decisions(advisor: Advisor, train: Batch) -> Figures:
    """Return how precisely planted wrong decisions are found, by models that have not seen each."""
    classes, planted = advisor.heads[ACTION], train.meta["planted"]
    given = _numbered(train, classes)
    unseen = advisor.unseen_answers()[0][np.arange(len(given)), given]
    counts = np.bincount(given, minlength=len(classes))
    ruled = methods.by_rules(train, advisor.vocabulary_, classes, advisor.learned_.stages.usual)
    flagged = advisor.learned_.doubtful
    return {
        "advisor": {
            "precision at recall 0.6": methods.found_wrong(1 - unseen, planted),
            "flagged": float(flagged.mean()), "recall of flagged": float(flagged[planted == 1].mean()),
            "precision of flagged": float(planted[flagged].mean()),
        },
        "against the rules": {"precision at recall 0.6": methods.found_wrong((ruled != given).astype(float), planted)},
        "rare actions first": {"precision at recall 0.6": methods.found_wrong(-counts[given].astype(float), planted)},
    }  # fmt: skip


def applied(advisor: Advisor, later: Batch) -> dict[str, float]:
    """Return how much is applied of the advice about later tasks, and how often that is not what people decided: by the
    confidence alone, by the table of `score` that does not know decisions, by the one that knows those before each
    task, and by the server, which knows only those about what it asked."""
    blind = replace(later, meta={name: own for name, own in later.meta.items() if name != ACTION})
    advisor.resume({})
    known, said = advisor.further(later), advisor.further(blind)
    right, may = said[ACTION] == later.meta[ACTION], said["apply"]
    expected = advisor.learned_.promise.errors / max(advisor.learned_.promise.applied, 1)
    served = braked(may, right, [str(codes).split() for codes in said["codes"]], expected)
    found = {"promised at most": PROMISED, "bound at the fit": advisor.learned_.promise.bound}
    for name, own in (
        ("sure", may | (said["held"] != "")),
        ("blind", may),
        ("table", known["apply"]),
        ("served", served),
    ):
        found |= {name: float(own.mean()), f"wrong of {name}": _share(~right[own])}
    return found | {"right of all": float(right.mean())}


def braked(sure: Array, right: Array, groups: list[list[str]], expected: float) -> Array:
    """Return (n,) what a server applies of sure advice, one after the other: it hears what people decide of others."""
    trust, applied = Trust(PROMISED, expected), np.zeros(len(sure), bool)
    for k in np.flatnonzero(sure):
        applied[k] = trust.allows(groups[k]) and not is_audited(str(k), trust.asked(groups[k]))
        if not applied[k]:
            trust.tell(groups[k], not right[k])
    return applied


def _share(wrong: Array) -> float:
    return float(wrong.mean()) if len(wrong) else 0.0
