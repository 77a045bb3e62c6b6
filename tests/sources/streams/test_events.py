"""Updates become samples: complete, late, repeated, out of order, missing, by time and by pulse."""

import numpy as np
import pytest

from lynkeus.sources.streams.events import Events, Rule

MS = 1_000_000
PERIOD = 100 * MS
START = 10**18
PLACES = [slice(0, 1), slice(1, 2), slice(2, 3)]


def events(**rule: object) -> Events:
    made = Events(PLACES, 3, Rule(**({"period_ns": PERIOD, "tolerance_ns": 90 * MS, "wait_ns": 200 * MS} | rule)))
    made.await_only(np.ones(3, bool))
    return made


def test_a_sample_is_ready_as_soon_as_all_have_come_whatever_their_phases() -> None:
    made = events()
    for shot in range(3):
        for channel, phase in enumerate((0, 40 * MS, 70 * MS)):
            assert not made.ready(shot)
            made.add(channel, START + shot * PERIOD + phase, 0, 10.0 * shot + channel, shot)
        (one,) = made.ready(shot)
        assert one.first_ns == START + shot * PERIOD
        np.testing.assert_array_equal(one.values, 10.0 * shot + np.arange(3))
    assert not made.counts


def test_what_misses_is_nan_once_a_later_sample_is_complete_and_late_ones_are_counted() -> None:
    made = events()
    made.add(0, START, 0, 1.0, 0)
    made.add(1, START, 0, 2.0, 0)
    for channel in range(3):
        made.add(channel, START + PERIOD, 0, 3.0, 1)
    first, second = made.ready(1)
    np.testing.assert_array_equal(first.values, [1.0, 2.0, np.nan])
    np.testing.assert_array_equal(second.values, [3.0, 3.0, 3.0])
    made.add(2, START, 0, 9.0, 2)
    assert made.counts["late"] == 1
    assert made.counts["out of order"] == 1


@pytest.mark.parametrize("lost", [(3, 4), (0,), (0, 1, 5)])
def test_a_value_that_is_lost_in_a_burst_is_not_taken_from_the_next_sample(lost: tuple[int, ...]) -> None:
    """Of channel 0, which comes first in each sample; after a halt ten come within ten milliseconds."""
    made = events()
    for shot in range(200):  # stamps of one sample are alike, as they are where the timing gives them
        for channel in range(3):
            made.add(channel, START + shot * PERIOD, 0, shot, shot)
        made.ready(shot)
    begin, found = START + 250 * PERIOD, []
    for shot in range(10):
        for channel in range(3):
            if channel or shot not in lost:
                made.add(channel, begin + shot * MS, 0, 1000.0 + shot, 300)
        found += made.ready(300)
    assert [one.first_ns for one in found] == [begin + shot * MS for shot in range(10)]
    for shot, one in enumerate(found):
        np.testing.assert_array_equal(one.values, [np.nan if shot in lost else 1000.0 + shot, *[1000.0 + shot] * 2])
    assert made.counts["values that did not come"] == len(lost)


def test_stamps_that_differ_within_a_sample_still_join_in_a_burst() -> None:
    made, apart = events(), np.array([0, 20, 35]) * MS
    for shot in range(100):
        for channel in range(3):
            made.add(channel, START + shot * PERIOD + apart[channel], 0, shot, shot)
        made.ready(shot)
    begin = START + 150 * PERIOD
    for shot in range(2):  # closer than a period, further than stamps of one sample are apart
        for channel in range(3):
            made.add(channel, begin + shot * 80 * MS + apart[channel], 0, float(shot), 200)
    assert [one.values.tolist() for one in made.ready(200)] == [[0.0] * 3, [1.0] * 3]


def test_a_sample_waits_no_longer_than_told() -> None:
    made = events()
    made.add(0, START, 0, 1.0, 5)
    assert not made.ready(5 + 200 * MS)
    (one,) = made.ready(6 + 200 * MS)
    assert np.isnan(one.values[1:]).all()


def test_repeated_updates_are_counted_and_change_nothing() -> None:
    made = events()
    made.add(0, START, 0, 1.0, 0)
    made.add(0, START, 0, 5.0, 0)
    made.add(1, START, 0, 2.0, 0)
    made.add(2, START, 0, 3.0, 0)
    (one,) = made.ready(0)
    assert one.values[0] == 1.0
    assert made.counts == {"repeated": 1}


def test_who_is_not_awaited_is_not_waited_for_and_held_values_fill_in() -> None:
    made = events()
    made.await_only(np.array([True, True, False]))
    made.hold(2, 42.0)
    made.add(0, START, 0, 1.0, 0)
    made.add(1, START, 0, 2.0, 0)
    (one,) = made.ready(0)
    assert one.values[2] == 42.0


def test_pulses_join_by_number_whatever_the_stamps_say_and_missed_ones_are_counted_exactly() -> None:
    made = events(by_tag=True, tag_step=12)
    sent = [1200, 1212, 1248, 1260]  # two pulses are missing
    found = []
    for number, tag in enumerate(sent):
        for channel in range(3):
            skew = channel * 3 * PERIOD
            made.add(channel, START + number * PERIOD + skew, tag, float(tag), 0)
        found += made.ready(0)
    assert [event.tag for event in found] == sent
    assert made.counts["missed pulses"] == 2
    assert np.diff([event.first_ns for event in found]).min() > 0
