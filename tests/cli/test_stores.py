"""lynkeus status and prune, on a store in which two monitors wrote."""

import subprocess
import sys
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner

from lynkeus.cli import app
from lynkeus.core import Alarm, LynkeusError
from lynkeus.files.at_work import FOLDER
from lynkeus.monitor.records import Commit, Monitor, Owner, ResumePoint, ScoredPoint
from lynkeus.monitor.store import Store
from lynkeus.monitor.tables import progress

HOUR_NS = 3_600_000_000_000
DAY_NS = 24 * HOUR_NS
NOW_NS = 1_700_000_000 * 1_000_000_000


@pytest.fixture
def url(tmp_path: Path) -> str:
    """The monitor "orbits" has a score each day for 500 days and an open alarm; "quiet" died an hour ago."""
    address = f"sqlite:///{tmp_path}/store.db"
    store = Store(address)
    for name in ("orbits", "quiet"):
        owner = Owner.here()
        store.claim(Monitor(name, outputs=("monitor",)), owner)
        starts = [NOW_NS - day * DAY_NS for day in range(500, 0, -1)]
        points = tuple(ScoredPoint("monitor", at, at + 1000, 1.0, 5.0) for at in starts)
        alarm = Alarm("monitor", starts[-1], starts[-1], 9.0, 0.01, "BPM.7")
        opened = ((alarm, {}),) if name == "orbits" else ()
        beat = time.time_ns() - (0 if name == "orbits" else HOUR_NS)
        store.commit(
            name, owner, Commit(ResumePoint(starts[-1], NOW_NS), points, opened, samples=500, heartbeat_ns=beat)
        )
    store.close()
    return address


def test_status_says_who_runs_who_is_silent_and_what_is_open(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(FOLDER, str(tmp_path / "work"))  # not what other tests are at
    done = CliRunner().invoke(app, ["status", "--store", url])
    first, second = done.stdout.strip().splitlines()
    assert done.exit_code == 1
    assert first.startswith("orbits: running")
    assert "open alarms: monitor BPM.7" in first
    assert "500 samples" in first
    assert second.startswith("quiet: silent for 36")
    assert "open alarms: none" in second


def test_status_says_that_a_watch_was_killed_as_soon_as_its_process_is_gone(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(FOLDER, str(tmp_path / "work"))
    pid = int(subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True).stdout)
    store = Store(url)
    with store.writing() as connection:
        connection.execute(progress.update().values(pid=pid, heartbeat_ns=time.time_ns()))
    store.close()
    done = CliRunner().invoke(app, ["status", "--store", url])
    assert done.exit_code == 1
    assert done.stdout.startswith("orbits: killed 0 s ago")


def test_prune_removes_old_scores_and_no_alarm(url: str) -> None:
    tried = CliRunner().invoke(app, ["prune", "--store", url, "--keep", "400d", "--dry-run"])
    assert "quiet: 100 scores older than 400d before its last would be removed" in tried.stderr
    done = CliRunner().invoke(app, ["prune", "--store", url, "--keep", "400d"])
    assert done.exit_code == 0
    again = CliRunner().invoke(app, ["prune", "--store", url, "--keep", "400d"])
    assert again.exit_code == 0
    store = Store(url)
    with store.reading() as connection:
        (left,) = connection.exec_driver_sql("select count(*) from point").one()
    assert left == 2 * 400
    assert len(store.alarms("orbits")) == 1
    store.close()


@pytest.mark.parametrize(
    ("command", "says"),
    [
        (["status", "--store", "sqlite:///nothing.db"], "there is no such store"),
        (["prune", "--store", "sqlite:///nothing.db", "--keep", "400d"], "there is no such store"),
        (["prune", "--store", "sqlite:///nothing.db", "--keep", "some"], "--keep some: must be a time"),
    ],
)
def test_what_makes_no_sense_is_one_line(command: list[str], says: str) -> None:
    done = CliRunner().invoke(app, command)
    assert isinstance(done.exception, LynkeusError)
    assert says in str(done.exception)
