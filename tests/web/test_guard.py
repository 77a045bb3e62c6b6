"""Who may post: tokens, cookies, other sites, other host names, and lengths; and the real server."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from lynkeus.core import SettingsError
from lynkeus.web import guard
from lynkeus.web.app import create_app, serve

TOKEN = "a-token-of-some-length"
FORM = {"verdict": "not real", "who": "N. Shifter", "note": "cable <b>"}
SAME_SITE = {"Origin": "http://localhost"}


@pytest.fixture
def guarded(store_url: str) -> Iterator[TestClient]:
    app = create_app(store_url, token=TOKEN, hosts=("*",))
    with TestClient(app, base_url="http://localhost", follow_redirects=False) as client:
        yield client
    app.state.site.store.close()


def test_verdict_by_form_and_by_api(client: TestClient) -> None:
    answer = client.post("/alarms/1/verdicts", data=FORM, headers=SAME_SITE)
    assert (answer.status_code, answer.headers["location"]) == (303, "/alarms/1#verdicts")
    html = client.get("/alarms/1").text
    assert "N. Shifter" in html
    assert "cable &lt;b&gt;" in html
    answer = client.post("/api/v1/alarms/1/verdicts", json={"verdict": "real", "who": " me "})
    assert (answer.status_code, answer.json()["verdict"]) == (201, "real")
    assert [said["who"] for said in client.get("/api/v1/alarms/1").json()["verdicts"]] == ["N. Shifter", "me"]
    assert client.post("/alarms/999/verdicts", data=FORM).status_code == 404


@pytest.mark.slow(2)
@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://localhost:9999"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
def test_other_sites_cannot_post(client: TestClient, headers: dict[str, str]) -> None:
    for path in ("/alarms/1/verdicts", "/login"):
        assert client.post(path, data=FORM, headers=headers).status_code == 403
    answer = client.post("/api/v1/alarms/1/verdicts", json={"verdict": "real", "who": "me"}, headers=headers)
    assert answer.status_code == 403
    assert "content-security-policy" in answer.headers
    assert client.get("/api/v1/alarms/1").json()["verdicts"] == []


def test_other_host_names_are_refused(client: TestClient) -> None:
    assert client.get("/", headers={"Host": "rebound.evil.example"}).status_code == 400
    for host in ("localhost:8000", "127.0.0.1", "[::1]:8000"):
        assert client.get("/", headers={"Host": host}).status_code == 200


def test_verdict_needs_the_token(guarded: TestClient) -> None:
    body = {"verdict": "real", "who": "me"}
    path = "/api/v1/alarms/1/verdicts"
    assert guarded.post(path, json=body).headers["www-authenticate"] == "Bearer"
    for wrong in ("", "Bearer", "Bearer wrong", f"Basic {TOKEN}", f"Bearer {TOKEN}x"):
        assert guarded.post(path, json=body, headers={"Authorization": wrong}).status_code == 401
    assert guarded.post("/alarms/1/verdicts", data=FORM, headers=SAME_SITE).status_code == 401
    assert guarded.post(path, json=body, headers={"Authorization": f"Bearer {TOKEN}"}).status_code == 201
    assert "Sign in with the token" in guarded.get("/alarms/1").text


def test_sign_in_sets_a_strict_cookie_that_is_not_the_token(guarded: TestClient) -> None:
    assert guarded.post("/login", data={"token": "wrong"}, headers=SAME_SITE).status_code == 401
    answer = guarded.post("/login", data={"token": TOKEN, "back": "/alarms/1"}, headers=SAME_SITE)
    assert (answer.status_code, answer.headers["location"]) == (303, "/alarms/1")
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "samesite=strict" in cookie.lower()
    assert TOKEN not in cookie
    assert guarded.post("/alarms/1/verdicts", data=FORM, headers=SAME_SITE).status_code == 303
    assert guarded.post("/alarms/1/verdicts", data=FORM, headers={"Origin": "http://evil.example"}).status_code == 403


@pytest.mark.parametrize("back", ["https://evil.example", "//evil.example", "/\\evil.example", ""])
def test_sign_in_leads_to_no_other_site(guarded: TestClient, back: str) -> None:
    answer = guarded.post("/login", data={"token": TOKEN, "back": back}, headers=SAME_SITE)
    assert answer.headers.get("location", "/") == "/"


def test_lengths_and_words_are_limited(client: TestClient) -> None:
    path = "/api/v1/alarms/1/verdicts"
    for bad in ({"verdict": "maybe"}, {"who": ""}, {"who": " "}, {"who": "x" * 81}, {"note": "x" * 2001}):
        assert client.post(path, json={"verdict": "real", "who": "me"} | bad).status_code == 422
        assert client.post("/alarms/1/verdicts", data=FORM | bad).status_code == 422
    assert client.post(path, content=b"x" * (guard.LONGEST_POST + 1)).status_code == 413
    assert client.post(path, content=iter([b"no", b"length"])).status_code == 411
    assert client.get("/api/v1/alarms/1").json()["verdicts"] == []


def test_local_hosts() -> None:
    assert all(guard.is_local(host) for host in ("127.0.0.1", "localhost", "::1"))
    assert not any(guard.is_local(host) for host in ("0.0.0.0", "::", "control-room-7", ""))


def test_port_in_use_is_one_line(store_url: str) -> None:
    with pytest.raises(SettingsError, match=r"cannot listen at 127\.0\.0\.1 port 70000"):
        serve(store_url, port=70000)


@pytest.mark.slow(3)
@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0"])
def test_real_server_starts_and_stops_on_ctrl_c(store_url: str, host: str) -> None:
    code = f"import lynkeus.web.app as app; app.serve({store_url!r}, {host!r}, 0)"
    environment = {"PYTHONPATH": str(Path(guard.__file__).parents[2])}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, "env": environment}
    server = subprocess.Popen([sys.executable, "-c", code], **pipes)  # type: ignore[call-overload]
    try:
        line = server.stdout.readline()
        if host == "0.0.0.0":
            assert re.match(r"Token for verdicts and labels .*: \S{32}", line)
            line = server.stdout.readline()
        connection = HTTPConnection("127.0.0.1", int(re.search(r":(\d+)/", line)[1]), timeout=5)
        connection.request("GET", "/events")
        events = connection.getresponse()
        assert events.readline().startswith(b"retry")
        server.send_signal(signal.SIGINT)
        events.read()  # the open stream ends by itself
        connection.close()
        _, complaints = server.communicate(timeout=6)
    finally:
        server.kill()
        server.communicate()
    assert (complaints, server.returncode) == ("", 0)
