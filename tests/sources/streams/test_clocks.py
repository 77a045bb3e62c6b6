"""Time stamps of devices: zero, in 2106, skewed, jumping; and a burst after a stall, which is no jump."""

import time

import pytest

from lynkeus.sources.streams.clocks import Clocks
from lynkeus.sources.streams.update import Update

NS = 1_000_000_000


@pytest.fixture
def told() -> list[str]:
    return []


def updated(stamp_ns: int, arrived_ns: int, channel: int = 0) -> Update:
    return Update(channel, stamp_ns, 0, 1.0, 0, arrived_ns)


@pytest.mark.parametrize(("stamp_ns", "says"), [(0, "no time stamps"), (4_294_967_295 * NS, "2106")])
def test_stamps_that_are_no_times_give_the_receivers_clock_and_are_said_once(
    told: list[str], stamp_ns: int, says: str
) -> None:
    clocks = Clocks(("A",), told.append)
    now = time.monotonic_ns()
    for step in range(3):
        at = clocks.time_of(updated(stamp_ns, now + step), NS)
        assert abs(at - time.time_ns()) < 60 * NS
    assert len(told) == 1
    assert says in told[0]


def test_a_clock_that_jumps_goes_on_and_both_ways_are_said(told: list[str]) -> None:
    clocks = Clocks(("A",), told.append)
    now, stamp = time.monotonic_ns(), time.time_ns()
    times = [clocks.time_of(updated(stamp + k * NS + jump, now + k * NS), NS) for k, jump in
             enumerate((0, 0, -3600 * NS, -3600 * NS, 0, 0))]  # fmt: skip
    assert times == [stamp + k * NS for k in range(6)]
    assert len(told) == 2
    assert "-3.6e+03 s" in told[0]
    assert "back to where it was" in told[1]


def test_one_clock_of_many_channels_is_said_in_two_lines(told: list[str]) -> None:
    clocks = Clocks(tuple("ABCDE"), told.append)
    now, stamp = time.monotonic_ns(), time.time_ns()
    for second, jump in enumerate((0, 3600, 3600)):
        for channel in range(5):
            update = updated(stamp + (second + jump) * NS, now + second * NS, channel)
            assert clocks.time_of(update, NS) == stamp + second * NS
    assert len(told) == 2
    assert told[0].startswith("the clock of A jumped by +3.6e+03 s; its times are moved by")
    assert told[1] == "the clocks of other channels jumped with it, and are treated alike"


@pytest.mark.parametrize("jump", [3600, -3600])
def test_one_clock_of_many_channels_keeps_them_together_however_late_each_arrives(told: list[str], jump: int) -> None:
    """At fifty samples a second, twenty milliseconds more on the way would be another sample."""
    clocks = Clocks(tuple("ABC"), told.append)
    now, stamp, step = time.monotonic_ns(), time.time_ns(), NS // 50
    late = {(10, 1): 60_000_000, (10, 2): 90_000_000, (9, 0): 30_000_000}
    for shot in range(20):
        times = set()
        for channel in range(3):
            taken = shot * step + (jump * NS if shot >= 10 else 0)
            arrived = now + shot * step + late.get((shot, channel), 0)
            times.add(clocks.time_of(updated(stamp + taken, arrived, channel), step))
        assert len(times) == 1
    assert len(told) == 2


def test_a_stall_an_outage_and_a_burst_are_no_jumps(told: list[str]) -> None:
    clocks = Clocks(("A",), told.append)
    now, stamp = time.monotonic_ns(), time.time_ns()
    arrivals = [0, 10, 10, 10, 70]  # seconds; stamped every second, then a minute of nothing
    stamps = [0, 1, 2, 3, 63]
    for arrived, at in zip(arrivals, stamps, strict=True):
        clocks.time_of(updated(stamp + at * NS, now + arrived * NS), NS)
    assert not told


@pytest.mark.parametrize(
    ("jump_s", "passed_s", "moved_s"),
    [(0, 40, 0), (5, 40, 0), (3600, 40, -3600), (-3600, 40, 3600), (0, 7200, 0), (-30, 40, 0), (0, -3600, 0)],
)
def test_a_clock_that_jumped_while_nobody_watched_goes_on_where_it_was(
    told: list[str], jump_s: int, passed_s: int, moved_s: int
) -> None:
    clocks = Clocks(("A", "B"), told.append)
    now, wall = time.monotonic_ns(), time.time_ns()
    # 40 s have passed for the device, two hours where so much has for us; our own clock may have been set back.
    was_ns = wall - max(passed_s, 40) * NS
    clocks.go_on_from(was_ns, wall - passed_s * NS)
    for step, channel in enumerate((0, 1, 0, 1)):
        at = clocks.time_of(updated(wall + (jump_s + step) * NS, now + step * NS, channel), NS)
        assert abs(at - (wall + (jump_s + moved_s + step) * NS)) < NS
    assert len(told) == bool(moved_s)
    assert not told or f"{moved_s:+.3g} s, so that they go on" in told[0]


def test_one_clock_that_is_behind_is_moved_to_the_others(told: list[str]) -> None:
    clocks = Clocks(("A", "B", "C"), told.append)
    wall = time.time_ns() - time.monotonic_ns()
    clocks.align({0: wall, 1: wall + 1000, 2: wall - 3 * NS}, NS / 10)
    assert len(told) == 1
    assert "C is 3 s behind" in told[0]
    now = time.monotonic_ns()
    assert abs(clocks.time_of(updated(now + wall - 3 * NS, now, 2), NS) - (now + wall)) < NS / 100


def stalled(after: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """Ten updates a second for two seconds, then what arrives `after` a stall: (stamp, arrival) in seconds."""
    return [(k / 10, k / 10) for k in range(20)] + after


def test_what_was_held_up_and_came_in_part_is_no_jump(told: list[str]) -> None:
    """A server that was stopped for a minute sends what it still has at once, each with its own stamp."""
    clocks = Clocks(("A",), told.append)
    now, stamp = time.monotonic_ns(), time.time_ns()
    backlog = [(22 + k / 10, 62 + k / 1000) for k in range(64)]
    for at, arrived in stalled([*backlog, *((62 + k / 10, 62 + k / 10) for k in range(1, 100))]):
        found = clocks.time_of(updated(stamp + round(at * NS), now + round(arrived * NS)), NS // 10)
        assert found == stamp + round(at * NS)
    assert not told


def test_a_clock_that_stays_behind_after_an_outage_has_jumped(told: list[str]) -> None:
    clocks = Clocks(("A",), told.append)
    now, stamp = time.monotonic_ns(), time.time_ns()
    for at, arrived in stalled([(32 + k / 10, 62 + k / 10) for k in range(80)]):
        found = clocks.time_of(updated(stamp + round(at * NS), now + round(arrived * NS)), NS // 10)
    assert abs(found - stamp - 69.9 * NS) < NS // 10
    assert len(told) == 1
    assert "jumped by -30 s" in told[0]


def test_a_value_that_is_sent_again_with_its_old_stamp_is_no_jump(told: list[str]) -> None:
    clocks = Clocks(("A",), told.append)
    now, stamp = time.monotonic_ns(), time.time_ns()
    for at, arrived in stalled([(1.9, 1.9 + k) for k in range(1, 20)] + [(22, 22), (22.1, 22.1)]):
        clocks.time_of(updated(stamp + round(at * NS), now + round(arrived * NS)), NS // 10)
    assert not told


@pytest.mark.parametrize("stamp_ns", [0, 4_294_967_295 * NS])
def test_of_what_is_played_back_a_value_without_a_time_is_as_old_as_the_others(told: list[str], stamp_ns: int) -> None:
    clocks = Clocks(("A", "B"), told.append)
    clocks.believed = True
    now, then = time.monotonic_ns(), time.time_ns() - 7200 * NS
    for step in range(3):
        assert clocks.time_of(updated(then + step * NS, now + step), NS) == then + step * NS
        assert clocks.time_of(updated(stamp_ns, now + step, 1), NS) == then + step * NS
    assert len(told) == 1
    assert "the time of the others is used" in told[0]


def test_a_device_without_a_clock_has_the_time_of_the_others(told: list[str]) -> None:
    """Three minutes ahead of this machine, as all of them are: by our clock it would be too late for every sample."""
    clocks = Clocks(("A", "B", "C"), told.append)
    wall, now = time.time_ns() - time.monotonic_ns(), time.monotonic_ns()
    clocks.align({0: wall + 180 * NS, 1: wall + 180 * NS}, NS / 10)
    assert abs(clocks.time_of(updated(0, now, 2), NS) - (now + wall + 180 * NS)) < NS // 10
