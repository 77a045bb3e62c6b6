"""The wall and what Prometheus and Grafana read: events that can be resumed, each panel's metric."""

import json
import re
import time
from dataclasses import replace
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from lynkeus.core import Alarm
from lynkeus.monitor.conditions import note_condition
from lynkeus.monitor.records import Commit, Monitor, Owner, ResumePoint, ScoredPoint
from lynkeus.monitor.service.records import Supervised, note_state
from lynkeus.monitor.store import Store
from lynkeus.web.app import create_app

SECOND_NS = 10**9
GRAFANA = Path(__file__).parents[2] / "docs" / "how-to" / "service" / "grafana.json"
LOST = {"state": "lost", "channels": 4, "there": 0, "masked": ["A", "B"], "counts": {"late": 3, "repeated": 0}}


def fill(store: Store) -> int:
    """Two monitors; the first has an open alarm, and its source is lost. Returns the end of the points."""
    now = time.time_ns() // SECOND_NS * SECOND_NS
    for name in ("orbit", "llrf <b>"):
        owner = Owner.here()
        store.claim(Monitor(name, name.upper(), ("anomaly",)), owner)
        starts = [now - k * SECOND_NS for k in range(900, 0, -1)]
        points = tuple(ScoredPoint("anomaly", at, at + SECOND_NS, 1.0, 0.5) for at in starts)
        alarm = Alarm("anomaly", starts[-5], starts[-5], 9.0, 1e-3, "BPM.7")
        store.commit(name, owner, Commit(ResumePoint(now, now), points, ((alarm, {}),) if name == "orbit" else ()))
    note_condition(store, "orbit", LOST)
    note_state(store, Supervised("llrf <b>", "gave up", "no <server>", 3, 0, time.time_ns()))
    return now


def differences(ours: object, theirs: object, where: str = "") -> list[str]:
    """What is in the first and not, or otherwise, in the second."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        return [one for key in ours for one in differences(ours[key], theirs.get(key), f"{where}.{key}")]
    if isinstance(ours, list) and isinstance(theirs, list) and len(ours) == len(theirs):
        pairs = enumerate(zip(ours, theirs, strict=True))
        return [one for k, (own, other) in pairs for one in differences(own, other, f"{where}[{k}]")]
    return [] if ours == theirs else [f"{where}: {ours!r} became {theirs!r}"]


def test_the_dashboard_is_one_that_grafana_reads_and_writes_alike() -> None:
    pytest.importorskip("grafana_foundation_sdk")
    from grafana_foundation_sdk.cog.encoder import JSONEncoder
    from grafana_foundation_sdk.cog.plugins import register_default_plugins
    from grafana_foundation_sdk.models import dashboard, prometheus

    register_default_plugins()
    ours = json.loads(GRAFANA.read_text("utf-8"))
    read = dashboard.Dashboard.from_json(ours)
    assert differences(ours, json.loads(JSONEncoder().encode(read))) == []
    queries = [target for panel in read.panels for target in panel.targets]
    assert len(queries) > 10
    assert all(isinstance(query, prometheus.Dataquery) and query.expr for query in queries)
    ours["panels"][0]["fieldConfig"]["defaults"]["colour"] = "red"  # no field of theirs
    again = json.loads(JSONEncoder().encode(dashboard.Dashboard.from_json(ours)))
    assert differences(ours, again) == [".panels[0].fieldConfig.defaults.colour: 'red' became None"]


def events(client: TestClient, had: str = "") -> tuple[list[dict[str, object]], str]:
    answer = client.get("/wall/events", headers={"Last-Event-ID": had} if had else {})
    lines = answer.text.splitlines()
    marks = [line[4:] for line in lines if line.startswith("id: ")]
    return [json.loads(line[6:]) for line in lines if line.startswith("data: ")], marks[-1] if marks else ""


def test_the_wall_says_what_is_open_and_goes_on_after_a_break(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/s.db"
    store = Store(url)
    now = fill(store)
    app = create_app(url)
    left = iter([])
    app.state.stopping = lambda: next(left, True)

    def once(had: str = "") -> tuple[list[dict[str, object]], str]:
        nonlocal left
        left = iter([False])
        return events(client, had)

    with TestClient(app, base_url="http://localhost") as client:
        page = client.get("/wall").text
        assert page.index("BPM.7") < page.index('class="tiles"')
        assert 'name="who"' in page
        app.state.site = replace(app.state.site, token="a secret")
        page = client.get("/wall").text
        assert 'href="/login?back=/wall"' in page
        assert 'name="who"' not in page
        app.state.site = replace(app.state.site, token=None)
        assert "lost, 0 of 4 channels; masked: A, B; 3 late" in page
        assert "gave up: no &lt;server&gt;" in page
        assert "lost, 0 of 4 channels" in client.get("/").text
        (first,), mark = once()
        points = first["points"]
        assert isinstance(points, dict)
        assert points.keys() == {"orbit\nanomaly", "llrf <b>\nanomaly"}
        assert 590 <= len(points["orbit\nanomaly"]) <= 601  # ten minutes
        (again,), _ = once(mark)
        assert "points" not in again
        owner = Owner.here()
        store.claim(Monitor("orbit", "ORBIT", ("anomaly",)), owner)
        new = ScoredPoint("anomaly", now, now + SECOND_NS, 2.0, 1e-4)
        store.commit("orbit", owner, Commit(ResumePoint(now + SECOND_NS, now + SECOND_NS), (new,)))
        app.state.wall._read_s = 0.0
        (resumed,), _ = once(mark)
        assert resumed["points"] == {"orbit\nanomaly": [[now // 10**6, 9.21]]}
        (anew,), _ = once("[nonsense")
        assert anew["points"]
        scraped = client.get("/metrics").text
    panels = json.loads(GRAFANA.read_text("utf-8"))["panels"]
    asked = {name for one in panels for target in one["targets"] for name in re.findall(r"lynkeus_\w+", target["expr"])}
    given = set(re.findall(r"^# TYPE (\w+)", scraped, re.MULTILINE))
    assert asked == given  # each panel has its metric, and each metric a panel
    assert 'lynkeus_source_updates_total{monitor="orbit",reason="late"} 3' in scraped
    assert 'lynkeus_supervised_up{monitor="llrf <b>"} 0' in scraped
    assert len({panel["id"] for panel in panels}) == len(panels)
    app.state.site.store.close()
    store.close()
