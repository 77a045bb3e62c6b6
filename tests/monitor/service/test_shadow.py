"""A new model in shadow: compared with the old one, and in its place without a gap or a second alarm."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from lynkeus.core import Alarm, OpenAlarm
from lynkeus.fitting.fitted import Fitted
from lynkeus.monitor.records import Commit, Monitor, Owner, ResumePoint, ScoredPoint
from lynkeus.monitor.service.shadow import Shadow
from lynkeus.monitor.store import Store
from lynkeus.monitor.watch import Watched

S = 10**9
BEGUN = 1_700_000_000 * S
MONITOR = Monitor("a", outputs=("monitor", "beam"))


def points(first: int, last: int) -> tuple[ScoredPoint, ...]:
    starts = [BEGUN + k * S for k in range(first, last)]
    return tuple(ScoredPoint("monitor", at, at + S, 1.0, 5.0) for at in starts)


def alarm(output: str, at: int, end: int | None = None) -> Alarm:
    return Alarm(output, BEGUN + at * S, BEGUN + at * S, 9.0, 0.01, "BPM", None if end is None else BEGUN + end * S)


@pytest.fixture
def stores(tmp_path: Path) -> Iterator[tuple[Store, Shadow]]:
    """The old model has come to second 100, and has an alarm open since second 90."""
    url = f"sqlite:///{tmp_path}/s.db"
    with closing(Store(url)) as old, closing(Shadow(url)) as new:
        owner = Owner.here()
        old.claim(MONITOR, owner)
        opened = alarm("monitor", 90)
        known = {"monitor": {"alarm": asdict(opened), "last_high_ns": BEGUN + 100 * S}}
        at = BEGUN + 100 * S
        old.commit(
            "a", owner, Commit(ResumePoint(at, at, b"", known), points(0, 100), ((opened, {"evidence": [1.0]}),))
        )
        old.release("a", owner)
        yield old, new


def test_what_both_have_open_is_one_alarm_and_nothing_is_missing(stores: tuple[Store, Shadow], orbits: Any) -> None:
    old, new = stores
    begun = new.claim(MONITOR, Owner.here())
    assert begun is not None
    assert begun.position == BEGUN + 100 * S
    mine, other = alarm("monitor", 92), alarm("beam", 104)
    done = alarm("beam", 101, 102)
    evidence = {"evidence": [1.0]}
    later = ((alarm("beam", 101), evidence), (other, evidence))
    for first, opened, closed in ((40, (), ()), (70, ((mine, evidence),), ()), (100, later, (done,))):
        at = BEGUN + (first + 30) * S
        new.commit("a", Owner.here(), Commit(ResumePoint(at, at), points(first, first + 30), opened, (), closed, 300))
    assert [stored.alarm.start_ns for stored in old.alarms("a")] == [BEGUN + 90 * S]  # nothing of it is there yet
    compared = new.compare(50)
    assert (compared.windows, compared.agree, compared.only_old, compared.only_new) == (50, 48, 2, 0)
    assert not compared.enough(50)
    assert new.compare(8).enough(8)
    run = Watched(position=BEGUN + 130 * S, end_ns=BEGUN + 130 * S)
    run.open = {"monitor": OpenAlarm(mine, BEGUN + 129 * S), "beam": OpenAlarm(other, BEGUN + 129 * S)}
    assert "30 windows since the last of the old one" in new.promote(Fitted.load(orbits.model), run)
    assert run.open["monitor"].alarm.start_ns == BEGUN + 90 * S
    alarms = sorted((one.alarm.output, (one.alarm.start_ns - BEGUN) // S, one.is_open) for one in old.alarms("a"))
    assert alarms == [("beam", 101, False), ("beam", 104, True), ("monitor", 90, True)]
    starts = [one.start_ns for one in old.points("a", "monitor", at_most=1000)]
    assert starts == [BEGUN + k * S for k in range(130)]
    assert old.monitors()[0].samples == 300
    over = Commit(ResumePoint(BEGUN + 131 * S, BEGUN + 131 * S), closed=(alarm("monitor", 90, 130),))
    assert new._owner is not None
    new.commit("a", new._owner, over)
    assert old.alarms("a", "monitor", "closed")


def test_an_alarm_of_the_old_model_alone_ends(stores: tuple[Store, Shadow], orbits: Any) -> None:
    old, new = stores
    new.claim(MONITOR, Owner.here())
    at = BEGUN + 110 * S
    new.commit("a", Owner.here(), Commit(ResumePoint(at, at), points(90, 110)))
    new.promote(Fitted.load(orbits.model), Watched(position=at, end_ns=at))
    (only,) = old.alarms("a")
    assert only.alarm.end_ns == BEGUN + 100 * S
