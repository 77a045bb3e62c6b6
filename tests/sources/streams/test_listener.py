"""Channels that were lost and are back: their values are of one sample, or there are none."""

import time

import numpy as np

from lynkeus.sources.streams.events import Event, Rule
from lynkeus.sources.streams.listener import Columns, Listener
from lynkeus.sources.streams.states import State
from lynkeus.sources.streams.update import DISCONNECTED, Inbox, Update

NS = 1_000_000_000
PERIOD = NS // 10


class Line:
    """Three channels at 10 Hz, each value the number of its shot, by a clock of the test's own."""

    def __init__(self, seen: bool = True) -> None:
        self.told: list[str] = []
        places = [slice(k, k + 1) for k in range(3)]
        rule = Rule(PERIOD, round(0.9 * PERIOD), NS // 2)
        self.listener = Listener(tuple("ABC"), Columns(places, 3, [True] * 3), rule, self.told.append)
        self.steady_ns, self.wall_ns = time.monotonic_ns(), time.time_ns()
        self.listener.begin([False] * 3, [8 if seen else 0] * 3)
        self.rows: list[Event] = []
        self.shot = 0

    def post(self, channels: str = "ABC", again: bool = False) -> None:
        """Send a shot, as a server does: channel after channel, a tenth of a millisecond apart."""
        self.shot += not again
        for number, name in enumerate("ABC"):
            at = self.shot * PERIOD
            if name in channels:
                arrived = self.steady_ns + at + number * NS // 10_000
                self.listener.take(Update(number, self.wall_ns + at, 0, float(self.shot), 0, arrived))
                self.rows += self.listener.events.ready(arrived)
                self.listener.samples = len(self.rows)
        if self.shot % 3 == 0:
            self.listener._review(self.steady_ns + self.shot * PERIOD, Nobody())

    def lose(self, channels: str = "ABC") -> None:
        for number, name in enumerate("ABC"):
            if name in channels:
                self.listener.take(Update(number, 0, 0, None, 0, self.steady_ns, DISCONNECTED))

    def pause(self, shots: int) -> None:
        """Nothing comes for so many shots."""
        for _ in range(shots):
            self.shot += 1
            self.listener._review(self.steady_ns + self.shot * PERIOD, Nobody())

    def values(self) -> np.ndarray:
        self.rows += self.listener.events.ready(self.steady_ns + self.shot * PERIOD + NS)
        return np.stack([event.values for event in self.rows])


class Nobody:
    def begin(self, addresses: tuple[str, ...], put: object) -> None: ...

    def again(self, channels: object) -> None: ...

    def close(self) -> None: ...


def is_of_one_shot(rows: np.ndarray) -> bool:
    """Whether no row holds values of two shots."""
    spans = [np.ptp(row[~np.isnan(row)]) if not np.isnan(row).all() else 0.0 for row in rows]
    return not np.any(spans)


def test_a_server_that_is_back_gives_no_row_of_two_shots() -> None:
    line = Line()
    for _ in range(20):
        line.post()
    line.lose()
    line.pause(30)
    assert line.listener.lost
    line.post("A")  # what is sent on connecting, of each when it connects
    line.post("AB")
    for _ in range(20):
        line.post()
    rows = line.values()
    assert is_of_one_shot(rows)
    assert np.isnan(rows).any(axis=1).sum() <= 4
    assert (~np.isnan(rows)).all(axis=1).sum() >= 36
    assert line.listener.events.counts["late"] == 0
    assert not line.listener.lost


def test_a_server_that_goes_on_after_it_was_stopped_gives_no_row_of_two_shots() -> None:
    line = Line()
    for _ in range(20):
        line.post()
    line.pause(30)
    assert line.listener.lost
    for _ in range(20):
        line.post()
    rows = line.values()
    assert is_of_one_shot(rows)
    assert line.listener.events.counts["late"] == 0
    assert (~np.isnan(rows)).all(axis=1).sum() >= 39


def test_a_server_that_comes_after_the_watch_has_begun_gives_no_row_of_two_shots() -> None:
    line = Line(seen=False)
    line.post("A")
    line.post("AB")
    for _ in range(30):
        line.post()
    rows = line.values()
    assert is_of_one_shot(rows)
    assert (~np.isnan(rows)).all(axis=1).sum() >= 26
    assert all(state is State.ALIVE for state in line.listener.states.of)


def test_one_of_three_that_comes_back_has_values_of_its_own_shot() -> None:
    line = Line()
    for _ in range(20):
        line.post()
    line.lose("C")
    for _ in range(20):
        line.post("AB")
    for _ in range(20):
        line.post()
    rows = line.values()
    assert is_of_one_shot(rows)
    assert len(rows) == 59  # the first one may be of long ago
    assert np.isnan(rows[19:39, 2]).all()
    assert np.isnan(rows[:, 2]).sum() <= 22
    assert not np.isnan(rows[:, :2]).any()


def test_a_value_that_is_set_now_and_then_holds_also_where_it_came_late() -> None:
    line = Line()
    line.lose("C")
    line.listener.states.of[2], line.listener.states._moved[2] = State.UNSEEN, False
    for _ in range(10):
        line.post("AB")
    line.post("C", again=True)  # connects: set a while ago
    for _ in range(20):
        line.post("AB")
    line.post("ABC")
    for _ in range(20):
        line.post("AB")
    rows = line.values()
    assert np.isnan(rows[11:, 2]).sum() <= 4
    assert np.nanmax(rows[12:30, 2]) == 10.0
    assert (rows[-10:, 2] == 31.0).all()


def test_a_channel_that_is_invalid_now_and_then_is_said_once() -> None:
    line = Line()
    for _ in range(100):
        line.post("BC")
        at = line.shot * PERIOD
        severity = 3 if line.shot % 2 else 0
        line.listener.take(Update(0, line.wall_ns + at, 0, float(line.shot), severity, line.steady_ns + at))
    assert [text for text in line.told if text.startswith("A ")] == [
        "A is INVALID, says its source; masked while it is"
    ]
    for _ in range(60):
        line.post()
    assert "A is valid again" in line.told


def test_channels_that_lose_the_number_of_the_pulse_are_masked_and_said() -> None:
    line = Line()
    line.listener.rule = line.listener.events.rule = line.listener.rule._replace(by_tag=True)
    for tagged in (True, False):
        for _ in range(40):
            line.shot += 1
            at = line.shot * PERIOD
            for k in range(3):
                tag = line.shot if tagged or k == 0 else 0
                line.listener.take(Update(k, line.wall_ns + at, tag, float(line.shot), 0, line.steady_ns + at))
            line.listener._review(line.steady_ns + at, Nobody())
            line.rows += line.listener.events.ready(line.steady_ns + at)
    rows = line.values()
    assert len(rows) == 79
    assert np.isnan(rows[-39:, 1:]).all()
    assert not np.isnan(rows[:, 0]).any()
    assert line.listener.counts["without the number of a pulse"] == 80
    assert "B, C: comes without the number of its pulse; masked until it has one" in line.told
    assert [text for text in line.told if "no update for 2 s" in text] == [
        "B, C: no update for 2 s; masked until one comes"
    ]


def test_what_waited_while_nobody_read_is_whole() -> None:
    """Two thousand updates that waited for a minute, more than are taken at once: none is called late."""
    line, inbox = Line(), Inbox(10_000)
    for _ in range(3):
        line.post()
    begun = line.steady_ns - 60 * NS
    for shot in range(700):
        for number in range(3):
            at = (4 + shot) * PERIOD
            inbox.put(Update(number, line.wall_ns + at, 0, float(shot), 0, begun + shot * PERIOD // 10 + number))
    rows: list[Event] = []
    for found in line.listener.samples_of(inbox, Nobody()):
        rows += found
        if len(rows) >= 700 or not found:
            break
    assert len(rows) >= 700
    assert not np.isnan(np.stack([one.values for one in rows])).any()
    assert line.listener.events.counts["late"] == 0
