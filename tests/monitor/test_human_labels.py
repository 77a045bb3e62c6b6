"""Verdicts on alarms, as labelled intervals for the next fit."""

from __future__ import annotations

import contextlib
from pathlib import Path

import numpy as np
import pytest

from lynkeus.core import StoreError
from lynkeus.fitting.fitted import Fitted
from lynkeus.monitor.human_labels import human_labels
from lynkeus.monitor.store import Store
from lynkeus.monitor.watch import WatchSettings, watch
from lynkeus.simulate.beam.orbit import OrbitSource
from lynkeus.transforms.faults import Fault

FAULTS = tuple(Fault("noisy", start, 60, channel=40, size=8.0) for start in (1000, 2000, 3000))


@pytest.fixture
def store(orbits, tmp_path: Path) -> str:
    """A store with alarms of one monitor."""
    url = f"sqlite:///{tmp_path / 'watch.db'}"
    fitted = Fitted.load(orbits.model)
    with contextlib.closing(Store(url)) as kept:
        watch(fitted, OrbitSource(hours=0.1, seed=2, faults=FAULTS), kept, WatchSettings("line"))
    return url


def test_the_latest_verdict_holds_and_unsure_ones_teach_nothing(store: str) -> None:
    with pytest.raises(StoreError, match=r"nobody said in .* what is good and what is not"):
        human_labels(store)
    with contextlib.closing(Store(store)) as kept:
        alarms = sorted(kept.alarms("line"), key=lambda stored: stored.alarm.start_ns)
        assert len(alarms) >= 3
        for stored, said in zip(alarms, ("real", "unsure", "not real"), strict=False):
            kept.add_verdict(stored.id, "not real", "me")
            kept.add_verdict(stored.id, said, "me")
    found = human_labels(store, "line").intervals
    assert [label for *_, label in found] == [1, 0]
    assert found[0][:2] == (alarms[0].alarm.start_ns, alarms[0].alarm.end_ns)
    assert np.all(np.diff([start for start, *_ in found]) > 0)


def test_a_store_or_monitor_that_is_not_there_is_named(store: str, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="no monitor 'other'; it holds line"):
        human_labels(store, "other")
    missing = tmp_path / "none.db"
    with pytest.raises(StoreError, match="no such store"):
        human_labels(f"sqlite:///{missing}")
    assert not missing.exists()
