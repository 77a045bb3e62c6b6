"""Commissioning: a scorer proves itself by faults planted into real good data, at a fixed budget of false alarms.

The data are scored once as they are (false alarms, and what faulty windows are compared with), then a few times with
faults, all kinds and sizes mixed. Everything streams; what is kept are the faulty windows.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np

from lynkeus.core import (
    Alarm, AlarmRule, Array, Batch, Floats, OpenAlarm, Point, SettingsError, Source, SourceError, advance,
)  # fmt: skip
from lynkeus.core.calibration import NS_PER_HOUR
from lynkeus.evaluate.fitted import Fitted, Scored
from lynkeus.evaluate.fitting import _ends
from lynkeus.evaluate.jitter import Jitter, measure_jitter
from lynkeus.evaluate.metrics import false_alarms_per_hour
from lynkeus.evaluate.planting import CommissionSettings, plan_passes
from lynkeus.evaluate.turn_on import CHANCE, Outcome, TurnOn, by_chance, is_meant, turn_on
from lynkeus.sources import Inject, files_of
from lynkeus.sources.wrapper import Wrapper
from lynkeus.transforms.faults import Fault

__all__ = ["CommissionSettings", "Commissioning", "FalseAlarms", "commission"]
KEPT_SCORES = 200_000  # of the data as they are; of more, every second is dropped, again and again
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
        quiet = _undisturbed(candidate, source, settings.budget_per_hour)
        outcomes: list[Outcome] = []
        for index, faults in enumerate(passes, start=1):
            tell(f"{name}, pass {index} of {len(passes)}", (number + index / (len(passes) + 1)) / len(scorers))
            planted = _Planted(Inject(source, faults, known.jitter, known.centre, settings.seed))
            outcomes += _outcomes(candidate, planted, settings.budget_per_hour)
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


class _Undisturbed(NamedTuple):
    """A scorer on the data as they are: `alarms` by output, `scores` (n, outputs) thinned, livetime, span."""

    alarms: dict[str, tuple[Alarm, ...]]
    scores: Floats
    hours: float
    start_ns: int
    end_ns: int


class _Faulty(NamedTuple):
    """Faulty windows of a pass: `number` (m,) of the fault; `scores`, `rates`, `where` (m, outputs); `end_ns` (m,)."""

    number: Array
    scores: Floats
    rates: Floats
    where: Array
    end_ns: Array


class _Planted(Wrapper):
    """An Inject that notes in `start_ns` when each fault, by its 1-based number, begins."""

    def __init__(self, source: Inject) -> None:
        super().__init__(source)
        self.faults = source.faults
        self.start_ns: dict[int, int] = {}

    def __iter__(self) -> Iterator[Batch]:
        first = 0
        starts = np.array([fault.start for fault in self.faults])
        for batch in self.source:
            assert batch.time_ns is not None  # the pass over the data as they are has seen to it
            for index in np.flatnonzero((starts >= first) & (starts < first + len(batch))):
                self.start_ns[int(index) + 1] = int(batch.time_ns[starts[index] - first])
            first += len(batch)
            yield batch


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


def _undisturbed(fitted: Fitted, source: Source, budget_per_hour: float) -> _Undisturbed:
    """Score the data as they are and count the alarms, as the watch loop would."""
    outputs = fitted.scorer.outputs
    rules = [AlarmRule(budget_per_hour, quiet_s=fitted.calibrations[output].quiet_s) for output in outputs]
    states: list[OpenAlarm | None] = [None] * len(outputs)
    alarms: dict[str, list[Alarm]] = {output: [] for output in outputs}
    scores = np.empty((0, len(outputs)))
    step, live_ns, span = 1, 0, []
    for scored in fitted.score(source):
        start_ns, end_ns = _times(scored.batch)
        live_ns += int(np.minimum(end_ns - start_ns, np.diff(start_ns, append=end_ns[-1])).sum())
        span += [int(start_ns[0]), int(end_ns[-1])]
        for k, output in enumerate(outputs):
            for point in _watched(scored, k, start_ns, end_ns):
                states[k], closed = advance(rules[k], output, states[k], point)
                alarms[output] += [closed] if closed else []
        scores = np.concatenate([scores, scored.scores[::step]])
        if len(scores) > KEPT_SCORES:
            scores, step = scores[::2], 2 * step
    for output, state in zip(outputs, states, strict=True):
        alarms[output] += [replace(state.alarm, end_ns=state.last_high_ns)] if state else []
    if not span:
        raise SourceError("the data give not a single sample to score: are they shorter than one window?")
    done = {output: tuple(found) for output, found in alarms.items()}
    return _Undisturbed(done, scores, live_ns / NS_PER_HOUR, span[0], span[-1])


def _times(batch: Batch) -> tuple[Array, Array]:
    """Start and exclusive end of every sample, UTC ns."""
    if batch.time_ns is None:
        raise SourceError("the data have no times, so alarms per hour cannot be counted: give data with times")
    return batch.time_ns, _ends(batch)


def _watched(scored: Scored, k: int, start_ns: Array, end_ns: Array) -> Iterator[Point]:
    """One output as the alarm rule sees it."""
    assert scored.rates is not None  # _check has asked every calibration for a budget per hour
    columns = (start_ns.tolist(), end_ns.tolist(), scored.scores[:, k].tolist(), scored.rates[:, k].tolist())
    for *numbers, where in zip(*columns, scored.where[:, k].tolist(), strict=True):
        yield Point(*numbers, where)


def _outcomes(fitted: Fitted, planted: _Planted, budget_per_hour: float) -> list[Outcome]:
    """What a scorer makes of the faults of one pass, on each output."""
    parts = []
    for scored in fitted.score(planted):
        rows = np.flatnonzero(scored.batch.truth)
        end_ns = _times(scored.batch)[1][rows]
        parts.append(_Faulty(scored.batch.truth[rows], scored.scores[rows], scored.rates[rows], scored.where[rows], end_ns))
    faulty = _Faulty(*(np.concatenate(column) for column in zip(*parts, strict=True)))
    found = []
    for number in np.unique(faulty.number).tolist():
        rows = faulty.number == number
        own = _Faulty(*(column[rows] for column in faulty))
        fault, start_ns = planted.faults[number - 1], planted.start_ns[number]
        places = {fitted.channels.names[channel] for channel in (fault.channel, fault.other) if channel >= 0}
        for k, output in enumerate(fitted.scorer.outputs):
            alarming = np.flatnonzero(own.rates[:, k] <= budget_per_hour)
            right = np.isin(own.where[:, k], list(places))
            detect_s, named = np.nan, False
            if len(alarming):
                detect_s = (own.end_ns[alarming[0]] - start_ns) / 1e9
                named = bool(right[alarming[own.scores[alarming, k].argmax()]])
            span = start_ns, int(own.end_ns[-1])
            found.append(Outcome(fault, output, own.scores[:, k], right, float(detect_s), named, *span))
    return found


def _coincides(outcome: Outcome, alarms: Sequence[Alarm]) -> bool:
    """Whether the data alarm there without a fault: a real event, or a false alarm, that would count as found."""
    return any(
        alarm.start_ns < outcome.end_ns and (alarm.end_ns or outcome.end_ns) > outcome.start_ns for alarm in alarms
    )


def _false_alarms(
    name: str, output: str, fitted: Fitted, quiet: _Undisturbed, left_out: int, settings: CommissionSettings
) -> FalseAlarms:
    calibration, budget = fitted.calibrations[output], settings.budget_per_hour
    return FalseAlarms(
        name, output, quiet.alarms[output], quiet.hours, calibration.threshold(budget), calibration.hours or 0.0,
        calibration.extrapolates(budget), left_out,
    )  # fmt: skip


def _points(
    name: str, output: str, fitted: Fitted, used: Sequence[Outcome], quiet: _Undisturbed, settings: CommissionSettings
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
