"""lynkeus run with a logbook in the file of the site: alarms of its monitors are linked to entries."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import create_engine, text

from lynkeus.core import Batch, Schema
from lynkeus.fitting.fit import FitSettings, fit
from lynkeus.monitor.store import Store
from lynkeus.monitor.written.links import Written, written_of
from lynkeus.sources import InMemory

pytestmark = pytest.mark.slow(4)
PATIENCE_S = 90.0  # on a machine that others use as well
S = 1_000_000_000
START_NS = 1_790_000_000 * S
SITE = """
store = "sqlite:///watch.db"
logbook = "{logbook}"
replay = 0
budget = "1/h"
[[monitors]]
name = "pumps"
source = "later.csv"
model = "model"
"""


def rows(seed: int, begin_s: int) -> Batch:
    values = np.random.default_rng(seed).normal(size=(600, 3))
    time_ns = START_NS + (begin_s + np.arange(600)) * S
    schema = Schema("table", names=("PUMP1", "PUMP2", "VALVE7"), shape=(3,), sample_rate_hz=1.0)
    return Batch(schema, values, time_ns=time_ns)


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A folder with a model, later rows with a fault at VALVE7, and what was written about it, as a file and in SQL."""
    fit(InMemory(rows(1, 0)), FitSettings("mahalanobis")).save(tmp_path / "model")
    later = rows(2, 1000)
    later.values[300:340, 2] += 12.0
    lines = [f"{t},{a:.4f},{b:.4f},{c:.4f}" for t, (a, b, c) in zip(later.time_ns, later.values, strict=True)]
    (tmp_path / "later.csv").write_text("\n".join(["time_ns,PUMP1,PUMP2,VALVE7", *lines]) + "\n", "utf-8")
    entry = {"time_ns": START_NS + 1290 * S, "text": "VALVE7 opened by hand"}
    (tmp_path / "log.csv").write_text(f"time_ns,text\n{entry['time_ns']},{entry['text']}\n", "utf-8")
    engine = create_engine(f"sqlite:///{tmp_path / 'ops.db'}")
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE entries (time_ns BIGINT, text TEXT)"))
        connection.execute(text("INSERT INTO entries VALUES (:time_ns, :text)"), entry)
    engine.dispose()
    return tmp_path


def linked(folder: Path) -> list[Written]:
    """Return what is linked to the alarms in the store, once there is one with an entry."""
    begun = time.monotonic()
    while time.monotonic() - begun < PATIENCE_S:
        if (folder / "watch.db").is_file():
            store = Store(f"sqlite:///{folder / 'watch.db'}")
            found = [written_of(store, one.id) for one in store.alarms()]
            store.close()
            if any(one and one.near for one in found):
                return [one for one in found if one]
        time.sleep(0.2)
    raise AssertionError("no alarm was linked")


def test_alarms_of_a_site_are_linked_to_its_logbook(site: Path) -> None:
    command = [sys.executable, "-m", "lynkeus", "run", "site.toml"]
    (site / "site.toml").write_text(SITE.format(logbook="sqlite:///ops.db?table=entries"), "utf-8")
    checked = subprocess.run([*command, "--check"], cwd=site, capture_output=True, text=True, timeout=PATIENCE_S)
    assert checked.returncode == 0, checked.stdout + checked.stderr  # a database is no file that is missing
    (site / "site.toml").write_text(SITE.format(logbook="log.csv"), "utf-8")
    with subprocess.Popen(command, cwd=site, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as service:
        try:
            found = linked(site)
        finally:
            service.terminate()
            service.wait(PATIENCE_S)
    assert [one.text for written in found for one in written.near] == ["VALVE7 opened by hand"]
