"""Advice and decisions over HTTP: what is answered, what is kept and counted once, and what is refused in words."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient
from typer.testing import CliRunner

from lynkeus.cli import app as cli
from lynkeus.core import Batch, LynkeusError, Schema, SettingsError, StoreError
from lynkeus.fitting.fit import FitSettings, fit
from lynkeus.fitting.fitted import Fitted
from lynkeus.monitor.advice.decisions import decided_tasks, decisions
from lynkeus.monitor.store import Store
from lynkeus.sources import InMemory
from lynkeus.web.app import create_app
from lynkeus.web.site import Advising
from lynkeus.web.warm import warm

HOSTILE = "<script>alert('task')</script>"
TOKEN = "a-token-of-some-length"


def task(count: int = 40, site: str = "T2_US_Harbour1", code: str = "50660") -> dict[str, Any]:
    return {"parameters": {"memory": "4000"}, "errors": {"good_sites": {code: {site: count}}, "bad_sites": {}}}


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'ops.db'}"


@pytest.fixture
def desk(models: tuple[Path, Path], url: str) -> Iterator[TestClient]:
    app = create_app(url, advise=Advising(models))
    with TestClient(app, base_url="http://localhost", follow_redirects=False) as client:
        yield client
    app.state.site.store.close()


def ask(client: TestClient, tasks: Any, **more: Any) -> list[dict[str, Any]]:
    answer = client.post("/api/advice", json=tasks, **more)
    assert answer.status_code == 200, answer.text
    return answer.json()["advice"]


def say(client: TestClient, *given: dict[str, str]) -> dict[str, Any]:
    answer = client.post("/api/decisions", json=list(given))
    assert answer.status_code == 201, answer.text
    return answer.json()


def test_one_task_and_many_are_answered(desk: TestClient, models: tuple[Path, Path]) -> None:
    (one,) = ask(desk, {"task": "alone", **task()})
    assert {"task", "action", "stage", "apply", "reason", "confidence", "unknown"} <= set(one)
    assert one["task"] == "alone"
    assert one["model"] == models[0].name
    assert len(one["version"]) == 12
    assert sum(one[f"p_{word}"] for word in ("acdc", "clone", "special")) == pytest.approx(1.0, abs=1e-4)
    assert len(one["similar"]) == 3
    assert set(one["similar"][0]) == {"task", "answer", "likeness"}
    assert [shadow["model"] for shadow in one["shadow"]] == [models[1].name]
    many = ask(desk, {"a": task(), "b": task(3, "T2_XX_New", "-7777")})
    assert [found["task"] for found in many] == ["a", "b"]
    assert many[0]["p_acdc"] == pytest.approx(one["p_acdc"])  # by what it is, not by its name
    answer = desk.post("/api/advice", json={"c": task(-4, "T2_XX_New")}).json()
    assert any("below zero" in line for line in answer["messages"])
    answer = desk.post("/api/advice", json={"b": task(3, "T2_XX_New", "-7777")}).json()
    assert any("has not met: 1" in line for line in answer["messages"])


def test_a_decision_is_kept_once_and_the_latest_holds(desk: TestClient) -> None:
    first, _second = ask(desk, {"first": task(), "second": task(7)})
    other = "clone" if first["action"] != "clone" else "special"
    said = say(desk, {"task": "first", "action": first["action"], "who": "me"})
    assert said == {"new": 1, "already": 0, "said": ["accepted"], "messages": []}
    assert say(desk, {"task": "first", "action": first["action"], "who": "me"})["already"] == 1
    assert say(desk, {"task": "first", "action": other, "who": "you"})["said"] == ["changed"]
    assert say(desk, {"task": "second", "action": "", "who": "me"})["said"] == ["postponed"]
    trail = [row for row in desk.get("/api/decisions").json() if row["said"] != "would apply"]
    assert [(row["task"], row["said"], row["who"]) for row in trail] == [
        ("first", "accepted", "me"), ("first", "changed", "you"), ("second", "postponed", "me"),
    ]  # fmt: skip
    assert all(len(row["digest"]) == 64 and row["model"] == first["version"] for row in trail)
    assert desk.get("/api/decisions", params={"after": trail[-1]["number"]}).json() == []
    assert "0 open failures" in " ".join(desk.get("/advice").text.replace("</span>", "").split())
    assert 'data-task="second"' in desk.get("/advice?state=postponed").text
    # What fails again in another way is open again.
    ask(desk, {"first": task(999)})
    assert 'data-task="first"' in desk.get("/advice").text
    assert "'dance' is none of" in say(desk, {"task": "first", "action": "dance", "who": "me"})["messages"][0]


def test_what_cannot_be_is_refused_in_words(desk: TestClient) -> None:
    ask(desk, {"known": task()})
    answer = desk.post("/api/decisions", json=[{"task": "known", "action": "acdc", "who": "me"},
                                               {"task": "nope", "action": "acdc", "who": "me"}])  # fmt: skip
    assert answer.status_code == 404
    assert "no task 'nope'" in answer.json()["detail"]
    assert not [row for row in desk.get("/api/decisions").json() if row["who"] == "me"]  # all or none
    assert desk.post("/api/decisions", json={"task": "known", "action": "acdc", "who": " "}).status_code == 422
    headers = {"Content-Type": "application/json"}
    for body, says in (
        (b'{\n"a": ]', "line 2"), (b"[]", "there is none"), (b"\xff", "UTF-8"), (b'{"a": 3}', "is no task"),
        (b'{"a": {"errors": {"good_sites": [1]}}}', "where a table is meant"),
        (b'{"a": {"parameters": {"x": NaN}, "errors": {}}}', "NaN"),
    ):  # fmt: skip
        answer = desk.post("/api/advice", content=body, headers=headers)
        assert answer.status_code == 422, (body, answer.text)
        assert says in answer.json()["detail"]
    assert desk.get("/api/decisions?after=-1").status_code == 422


def test_the_page_escapes_every_name_and_filters(desk: TestClient) -> None:
    ask(desk, {HOSTILE: task(90, "<img src=x onerror=alert(1)>"), "plain": task(5)})
    for path in ("/advice", "/advice/rows", "/advice?text=script", "/advice?order=surest&sure=yes"):
        text = desk.get(path).text
        assert "<script>alert" not in text
        assert "<img src=x" not in text
    found = desk.get("/advice?text=script").text
    assert "&lt;script&gt;" in found
    assert 'data-task="plain"' not in found
    assert "data-task" not in desk.get("/advice?text=100%25").text  # no wildcard of SQL
    assert "data-task" not in desk.get("/advice/rows?start=2").text
    say(desk, {"task": HOSTILE, "action": "acdc", "who": "<b>me</b>"})
    text = desk.get("/advice/models").text
    assert "<b>me" not in text
    assert "&lt;b&gt;me" in text
    assert "champion" in text
    assert "shadow" in text


def test_beyond_localhost_nothing_is_written_without_the_token(models: tuple[Path, Path], url: str) -> None:
    app = create_app(url, TOKEN, advise=Advising(models[:1]))
    bearer = {"Authorization": f"Bearer {TOKEN}"}
    with TestClient(app, base_url="http://localhost") as client:
        long = {f"t{k}": task(k + 1) for k in range(300)}
        assert client.post("/api/advice", json={"a": task()}).status_code == 401
        assert client.post("/api/advice", json=long).status_code == 401  # before it is read
        assert client.post("/api/advice", json=long, headers={"Authorization": "Bearer wrong"}).status_code == 401
        assert len(ask(client, long, headers=bearer)) == 300
        decision = {"task": "t1", "action": "acdc", "who": "me"}
        assert client.post("/api/decisions", json=decision).status_code == 401
        assert client.post("/api/decisions", json=decision, headers=bearer).status_code == 201
        assert "sign in" in client.get("/advice").text
        assert "/api/advice" in client.get("/api/v1/openapi.json").json()["paths"]
    app.state.site.store.close()


def test_dry_run_closes_nothing_and_apply_does(models: tuple[Path, Path], url: str, tmp_path: Path) -> None:
    tasks = json.loads((models[0].parent / "open.json").read_text("utf-8"))
    for really, where in ((False, url), (True, f"sqlite:///{tmp_path / 'really.db'}")):
        app = create_app(where, advise=Advising(models, really))
        with TestClient(app, base_url="http://localhost") as client:
            sure = {one["task"] for one in ask(client, tasks) if one["apply"]}
            rows = decisions(app.state.site.store, many=10_000)
            assert sure
            assert {row.task for row in rows} == sure
            assert {row.said for row in rows} == {"applied" if really else "would apply"}
            ask(client, tasks)
            assert len(decisions(app.state.site.store, many=10_000)) == len(sure)  # once
            shown = client.get("/advice").text
            still = len(tasks) - (len(sure) if really else 0)
            assert f'<span id="total">{still}</span>' in shown
        app.state.site.store.close()
    with pytest.raises(StoreError, match="nobody decided"):  # what a model did itself teaches nothing
        decided_tasks(f"sqlite:///{tmp_path / 'really.db'}")


def test_a_new_model_is_fitted_from_decisions(desk: TestClient, url: str, tmp_path: Path, models: Any) -> None:
    tasks = json.loads((models[0].parent / "open.json").read_text("utf-8"))
    found = ask(desk, tasks)
    say(desk, *({"task": one["task"], "action": tasks[one["task"]]["parameters"]["action"], "who": "me"}
                for one in found))  # fmt: skip
    agreed = np.mean([one["action"] == tasks[one["task"]]["parameters"]["action"] for one in found])
    text = desk.get("/advice/models").text
    assert f"{agreed:.3f}" in text
    assert "<svg" in text
    quick = ["--set", "learner=linear", "--set", "imbalance=none"]
    more = ["--labels", "action", *quick]
    out = CliRunner().invoke(cli, ["fit", "--decisions", url, "-s", "advisor", *more, "-o", str(tmp_path / "again")])
    assert out.exit_code == 0, out.output
    assert sum(Fitted.load(tmp_path / "again").lineage["classes"]["action"].values()) <= len(tasks)
    for given in (["--decisions", f"sqlite:///{tmp_path / 'none.db'}"], []):
        with pytest.raises(LynkeusError):
            CliRunner().invoke(
                cli, ["fit", *given, "-s", "advisor", *more, "-o", str(tmp_path / "x")], catch_exceptions=False
            )


def test_another_champion_is_chosen_and_stays(desk: TestClient, models: Any, url: str) -> None:
    (one,) = ask(desk, {"t": task()})
    version = one["shadow"][0]["version"]
    assert desk.post("/api/champion", json={"version": "none", "who": "me"}).status_code == 404
    assert "Make it champion" in desk.get("/advice/models").text
    form = {"version": version, "who": "me"}
    headers = {"Sec-Fetch-Site": "same-origin", "Origin": "http://localhost"}
    assert desk.post("/advice/models/champion", data=form, headers=headers).status_code == 303
    assert ask(desk, {"t": task()})[0]["version"] == version
    again = create_app(url, advise=Advising(models))
    assert again.state.desk.champion.version == version
    again.state.site.store.close()


def test_a_promise_that_is_not_kept_holds_what_would_be_applied(models: Any, url: str) -> None:
    app = create_app(url, advise=Advising(models[:1], really=True))
    tasks = json.loads((models[0].parent / "open.json").read_text("utf-8"))
    with TestClient(app, base_url="http://localhost") as client:
        found = ask(client, tasks)
        audited = [one for one in found if one.get("held") == "audit"]
        applied = sum(one["apply"] for one in found)
        assert 0.4 < len(audited) / (applied + len(audited)) < 0.95  # of codes of which no decision is known yet
        assert applied > 10
        say(client, *({"task": one["task"], "action": "special", "who": "me"} for one in audited))
        later = ask(client, {f"again {name}": own for name, own in list(tasks.items())[:100]})
        assert {one["held"] for one in later if one["p_acdc"] > 0.97} == {"brake"}
        assert not any(one["apply"] for one in later)
        assert "people decided otherwise too often" in client.get("/advice/models").text
    app.state.site.store.close()


def test_models_of_something_else_are_refused(models: tuple[Path, Path], url: str, tmp_path: Path) -> None:
    rows = np.random.default_rng(0).normal(size=(200, 2))
    table = InMemory(Batch(Schema("table", names=("a", "b"), shape=(2,)), rows))
    fit(table, FitSettings("mahalanobis")).save(tmp_path / "table")
    with pytest.raises(SettingsError, match="is a model of table"):
        create_app(url, advise=Advising((tmp_path / "table",)))


@pytest.mark.slow(6)
def test_nothing_is_lost_by_a_kill_between_clicks(models: tuple[Path, Path], url: str) -> None:
    command = [sys.executable, "-m", "lynkeus", "serve", "--advise", str(models[0]), "--store", url, "--port", "0"]
    names, kept = [f"t{k}" for k in range(300)], list[str]()
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            at = server.stdout.readline().split("http://")[1].split("/")[0]

            def post(path: str, body: Any) -> None:
                data, headers = json.dumps(body).encode(), {"Content-Type": "application/json"}
                urllib.request.urlopen(urllib.request.Request(f"http://{at}/api/{path}", data, headers), timeout=60)

            def click() -> None:
                with contextlib.suppress(OSError, http.client.HTTPException):  # the server is gone
                    for name in names:
                        post("decisions", {"task": name, "action": "clone", "who": "me"})
                        kept.append(name)  # it was answered: now it must be there

            post("advice", {name: task(k + 1) for k, name in enumerate(names)})
            clicks = threading.Thread(target=click)
            clicks.start()
            while len(kept) < 5 and clicks.is_alive():
                time.sleep(0.002)
            os.kill(server.pid, signal.SIGKILL)
            clicks.join(60)
            assert not clicks.is_alive()
        finally:
            server.kill()
    store = Store(url)
    found = [row.task for row in decisions(store) if row.who == "me"]
    store.close()
    assert 5 <= len(kept) < len(names)
    assert found[: len(kept)] == kept  # all that were answered, and at most one that was kept and not answered
    assert len(found) <= len(kept) + 1


def test_a_locked_store_is_said_and_nothing_is_half_kept(desk: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    ask(desk, {"t": task()})
    store = desk.app.state.site.store  # type: ignore[attr-defined]
    monkeypatch.setattr("lynkeus.monitor.database.LOCK_WAIT_S", 0.05)  # nobody lets go of it
    with store.engine.connect().execution_options(writes=True) as other, other.begin():
        answer = desk.post("/api/decisions", json={"task": "t", "action": "acdc", "who": "me"})
        assert answer.status_code == 503
        assert "locked" in answer.json()["detail"]
    assert say(desk, {"task": "t", "action": "acdc", "who": "me"})["new"] == 1


def test_a_page_is_made_before_anybody_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    asked, heard = [], []

    async def app(scope: dict[str, Any], receive: Any, _send: Any) -> None:
        asked.append(scope["path"])
        while (message := await receive())["type"] != "http.disconnect":
            heard.append(message["type"])
        raise RuntimeError("said to who asks for the page")

    monkeypatch.setattr("lynkeus.web.warm.SECONDS", 0.02)
    warm(app, "/advice")
    for _ in range(200):
        if asked and not [one for one in threading.enumerate() if one.name == "warm"]:
            break
        time.sleep(0.01)
    assert asked == ["/advice"]
    assert heard == ["http.request"]  # who waits for the visitor to leave is not answered again and again
