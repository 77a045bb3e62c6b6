"""Judging: what a model says of samples that stand alone, good ones and those with a fault, one way for all kinds."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import NamedTuple, Protocol

import numpy as np

from lynkeus.commission.found import FalseAlarms
from lynkeus.commission.plant.planter import HARMLESS, Kind, Truth
from lynkeus.commission.settings import Budget
from lynkeus.commission.turn_on import NAN, Asked, Case, Outcome, TurnOn, by_chance, outputs_asked, point
from lynkeus.core import NOTHING, Array, Batch, Floats, about_of
from lynkeus.files.journal import Row
from lynkeus.fitting.fitted import Fitted, Scored
from lynkeus.fitting.follow import follows, move_past, start

GOOD = Case("", 0.0, 0.0)  # what nothing was planted into


class Trial(NamedTuple):
    """Samples as a model sees them, of which `rows` count; what each of these is a `case` of, and what is `true` of it.
    `moves`: a scorer that follows its instrument goes on past them afterwards."""

    batch: Batch
    rows: Array
    cases: Sequence[Case]
    truths: Sequence[Truth]
    moves: bool = False

    @property
    def good(self) -> bool:
        """Whether nothing was planted into the first of them; good and faulty ones do not share a trial."""
        return not self.cases or self.cases[0].fault == GOOD.fault


class Share(NamedTuple):
    """A part of the samples for one model; the `last` one has all that is left."""

    model: str
    number: int
    last: bool


class Ground(Protocol):
    """Good samples and what is planted into them: the same for every model."""

    @property
    def kinds(self) -> Mapping[str, Kind]: ...

    @property
    def parts(self) -> int:
        """In how many parts they are judged, each by itself."""
        ...

    def pieces(self, fitted: Fitted, whole: bool) -> Iterator[Callable[[], Iterable[Trial]]]:
        """Yield what makes the samples of each part to judge; `whole`: faulty ones among all that came before them in
        their batch."""
        ...

    def seen(self, fitted: Fitted) -> int:
        """Return how many of the good samples the model has learned from, as far as its lineage says."""
        ...


class Judged(NamedTuple):
    """What was counted of one model: turn-on `rows`, those of `chance` beside them, and `false_alarms`."""

    rows: list[TurnOn]
    chance: list[TurnOn]
    false_alarms: list[FalseAlarms]


@dataclass
class Said:
    """What a model said: of good samples scores and alarms (n, outputs) by the events of a run (0: as they are), of
    each case an outcome for each output that is asked; `seconds` of processor time for the good ones."""

    good: dict[float, list[tuple[Floats, Array]]] = field(default_factory=lambda: defaultdict(list))
    seconds: dict[float, float] = field(default_factory=lambda: defaultdict(float))
    outcomes: dict[tuple[Case, str], list[Outcome]] = field(default_factory=lambda: defaultdict(list))

    def add(self, row: Row) -> None:
        """Add what was said of one trial, by whichever process."""
        if "scores" in row:
            scores, alarms = (np.array(row[name]).reshape(-1, row["outputs"]) for name in ("scores", "alarms"))
            self.good[row["events"]].append((scores, alarms.astype(bool)))
            self.seconds[row["events"]] += row["seconds"]
            return
        case, right = Case(*row["case"]), row["right"]
        outcome = Outcome(
            np.array([row["score"]]), row["found"], row["kind"], right, np.array([right]), NAN, row["luck"]
        )
        self.outcomes[case, row["output"]].append(outcome)


@dataclass
class Hearing:
    """Asks models about a part of the samples; parts that come one after the other are read in one go."""

    models: Mapping[str, Fitted]
    ground: Ground
    budget: Budget
    _at: dict[str, tuple[int, Iterator[Callable[[], Iterable[Trial]]]]] = field(default_factory=dict)

    def shares(self) -> dict[str, Share]:
        """Return the parts for each model, by what they are called; a scorer that follows its instrument has one."""
        found: dict[str, Share] = {}
        for name, fitted in self.models.items():
            parts = 1 if follows(fitted.scorer) else max(self.ground.parts, 1)
            found |= {
                f"{name}, part {part + 1} of {parts}": Share(name, part, part + 1 == parts) for part in range(parts)
            }
        return found

    def __call__(self, share: Share) -> list[Row]:
        """Return what a model says of one part, as rows that a ledger keeps."""
        fitted = self.models[share.model]
        whole = follows(fitted.scorer)
        at, pieces = self._at.pop(share.model, (0, iter(())))
        if not at or at > share.number:
            at, pieces = 0, self.ground.pieces(fitted, whole)
            start(fitted.scorer)
        own = islice(pieces, share.number - at, None if share.last else share.number - at + 1)
        rows = [row for make in own for trial in make() for row in self._of_trial(fitted, trial)]
        if not share.last:
            self._at[share.model] = (share.number + 1, pieces)
        return rows

    def _of_trial(self, fitted: Fitted, trial: Trial) -> list[Row]:
        kinds = self.ground.kinds
        asked = {output for fault, kind in kinds.items() for output in outputs_asked(fitted.scorer, fault, kind)}
        begun = time.process_time()
        scored = fitted.score_batch(trial.batch, self.budget.value, () if trial.good else asked)
        if trial.moves:
            move_past(fitted.scorer, trial.batch)
        alarms = self.budget.reached(scored)
        seconds = time.process_time() - begun
        if not (trial.good and len(trial.rows)):
            return list(_outcomes(fitted, kinds, trial, (scored, alarms)))
        own = {"scores": scored.scores[trial.rows].tolist(), "alarms": alarms[trial.rows].astype(int).tolist()}
        return [own | {"events": trial.cases[0].events, "seconds": seconds, "outputs": scored.scores.shape[1]}]


def _outcomes(fitted: Fitted, kinds: Mapping[str, Kind], trial: Trial, answers: tuple[Scored, Array]) -> Iterator[Row]:
    scored, alarms = answers
    names = fitted.view.alone or about_of(fitted.scorer).names_kinds
    for row, case, truth in zip(trial.rows.tolist(), trial.cases, trial.truths, strict=True):
        for output in outputs_asked(fitted.scorer, case.fault, kinds[case.fault]):
            k = fitted.scorer.outputs.index(output)
            found = scored.found[k][row]
            chief = found[0] if found else NOTHING
            place = truth.holds(chief)
            kind = float(chief.kind == truth.change) if names and truth.change not in ("", HARMLESS) else NAN
            yield {
                "case": list(case), "output": output, "score": float(scored.scores[row, k]),
                "found": bool(alarms[row, k]), "kind": kind, "right": NAN if place is None else float(place),
                "luck": float(truth.luck),
            }  # fmt: skip


def judge(name: str, fitted: Fitted, ground: Ground, rows: Iterable[Row], budget: Budget, seed: int = 0) -> Judged:
    """Return what one model makes of the faults, and of good samples, from `rows` of all their parts in order."""
    said = Said()
    for row in rows:
        said.add(row)
    return Judged(*_points(name, fitted, ground, said, budget, seed), _counted(name, fitted, ground, said, budget))


def _points(
    name: str, fitted: Fitted, ground: Ground, said: Said, budget: Budget, seed: int
) -> tuple[list[TurnOn], list[TurnOn]]:
    """In the order of the kinds, each from few to many events and from small to large, and chance beside them."""
    order, rows, chance = list(ground.kinds), [], []
    good = {events: np.concatenate([scores for scores, _ in parts]) for events, parts in said.good.items()}
    for case, output in sorted(said.outcomes, key=lambda key: (order.index(key[0].fault), key[0].events, key[0].size)):
        kind, outcomes = ground.kinds[case.fault], said.outcomes[case, output]
        k = fitted.scorer.outputs.index(output)
        meant = outputs_asked(fitted.scorer, case.fault, kind)[output]
        asked = Asked(name, output, meant, budget.extrapolates(fitted.calibrations[output]))
        usual = good[case.events][:, k] if case.events in good else np.empty(0)
        row = point(case, kind, asked, outcomes, usual, budget, seed)
        rows.append(row)
        if meant:
            luck = np.array([outcome.luck for outcome in outcomes])
            chance.append(by_chance(row, budget.value, float(luck.mean())))
    return rows, chance


def _counted(name: str, fitted: Fitted, ground: Ground, said: Said, budget: Budget) -> list[FalseAlarms]:
    outputs = {output for _, output in said.outcomes} or set(fitted.scorer.outputs[:1])
    found = []
    for events, parts in said.good.items():
        scores, alarms = (np.concatenate(column) for column in zip(*parts, strict=True))
        for k, output in enumerate(fitted.scorer.outputs):
            if output not in outputs:
                continue
            known = np.isfinite(scores[:, k])
            calibration = fitted.calibrations[output]
            found.append(
                FalseAlarms(
                    name, output, int(alarms[known, k].sum()), float(known.sum()), budget.unit,
                    float(calibration.samples), budget.extrapolates(calibration),
                    of=f"{events:,.0f} events drawn" if events else "as they are",
                    seen=0 if events else ground.seen(fitted), unjudged=int((~known).sum()),
                    ms=1e3 * said.seconds[events] / max(len(known), 1),
                )
            )  # fmt: skip
    return found
