"""Reading: what is published of one output of a monitor: its last window, how severe that is, and why."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

from lynkeus.core import AlarmRule
from lynkeus.core.words import how_often
from lynkeus.fitting.fitted import Fitted
from lynkeus.monitor.one_cause import of_output

if TYPE_CHECKING:
    from lynkeus.monitor.watch import Watched

NO_ALARM, MINOR, MAJOR, INVALID = 0, 1, 2, 3  # severities of EPICS
SEVERITIES = ("NO_ALARM", "MINOR", "MAJOR", "INVALID")


class Reading(NamedTuple):
    """What is published of one output: numbers of its last window, the severity of its alarm, and why."""

    score: float
    p_value: float
    alarms_per_hour: float
    severity: int
    says: str
    time_ns: int


def reading_of(fitted: Fitted, run: Watched, rule: AlarmRule, k: int) -> Reading | None:
    """Return what the last window says on output `k`, None before the first one. MAJOR while an alarm is open, MINOR
    where the window alone would keep one open, INVALID where there is nothing to score."""
    scored = run.scored
    if scored is None or not len(scored.batch) or scored.rates is None or scored.batch.time_ns is None:
        return None
    output, row = fitted.scorer.outputs[k], len(scored.batch) - 1
    score, rate = float(scored.scores[row, k]), float(scored.rates[row, k])
    at_ns = int(scored.batch.time_ns[row])
    if not math.isfinite(score):
        return Reading(math.nan, math.nan, math.nan, INVALID, "not enough data to score", at_ns)
    p_value = float(fitted.calibrations[output].p_value(scored.scores[row : row + 1, k])[0])
    found = scored.found[k][row]
    says = (found[0].says if found else "") or str(scored.where(k)[row])
    often = how_often(rate, fitted.calibrations[output].hours) if rate > 0 else "never in good data"
    opened = of_output(run.open, output)
    if opened is not None:
        return Reading(score, p_value, rate, MAJOR, "; ".join(filter(None, (says or opened.alarm.where, often))), at_ns)
    minor = rate <= rule.release_factor * rule.budget_per_hour
    words = "; ".join(filter(None, (says, often))) if minor else ""
    return Reading(score, p_value, rate, MINOR if minor else NO_ALARM, words, at_ns)
