"""Alarms for what no score would say, since scorers fill what is missing: dead and stuck channels, lost sources."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, MutableMapping, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from lynkeus.core import Alarm, AlarmRule, Array, Batch, OpenAlarm, Source
from lynkeus.fitting.evidence.channels import evidence_of_silence
from lynkeus.fitting.fitted import Fitted, Scored
from lynkeus.fitting.views.channels import Channels
from lynkeus.fitting.views.flatlines import Flatline, Flatlines
from lynkeus.monitor.one_cause import LOST, SILENT, Flat, Open, join
from lynkeus.monitor.records import Commit
from lynkeus.sources.formats.tables import listed
from lynkeus.sources.wrappers.wrapper import innermost

if TYPE_CHECKING:
    from lynkeus.monitor.watch import WatchSettings

TOGETHER_NS = 10 * 1_000_000_000  # channels that stop within so long of the first one are one incident
EVER = np.iinfo(np.int64).max


def flatlines_of(fitted: Fitted, state: Mapping[str, Array]) -> Flatlines | None:
    """Return what follows the channels of a model, from a `state` on; None where it sees no channels."""
    view = fitted.view
    if not isinstance(view, Channels):
        return None
    flat = view.channels.flatlines(view.window)
    flat.resume(state)
    return flat


def flat_of(flat: Flatlines | None, fitted: Fitted, batch: Batch, left_out: Collection[str] = ()) -> Flat:
    """Return which channels are dead or stuck in some windows, and are not `left_out`: they gave nothing new for far
    longer than ever in the reference."""
    if flat is None or batch.time_ns is None or not len(batch):
        return {}
    flat.found.clear()  # what was is in the store
    flat.add(_rows(batch, fitted.view.stride or fitted.view.window))
    lines = [*((one, one.last_ns) for one in flat.found), *((one, int(EVER)) for one in flat.open.values())]
    names = batch.schema.names
    return {names[one.channel]: (one.first_ns, end) for one, end in lines if names[one.channel] not in left_out}


def with_silence(
    commit: Commit, fitted: Fitted, flat: Flatlines | None, scored: Scored, opened: MutableMapping[str, OpenAlarm],
    settings: WatchSettings, left_out: Collection[str] = (),
) -> Commit:  # fmt: skip
    """Return what some windows brought about, and with it the alarms that open for channels that are dead or stuck,
    after `flat_of`. Those that stop together are one alarm, which ends once all of them move. Good data never did it:
    its rate is once in the reference. What the scorer says of these channels is the same incident: see `one_cause`."""
    batch = scored.batch
    if flat is None or batch.time_ns is None or not len(batch):
        return commit
    names = batch.schema.names
    commit = _over(commit, flat, batch, opened, left_out)
    known = {name for state in opened.values() for name in _channels(state)}
    new = [one for _, one in sorted(flat.open.items()) if names[one.channel] not in {*known, *left_out}]
    if len(new) == len(names) and LOST in opened:  # a lost source is an alarm of its own
        return commit
    now_ns = int(batch.time_ns[0])
    for group in _together([replace(one, first_ns=_begun(one, flat, now_ns)) for one in new], flat):
        told = [names[one.channel] for one in group]
        begun = min(one.first_ns for one in group)
        near = [key for key, state in opened.items() if _begins_with(state, group, flat)]
        key = near[0] if near else f"{SILENT}/{begun}"
        before = opened[key] if near else OpenAlarm(Alarm(SILENT, begun, begun, 0.0, _rate(fitted)), 0)
        channels = (*(_channels(before) if near else ()), *told)
        alarm = replace(before.alarm, where=listed(channels), peak_score=float(len(channels)))
        opened[key] = replace(before, alarm=alarm, last_high_ns=int(batch.time_ns[-1]), channels=channels)
        if near:
            commit = replace(commit, peaks=(*commit.peaks, alarm))
        else:
            gone = [names[one.channel] for one in group if np.isnan(one.value)]
            shown = evidence_of_silence(
                fitted, scored, gone, [name for name in told if name not in gone], settings.place
            )
            commit = replace(commit, opened=(*commit.opened, (alarm, shown)))
        explained = partial(_is_explained, fitted, scored, channels, settings.rule)
        places = {state.key: state.alarm.where for state in opened.values()}
        commit = replace(commit, parts=(*commit.parts, *join(opened, key, commit, explained)))
        named = (state.alarm for state in opened.values() if state.alarm.where != places[state.key])
        commit = replace(commit, peaks=(*commit.peaks, *named))
    return commit


def is_quiet(fitted: Fitted, batch: Batch, row: int, output: str, rule: AlarmRule, without: Sequence[str]) -> bool:
    """Return whether a window of a batch keeps no alarm of an output open `without` some channels."""
    one = batch[np.array([row])]
    values = np.array(one.values, np.result_type(one.values, np.float32))
    values[:, np.isin(batch.schema.names, without)] = np.nan
    one = replace(one.with_values(values), meta={**one.meta, "missing_is_said": np.ones(1, bool)})
    rates = fitted.score_batch(one, asked=()).rates
    assert rates is not None  # a watch has refused a model without
    return bool(rates[0, fitted.scorer.outputs.index(output)] > rule.release_factor * rule.budget_per_hour)


def _is_explained(fitted: Fitted, scored: Scored, channels: Sequence[str], rule: AlarmRule, output: str) -> bool:
    """Return whether the rarest of some windows is good without channels that are dead or stuck."""
    scores = np.nan_to_num(scored.scores[:, fitted.scorer.outputs.index(output)], nan=-np.inf)
    return is_quiet(fitted, scored.batch, int(scores.argmax()), output, rule, channels)


def _over(commit: Commit, flat: Flatlines, batch: Batch, opened: Open, left_out: Collection[str]) -> Commit:
    """Close the alarms of channels that all move again, or are left out; of the others time passes."""
    names, times = np.array(batch.schema.names, dtype=str), batch.time_ns
    assert times is not None
    fine = {*names[flat.moving].tolist(), *left_out}
    for key, state in [(key, state) for key, state in opened.items() if state.alarm.output == SILENT]:
        channels = _channels(state)
        if fine.issuperset(channels):
            ends = [one.last_ns for one in flat.found if names[one.channel] in channels]
            over = replace(state.alarm, end_ns=max(ends, default=int(times[0])))
            commit = replace(commit, closed=(*commit.closed, over))
            del opened[key]
        else:
            opened[key] = replace(state, last_high_ns=int(times[-1]))
    return commit


def _channels(state: OpenAlarm) -> tuple[str, ...]:
    """Return which channels an alarm is of because they are dead or stuck; by its place where a watch of an earlier
    version opened it."""
    if state.alarm.output != SILENT:
        return ()
    return state.channels or tuple(re.sub(r" and \d+ more$", "", state.alarm.where).split(", "))


def _together(new: Sequence[Flatline], flat: Flatlines) -> list[list[Flatline]]:
    """Return which channels stopped together."""
    groups: list[list[Flatline]] = []
    for one in sorted(new, key=lambda one: one.first_ns):
        if groups and one.first_ns - groups[-1][0].first_ns <= _unsure_ns(one, flat):
            groups[-1].append(one)
        else:
            groups.append([one])
    return groups


def _begins_with(state: OpenAlarm, group: Sequence[Flatline], flat: Flatlines) -> bool:
    """Return whether an open alarm is of channels that stopped together with these."""
    gap = min(abs(one.first_ns - state.alarm.start_ns) - _unsure_ns(one, flat) for one in group)
    return state.alarm.output == SILENT and gap <= 0


def _begun(one: Flatline, flat: Flatlines, now_ns: int) -> int:
    """Return when a channel stopped; now, where that was known before: a watch that ended closed the alarm, or people
    have left the channel out."""
    return one.first_ns if one.first_ns + _long_ns(one, flat) > now_ns else now_ns


def _unsure_ns(one: Flatline, flat: Flatlines) -> float:
    """Return how well it is known when a channel stopped: one that often repeats its value may have before."""
    return max(TOGETHER_NS, _long_ns(one, flat))


def _long_ns(one: Flatline, flat: Flatlines) -> float:
    """Return how long a channel gives nothing new until it is said."""
    rows = min(float(flat.limit[one.channel]), flat.dead)
    step_ns = (one.last_ns - one.first_ns) / max(one.rows - 1, 1)
    return rows * step_ns if np.isfinite(rows) else 0.0


def _rate(fitted: Fitted) -> float:
    """Return how often good data do what they never did: once in the reference."""
    hours = [calibration.hours for calibration in fitted.calibrations.values() if calibration.hours]
    return 1.0 / min(hours) if hours else 0.0


def _rows(batch: Batch, stride: int) -> Batch:
    """Return the rows from which windows were cut that begin every `stride` rows, 0: they are none; their times are
    about right."""
    if not stride or batch.time_ns is None or batch.schema.kind != "waveform":
        return batch
    length = batch.values.shape[2]
    step = (batch.meta["end_ns"] - batch.time_ns) // length
    values = batch.values[:, :, :stride].transpose(0, 2, 1).reshape(-1, batch.values.shape[1])
    time_ns = (batch.time_ns[:, None] + np.arange(stride) * step[:, None]).reshape(-1)
    return Batch(replace(batch.schema, kind="table", shape=(values.shape[1],)), values, time_ns)


def with_lost_source(
    commit: Commit, fitted: Fitted, prepared: Source, scored: Scored, opened: MutableMapping[str, OpenAlarm], place: str
) -> Commit:
    """Return what some windows brought about, and with it the alarm that opens where a stream was lost, so that windows
    hold no value at all, and that ends with the first that holds one. Its rate is once in the reference, as above."""
    batch = scored.batch
    if not getattr(innermost(prepared), "is_live", False) or batch.time_ns is None or not len(batch):
        return commit
    gone = np.isnan(batch.values).reshape(len(batch), -1).all(axis=1)
    for row in range(len(batch)):
        at_ns, known = int(batch.time_ns[row]), opened.get(LOST)
        if gone[row] and known is None:
            alarm = Alarm(LOST, at_ns, at_ns, float(len(batch.schema.names)), _rate(fitted), "source lost")
            shown = evidence_of_silence(fitted, scored, batch.schema.names, (), place)
            opened[LOST] = OpenAlarm(alarm, at_ns)
            commit = replace(commit, opened=(*commit.opened, (alarm, shown)))
        elif gone[row] and known is not None:
            opened[LOST] = replace(known, last_high_ns=at_ns)
        elif known is not None:
            del opened[LOST]
            commit = replace(commit, closed=(*commit.closed, replace(known.alarm, end_ns=at_ns)))
    return commit
