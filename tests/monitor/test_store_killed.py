"""Kill -9 at any moment: the store goes on from the last commit, nothing lost, nothing doubled."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from lynkeus.monitor import database
from lynkeus.monitor.records import Monitor, Owner
from lynkeus.monitor.store import Store

WRITER = """
import sys
sys.path.insert(0, sys.argv[2])
from lynkeus.core import Alarm
from lynkeus.monitor.records import Commit, Monitor, Owner, ResumePoint, ScoredPoint
from lynkeus.monitor.store import Store
store, owner = Store(sys.argv[1]), Owner.here()
progress = store.claim(Monitor("orbits", outputs=("monitor",)), owner)
k = progress.position if progress else 0
while True:
    point = ScoredPoint("monitor", k, k + 1, float(k), 1.0)
    opened = ((Alarm("monitor", k, k, 9.0, 0.1), {"k": k}),) if k % 5 == 0 else ()
    closed = (Alarm("monitor", k - 2, k - 2, 9.0, 0.1, "", k),) if k % 5 == 2 else ()
    store.commit("orbits", owner, Commit(ResumePoint(k + 1, k + 1, b"s" * 5000), (point,), opened, (), closed, 1))
    k += 1
    print(k, flush=True)
"""


@pytest.mark.slow
def test_kill_dash_nine_loses_and_doubles_nothing(store_url: str) -> None:
    source = str(Path(database.__file__).parents[2])
    reached = 0
    for delay_s in (0.05, 0.111):
        command = [sys.executable, "-c", WRITER, store_url, source]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer:
            assert writer.stdout is not None
            first = int(writer.stdout.readline())
            assert first >= reached + 1  # it went on, not back
            time.sleep(delay_s)
            writer.kill()
            reached = max([first, *map(int, writer.stdout.read().split())])
        store = Store(store_url)
        owner = Owner.here()
        progress = store.claim(Monitor("orbits"), owner)
        store.release("orbits", owner)
        assert progress is not None
        n = progress.position
        assert n in (reached, reached + 1)  # the last print may be lost, a commit never
        assert [point.start_ns for point in store.points("orbits", "monitor", at_most=10**6)] == list(range(n))
        assert sorted(found.alarm.start_ns for found in store.alarms(limit=10**6)) == list(range(0, n, 5))
        assert sum(found.is_open for found in store.alarms(limit=10**6)) == (1 if n % 5 in (1, 2) else 0)
        assert store.monitors()[0].samples == n
        reached = n
        store.close()
