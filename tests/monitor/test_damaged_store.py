"""A damaged store: whatever was done to its bytes, or to the texts in its rows, it is read or refused in one line."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
from pathlib import Path

import numpy as np
import pytest
from tests.mutations import mutated

from lynkeus.core import AlarmRule, Batch, LynkeusError, Schema
from lynkeus.fitting.fit import FitSettings, fit
from lynkeus.monitor.records import Owner
from lynkeus.monitor.site import SiteSettings
from lynkeus.monitor.standing import list_standing
from lynkeus.monitor.store import Store
from lynkeus.monitor.watch import WatchSettings, watch
from lynkeus.sources import InMemory

FIRST = int(os.environ.get("LYNKEUS_FIRST_MUTATION", "0"))
MUTATIONS = int(os.environ.get("LYNKEUS_MUTATIONS", "40"))
START_NS = 1_700_000_000_000_000_000
TEXTS = (("start", "description"), ("alarm_opened", "evidence"), ("alarm_trace", "trace"), ("progress", "open_alarms"))


def _rows(count: int, first: int, fault: bool = False) -> InMemory:
    values = np.random.default_rng(first).normal(size=(count, 4)).astype(np.float32)
    values[100:120, 2] += 12.0 * fault
    time_ns = START_NS + (first + np.arange(count)) * 10**8
    return InMemory(Batch(Schema("table", tuple("abcd"), ("mm",), (4,)), values, time_ns), 100)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a small SQLite store of one monitor with an alarm."""
    path = tmp_path_factory.mktemp("store") / "watch.db"
    fitted, store = fit(_rows(2000, 0), FitSettings("three_sigma")), Store(f"sqlite:///{path}")
    watch(fitted, _rows(400, 2000, fault=True), store, WatchSettings("one", rule=AlarmRule(60.0)))
    assert store.alarms()
    store.close()
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        connection.execute("PRAGMA journal_mode=DELETE")
    return path


@pytest.mark.parametrize("entry", [{"outputs": 3.5}, {"outputs": [1]}, {"lineage": []}, {"budget_per_hour": "x"}])
def test_a_monitor_of_other_kinds_of_entries_is_refused(whole: Path, entry: dict[str, object], tmp_path: Path) -> None:
    path = tmp_path / "watch.db"
    shutil.copy(whole, path)
    with sqlite3.connect(path) as connection:
        (text,) = connection.execute("SELECT description FROM start").fetchone()
        connection.execute("UPDATE start SET description = ?", (json.dumps(json.loads(text) | entry),))
    assert f"{next(iter(entry))} of a monitor is" in _read(path)


def _read(path: Path) -> str:
    """Return the line by which a store was refused, '' where all of it was read; all else is raised."""
    try:
        store = Store(f"sqlite:///{path}")
        try:
            for pulse in store.monitors():
                store.points(pulse.monitor.name, "anomaly")
                list_standing(store, pulse.monitor.name)
                store.claim(pulse.monitor, Owner.here())
            for one in store.alarms():
                store.alarm(one.id)
        finally:
            store.close()
    except LynkeusError as error:
        said = str(error)
        assert "\n" not in said, said
        assert said.encode()
        return said
    return ""


def test_a_damaged_store_is_read_or_refused(whole: Path, tmp_path: Path) -> None:
    data, target, lines = whole.read_bytes(), tmp_path / "watch.db", 0
    for seed in range(FIRST, FIRST + MUTATIONS):
        for beside in tmp_path.glob("watch.db*"):
            beside.unlink()
        target.write_bytes(mutated(data, np.random.default_rng([seed, 5])))
        said = _read(target)
        lines += bool(said)
        assert not said or "watch.db" in said, f"seed {seed}: {said}"
    assert lines


def test_damaged_texts_in_a_store_are_read_or_refused(whole: Path, tmp_path: Path) -> None:
    target, data, lines = tmp_path / "watch.db", whole.read_bytes(), 0
    for seed in range(FIRST, FIRST + MUTATIONS):
        for beside in tmp_path.glob("watch.db*"):
            beside.unlink()
        target.write_bytes(data)
        random = np.random.default_rng([seed, 6])
        table, column = TEXTS[seed % len(TEXTS)]
        with sqlite3.connect(target) as connection:
            (text,) = connection.execute(f"SELECT {column} FROM {table} LIMIT 1").fetchone()
            new = mutated(text.encode(), random).decode("utf-8", "replace").replace("\x00", "")
            connection.execute(f"UPDATE {table} SET {column} = ?", (new,))
        connection.close()
        lines += bool(_read(target))
    assert lines


def test_a_damaged_site_file_is_read_or_refused(tmp_path: Path) -> None:
    text = (
        'store = "sqlite:///watch.db"\nbudget_per_hour = 1.0\nname = "orbits"\ntitle = "Orbits"\n'
        'place = "(?P<position>[0-9]+)"\ncall = "the shift"\nacknowledge = true\n[titles]\nmonitor = "one BPM"\n'
    )
    target, lines = tmp_path / "site.toml", 0
    target.write_text(text)
    for seed in range(FIRST, FIRST + 2 * MUTATIONS):
        target.write_bytes(mutated(text.encode(), np.random.default_rng([seed, 7])))
        said = ""
        try:
            SiteSettings.read(target)
        except LynkeusError as error:
            said = str(error)
        assert not said or ("site.toml" in said and "\n" not in said), f"seed {seed}: {said}"
        lines += bool(said)
    assert lines
