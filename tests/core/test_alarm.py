from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lynkeus.core import Alarm, AlarmRule, OpenAlarm, Point, SettingsError, Verdict, advance

SECOND = 10**9
RULE = AlarmRule(budget_per_hour=1.0, release_factor=3.0, quiet_s=10.0)


def run(rates: list[float], rule: AlarmRule = RULE) -> tuple[list[Alarm], OpenAlarm | None]:
    """Windows of one second, one after the other; the score falls with the rate."""
    state, closed = None, []
    for second, rate in enumerate(rates):
        point = Point(second * SECOND, (second + 1) * SECOND, -rate, rate, where=f"BPM.{second}")
        state, done = advance(rule, "monitor", state, point)
        closed += [done] if done else []
    return closed, state


def test_one_fault_is_one_alarm_with_its_interval_and_peak() -> None:
    (alarm,), still_open = run([100.0] * 5 + [0.5, 0.01, 0.2] + [100.0] * 20)
    assert still_open is None
    assert (alarm.start_ns, alarm.peak_ns, alarm.end_ns) == (5 * SECOND, 6 * SECOND, 8 * SECOND)
    assert (alarm.alarms_per_hour, alarm.peak_score, alarm.where) == (0.01, -0.01, "BPM.6")


def test_between_budget_and_release_it_stays_open_but_does_not_open() -> None:
    assert run([2.0] * 50) == ([], None)
    closed, still_open = run([0.5] + [2.0] * 50)
    assert not closed
    assert still_open is not None
    assert still_open.last_high_ns == 51 * SECOND


@pytest.mark.parametrize(("pause", "alarms"), [(10, 1), (11, 2)])
def test_two_crossings_within_the_quiet_time_are_one_alarm(pause: int, alarms: int) -> None:
    closed, _ = run([0.5] + [100.0] * pause + [0.5] + [100.0] * 20)
    assert len(closed) == alarms


def test_a_window_may_close_one_alarm_and_open_the_next() -> None:
    first, _ = advance(RULE, "monitor", None, Point(0, SECOND, 5.0, 0.5))
    state, closed = advance(RULE, "monitor", first, Point(60 * SECOND, 61 * SECOND, 6.0, 0.1))
    assert closed is not None
    assert closed.end_ns == SECOND
    assert state is not None
    assert state.alarm.start_ns == 60 * SECOND


def test_windows_without_a_score_open_nothing_and_let_time_pass() -> None:
    assert run([float("nan")] * 30) == ([], None)
    closed, still_open = run([0.5] + [float("nan")] * 20)
    assert len(closed) == 1
    assert still_open is None
    closed, still_open = run([0.5] + [float("nan")] * 5)
    assert not closed
    assert still_open is not None


@given(st.lists(st.sampled_from([0.1, 0.9, 2.0, 5.0, float("nan")]), max_size=80))
def test_alarms_come_in_order_apart_by_the_quiet_time_and_hold_their_peak(rates: list[float]) -> None:
    closed, still_open = run(rates)
    every = closed + ([still_open.alarm] if still_open else [])
    for alarm in every:
        assert alarm.start_ns <= alarm.peak_ns
        assert alarm.alarms_per_hour <= RULE.budget_per_hour
    for alarm in closed:
        assert alarm.end_ns is not None
        assert alarm.peak_ns < alarm.end_ns
        inside = rates[alarm.start_ns // SECOND : alarm.end_ns // SECOND]
        assert alarm.alarms_per_hour == np.nanmin(inside)
    for one, two in pairwise(every):
        assert one.end_ns is not None
        assert two.start_ns - one.end_ns > RULE.quiet_s * SECOND
    assert bool(every) == any(rate <= RULE.budget_per_hour for rate in rates)


@pytest.mark.parametrize(
    "fields", [{"budget_per_hour": 0.0}, {"budget_per_hour": float("nan")}, {"release_factor": 0.5}, {"quiet_s": -1.0}]
)
def test_a_rule_that_makes_no_sense_is_refused(fields: dict) -> None:
    with pytest.raises(SettingsError):
        AlarmRule(**fields)


def test_not_enough_data_is_a_verdict() -> None:
    assert [str(verdict) for verdict in Verdict] == ["good", "warn", "bad", "not enough data"]
