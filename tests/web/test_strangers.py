"""A real server under strangers: half-open connections, slow bodies, deaf readers, wrong tokens, signals."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from tests.web.conftest import run_server

from lynkeus.core import StoreError
from lynkeus.monitor.store import Store
from lynkeus.web import live as living
from lynkeus.web import tries as trying
from lynkeus.web.app import create_app, server_config
from lynkeus.web.connections import Places, network_of
from lynkeus.web.live import Live, Query
from lynkeus.web.tries import FREE, Tries

pytestmark = pytest.mark.slow(1)
HALF = b"GET / HTTP/1.1\r\nHost: localhost\r\n"


@contextmanager
def serving(url: str, places: Places) -> Iterator[int]:
    """Serve as `lynkeus serve` does, in a thread; the port."""
    app = create_app(url)
    with run_server(app, server_config(app, places)) as address:
        yield int(address.rpartition(":")[2])


def connected(port: int, send: bytes = b"") -> socket.socket:
    one = socket.create_connection(("127.0.0.1", port), timeout=5)
    one.sendall(send)
    return one


def page(port: int, path: str = "/login") -> int:
    connection = HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", path)
        return connection.getresponse().status
    finally:
        connection.close()


def ended(one: socket.socket, within_s: float = 5.0) -> bytes:
    """What the server sent before it closed the connection."""
    one.settimeout(within_s)
    got = b""
    try:
        while part := one.recv(65536):
            got += part
    except ConnectionResetError:
        pass
    finally:
        one.close()
    return got


def test_half_open_connections_make_room_and_are_closed(store_url: str) -> None:
    with serving(store_url, Places(total=40, each=20, headers_s=0.6)) as port:
        begun = [connected(port, HALF) for _ in range(60)] + [connected(port) for _ in range(20)]
        assert page(port) == 200  # the oldest had to leave
        answers = [ended(one) for one in begun]
        assert all(answer == b"" or answer.startswith(b"HTTP/1.1 408") for answer in answers)
        assert any(answer.startswith(b"HTTP/1.1 408") for answer in answers)


def test_a_byte_now_and_then_wins_no_time(store_url: str) -> None:
    with serving(store_url, Places(headers_s=0.5, body_s=0.5)) as port:
        drip, body = connected(port, HALF), connected(port)
        body.sendall(b"POST /login HTTP/1.1\r\nHost: localhost\r\nContent-Length: 900\r\n\r\ntoken=")
        began, open_still = time.monotonic(), {drip, body}
        while open_still and time.monotonic() - began < 5:
            time.sleep(0.1)
            for one in list(open_still):
                try:
                    one.sendall(b"x")
                    one.recv(1, socket.MSG_DONTWAIT)  # nothing yet, a refusal, or the end
                except BlockingIOError:
                    pass
                except OSError:
                    open_still.discard(one)
                else:
                    open_still.discard(one)
        assert not open_still
        drip.close()
        body.close()
        whole = connected(port, HALF)
        time.sleep(0.2)
        whole.sendall(b"Connection: close\r\n\r\n")  # in time
        assert ended(whole).startswith(b"HTTP/1.1 200")


def test_busy_connections_do_not_make_room(store_url: str) -> None:
    with serving(store_url, Places(total=40, each=3)) as port:
        listening = [connected(port, b"GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n") for _ in range(3)]
        for one in listening:
            assert one.recv(12) == b"HTTP/1.1 200"
        assert ended(connected(port, HALF)).startswith(b"HTTP/1.1 503")
        listening.pop().close()
        time.sleep(0.1)
        assert page(port) == 200
        for one in listening:
            one.close()


def test_who_reads_nothing_is_cut_off(store_url: str) -> None:
    with serving(store_url, Places(reading_s=0.5)) as port:
        deaf = socket.socket()
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        deaf.connect(("127.0.0.1", port))
        deaf.sendall(b"GET /static/plotly.min.js HTTP/1.1\r\nHost: localhost\r\n\r\n")
        time.sleep(1.5)
        assert len(ended(deaf)) < 4_000_000  # plotly has more


@pytest.mark.parametrize(
    ("host", "network"),
    [
        ("192.0.2.7", "192.0.2.7"), ("::ffff:192.0.2.7", "192.0.2.7"), ("2001:db8::1", "2001:db8::/64"),
        ("2001:db8::ffff:1", "2001:db8::/64"), ("fe80::1%eth0", "fe80::/64"), ("testclient", "testclient"), ("", ""),
    ],
)  # fmt: skip
def test_what_counts_as_one_address(host: str, network: str) -> None:
    assert network_of(host) == network


def test_wrong_tokens_have_to_wait_twice_as_long_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [1000.0]
    monkeypatch.setattr(trying.time, "monotonic", lambda: now[0])
    tries, waits = Tries(), []
    for _ in range(FREE + 12):
        now[0] += tries.wait_s("a")
        tries.wrong("a")
        waits.append(tries.wait_s("a"))
    assert waits[: FREE - 1] == [0.0] * (FREE - 1)
    assert waits[FREE - 1 : FREE + 3] == [1.0, 2.0, 4.0, 8.0]
    assert waits[-1] == trying.LONGEST_S
    assert tries.wait_s("b") == 0.0
    now[0] += trying.FORGOTTEN_S + 1
    assert tries.wait_s("a") == 0.0
    tries.wrong("a")
    tries.right("a")
    assert not tries._wrong
    for k in range(trying.REMEMBERED + 5):
        tries.wrong(str(k))
    assert len(tries._wrong) == trying.REMEMBERED


def test_tokens_cannot_be_tried_one_after_the_other(store_url: str) -> None:
    app = create_app(store_url, token="a-token-of-length", hosts=("*",))
    with TestClient(app, base_url="http://localhost", follow_redirects=False) as client:
        codes = [client.post("/login", data={"token": f"wrong {k}"}).status_code for k in range(FREE + 5)]
        assert codes == [401] * FREE + [429] * 5
        answer = client.post("/login", data={"token": "a-token-of-length"})
        assert (answer.status_code, int(answer.headers["retry-after"]) >= 1) == (429, True)
        assert "try again in" in answer.text
        said = {"json": {"verdict": "real", "who": "me"}, "headers": {"Authorization": "Bearer a-token-of-length"}}
        assert client.post("/api/v1/alarms/1/verdicts", **said).status_code == 429
        assert client.get("/alarms/1").status_code == 200  # to look needs none
        app.state.tries = Tries()
        assert client.post("/login", data={"token": "a-token-of-length"}).status_code == 303
        for _ in range(FREE + 5):  # whoever has signed in is not kept from working by others behind the same proxy
            client.post("/login", data={"token": "wrong"})
        assert client.post("/alarms/1/verdicts", data={"verdict": "real", "who": "me"}).status_code == 303
    app.state.site.store.close()


def test_all_listeners_share_a_reading() -> None:
    read: list[Query] = []

    def slow(query: Query) -> tuple[str, int]:
        read.append(query)
        time.sleep(0.05)
        if query.output == "broken":
            raise StoreError("no such store")
        return f"page {len(read)}", 1

    live = Live(slow)

    async def listen() -> tuple[Any, ...]:
        together = await asyncio.gather(*(live.shared(Query()) for _ in range(200)))
        later = await asyncio.gather(*(live.shared(Query()) for _ in range(200)))
        fresh = await live.fresh(Query())
        both = await asyncio.gather(*(live.fresh(Query()) for _ in range(50)))
        trouble = await live.shared(Query(output="broken"))
        for k in range(living.KEPT + 9):
            await live.shared(Query(before=k))
        return together, later, fresh, both, trouble

    together, later, fresh, both, trouble = asyncio.run(listen())
    assert {one.html for one in (*together, *later)} == {"page 1"}
    assert (fresh.html, {one.html for one in both}) == ("page 2", {"page 3"})
    assert trouble.trouble == "no such store"
    assert len(live._kept) == living.KEPT
    live.close()


@pytest.fixture
def healthy(store_url: str) -> Iterator[tuple[TestClient, Path]]:
    path = Path(store_url.removeprefix("sqlite:///"))
    app = create_app(store_url)
    with TestClient(app, base_url="http://localhost") as client:
        assert client.get("/healthz").status_code == 200
        yield client, path
    app.state.site.store.close()


def test_a_moved_store_is_no_health(healthy: tuple[TestClient, Path]) -> None:
    client, path = healthy
    path.rename(path.with_suffix(".old"))
    for address in ("/healthz", "/", "/api/v1/monitors"):
        answer = client.get(address)
        assert answer.status_code == 503
        assert "was moved or deleted: put it back" in answer.text
    path.with_suffix(".old").rename(path)
    assert client.get("/healthz").json() == {"status": "ok"}


def test_an_overwritten_store_is_no_health(healthy: tuple[TestClient, Path]) -> None:
    client, path = healthy
    path.write_bytes(b"not a database at all\n" * 400)
    answer = client.get("/healthz")
    assert answer.status_code == 503
    assert "was overwritten" in answer.json()["status"]


def test_another_store_in_its_place_is_shown(healthy: tuple[TestClient, Path], tmp_path: Path) -> None:
    client, path = healthy
    Store(f"sqlite:///{tmp_path / 'new.db'}").close()
    shutil.move(tmp_path / "new.db", path)
    for name in ("-wal", "-shm"):
        path.with_name(path.name + name).unlink(missing_ok=True)
    assert client.get("/healthz").status_code == 200
    assert "Nothing is in this store yet" in client.get("/").text


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGINT])
def test_signals_end_it_cleanly_with_listeners_and_half_open_connections(store_url: str, sent: signal.Signals) -> None:
    code = f"import lynkeus.web.app as app; app.serve({store_url!r}, port=0)"
    environment = {"PYTHONPATH": str(Path(living.__file__).parents[2])}
    pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, "env": environment}
    server = subprocess.Popen([sys.executable, "-c", code], **pipes)
    try:
        found = re.search(r":(\d+)/", server.stdout.readline())
        assert found is not None
        port = int(found[1])
        listening = [connected(port, b"GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n") for _ in range(3)]
        assert listening[0].recv(12) == b"HTTP/1.1 200"
        half = connected(port, HALF)
        server.send_signal(sent)
        _, complaints = server.communicate(timeout=10)
        for one in (*listening, half):
            one.close()
    finally:
        server.kill()
        server.communicate()
    assert (complaints, server.returncode) == ("", 0)
