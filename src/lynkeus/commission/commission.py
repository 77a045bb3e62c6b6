"""Commissioning: a scorer proves itself by faults planted into real good data, at a fixed budget of false alarms.

The data are scored once as they are (false alarms, and what faulty windows are compared with), then a few times with
faults, all kinds and sizes mixed. Everything streams; what is kept are the faulty windows.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from lynkeus.commission.jitter import measure_jitter
from lynkeus.commission.passes import Planted, Undisturbed, score_planted, score_undisturbed
from lynkeus.commission.plant.rows import CommissionSettings, plan_passes
from lynkeus.commission.turn_on import CHANCE, Outcome, TurnOn, by_chance, is_meant, turn_on
from lynkeus.core import Alarm, SettingsError, Source
from lynkeus.core.calibration import NS_PER_HOUR
from lynkeus.fitting.fitted import Fitted
from lynkeus.metrics.rates import false_alarms_per_hour
from lynkeus.sources import Inject, files_of

__all__ = ["CommissionSettings", "Commissioning", "FalseAlarms", "commission"]
Progress = Callable[[str, float], None]


@dataclass(frozen=True)
class FalseAlarms:
    """What one output of one scorer did on `hours` of the data as they are.

    Its `alarms` may be real events: look at them; `left_out` counts the faults that were not used because they
    coincide with one. `extrapolated`: the `reference_hours` are too few to have seen a rate as rare as the budget.
    """

    scorer: str
    output: str
    alarms: tuple[Alarm, ...]
    hours: float
    threshold: float
    reference_hours: float
    extrapolated: bool
    left_out: int = 0

    @property
    def per_hour(self) -> tuple[float, float, float]:
        """Rate, low, high (90 %, Poisson)."""
        return false_alarms_per_hour(len(self.alarms), self.hours)


@dataclass(frozen=True)
class Commissioning:
    """Turn-on `rows`, `false_alarms` of each scorer and output, and what they were found with: `lineages` by scorer
    (the commissioned one first), the `files` and `samples` of the data from `start_ns` to `end_ns`."""

    rows: tuple[TurnOn, ...]
    false_alarms: tuple[FalseAlarms, ...]
    settings: CommissionSettings
    lineages: Mapping[str, Mapping[str, Any]]
    files: tuple[str, ...]
    samples: int
    start_ns: int
    end_ns: int


def commission(
    fitted: Fitted,
    source: Source,
    settings: CommissionSettings | None = None,
    compare: Mapping[str, Fitted] | None = None,
    progress: Progress | None = None,
) -> Commissioning:
    """Commission a fitted scorer on good data that it has not seen, beside others that get the very same faults.

    `progress` is told what is being done and the share that is done. Raises CalibrationError for a budget that a
    reference cannot support, SourceError for data that are too short or have no times.
    """
    settings, tell = settings or CommissionSettings(), progress or _silent
    scorers = _by_name(fitted, compare or {})
    for candidate in scorers.values():
        _check(candidate, source, settings)
    tell("jitter of the data", 0.0)
    known = measure_jitter(source, fitted.channels.live)
    channels = np.flatnonzero(fitted.channels.live & (known.jitter > 0)).tolist()
    passes = plan_passes(settings, known, channels)
    rows: list[TurnOn] = []
    false_alarms: list[FalseAlarms] = []
    for number, (name, candidate) in enumerate(scorers.items()):
        tell(f"{name}, the data as they are", number / len(scorers))
        quiet = score_undisturbed(candidate, source, settings.budget_per_hour)
        outcomes: list[Outcome] = []
        for index, faults in enumerate(passes, start=1):
            tell(f"{name}, pass {index} of {len(passes)}", (number + index / (len(passes) + 1)) / len(scorers))
            planted = Planted(Inject(source, faults, known.jitter, known.centre, settings.seed))
            outcomes += score_planted(candidate, planted, settings.budget_per_hour)
        for output, alarms in quiet.alarms.items():
            own = [outcome for outcome in outcomes if outcome.output == output]
            used = [outcome for outcome in own if not _coincides(outcome, alarms)]
            false_alarms.append(_false_alarms(name, output, candidate, quiet, len(own) - len(used), settings))
            rows += _points(name, output, candidate, used, quiet, settings)
    hours = float(np.median([outcome.end_ns - outcome.start_ns for outcome in outcomes])) / NS_PER_HOUR
    rows += [by_chance(row, hours, len(channels)) for row in rows if row.scorer == fitted.name and row.meant]
    tell("done", 1.0)
    lineages = {name: candidate.lineage for name, candidate in scorers.items()}
    files = tuple(str(path) for path in files_of(source))
    span = quiet.start_ns, quiet.end_ns
    return Commissioning(tuple(rows), tuple(false_alarms), settings, lineages, files, known.rows, *span)


def _silent(what: str, share: float) -> None:
    """No progress shown."""


def _by_name(fitted: Fitted, compare: Mapping[str, Fitted]) -> dict[str, Fitted]:
    for name in (fitted.name, CHANCE):
        if name in compare:
            raise SettingsError(f"two scorers would be called {name!r} in the report: rename the folder of one model")
    return {fitted.name: fitted} | dict(compare)


def _check(fitted: Fitted, source: Source, settings: CommissionSettings) -> None:
    """Refuse before anything long begins."""
    fitted.schema.require(source.schema, f"the model ({fitted.name})")
    if fitted.window > settings.length:
        raise SettingsError(
            f"faults of {settings.length} rows are shorter than the windows of {fitted.window} rows: plant longer ones"
        )
    for calibration in fitted.calibrations.values():
        calibration.threshold(settings.budget_per_hour)


def _coincides(outcome: Outcome, alarms: Sequence[Alarm]) -> bool:
    """Whether the data alarm there without a fault: a real event, or a false alarm, that would count as found."""
    return any(
        alarm.start_ns < outcome.end_ns and (alarm.end_ns or outcome.end_ns) > outcome.start_ns for alarm in alarms
    )


def _false_alarms(
    name: str, output: str, fitted: Fitted, quiet: Undisturbed, left_out: int, settings: CommissionSettings
) -> FalseAlarms:
    calibration, budget = fitted.calibrations[output], settings.budget_per_hour
    return FalseAlarms(
        name, output, quiet.alarms[output], quiet.hours, calibration.threshold(budget), calibration.hours or 0.0,
        calibration.extrapolates(budget), left_out,
    )  # fmt: skip


def _points(
    name: str, output: str, fitted: Fitted, used: Sequence[Outcome], quiet: Undisturbed, settings: CommissionSettings
) -> list[TurnOn]:
    """The turn-on points of one output, in the order of the settings."""
    cases: dict[tuple[str, float], list[Outcome]] = defaultdict(list)
    for outcome in used:
        cases[outcome.fault.kind, outcome.fault.size].append(outcome)
    outputs, budget = fitted.scorer.outputs, settings.budget_per_hour
    good = np.sort(quiet.scores[:, outputs.index(output)])
    extrapolated = fitted.calibrations[output].extrapolates(budget)
    return [
        replace(
            turn_on(cases[case], good, name, budget, settings.seed),
            extrapolated=extrapolated, meant=is_meant(case[0], output, outputs),
        )
        for case in settings.cases
        if cases[case]
    ]  # fmt: skip
