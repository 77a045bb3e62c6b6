"""Rows in time: faults planted into the stream, or labelled in it, and the alarms of a watch at a budget per hour.

The data are scored once as they are (false alarms, and what faulty windows are compared with), then a few times with
faults, all kinds and sizes mixed. Everything streams; what is kept are the faulty windows.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import NamedTuple, Self

import numpy as np

from lynkeus.commission.found import FalseAlarms
from lynkeus.commission.jitter import measure_jitter
from lynkeus.commission.judge import Judged
from lynkeus.commission.pass_rows import placed_of, placed_row, undisturbed_of, undisturbed_row
from lynkeus.commission.passes import (
    Placed,
    Planted,
    Stretches,
    Undisturbed,
    recovery_s,
    score_faults,
    score_undisturbed,
)
from lynkeus.commission.plant.planter import Kind
from lynkeus.commission.plant.rows import KINDS, Accompanied, plan_passes
from lynkeus.commission.settings import PER_HOUR, Budget, CommissionSettings
from lynkeus.commission.turn_on import Asked, Case, Outcome, by_chance, outputs_asked, point
from lynkeus.core import Alarm, SettingsError, Source
from lynkeus.core.calibration import NS_PER_HOUR
from lynkeus.files.journal import Row
from lynkeus.fitting.fitted import Fitted
from lynkeus.fitting.views.channels import channels_of, watched_of
from lynkeus.sources import Inject, Unlabelled
from lynkeus.transforms.faults import Fault

Faults = Planted | Stretches
AT_ONCE_S = 5.0  # within which a step brings an alarm about


@dataclass(frozen=True)
class Stream:
    """Rows in time, and faults in them: `kinds`, so many `passes`, each a source with faults for a model."""

    source: Source
    kinds: Mapping[str, Kind]
    settings: CommissionSettings
    passes: Sequence[Callable[[Fitted], Faults]]
    samples: int
    steps: Callable[[Fitted], Planted] | None = None

    @classmethod
    def planted(cls, fitted: Fitted, source: Source, settings: CommissionSettings) -> Self:
        """Plan where faults go; the same ones for all models. Raises SourceError for data that are too short."""
        live = watched_of(fitted)
        known = measure_jitter(source, live)
        channels = np.flatnonzero(live & (known.jitter > 0)).tolist()

        def one_pass(faults: Sequence[Fault], model: Fitted) -> Planted:
            beside = [fault.companion for fault in faults if isinstance(fault, Accompanied) and fault.companion]
            ground: Source = source
            if beside:
                ground = Unlabelled(Inject(source, beside, known.jitter, known.centre, settings.seed + 1))
            inject = Inject(ground, faults, known.jitter, known.centre, settings.seed)
            return Planted(inject, channels_of(model).names, len(channels))

        plan = plan_passes(settings, known, channels)
        steps = max((_steps_of(faults, known.rows) for faults in plan), key=len, default=())
        moving = partial(one_pass, steps) if steps else None
        passes = [partial(one_pass, faults) for faults in plan]
        return cls(source, KINDS, settings, passes, known.rows, moving)

    @property
    def budget(self) -> Budget:
        """Return the rate that is borne."""
        return Budget(self.settings.budget_per_hour, PER_HOUR)

    def require(self, name: str, fitted: Fitted) -> None:
        """Raise SettingsError, SchemaError or CalibrationError before anything long begins."""
        fitted.view.schema.require(self.source.schema, f"the model ({name})")
        self.budget.check(fitted)


def check_length(window: int, settings: CommissionSettings) -> None:
    """Raise SettingsError for faults that no window could be full of."""
    if window > settings.length:
        raise SettingsError(
            f"faults of {settings.length} rows are shorter than the windows of {window} rows: plant longer ones"
        )


class JudgedStream(NamedTuple):
    """What one model made of a stream, which went from `start_ns` to `end_ns`."""

    judged: Judged
    start_ns: int
    end_ns: int


@dataclass(frozen=True)
class StreamHearing:
    """Lets models score the stream, in one pass after the other: as it is (number 0), then with faults."""

    models: Mapping[str, Fitted]
    stream: Stream

    def shares(self) -> dict[str, tuple[str, int]]:
        """Return the passes of each model, by what they are called."""
        found, count = {}, len(self.stream.passes)
        for name in self.models:
            found[f"{name}, the data as they are"] = (name, 0)
            found |= {f"{name}, pass {number} of {count}": (name, number) for number in range(1, count + 1)}
            if self.stream.steps is not None:
                found[f"{name}, moves that stay"] = (name, count + 1)
        return found

    def __call__(self, share: tuple[str, int]) -> list[Row]:
        """Return what a model made of one pass, as rows that a ledger keeps."""
        name, number = share
        fitted, budget = self.models[name], self.stream.budget
        if not number:
            return [undisturbed_row(score_undisturbed(fitted, self.stream.source, budget.value))]
        if number > len(self.stream.passes):
            assert self.stream.steps is not None  # or the share would not be there
            return [_quiet_again(fitted, self.stream.steps(fitted), budget)]
        found = score_faults(fitted, self.stream.passes[number - 1](fitted), self.stream.kinds, budget)
        return [placed_row(case, output, one) for (case, output), own in found.items() for one in own]


def judge_stream(name: str, fitted: Fitted, stream: Stream, passes: Sequence[Sequence[Row]]) -> JudgedStream:
    """Return what a model made of all passes, from their rows; faults at a real event are not counted."""
    settings, budget = stream.settings, stream.budget
    quiet = undisturbed_of(passes[0][0], len(fitted.scorer.outputs))
    outcomes: dict[tuple[Case, str], list[Placed]] = defaultdict(list)
    planted = len(stream.passes) + 1
    quiet_s = passes[planted][0] if stream.steps is not None else {}
    for row in (row for rows in passes[1:planted] for row in rows):
        key, found = placed_of(row)
        outcomes[key].append(found)
    used = {
        (case, output): [outcome for outcome, *span in found if not _coincides(span, quiet.alarms[output])]
        for (case, output), found in outcomes.items()
    }
    counted = [_false_alarms(name, output, fitted, quiet, (outcomes, used), budget) for output in quiet.alarms]
    counted = [replace(one, quiet_s=quiet_s.get(one.output, one.quiet_s)) for one in counted]
    judged = Judged([], [], counted)
    lengths = [end_ns - start_ns for found in outcomes.values() for _, start_ns, end_ns in found]
    share = float(-np.expm1(-budget.value * np.median(lengths or [0]) / NS_PER_HOUR))
    places = {case: place for place, case in enumerate(_order(stream, settings, used))}
    outputs = fitted.scorer.outputs
    for case, output in sorted(
        (key for key in used if used[key]), key=lambda key: (outputs.index(key[1]), places[key[0]])
    ):
        kind, own = stream.kinds[case.fault], used[case, output]
        meant = outputs_asked(fitted.scorer, case.fault, kind)[output]
        asked = Asked(name, output, meant, budget.extrapolates(fitted.calibrations[output]))
        good = np.sort(quiet.scores[:, outputs.index(output)])
        turn_on = point(case, kind, asked, own, good, budget, settings.seed)
        judged.rows.append(turn_on)
        if meant:
            judged.chance.append(by_chance(turn_on, share, float(np.mean([outcome.luck for outcome in own]))))
    return JudgedStream(judged, quiet.start_ns, quiet.end_ns)


def _steps_of(faults: Sequence[Fault], rows: int) -> tuple[Fault, ...]:
    """Return the moves of all channels that come before faults of one of them, each of which stays until the next."""
    beside = [fault.companion for fault in faults if isinstance(fault, Accompanied) and not fault.is_second]
    steps = [step for step in beside if step is not None]
    ends = [*(step.start for step in steps), rows][1:]
    return tuple(replace(step, length=end - step.start) for step, end in zip(steps, ends, strict=False))


def _quiet_again(fitted: Fitted, moves: Planted, budget: Budget) -> Row:
    """Return for each output the seconds until it is quiet after all channels moved, where nothing else is planted."""
    found = score_undisturbed(fitted, Unlabelled(moves), budget.value)
    begun = np.array([one.start_ns for one in moves.begun.values()], float)
    return {output: recovery_s(alarms, begun, AT_ONCE_S) for output, alarms in found.alarms.items()}


def _order(stream: Stream, settings: CommissionSettings, used: Mapping[tuple[Case, str], object]) -> list[Case]:
    """The cases as the settings have them."""
    kinds = list(settings.faults or stream.kinds)
    return sorted({case for case, _ in used}, key=lambda case: (kinds.index(case.fault), case.size))


def _coincides(span: Sequence[int], alarms: Sequence[Alarm]) -> bool:
    """Whether the data alarm there without a fault: a real event, or a false alarm, that would count as found."""
    start_ns, end_ns = span
    return any(alarm.start_ns < end_ns and (alarm.end_ns or end_ns) > start_ns for alarm in alarms)


def _false_alarms(
    name: str, output: str, fitted: Fitted, quiet: Undisturbed,
    faults: tuple[Mapping[tuple[Case, str], list[Placed]], Mapping[tuple[Case, str], list[Outcome]]], budget: Budget,
) -> FalseAlarms:  # fmt: skip
    calibration, alarms = fitted.calibrations[output], quiet.alarms[output]
    every, used = (sum(len(found) for (_, own), found in some.items() if own == output) for some in faults)
    return FalseAlarms(
        name, output, len(alarms), quiet.hours, budget.unit, calibration.hours or 0.0, budget.extrapolates(calibration),
        alarms, every - used,
    )  # fmt: skip
