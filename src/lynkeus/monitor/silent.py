"""Alarms for what no score would say, since scorers fill what is missing: dead and stuck channels, lost sources."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, MutableMapping
from dataclasses import replace

import numpy as np

from lynkeus.core import Alarm, Array, Batch, OpenAlarm, Source
from lynkeus.fitting.evidence.channels import evidence_of_silence
from lynkeus.fitting.fitted import Fitted, Scored
from lynkeus.fitting.views.channels import Channels
from lynkeus.fitting.views.flatlines import Flatlines
from lynkeus.monitor.records import Commit
from lynkeus.sources.formats.tables import listed
from lynkeus.sources.wrappers.wrapper import innermost

SILENT = "silent"  # the output under which the store keeps it
LOST = "source"  # the output under which the store keeps that a stream was lost


def flatlines_of(fitted: Fitted, state: Mapping[str, Array]) -> Flatlines | None:
    """Return what follows the channels of a model, from a `state` on; None where it sees no channels."""
    view = fitted.view
    if not isinstance(view, Channels):
        return None
    flat = view.channels.flatlines(view.window)
    flat.resume(state)
    return flat


def with_silence(
    commit: Commit, fitted: Fitted, flat: Flatlines | None, scored: Scored, opened: MutableMapping[str, OpenAlarm],
    place: str, left_out: Collection[str] = (),
) -> Commit:  # fmt: skip
    """Return what some windows brought about, and with it the alarm that opens for channels that are dead or stuck, and
    not `left_out`: they gave nothing new for far longer than ever in the reference. It names those that follow, and
    ends once all of them move. Good data never did it: its rate is once in the reference."""
    batch, known = scored.batch, opened.get(SILENT)
    if flat is None or batch.time_ns is None or not len(batch):
        return commit
    flat.add(_rows(batch, fitted.view.stride or fitted.view.window))
    names, last_ns = batch.schema.names, int(batch.time_ns[-1])
    flat.found.clear()  # what was is in the store
    found = [one for _, one in sorted(flat.open.items()) if names[one.channel] not in left_out]
    told = [names[one.channel] for one in found]
    if known is not None:
        named = re.sub(r" and \d+ more$", "", known.alarm.where).split(", ")
        if not found and np.isin(named, [*np.array(names)[flat.moving], *left_out]).all():
            del opened[SILENT]
            return replace(commit, closed=(*commit.closed, replace(known.alarm, end_ns=int(batch.time_ns[0]))))
        alarm = known.alarm
        if len(told) > alarm.peak_score:
            alarm = replace(alarm, where=listed(told), peak_score=float(len(told)), peak_ns=last_ns)
            commit = replace(commit, peaks=(*commit.peaks, alarm))
        opened[SILENT] = OpenAlarm(alarm, last_ns)
        return commit
    if not found or (len(found) == len(names) and LOST in opened):  # a lost source is an alarm of its own
        return commit
    hours = [calibration.hours for calibration in fitted.calibrations.values() if calibration.hours]
    begun = min(one.first_ns for one in found)
    alarm = Alarm(SILENT, begun, begun, float(len(told)), 1.0 / min(hours) if hours else 0.0, listed(told))
    gone = [names[one.channel] for one in found if np.isnan(one.value)]
    shown = evidence_of_silence(fitted, scored, gone, [name for name in told if name not in gone], place)
    opened[SILENT] = OpenAlarm(alarm, last_ns)
    return replace(commit, opened=(*commit.opened, (alarm, shown)))


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
            hours = [calibration.hours for calibration in fitted.calibrations.values() if calibration.hours]
            rate = 1.0 / min(hours) if hours else 0.0
            alarm = Alarm(LOST, at_ns, at_ns, float(len(batch.schema.names)), rate, "source lost")
            shown = evidence_of_silence(fitted, scored, batch.schema.names, (), place)
            opened[LOST] = OpenAlarm(alarm, at_ns)
            commit = replace(commit, opened=(*commit.opened, (alarm, shown)))
        elif gone[row] and known is not None:
            opened[LOST] = replace(known, last_high_ns=at_ns)
        elif known is not None:
            del opened[LOST]
            commit = replace(commit, closed=(*commit.closed, replace(known.alarm, end_ns=at_ns)))
    return commit
