"""Shift entries: one first report of each event, before all others about it; they are read again as written."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lynkeus.core import Batch, SettingsError, concatenate
from lynkeus.fitting.fit import FitSettings, fit
from lynkeus.fitting.tables import columns
from lynkeus.simulate.logbook.source import Logbook
from lynkeus.sources import open_source
from lynkeus.sources.writers.write import write_source


@pytest.fixture(scope="module")
def entries() -> Batch:
    return concatenate(list(Logbook(1500, seed=3)))


def test_each_event_is_reported_first_once(entries: Batch) -> None:
    event, first = entries.meta["event"], entries.meta["first_report"]
    assert len(entries) == 1500
    assert (np.diff(entries.time_ns) >= 0).all()
    about = event >= 0
    starts = {number: int(np.flatnonzero(event == number)[0]) for number in set(event[about].tolist())}
    assert {int(k) for k in np.flatnonzero(first)} == set(starts.values())
    for number in list(starts)[:50]:
        assert len(set(entries.meta["device"][event == number])) == 1
    assert 0.1 < (~about).mean() < 0.5
    assert all(device in text for device, text in zip(entries.meta["device"], entries.values, strict=True))
    assert 0.4 < (entries.meta["language"] == "de").mean() < 0.6
    assert set(entries.meta["severity"]) == {"none", "minor", "major"}


def test_what_is_asked_for(entries: Batch) -> None:
    again = concatenate(list(Logbook(1500, seed=3)))
    assert list(again.values) == list(entries.values)
    english = concatenate(list(Logbook(200, german=0.0, typos=0.0, short=0.0)))
    assert set(english.meta["language"]) == {"en"}
    assert not any("ä" in text or "ü" in text for text in english.values)
    assert (concatenate(list(Logbook(200, routine=0.0))).meta["event"] >= 0).all()
    for wrong in ({"n": 0}, {"german": 1.2}, {"typos": -0.1}, {"routine": 1.0}):
        with pytest.raises(SettingsError):
            Logbook(**wrong)


@pytest.mark.parametrize("ending", [".jsonl", ".csv"])
def test_a_file_gives_the_entries_again(tmp_path: Path, ending: str) -> None:
    expected, path = concatenate(list(open_source("sim://logbook?n=60"))), tmp_path / f"log{ending}"
    assert write_source(open_source("sim://logbook?n=60"), path) == 60
    read = concatenate(list(open_source(str(path), text="text")))
    assert list(read.values) == list(expected.values)
    assert {"system", "severity", "device", "first_report", "time_ns"} <= set(read.meta)
    assert list(read.meta["device"]) == list(expected.meta["device"])
    with pytest.raises(SettingsError, match=r"\.jsonl"):
        write_source(open_source("sim://logbook?n=60"), tmp_path / "log.h5")


def test_a_scorer_of_texts_learns_the_system(entries: Batch) -> None:
    fitted = fit(Logbook(600, seed=1), FitSettings("text", {"embedding": "no"}, labels="system,severity"))
    (scored,) = fitted.score(Logbook(300, seed=2))
    found = columns(fitted, scored, 0)
    truth = scored.batch.meta["system"]
    majority = max((truth == name).mean() for name in set(truth))
    # Later entries often name nothing but a device that was never met: less than all can be right.
    assert (np.asarray(found["system"]) == truth).mean() > majority + 0.25
    first = scored.batch.meta["first_report"] == 1
    assert (np.asarray(found["system"]) == truth)[first].mean() > 0.85
