"""A store that is away for a while: what was to be written is written afterwards, and once."""

from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from lynkeus.core import Alarm, StoreError
from lynkeus.monitor import patient
from lynkeus.monitor.patient import PatientStore
from lynkeus.monitor.records import Commit, Monitor, Owner, ResumePoint, ScoredPoint
from lynkeus.monitor.store import Store

OWNER = Owner.here()


def commit(at: int) -> Commit:
    opened = ((Alarm("anomaly", at, at, 9.0, 0.1, "A"), {}),)
    return Commit(ResumePoint(at, at), (ScoredPoint("anomaly", at, at + 1, 1.0, 0.5),), opened, (), (), 1)


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    monkeypatch.setattr(patient, "AGAIN_S", 0.01)
    monkeypatch.setattr(patient, "PATIENCE_S", 0.5)
    return []


@pytest.fixture
def store(tmp_path: Path, told: list[str]) -> Iterator[PatientStore]:
    with closing(PatientStore(f"sqlite:///{tmp_path}/s.db", told.append)) as made:
        made.claim(Monitor("a", outputs=("anomaly",)), OWNER)
        yield made


def failing(real: Callable[..., None], times: int, afterwards: bool) -> Callable[..., None]:
    """Fails some times, before it has done it or afterwards: an answer that is lost."""
    left = [times]

    def commit(*given: Any) -> None:
        left[0] -= 1
        if afterwards or left[0] < 0:
            real(*given)
        if left[0] >= 0:
            raise StoreError("the disk is full")

    return commit


@pytest.mark.parametrize("afterwards", [False, True])
def test_a_commit_waits_and_is_not_doubled(
    store: PatientStore, told: list[str], monkeypatch: pytest.MonkeyPatch, afterwards: bool
) -> None:
    store.commit("a", OWNER, commit(1))
    monkeypatch.setattr(Store, "commit", failing(Store.commit, 1 if afterwards else 3, afterwards))
    store.commit("a", OWNER, commit(2))
    store.commit("a", OWNER, commit(3))
    assert [one.start_ns for one in store.points("a", "anomaly")] == [1, 2, 3]
    assert len(store.alarms()) == store.monitors()[0].samples == 3
    assert told == ["the disk is full; what comes meanwhile waits", f"{store.address}: written again"]


def test_what_stays_away_or_is_taken_over_is_raised(store: PatientStore, monkeypatch: pytest.MonkeyPatch) -> None:
    store.release("a", OWNER)
    other = Owner("elsewhere", 1, "other")
    store.claim(Monitor("a", outputs=("anomaly",)), other)
    with pytest.raises(StoreError, match="is now held by process 1 on elsewhere"):
        store.commit("a", OWNER, commit(1))
    monkeypatch.setattr(Store, "commit", failing(Store.commit, 10**9, False))
    with pytest.raises(StoreError, match="the disk is full"):
        store.commit("a", other, commit(1))
