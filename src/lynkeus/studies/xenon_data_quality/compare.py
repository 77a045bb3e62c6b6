"""Every scorer on the same runs: the table of targets, runs with every fault, and what each of them costs."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from lynkeus.commission.plant.good_events import RunTruth
from lynkeus.commission.plant.planter import HARMLESS, Kind
from lynkeus.commission.settings import OF_GOOD, Budget
from lynkeus.commission.turn_on import Asked, Case, Outcome, TurnOn, point
from lynkeus.core import Batch, Finding, Floats
from lynkeus.fitting.fit import FitSettings, fit
from lynkeus.fitting.fitted import Fitted
from lynkeus.fitting.verdicts import FALSE_ALARMS, answer
from lynkeus.metrics.rates import auroc, bootstrap_auroc, wilson_interval
from lynkeus.sources.runs.read import RunFolder
from lynkeus.studies.xenon_data_quality.runs import GOOD, Made, RunRequest, SimulatedRun, Truths

Metrics = dict[str, float]


class Target(NamedTuple):
    """A line of the table of targets: in words, the runs, the AUROC to reach."""

    says: str
    wanted: RunRequest
    reach: float


TARGETS = (
    Target("5 % S2 shift, 200", RunRequest("s2_shift", 0.05, 200), 0.97),
    Target("2 % new NR, 1,000", RunRequest("new_nr", 0.02, 1000), 0.95),
    Target("2 % new NR, 200", RunRequest("new_nr", 0.02, 200), 0.80),
    Target("2 % new NR, 5,000", RunRequest("new_nr", 0.02, 5000), 0.999),
    Target("line gone, 200", RunRequest("no_kr83m", 1.0, 200), 0.999),
)


@dataclass(frozen=True)
class Contest:
    """`reference` to learn from, `targets` and `judged` runs, what is true of them, and good runs of the same sizes."""

    reference: Made
    targets: Made
    judged: Made
    truths: Truths

    def fit(self, scorer: str, options: Mapping[str, Any]) -> tuple[Fitted, float]:
        """A model with its calibration, and the seconds of processor time of all of it."""
        begun = time.process_time()
        fitted = fit(RunFolder([made.file for made in self.reference]), FitSettings(scorer, options))
        return fitted, time.process_time() - begun

    def measure(self, fitted: Fitted) -> Metrics:
        """All numbers of one scorer, by name."""
        return self.of_targets(fitted) | self.of_judged(fitted)

    def of_targets(self, fitted: Fitted) -> Metrics:
        """AUROC of each line of the table of targets, with its interval."""
        scores = scores_of(fitted, self.targets)
        metrics: Metrics = {}
        for target in TARGETS:
            wanted = target.wanted
            good, bad = (
                [s for s, made in zip(scores, self.targets, strict=True) if _is(made, kind, wanted)]
                for kind in (GOOD, wanted.fault)
            )
            if good and bad:
                metrics |= {
                    f"{target.says}.{name}": value
                    for name, value in with_interval(np.array(good), np.array(bad)).items()
                }
        return metrics

    def of_judged(self, fitted: Fitted) -> Metrics:
        """Over all runs with a fault: AUROC, efficiency at the promised rate, names, and milliseconds a run."""
        read = [batch_of(fitted, made) for made in self.judged]
        begun = time.process_time()
        outcomes = [outcome_of(fitted, run, made, self.truths) for run, made in zip(read, self.judged, strict=True)]
        spent = time.process_time() - begun
        good = [one for one in outcomes if one.truth.change == HARMLESS]
        bad = [one for one in outcomes if one.truth.change != HARMLESS]
        flagged = [one for one in bad if one.p_value < FALSE_ALARMS]
        low, high = wilson_interval(len(flagged), len(bad))
        metrics = with_interval(np.array([one.score for one in good]), np.array([one.score for one in bad]))
        return {f"judged.{name}": value for name, value in metrics.items()} | {
            "judged.efficiency": len(flagged) / len(bad), "judged.efficiency.low": low, "judged.efficiency.high": high,
            "judged.kind": _share([one.change.kind == one.truth.change for one in flagged]),
            "judged.place": _share([one.truth.holds(one.change) for one in flagged]),
            "judged.false_alarms": _share([one.p_value < FALSE_ALARMS for one in good]),
            "judged.ms": 1e3 * spent / len(outcomes),
        }  # fmt: skip


class RunJudged(NamedTuple):
    """What a scorer said of one run: `score` (higher: worse, NaN: not enough data), `p_value`, the chief `change`."""

    score: float
    p_value: float
    change: Finding
    truth: RunTruth

    @property
    def outcome(self) -> Outcome:
        """As a turn-on curve counts it."""
        place = float(self.truth.holds(self.change))
        kind = float(self.change.kind == self.truth.change)
        return Outcome(
            np.array([self.score]), self.p_value < FALSE_ALARMS, kind, place, np.array([place]), luck=self.truth.luck
        )


def batch_of(fitted: Fitted, made: SimulatedRun) -> Batch:
    """Return a run as a model sees it."""
    return next(iter(fitted.prepare(RunFolder([made.file]))))


def outcome_of(fitted: Fitted, run: Batch, made: SimulatedRun, truths: Truths) -> RunJudged:
    """Return what a scorer says of a run, beside the truth."""
    judged = answer(fitted, run)
    return RunJudged(judged.score, judged.p_value, judged.chief, truths.of(made))


def turn_on(fitted: Fitted, name: str, made: Made, good: Made, truths: Truths) -> list[TurnOn]:
    """Points of the turn-on curves; `good`: runs of all these sizes."""
    scores = scores_of(fitted, good)
    budget = Budget(FALSE_ALARMS, OF_GOOD)
    by_case: dict[RunRequest, list[RunJudged]] = {}
    for one in made:
        run = batch_of(fitted, one)
        by_case.setdefault(one.wanted, []).append(outcome_of(fitted, run, one, truths))
    rows = []
    for wanted, outcomes in by_case.items():
        own = np.array([s for s, one in zip(scores, good, strict=True) if one.wanted.events == wanted.events])
        case = Case(wanted.fault, wanted.size, float(wanted.events))
        kind = Kind("", unit="size", change=outcomes[0].truth.change)
        found = [one.outcome for one in outcomes]
        rows.append(point(case, kind, Asked(name, "anomaly"), found, own, budget))
    return rows


def scores_of(fitted: Fitted, made: Made) -> Floats:
    """Return (n,) of the scorer alone, without naming what changed."""
    return np.array([fitted.scorer.score(batch_of(fitted, one))[0, 0] for one in made])


def with_interval(good: Floats, bad: Floats) -> Metrics:
    """AUROC and its 90 % interval, runs drawn again."""
    scores, wrong = np.concatenate([good, bad]), np.arange(len(good) + len(bad)) >= len(good)
    copies = bootstrap_auroc(wrong, scores)
    low, high = np.nanquantile(copies, [0.05, 0.95])
    return {"auroc": auroc(wrong, scores), "auroc.low": float(low), "auroc.high": float(high)}


def _is(made: SimulatedRun, fault: str, wanted: RunRequest) -> bool:
    return made.wanted.fault == fault and made.wanted.events == wanted.events


def _share(found: Sequence[bool]) -> float:
    return float(np.mean(found)) if found else float("nan")
