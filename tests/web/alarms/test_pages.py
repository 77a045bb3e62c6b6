"""Pages, API, metrics and headers over a filled store, through FastAPI's own client."""

from __future__ import annotations

import json
import math
import re
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
import sqlalchemy as sa
from fastapi.testclient import TestClient

from lynkeus.core import Alarm, StoreError
from lynkeus.monitor import tables
from lynkeus.monitor.records import AlarmFile, Commit, Monitor, Owner, ResumePoint, ScoredPoint, StoredAlarm
from lynkeus.monitor.store import Store
from lynkeus.web import front
from lynkeus.web.alarms.evidence import channel_rows, drawable
from lynkeus.web.app import create_app

EVERY_PAGE = ("/", "/?output=beam&status=open", "/fragment", "/alarms/1", "/alarms/2", "/trend", "/login", "/nowhere")


@pytest.mark.parametrize("path", EVERY_PAGE)
def test_pages_are_strict_and_carry_nothing_inline(client: TestClient, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code == (404 if path == "/nowhere" else 200)
    policy = answer.headers["content-security-policy"]
    assert "default-src 'self'; script-src 'self';" in policy
    assert "frame-ancestors 'none'" in policy
    plots = path.startswith(("/alarms", "/trend"))
    assert ("'unsafe-inline'" in policy) == plots
    assert policy.count("unsafe") == plots  # styles only, and only where plotly draws
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "same-origin"
    html = answer.text
    assert not re.search(r"<script(?![^>]*src=)|<style|\sstyle=|\son\w+=|javascript:", html)
    assert not re.search(r"""(?:src|href|action)=["'](?:https?:)?//""", html)


def test_names_are_escaped_everywhere(store_url: str) -> None:
    hostile = """<script>alert("1")</script>'& [SS]"""
    store, owner = Store(store_url), Owner.here()
    store.claim(Monitor(hostile, hostile, (hostile,), (hostile,), (), hostile, lineage={hostile: hostile}), owner)
    evidence = {"channels": [hostile], "sample": [1.0], "evidence": [2.0], "text": hostile, "evidence_label": hostile}
    alarm = Alarm(hostile, 10**18, 10**18, 5.0, 0.1, hostile)
    store.commit(hostile, owner, Commit(ResumePoint(1, 10**18), opened=((alarm, evidence),)))
    (stored,) = store.alarms(hostile)
    store.add_verdict(stored.id, "real", hostile, hostile)
    store.close()
    app = create_app(store_url)
    with TestClient(app, base_url="http://localhost") as client:
        for path in ("/", f"/alarms/{stored.id}", "/trend", "/?output=" + hostile):
            html = client.get(path, params={"monitor": hostile} if path == "/trend" else None).text
            assert "<script>alert" not in html
            assert "&lt;script&gt;alert(&#34;1&#34;)" in html
        found = client.get("/api/v1/alarms", params={"monitor": hostile, "output": hostile}).json()
        assert [row["where"] for row in found] == [hostile]
    app.state.site.store.close()


def test_first_page_answers_three_questions(client: TestClient) -> None:
    html = client.get("/").text
    assert "watching" in html
    assert "SILENT" not in html
    assert "BPME.2351.SA1/x" in html
    assert "once in 40 h" in html
    assert "(1 open)" in html
    assert "9.97 per second" in html


def test_filters(client: TestClient) -> None:
    beam = client.get("/?output=beam").text.split("<tbody>")[1]
    assert beam.count("<tr") == 1
    assert "no single channel" in beam
    assert client.get("/?status=open").text.split("<tbody>")[1].count("<tr") == 1
    assert "No alarm of this kind so far" in client.get("/?output=beam&status=open").text
    assert client.get("/?status=nonsense&before=x").status_code == 200


def test_many_alarms_are_paged(store_url: str) -> None:
    store, owner = Store(store_url), Owner.here()
    store.claim(Monitor("many", outputs=("anomaly",)), owner)
    alarms = tuple((Alarm("anomaly", k, k, 1.0, 0.5, f"c{k}"), {}) for k in range(120))
    store.commit("many", owner, Commit(ResumePoint(1, 1), opened=alarms))
    store.close()
    app = create_app(store_url)
    with TestClient(app, base_url="http://localhost") as client:
        seen, path = [], "/?monitor=many"
        while path:
            html = client.get(path).text
            seen += re.findall(r">c(\d+)</a></td>", html)
            link = re.search(r'href="([^"]+)">Older', html)
            path = link[1].replace("&amp;", "&") if link else ""
    app.state.site.store.close()
    assert seen == [str(k) for k in reversed(range(120))]


def test_silent_and_finished(client: TestClient) -> None:
    engine = client.app.state.site.store.engine  # type: ignore[attr-defined]
    with engine.begin() as connection:
        connection.execute(tables.progress.update().values(heartbeat_ns=time.time_ns() - 20 * 10**9))
    assert "SILENT since" in client.get("/").text
    with engine.begin() as connection:
        connection.execute(tables.progress.update().values(finished=True))
    html = client.get("/").text
    assert "SILENT" not in html
    assert "finished" in html


def test_empty_store_says_what_to_do(tmp_path: Path) -> None:
    app = create_app(f"sqlite:///{tmp_path / 'new.db'}", reports=tmp_path / "none")
    with TestClient(app, base_url="http://localhost") as client:
        assert "Nothing is in this store yet" in client.get("/").text
        assert "Nothing has been watched yet" in client.get("/trend").text
        assert client.get("/api/v1/turn-on").json()["curves"] == []
        assert client.get("/healthz").json() == {"status": "ok"}
        assert client.get("/api/v1/alarms/1").status_code == 404
        assert client.get(f"/alarms/{2**70}").status_code == 404
    app.state.site.store.close()


@pytest.mark.slow(3)
def test_events_carry_the_live_part(store_url: str) -> None:
    app = create_app(store_url)
    rounds = iter([False])
    app.state.stopping = lambda: next(rounds, True)
    with TestClient(app, base_url="http://localhost") as client:
        answer = client.get("/events?output=beam")
    assert answer.headers["content-type"].startswith("text/event-stream")
    events = [json.loads(line[6:]) for line in answer.text.splitlines() if line.startswith("data: ")]
    assert len(events) == 1
    assert all('data-part="alarms"' in event["html"] for event in events)
    app.state.site.store.close()


def test_api_gives_the_same_facts(client: TestClient) -> None:
    (monitor,) = client.get("/api/v1/monitors").json()
    assert (monitor["samples"], monitor["missed"], monitor["finished"]) == (35988, 12, False)
    alarms = client.get("/api/v1/alarms", params={"monitor": monitor["name"], "status": "closed", "limit": 2}).json()
    assert [alarm["id"] for alarm in alarms] == [3, 2]
    whole = client.get("/api/v1/alarms/2").json()
    assert whole["lineage"]["data"]["file"] == "orbits.h5"
    assert len(whole["evidence"]["sample"]) == 206
    assert [said["verdict"] for said in whole["verdicts"]] == ["real"]
    query = {"monitor": monitor["name"], "output": "beam", "at_most": 100}
    points = client.get("/api/v1/points", params=query).json()
    assert 90 <= len(points["score"]) <= 100
    assert len({len(column) for column in points.values()}) == 1
    assert client.get("/api/v1/verdicts", params={"monitor": monitor["name"]}).json()[0]["who"] == "N. Shifter"
    described = client.get("/api/v1/openapi.json").json()["paths"]
    assert {"/api/v1/alarms/{alarm_id}/verdicts", "/api/v1/points"} <= described.keys()
    assert client.get("/api/v1/alarms?limit=100000").status_code == 422


def test_missing_numbers_are_null(store_url: str) -> None:
    store, owner = Store(store_url), Owner.here()
    store.claim(Monitor("odd", outputs=("anomaly",)), owner)
    point = ScoredPoint("anomaly", 1, 2, math.inf, math.nan)
    alarm = Alarm("anomaly", 1, 1, math.inf, math.nan)
    store.commit("odd", owner, Commit(ResumePoint(1, 2), (point,), ((alarm, {}),)))
    (stored,) = store.alarms("odd")
    store.close()
    app = create_app(store_url)
    with TestClient(app, base_url="http://localhost") as client:
        assert client.get("/api/v1/points?monitor=odd&output=anomaly").json()["score"] == [None]
        assert client.get(f"/api/v1/alarms/{stored.id}").json()["alarms_per_hour"] is None
        assert "how often is not known" in client.get(f"/alarms/{stored.id}").text
        assert client.get(f"/api/v1/alarms/{stored.id}/plot").json()["sample"] == []
    app.state.site.store.close()


def test_turn_on_curves(client: TestClient, reports: Path, tmp_path: Path) -> None:
    curves = client.get("/api/v1/turn-on").json()["curves"]
    assert [(curve["output"], curve["fault"]) for curve in curves] == [
        ("beam", "kick"), ("monitor", "noisy"), ("monitor", "offset"), ("monitor", "stuck"),
    ]  # fmt: skip
    assert all(len(curve["size"]) == 6 for curve in curves)
    (reports / "commissioning.parquet").write_bytes(b"PAR1 not really")
    assert "cannot be read" in client.get("/api/v1/turn-on").json()["message"]


def test_metrics_are_what_prometheus_reads(client: TestClient) -> None:
    parser = pytest.importorskip("prometheus_client.parser", reason="prometheus-client is not installed")
    families = {family.name: family for family in parser.text_string_to_metric_families(client.get("/metrics").text)}
    total = {sample.labels["output"]: sample.value for sample in families["lynkeus_alarms"].samples}
    assert total == {"monitor": 3.0, "beam": 1.0}
    opened = {sample.labels["output"]: sample.value for sample in families["lynkeus_alarms_open"].samples}
    assert opened == {"monitor": 1.0, "beam": 0.0}
    (age,) = families["lynkeus_heartbeat_age_seconds"].samples
    assert 0 <= age.value < 60
    assert age.labels["monitor"] == "orbits <b>area [SS]</b> & 10 %"


def test_plotly_comes_from_the_wheel(client: TestClient) -> None:
    answer = client.get("/static/plotly.min.js")
    assert answer.headers["content-type"].startswith("text/javascript")
    assert b"plotly.js" in answer.content[:200]
    assert "max-age" in answer.headers["cache-control"]
    assert client.get("/static/../app.py").status_code == 404
    assert client.get("/static/%2e%2e/app.py").status_code == 404


def test_a_broken_store_is_one_clear_line(client: TestClient) -> None:
    engine = client.app.state.site.store.engine  # type: ignore[attr-defined]
    with engine.begin() as connection:
        connection.execute(sa.text("ALTER TABLE verdict RENAME TO elsewhere"))
    for path in ("/", "/api/v1/alarms"):
        answer = client.get(path)
        assert answer.status_code == 503
        assert "no such table: verdict" in answer.text
    with pytest.raises(StoreError):
        create_app("sqlite:////no/such/folder/x.db")


def file_of(evidence: dict[str, object], **more: object) -> AlarmFile:
    monitor = replace(Monitor("m", channels=("a", "b", "c"), positions_m=(3.0, 1.0, 2.0), unit="mm"), **more)  # type: ignore[arg-type]
    return AlarmFile(StoredAlarm(1, "m", Alarm("o", 1, 1, 1.0, 0.1, "b")), monitor, evidence, ())


def test_evidence_is_ordered_along_the_line_and_tolerant() -> None:
    plot = drawable(file_of({"sample": [1, None, 3], "evidence": [0.5, 4.0, None], "reference": [1.0]}))
    assert plot["groups"] == [{"plane": "", "line": "", "index": [1, 2, 0]}]
    unlike = file_of({"units": ["K", "bar", "K"], "sample": [1, 2, 3]})
    assert drawable(unlike)["groups"] == []  # what has not one unit shares no axis
    assert plot["sample"] == [1.0, None, 3.0]
    assert plot["reference"] == []  # of the wrong length: left out
    assert plot["place_label"] == "position (m)"
    nothing = drawable(file_of({}, channels=(), positions_m=()))
    assert (nothing["channels"], nothing["groups"]) == ([], [])
    bare = drawable(file_of({"evidence": [1.0, 2.0]}, channels=(), positions_m=()))
    assert (bare["place"], bare["groups"], bare["channels"]) == ([], [], ["channel 0", "channel 1"])
    assert rows_of({"evidence": [0.5, None, 4.0]}) == ["b", "c", "a"]  # that which the alarm names, then the strongest
    assert rows_of({"top": "nonsense", "evidence": None}) == ["b", "a", "c"]
    assert rows_of({"top": [{"channel": "c", "evidence": 2.0}]}) == ["b", "c", "a"]


def rows_of(evidence: dict[str, object]) -> list[str]:
    file = file_of(evidence)
    return [row["channel"] for row in channel_rows(file, drawable(file))]


def test_state_of_a_monitor() -> None:
    now = 100 * 10**9
    states = [
        front.state_of(SimpleNamespace(finished=done, stopped=ended, heartbeat_ns=now - age * 10**9), now)  # type: ignore[arg-type]
        for done, ended, age in ((False, False, 3), (False, False, 16), (False, True, 16), (True, False, 99))
    ]
    assert states == ["alive", "silent", "stopped", "finished"]


def test_web_imports_nothing_heavy() -> None:
    code = (
        "import sys; import lynkeus.web.app; "
        "heavy = ('torch', 'sklearn', 'scipy', 'h5py', 'matplotlib', 'lynkeus.scorers', 'lynkeus.sources.formats', "
        "'lynkeus.evaluate', 'lynkeus.networks', 'lynkeus.training', 'lynkeus.simulate'); "
        "print([name for name in heavy if name in sys.modules])"
    )
    source = str(Path(front.__file__).parents[2])
    ran = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env={"PYTHONPATH": source}
    )
    assert ran.stdout.strip() == "[]"
