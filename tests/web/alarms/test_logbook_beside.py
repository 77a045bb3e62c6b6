"""The logbook on the page of an alarm: entries around it and of the like, as text."""

from __future__ import annotations

from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from lynkeus.core import SourceError
from lynkeus.monitor.store import Store
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
