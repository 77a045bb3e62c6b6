"""The logbook on the page of an alarm: entries around it and of the like, as text."""

from __future__ import annotations

from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from lynkeus.core import SourceError
from lynkeus.monitor.logbook import LogbookNow
from lynkeus.monitor.store import Store
from lynkeus.monitor.watch import Watched
from lynkeus.monitor.written.links import Linking, written_of
from lynkeus.web.app import create_app


def test_entries_beside_an_alarm(store_url: str, tmp_path: Path) -> None:
    store = Store(store_url)
    found = next(one.alarm for one in store.alarms() if one.alarm.where)
    store.close()
    number = found.where.partition("/")[0]
    start = found.start_ns
    rows = [
        f"{start - 60_000_000_000},<script>alert(1)</script> in the tunnel",
        f"{start - 90 * 3_600_000_000_000},{number} has an offset",
        f"{start - 89 * 3_600_000_000_000},{number} repaired",
    ]  # fmt: skip
    (tmp_path / "log.csv").write_text("\n".join(["time_ns,text", *rows]) + "\n")
    app = create_app(store_url, logbook=str(tmp_path / "log.csv"))
    with TestClient(app, base_url="http://localhost") as client:
        first = next(one for one in client.get("/api/v1/alarms").json() if one["where"] == found.where)
        page = client.get(f"/alarms/{first['id']}").text
    app.state.site.store.close()
    assert "<script>alert(1)" not in page
    assert "&lt;script&gt;alert(1)" in page
    around, before = page.split("In the logbook around it")[1].split("of the like before")
    assert "in the tunnel" in around
    assert f"{number} has an offset" in before
    assert f"In the end: {number} repaired" in before
    with pytest.raises(SourceError, match="no such file"):
        create_app(store_url, logbook=str(tmp_path / "none.csv"))


def test_a_watch_links_its_alarms(store_url: str, tmp_path: Path) -> None:
    store, file = Store(store_url), tmp_path / "log.csv"
    stored = next(one for one in store.alarms() if one.alarm.where and not one.is_open)
    start, device = stored.alarm.start_ns, stored.alarm.where.partition("/")[0]
    own = f"Orbits: monitor {device} open; alarm 1 of orbits key {'0123456789abcdef' * 2}"
    rows = [f"{start},{own}", f"{start - 60_000_000_000},<i>somebody</i> in the tunnel"]
    file.write_text("\n".join(["time_ns,text", *rows]) + "\n")
    first = Linking(LogbookNow(file))
    first.begin(store, stored.monitor)
    first(Watched(alarms=4, end_ns=start))
    first.close()
    assert first.messages == []  # of alarms of earlier runs nothing is said
    before = written_of(store, stored.id)
    assert before is not None
    assert [one.text for one in before.near] == ["<i>somebody</i> in the tunnel"]  # not its own
    file.write_text("\n".join(["time_ns,text", *rows, f"{start + 60_000_000_000},{device} has no cable"]) + "\n")
    again = Linking(LogbookNow(file))
    again.begin(store, stored.monitor)
    again._earlier = 0  # as if they had opened now
    again.close()
    assert any("in the tunnel" in line for line in again.messages)
    store.close()
    app = create_app(store_url)  # a server without a logbook
    with TestClient(app, base_url="http://localhost") as client:
        page = client.get(f"/alarms/{stored.id}").text
        found = client.get(f"/api/v1/alarms/{stored.id}/logbook").json()
    app.state.site.store.close()
    assert [one["text"] for one in found["near"]][-1] == f"{device} has no cable"
    assert "&lt;i&gt;somebody" in page.split("In the logbook around it")[1]
    Linking(None).close()
