"""Passes of a fitted scorer over data: once as they are, with alarms as the watch loop would give, and with faults."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from lynkeus.commission.turn_on import Outcome
from lynkeus.core import Alarm, AlarmRule, Array, Batch, Floats, OpenAlarm, Point, Source, SourceError, advance
from lynkeus.core.calibration import NS_PER_HOUR
from lynkeus.fitting.fitted import Fitted, Scored
from lynkeus.fitting.reference import end_times
from lynkeus.sources import Inject
from lynkeus.sources.wrappers.wrapper import Wrapper

KEPT_SCORES = 200_000  # of the data as they are; of more, every second is dropped, again and again


class Undisturbed(NamedTuple):
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


class Planted(Wrapper):
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


def score_undisturbed(fitted: Fitted, source: Source, budget_per_hour: float) -> Undisturbed:
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
    return Undisturbed(done, scores, live_ns / NS_PER_HOUR, span[0], span[-1])


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
    for numbers, where in zip(rows, scored.where[:, k].tolist(), strict=True):
        yield Point(*numbers, where)


def score_planted(fitted: Fitted, planted: Planted, budget_per_hour: float) -> list[Outcome]:
    """What a scorer makes of the faults of one pass, on each output."""
    parts = []
    for scored in fitted.score(planted):
        truth, rates = scored.batch.truth, scored.rates
        assert truth is not None  # Inject gives it
        assert rates is not None  # a reference with times has them
        rows = np.flatnonzero(truth)
        end_ns = _times(scored.batch)[1][rows]
        parts.append(_Faulty(truth[rows], scored.scores[rows], rates[rows], scored.where[rows], end_ns))
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
