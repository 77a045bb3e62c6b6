"""What is measured for one seed: the recovery of tasks, wrong decisions that are found, and months with drift."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lynkeus.core import Array, Batch, Figures, concatenate
from lynkeus.monitor.advice.brake import Brake, is_audited
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
    """`n` tasks to learn from, and as many later ones; `drifts` that are tried."""

    n: int
    drifts: tuple[str, ...] = DRIFTS

    def __call__(self, seed: int) -> dict[str, Figures]:
        """Return the figures of all parts."""
        train = _batch(Workflows(self.n, seed=10 * seed))
        advisor = _fitted(train)
        return {
            "recovery": recovery(advisor, train, _batch(Workflows(self.n, seed=10 * seed + 1))),
            "planted wrong decisions": wrong_decisions(_batch(Workflows(self.n, seed=10 * seed + 2, wrong=WRONG))),
            "months with drift": {
                drift: applied(_batch(Workflows(2 * self.n, seed=10 * seed + 3, drift=drift))) for drift in self.drifts
            },
        }  # fmt: skip


def _batch(source: Workflows) -> Batch:
    return concatenate(list(source))


def _fitted(train: Batch) -> Advisor:
    return Advisor(max_error=PROMISED).fit(Answered(InMemory(train), (ACTION,)))


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


def wrong_decisions(train: Batch) -> Figures:
    """Return how precisely planted wrong decisions are found, by models that have not seen each."""
    advisor = _fitted(train)
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


def applied(whole: Batch) -> dict[str, float]:
    """Return how much is applied in the second half of the time, learned from the first half, and how often that is
    not what people decided."""
    half = len(whole) // 2
    advisor = _fitted(whole[:half])
    later = whole[half:]
    said = advisor.further(later)
    sure, right = said["apply"], said[ACTION] == later.meta[ACTION]
    kept = braked(sure, right, [str(reason).partition(" at ")[0] for reason in said["reason"]])
    return {"sure": float(sure.mean()), "wrong of sure": _share(~right[sure]), "applied": float(kept.mean()),
            "wrong of applied": _share(~right[kept]), "promised at most": PROMISED,
            "bound at the fit": advisor.learned_.promise.bound, "right of all": float(right.mean())}  # fmt: skip


def braked(sure: Array, right: Array, groups: list[str]) -> Array:
    """Return (n,) what is applied of sure advice, one after the other: the rest people decide, as the brake hears."""
    brake, applied = Brake(PROMISED), np.zeros(len(sure), bool)
    for k in np.flatnonzero(sure):
        applied[k] = brake.allows(groups[k]) and not is_audited(str(k))
        if not applied[k]:
            brake.tell(groups[k], not right[k])
    return applied


def _share(wrong: Array) -> float:
    return float(wrong.mean()) if len(wrong) else 0.0
