"""What a scorer finds while its machine is steered: one fault a minute, alarms as incidents, time to recover."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from lynkeus.commission.jitter import Jitter, measure_jitter
from lynkeus.commission.passes import Placed, Planted, recovery_s, score_faults, score_undisturbed
from lynkeus.commission.plant.rows import KINDS
from lynkeus.commission.settings import PER_HOUR, Budget
from lynkeus.commission.turn_on import outputs_asked
from lynkeus.core import Alarm, SettingsError, Source
from lynkeus.core.incident import AlarmIncident, incidents
from lynkeus.evaluate.steering.moves import BLOCK, Move, Steered, plan_moves
from lynkeus.fitting.fitted import Fitted
from lynkeus.fitting.views.channels import channels_of, watched_of
from lynkeus.metrics.rates import placements
from lynkeus.sources import Inject, Unlabelled
from lynkeus.transforms.faults import Fault, plan_faults

CASES = (("noisy", 1.0), ("noisy", 3.0), ("offset", 1.0), ("stuck", 1.0), ("flip", 1.0))
LENGTH = 60  # rows of a fault
AFTER_S = 3600.0  # the hour after a move
QUIET_AFTER_S = 120.0  # within which both outputs shall be themselves again


@dataclass(frozen=True)
class Sensitivity:
    """Of one kind and size: AUROC per window against the stretch as it is, moves and real events counted as good; share
    of the faulty windows that name the right channel (NaN for the beam); the same for faults that begin in the hour
    after a move, not before QUIET_AFTER_S; how many faults there were in it."""

    auroc: float
    right: float
    auroc_after: float
    right_after: float
    after: int


@dataclass(frozen=True)
class SteeredReport:
    """`cases`: by (kind, size); `incidents` in `hours`; of each output the share of time in alarm, and the median time
    (s) from a move to its last alarm before all was quiet."""

    cases: Mapping[tuple[str, float], Sensitivity]
    incidents: tuple[AlarmIncident, ...]
    hours: float
    in_alarm: Mapping[str, float]
    recover_s: Mapping[str, float]

    def lines(self) -> list[str]:
        """Return it as lines of text."""
        told = [
            f"{kind} {size:g}: AUROC {one.auroc:.3f}, right channel {one.right:.3f}; in the hour after a move "
            f"({one.after} faults) {one.auroc_after:.3f}, {one.right_after:.3f}"
            for (kind, size), one in self.cases.items()
        ]
        rate = len(self.incidents) / self.hours
        told.append(f"{len(self.incidents)} incidents in {self.hours:.2f} h ({rate:.1f}/h)")
        return told + [
            f"{output}: {share:.1%} of the time in alarm, quiet {self.recover_s[output]:.0f} s after a move"
            for output, share in self.in_alarm.items()
        ]


def measure_steered(
    fitted: Fitted, source: Source, seed: int = 0, cases: Sequence[tuple[str, float]] = CASES,
    standing: Sequence[Fault] = (), budget_per_hour: float = 1.0,
) -> SteeredReport:  # fmt: skip
    """Steer a stretch of good data that the model has not seen, plant one fault a minute, and count what it finds.

    `standing`: faults that are there in all passes, so that the planted ones are second ones. Raises SettingsError
    where the stretch is too short, CalibrationError where the reference cannot support the budget.
    """
    live = watched_of(fitted)
    calm = measure_jitter(source, live)
    moves = plan_moves(source.schema.names, calm.rows, calm, seed)
    disturbed = Unlabelled(Inject(Steered(source, moves), standing, calm.jitter, calm.centre, seed))
    known = measure_jitter(disturbed, live)
    quiet = score_undisturbed(fitted, disturbed, budget_per_hour)
    begun_ns = quiet.start_ns + _starts(moves) * _row_ns(quiet.hours, known)
    found = {case: _planted(fitted, disturbed, known, case, seed, standing, budget_per_hour) for case in cases}
    outputs = fitted.scorer.outputs
    sensitive = {}
    for (kind, size), placed in found.items():
        output = _answers(fitted, kind)
        sensitive[kind, size] = _sensitivity(placed, np.sort(quiet.scores[:, outputs.index(output)]), begun_ns)
    alarms = [alarm for of_output in quiet.alarms.values() for alarm in of_output]
    share = {output: _seconds(own) / 3600.0 / quiet.hours for output, own in quiet.alarms.items()}
    recover = {output: recovery_s(own, begun_ns) for output, own in quiet.alarms.items()}
    return SteeredReport(sensitive, incidents(alarms), quiet.hours, share, recover)


def _planted(
    fitted: Fitted, disturbed: Source, known: Jitter, case: tuple[str, float], seed: int, standing: Sequence[Fault],
    budget_per_hour: float,
) -> list[Placed]:  # fmt: skip
    """What is found of one fault in each block, on channels on which nothing stands."""
    taken = {fault.channel for fault in standing}
    view = channels_of(fitted)
    channels = [c for c in np.flatnonzero(watched_of(fitted) & (known.jitter > 0)).tolist() if c not in taken]
    faults = plan_faults(*case, BLOCK, LENGTH, known.rows, channels, seed)
    faults = tuple(replace(fault, pattern=tuple(known.directions[0])) if _moves(fault) else fault for fault in faults)
    planted = Planted(Inject(disturbed, faults, known.jitter, known.centre, seed), view.names, len(channels))
    budget, answers = Budget(budget_per_hour, PER_HOUR), _answers(fitted, case[0])
    found = score_faults(fitted, planted, KINDS, budget)
    return [one for (_, output), placed in found.items() if output == answers for one in placed]


def _answers(fitted: Fitted, kind: str) -> str:
    """The output that is meant for a kind of fault."""
    asked = outputs_asked(fitted.scorer, kind, KINDS[kind])
    return next(output for output, meant in asked.items() if meant)


def _moves(fault: Fault) -> bool:
    return fault.kind in ("kick", "step")


def _sensitivity(
    placed: Sequence[Placed], good: npt.NDArray[np.float64], begun_ns: npt.NDArray[np.float64]
) -> Sensitivity:
    if not placed:
        raise SettingsError("the stretch is too short for a single fault: give more data")
    since_s = np.array([_since_s(one.start_ns, begun_ns) for one in placed])
    after = (since_s >= QUIET_AFTER_S) & (since_s < AFTER_S)
    late = [one for one, chosen in zip(placed, after, strict=True) if chosen]
    return Sensitivity(_auroc(placed, good), _right(placed), _auroc(late, good), _right(late), len(late))


def _auroc(placed: Sequence[Placed], good: npt.NDArray[np.float64]) -> float:
    if not placed:
        return float("nan")
    return float(np.concatenate([placements(one.outcome.scores, good) for one in placed]).mean())


def _right(placed: Sequence[Placed]) -> float:
    """Share of the faulty windows that name the right channel; NaN where there is nothing to name."""
    right = np.concatenate([one.outcome.right for one in placed]) if placed else np.empty(0)
    return float(np.nanmean(right)) if np.isfinite(right).any() else float("nan")


def _starts(moves: Sequence[Move]) -> npt.NDArray[np.float64]:
    """Rows at which the orbit as a whole begins to move."""
    return np.array(sorted(move.start for move in moves if move.kind != "offset"), float)


def _row_ns(hours: float, known: Jitter) -> float:
    return hours * 3.6e12 / max(known.rows, 1)


def _since_s(at_ns: int, begun_ns: npt.NDArray[np.float64]) -> float:
    """Seconds since the last move began; NaN before the first."""
    earlier = begun_ns[begun_ns <= at_ns]
    return float(at_ns - earlier[-1]) / 1e9 if len(earlier) else float("nan")


def _seconds(alarms: Sequence[Alarm]) -> float:
    return sum((alarm.end_ns or alarm.peak_ns) - alarm.start_ns for alarm in alarms) / 1e9
