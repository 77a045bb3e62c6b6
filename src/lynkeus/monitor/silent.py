"""Alarms for what no score would say, since scorers fill what is missing: channels without any values, lost sources."""

from __future__ import annotations

from collections.abc import MutableMapping
from dataclasses import replace

import numpy as np

from lynkeus.core import Alarm, OpenAlarm, Source
from lynkeus.fitting.evidence.channels import evidence_of_silence
from lynkeus.fitting.fitted import Fitted, Scored
from lynkeus.fitting.views.live import live_of
from lynkeus.monitor.records import Commit
from lynkeus.sources.formats.tables import listed
from lynkeus.sources.wrappers.wrapper import innermost

SILENT = "silent"  # the output under which the store keeps it
LOST = "source"  # the output under which the store keeps that a stream was lost
ENOUGH = 10  # windows without a value


def with_silence(
    commit: Commit, fitted: Fitted, prepared: Source, scored: Scored, opened: MutableMapping[str, OpenAlarm], place: str
) -> Commit:
    """Return what some windows brought about, and with it the alarm that opens for channels of which nothing has been
    seen since the begin, or that ends as they are seen. Good data never did it: its rate is once in the reference."""
    live, known = live_of(prepared), opened.get(SILENT)
    if live is None or scored.batch.time_ns is None or not len(scored.batch):
        return commit
    last_ns = int(scored.batch.time_ns[-1])
    if known is not None:
        if live.silent:
            opened[SILENT] = replace(known, last_high_ns=last_ns)
            return commit
        del opened[SILENT]
        return replace(commit, closed=(*commit.closed, replace(known.alarm, end_ns=int(scored.batch.time_ns[0]))))
    if not live.silent or live.rows < ENOUGH * max(fitted.view.window, 1):
        return commit
    hours = [calibration.hours for calibration in fitted.calibrations.values() if calibration.hours]
    rate = 1.0 / min(hours) if hours else 0.0
    alarm = Alarm(SILENT, live.first_ns, live.first_ns, float(len(live.silent)), rate, listed(live.silent))
    names = np.array(scored.batch.schema.names, dtype=str)
    shown = evidence_of_silence(fitted, scored, np.isin(names, live.silent), place)
    opened[SILENT] = OpenAlarm(alarm, last_ns)
    return replace(commit, opened=(*commit.opened, (alarm, shown)))


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
            shown = evidence_of_silence(fitted, scored, np.ones(len(batch.schema.names), bool), place)
            opened[LOST] = OpenAlarm(alarm, at_ns)
            commit = replace(commit, opened=(*commit.opened, (alarm, shown)))
        elif gone[row] and known is not None:
            opened[LOST] = replace(known, last_high_ns=at_ns)
        elif known is not None:
            del opened[LOST]
            commit = replace(commit, closed=(*commit.closed, replace(known.alarm, end_ns=at_ns)))
    return commit
