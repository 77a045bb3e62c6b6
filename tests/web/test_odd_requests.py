"""Whatever strangers send to any address, the answer is a page or one line, never a failure of the server."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.routing import APIRoute
from fastapi.testclient import TestClient

from lynkeus.monitor.run_records import add_runs
from lynkeus.monitor.store import Store
from lynkeus.web import api, front
from lynkeus.web.alarms import one, pages, standing
from lynkeus.web.app import create_app
from lynkeus.web.images import pages as inspect
from lynkeus.web.images import picture_routes
from lynkeus.web.runs import pages as runs

pytestmark = pytest.mark.slow(2)

ODD = (
    "", "-1", "0", "1", "2", str(2**63 - 1), str(2**63), str(-(2**63) - 1), "9" * 30, "9" * 5000, "1e400", "nan", "inf",
    "1.5", "²", "x" * 20_000, "%00", "a%00b", "%ED%A0%80", "%FF%FE", "\\", "'; DROP TABLE opinion;--",
    "../../etc/passwd", "%2e%2e%2f",
    "%F0%9F%92%A5", "<script>", "{{7*7}}", "[]", "null", "1&limit=1", ";", "%", "%zz", "٣",
)  # fmt: skip
ODD_TEXTS = ("", "\ud800", "a\x00b", "x" * 3000, "<script>", "\U0001f4a5", 2**70, -1, 1e308, None, [], {}, True)
RUN = {"model": "populations", "run": "1000", "number": "1", "verdict": "bad", "who": "me", "reason": "r"}
IMAGE = {"label": "good", "who": "me", "file": "x", "class_name": "", "note": "", "go_on": "1"}
MASK = {"monitor": "m", "channels": "c", "who": "me", "reason": "r", "hours": "1", "alarm": "1"}
HEADERS = ({"Cookie": "lynkeus_session=\xff"}, {"Authorization": "Bearer \xff"}, {"Host": ""})
AS_JSON = {"Content-Type": "application/json"}
ENDLESS = ("/events",)


@pytest.fixture(scope="module")
def strange(tmp_path_factory: pytest.TempPathFactory, filled: Any) -> Iterator[TestClient]:
    """A server with alarms, runs and images that tells of a failure by 500 instead of raising it."""
    folder = tmp_path_factory.mktemp("strange")
    url = f"sqlite:///{folder / 'watch.db'}"
    store = Store(url)
    filled.alarms(store)
    add_runs(store, filled.runs(4))
    store.close()
    app = create_app(url, scans=(filled.surfaces(folder),))
    client = TestClient(app, base_url="http://localhost", follow_redirects=False, raise_server_exceptions=False)
    with client:
        yield client
    app.state.site.store.close()


def routes(method: str) -> list[tuple[str, APIRoute]]:
    """Path and route of every address of the pages and the API."""
    routers = [(module.router, "") for module in (api, front, pages, one, standing, runs, inspect)]
    routers.append((picture_routes.router, "/inspect"))
    found = [(prefix + route.path, route) for router, prefix in routers for route in router.routes
             if isinstance(route, APIRoute) and method in route.methods]  # fmt: skip
    assert len(found) > 5
    return [(path, route) for path, route in found if path not in ENDLESS]


def parameters(route: APIRoute) -> tuple[list[str], list[str]]:
    """Names in the path and in the query of a route."""
    flat, queue = [], [route.dependant]
    for dependant in queue:
        queue += dependant.dependencies
        flat.append(dependant)
    path = [given.alias for dependant in flat for given in dependant.path_params]
    query = []
    for dependant in flat:
        for given in dependant.query_params:
            fields = getattr(given.field_info.annotation, "model_fields", None)
            query += list(fields) if fields else [given.alias]
    return path, query


def test_no_address_fails_whatever_is_asked(strange: TestClient) -> None:
    failed, asked = [], 0
    for address_of, route in routes("GET"):
        path, query = parameters(route)
        sure = {"monitor": "m", "output": "o", "run": "run%201003", "name": "S2%20area", "a": "1000", "b": "1001"}
        for odd in ODD:
            filled_in = address_of
            for name in path:
                filled_in = filled_in.replace(f"{{{name}}}", odd).replace(f"{{{name}:path}}", odd)
            address = filled_in + "?" + "&".join(f"{name}={sure[name]}" for name in query if name in sure)
            addresses = [address] if path or not query else []
            whole = address_of
            for name in path:
                whole = whole.replace(f"{{{name}}}", "1").replace(f"{{{name}:path}}", "run%201003")
            for name in query:
                others = "&".join(f"{other}={sure[other]}" for other in query if other in sure and other != name)
                addresses.append(f"{whole}?{name}={odd}&{others}")
            for asked_for in addresses:
                asked += 1
                answer = strange.get(asked_for)
                if answer.status_code >= 500:
                    failed.append((asked_for[:200], answer.status_code))
    assert asked > 500
    assert not failed


def test_no_form_fails_whatever_is_sent(strange: TestClient) -> None:
    failed = []
    forms = {
        "/alarms/1/verdicts": {"verdict": "real", "who": "me", "note": ""},
        "/alarms/1/acknowledge": {"who": "me", "note": ""},
        "/runs/override": RUN,
        "/login": {"token": "x", "back": "/"},
        "/maintenance": MASK,
        "/maintenance/over": {"monitor": "m", "channel": "c", "who": "me"},
        "/standing/1/acknowledged": {"who": "me", "note": ""},
        "/inspect/images/1/labels": IMAGE,
    }  # fmt: skip
    for path, form in forms.items():
        for name in form:
            for odd in ODD:
                body = "&".join(f"{key}={odd if key == name else value}" for key, value in form.items())
                headers = {"Content-Type": "application/x-www-form-urlencoded"}
                answer = strange.post(path, content=body.encode("utf-8", "surrogatepass")[:16_000], headers=headers)
                if answer.status_code >= 500:
                    failed.append((path, name, odd[:40], answer.status_code))
    for name in ("verdict", "who", "note"):
        for text in ODD_TEXTS:
            given = {"verdict": "real", "who": "me", "note": ""} | {name: text}
            for path in ("/api/v1/alarms/1/verdicts", "/api/v1/alarms/1/acknowledge"):
                answer = strange.post(path, content=json.dumps(given).encode(), headers=AS_JSON)
                if answer.status_code >= 500:
                    failed.append((path, name, repr(text)[:40], answer.status_code))
    for content in (b"", b"{", b"[" * 5000, b"\xff\xfe", b'{"who": NaN}', b"nan", b'"\\ud800"'):
        answer = strange.post("/api/v1/alarms/1/verdicts", content=content, headers=AS_JSON)
        if answer.status_code >= 500:
            failed.append(("json", repr(content[:30]), answer.status_code))
    assert not failed
    for number in ODD:
        answer = strange.post(f"/standing/{number}/acknowledged", data={"who": "me"})
        if answer.status_code >= 500:
            failed.append(("standing", number[:40], answer.status_code))
    assert not failed
    for path in ("/", "/alarms/1", "/runs", "/inspect"):  # nothing that was stored breaks a page
        assert strange.get(path).status_code == 200


@pytest.mark.parametrize(
    "headers", [{"Cookie": "lynkeus_session=\xff"}, {"Authorization": "Bearer \xff"}, {"Host": ""}]
)
def test_no_header_fails(strange: TestClient, headers: dict[str, str]) -> None:
    sent = {name: value.encode("latin-1") for name, value in headers.items()}
    assert strange.get("/alarms/1", headers=sent).status_code < 500  # type: ignore[arg-type]
    assert strange.post("/api/v1/alarms/1/verdicts", json={}, headers=sent).status_code < 500  # type: ignore[arg-type]


def test_a_store_survives_it(strange: TestClient, tmp_path: Path) -> None:
    assert strange.get("/healthz").json() == {"status": "ok"}
