"""Passes of a fitted scorer over rows in time: once as they are, with alarms as the watch loop would give, and with
faults, planted ones or labelled ones."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from lynkeus.commission.plant.planter import Anywhere, InChannels, Kind, Truth
from lynkeus.commission.plant.rows import Accompanied
from lynkeus.commission.settings import Budget
from lynkeus.commission.turn_on import Case, Outcome, outputs_asked
from lynkeus.core import (
    NOTHING,
    Alarm,
    AlarmRule,
    Array,
    Batch,
    Finding,
    Floats,
    OpenAlarm,
    Point,
    Source,
    SourceError,
    about_of,
    advance,
)  # fmt: skip
from lynkeus.core.calibration import NS_PER_HOUR
from lynkeus.fitting.fitted import Fitted, Scored
from lynkeus.fitting.reference import end_times
from lynkeus.sources import Inject
from lynkeus.sources.wrappers.wrapper import Wrapper
from lynkeus.transforms.faults import Fault

KEPT_SCORES = 200_000  # of the data as they are; of more, every second is dropped, again and again


class Undisturbed(NamedTuple):
    """A scorer on the data as they are: `alarms` by output, `scores` (n, outputs) thinned, livetime, span."""

    alarms: dict[str, tuple[Alarm, ...]]
    scores: Floats
    hours: float
    start_ns: int
    end_ns: int


class _Faulty(NamedTuple):
    """Faulty windows of a pass: `number` (m,) of the fault; `scores`, `alarms` (m, outputs); the `chief` finding of
    each output and window; `end_ns` (m,)."""

    number: Array
    scores: Floats
    alarms: Array
    chief: list[list[Finding]]
    end_ns: Array


class Placed(NamedTuple):
    """An outcome, and from when to when its fault lasted, UTC ns."""

    outcome: Outcome
    start_ns: int
    end_ns: int


@dataclass(frozen=True)
class StreamFault:
    """A fault of a stream: its `case`, what is `true` of it, and when it begins, UTC ns; a `second` one is found only
    by windows that name it, as the first one alarms anyway."""

    case: Case
    truth: Truth
    start_ns: int
    second: bool = False


class Planted(Wrapper):
    """An Inject, of channels with `names`, that notes in `begun` each fault, by its 1-based number, as it begins."""

    def __init__(self, source: Inject, names: Sequence[str], channels: int) -> None:
        super().__init__(source)
        self.faults, self.names, self.channels = source.faults, names, channels
        self.begun: dict[int, StreamFault] = {}

    def __iter__(self) -> Iterator[Batch]:
        first = 0
        starts = np.array([fault.start for fault in self.faults])
        for batch in self.source:
            assert batch.time_ns is not None  # the pass over the data as they are has seen to it
            for index in np.flatnonzero((starts >= first) & (starts < first + len(batch))):
                fault, start_ns = self.faults[index], int(batch.time_ns[starts[index] - first])
                beside = fault if isinstance(fault, Accompanied) else None
                case = Case(beside.case if beside else fault.kind, fault.size, 0.0)
                second = beside is not None and beside.is_second
                self.begun[int(index) + 1] = StreamFault(case, self._truth(fault), start_ns, second)
            first += len(batch)
            yield batch

    def _truth(self, fault: Fault) -> Truth:
        if fault.concerns != "channel":
            return Anywhere()
        names = tuple(self.names[channel] for channel in (fault.channel, fault.other) if channel >= 0)
        return InChannels(names, self.channels)


class Stretches(Wrapper):
    """Labelled rows in time: each stretch of one label other than 0 is a fault with a number of its own, noted in
    `begun`; `name` gives its kind."""

    def __init__(self, source: Source, name: Callable[[int], str]) -> None:
        super().__init__(source)
        self.name = name
        self.begun: dict[int, StreamFault] = {}

    def __iter__(self) -> Iterator[Batch]:
        last = 0
        for batch in self.source:
            assert batch.time_ns is not None
            labels = np.zeros(len(batch), int) if batch.truth is None else batch.truth
            before = np.concatenate([[last], labels[:-1]])
            new = (labels != 0) & (labels != before)
            numbers = len(self.begun) + np.cumsum(new)
            for row in np.flatnonzero(new):
                kind = self.name(int(labels[row]))
                self.begun[len(self.begun) + 1] = StreamFault(Case(kind, 1.0, 0.0), Anywhere(), int(batch.time_ns[row]))
            last = int(labels[-1]) if len(labels) else last
            yield replace(batch, truth=np.where(labels != 0, numbers, 0).astype(np.int32))


def score_undisturbed(fitted: Fitted, source: Source, budget_per_hour: float) -> Undisturbed:
    """Score the data as they are and count the alarms, as the watch loop would; what a source labels as faulty is no
    good data, and neither scores nor livetime of it count."""
    outputs = fitted.scorer.outputs
    rules = [AlarmRule(budget_per_hour, quiet_s=fitted.calibrations[output].quiet_s) for output in outputs]
    states: list[OpenAlarm | None] = [None] * len(outputs)
    alarms: dict[str, list[Alarm]] = {output: [] for output in outputs}
    scores = np.empty((0, len(outputs)))
    step, live_ns = 1, 0
    span: list[int] = []
    faulty: list[tuple[int, int]] = []
    for scored in fitted.score(source):
        start_ns, end_ns = _times(scored.batch)
        good = np.ones(len(start_ns), bool) if scored.batch.truth is None else scored.batch.truth == 0
        live_ns += int(np.minimum(end_ns - start_ns, np.diff(start_ns, append=end_ns[-1]))[good].sum())
        span += [int(start_ns[0]), int(end_ns[-1])]
        faulty += list(zip(start_ns[~good].tolist(), end_ns[~good].tolist(), strict=True))
        for k, output in enumerate(outputs):
            for point in _watched(scored, k, start_ns, end_ns):
                states[k], closed = advance(rules[k], output, states[k], point)
                alarms[output] += [closed] if closed else []
        scores = np.concatenate([scores, scored.scores[good][::step]])
        if len(scores) > KEPT_SCORES:
            scores, step = scores[::2], 2 * step
    for output, state in zip(outputs, states, strict=True):
        alarms[output] += [replace(state.alarm, end_ns=state.last_high_ns)] if state else []
    if not span:
        raise SourceError("the data give not a single sample to score: are they shorter than one window?")
    begin, end = np.array(faulty, np.int64).reshape(-1, 2).T
    done = {
        output: tuple(one for one in found if not ((begin < (one.end_ns or span[-1])) & (end > one.start_ns)).any())
        for output, found in alarms.items()
    }
    return Undisturbed(done, scores, live_ns / NS_PER_HOUR, span[0], span[-1])


def recovery_s(alarms: Sequence[Alarm], begun_ns: Floats, within_s: float = 60.0) -> float:
    """Return the median over moves, which begin at some times (UTC ns), of the seconds until the alarms are over that
    one brought about, as they began `within_s` of it; 0 where there was none, NaN without a move."""
    times = []
    for begun in begun_ns:
        during = [a for a in alarms if a.start_ns <= begun + 1e9 * within_s and (a.end_ns or a.peak_ns) >= begun]
        times.append(max([((a.end_ns or a.peak_ns) - begun) / 1e9 for a in during], default=0.0))
    return float(np.median(times)) if times else float("nan")


def _times(batch: Batch) -> tuple[Array, Array]:
    """Start and exclusive end of every sample, UTC ns."""
    if batch.time_ns is None:
        raise SourceError("the data have no times, so alarms per hour cannot be counted: give data with times")
    return batch.time_ns, end_times(batch)


def _watched(scored: Scored, k: int, start_ns: Array, end_ns: Array) -> Iterator[Point]:
    """One output as the alarm rule sees it."""
    assert scored.rates is not None  # commissioning has asked every calibration for a budget per hour
    rows = zip(
        start_ns.tolist(), end_ns.tolist(), scored.scores[:, k].tolist(), scored.rates[:, k].tolist(), strict=True
    )
    for numbers, where in zip(rows, scored.where(k).tolist(), strict=True):
        yield Point(*numbers, where)


def score_faults(
    fitted: Fitted, source: Planted | Stretches, kinds: Mapping[str, Kind], budget: Budget
) -> dict[tuple[Case, str], list[Placed]]:
    """What a scorer makes of the faults of one pass, on each output that is asked, and when each of them was."""
    parts, outputs = [], fitted.scorer.outputs
    for scored in fitted.score(source):
        truth = scored.batch.truth
        assert truth is not None  # both kinds of sources give it
        rows = np.flatnonzero(truth)
        end_ns, alarms = _times(scored.batch)[1][rows], budget.reached(scored)[rows]
        chief = [
            [scored.found[k][row][0] if scored.found[k][row] else NOTHING for row in rows] for k in range(len(outputs))
        ]
        parts.append(_Faulty(truth[rows], scored.scores[rows], alarms, chief, end_ns))
    faulty = [
        np.concatenate([getattr(part, name) for part in parts]) for name in ("number", "scores", "alarms", "end_ns")
    ]
    chiefs = [[one for part in parts for one in part.chief[k]] for k in range(len(outputs))]
    found: dict[tuple[Case, str], list[Placed]] = defaultdict(list)
    for number, fault in source.begun.items():
        rows = np.flatnonzero(faulty[0] == number)
        if not len(rows):
            continue  # it is shorter than half a window
        for output in outputs_asked(fitted.scorer, fault.case.fault, kinds[fault.case.fault]):
            k = outputs.index(output)
            own = _Windows(
                faulty[1][rows, k], faulty[2][rows, k], [chiefs[k][row] for row in rows.tolist()], faulty[3][rows]
            )
            outcome = _outcome(fault, own, about_of(fitted.scorer).names_kinds)
            found[fault.case, output].append(Placed(outcome, fault.start_ns, int(faulty[3][rows[-1]])))
    return found


class _Windows(NamedTuple):
    """The windows of one fault on one output: (m,) `scores`, `alarms`, what is `said`, and when each of them ends."""

    scores: Floats
    alarms: Array
    said: Sequence[Finding]
    end_ns: Array


def _outcome(fault: StreamFault, own: _Windows, names: bool) -> Outcome:
    places = [fault.truth.holds(said) for said in own.said]
    right = np.array([np.nan if place is None else float(place) for place in places])
    if fault.second:
        own = own._replace(scores=np.where(right > 0, own.scores, -np.inf), alarms=own.alarms & (right > 0))
    alarming = np.flatnonzero(own.alarms)
    if not len(alarming):
        return Outcome(own.scores, False, np.nan, np.nan, right, luck=fault.truth.luck)
    peak = int(alarming[own.scores[alarming].argmax()])
    kind = float(own.said[peak].kind == fault.truth.change) if names and fault.truth.change else np.nan
    detect_s = float((own.end_ns[alarming[0]] - fault.start_ns) / 1e9)
    return Outcome(own.scores, True, kind, float(right[peak]), right, detect_s, fault.truth.luck)
